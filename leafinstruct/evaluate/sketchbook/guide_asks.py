"""How rows for training ask for a lesson: the packaged English questions for guides."""

from __future__ import annotations

from leafinstruct.recipe.templates import packaged, read_questions
from leafinstruct.rewrite.config import GUIDE
from leafinstruct.rewrite.tasks import titled
from leafinstruct.rewrite.worded import tasks_in

_FILES = {"en": read_questions(packaged("questions") / "en.yaml")}


def guide_asks(title: str) -> list[str]:
    """The ways in which a guide of this title is asked for."""
    wording = tasks_in("en", (GUIDE,), _FILES)[0].wording
    assert wording is not None, "English has questions for guides"
    return titled(wording, title)
