"""Find and read prompts, cards and question files: beside the recipe, one folder up, or in the package.

A question file is checked with the recipe, before anything runs: its author may be a speaker of the language
who knows no code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from leafinstruct.errors import RecipeError, shortened
from leafinstruct.llm.prompt import Prompt
from leafinstruct.recipe.faults import faults_of
from leafinstruct.rewrite.config import PACKAGED_NAMES, TaskFamily
from leafinstruct.rewrite.wording import QuestionFile, Questions, check_changes
from leafinstruct.runtime.settings_text import text_in, yaml_in

QUESTIONS = "questions"


def template(recipe: Path, folder: str, name: str) -> Prompt:
    """The text of prompts/<name>.md or data_cards/<name>.md for a recipe. Raises RecipeError if there is
    none."""
    for place in _places(recipe, folder):
        path = place / f"{name}.md"
        if os.path.isfile(path):  # noqa: PTH113 - false, not an error, for a name that is too long
            return Prompt(name, text_in(path))
    raise RecipeError(
        f"{recipe}: no {folder}/{shortened(name, 100)}.md beside the recipe, one folder up or in the package"
    )


def packaged(folder: str) -> Path:
    """The package's folder of pipelines, prompts, questions or data_cards: inside the wheel, or beside the
    package in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "data" / folder
    return inside if inside.is_dir() else package.parent / folder


def _places(recipe: Path, folder: str) -> tuple[Path, Path, Path]:
    return recipe.absolute().parent / folder, recipe.absolute().parent.parent / folder, packaged(folder)


def questions_for(recipe: Path, families: Sequence[TaskFamily]) -> dict[str, QuestionFile]:
    """Question files by ISO 639 code: the first questions/<code>.yaml found for each. families: task families
    of the recipe. Raises RecipeError."""
    paths: dict[str, Path] = {}
    for place in reversed(_places(recipe, QUESTIONS)):
        paths |= {path.stem: path for path in sorted(place.glob("*.yaml"))}
        if wrong := sorted(place.glob("*.yml")):
            raise RecipeError(
                f"{wrong[0]}: a question file is called <language>.yaml; rename it to {wrong[0].stem}.yaml"
            )
    return {language: read_questions(path, families) for language, path in sorted(paths.items())}


def read_questions(path: Path, families: Sequence[TaskFamily] = ()) -> QuestionFile:
    """Read a question file and check it, also against the task families of a recipe. Raises RecipeError with
    one line per fault."""
    text = text_in(path)
    raw = yaml_in(path, text)
    if not isinstance(raw, dict):
        raise RecipeError(f"{path}: a question file is a mapping of {', '.join(Questions.model_fields)}")
    try:
        questions = Questions.model_validate(raw)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{path}, {line}" for line in faults_of(error, Questions))) from error
    if questions.language != path.stem:
        raise RecipeError(
            f"{path}, language: {questions.language!r}, but the file is named {path.name}; rename it to "
            f"{questions.language}.yaml"
        )
    names = sorted({*PACKAGED_NAMES, *(family.name for family in families)})
    for name in questions.families:
        if name not in names and (near := get_close_matches(name, names, n=1)):
            raise RecipeError(f"{path}, families.{name}: unknown task family; did you mean {near[0]!r}?")
    for family in families:
        listed = questions.families.get(family.name)
        try:
            check_changes(
                family.name, (*listed.ask, *listed.ask_untitled) if listed else (), family.asked == "change"
            )
        except ValueError as error:
            raise RecipeError(f"{path}, families.{family.name}: {error}") from error
    return QuestionFile(questions, hashlib.sha256(text.encode()).hexdigest())
