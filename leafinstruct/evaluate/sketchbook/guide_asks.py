"""The questions of training rows for a lesson: the packaged English questions for guides."""

from __future__ import annotations

from leafinstruct.recipe.templates import packaged, read_questions
from leafinstruct.rewrite.config import GUIDE
from leafinstruct.rewrite.tasks import titled
from leafinstruct.rewrite.worded import tasks_in

_FILES = {"en": read_questions(packaged("questions") / "en.yaml")}


def guide_asks(title: str) -> list[str]:
    """Return the questions that ask for a guide of this title."""
    wording = tasks_in("en", (GUIDE,), _FILES)[0].wording
    assert wording is not None, "English has questions for guides"
    return titled(wording, title)
