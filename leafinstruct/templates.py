"""Prompts, cards and questions: found beside the recipe, one folder up, then in the package, and read.

A file of questions is checked with the recipe, before anything runs. It is small plain YAML: size, depth and aliases are bounded, because it may come
from somebody who only speaks the language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from leafinstruct.errors import RecipeError
from leafinstruct.llm.prompt import Prompt
from leafinstruct.recipe_faults import faults_of
from leafinstruct.rewrite.config import PACKAGED_NAMES, TaskFamily
from leafinstruct.rewrite.wording import QuestionFile, Questions, check_changes

QUESTIONS = "questions"
MAX_BYTES = 256 * 1024
"""Of a file of questions; the packaged one has 3 KB."""


def template(recipe: Path, folder: str, name: str) -> Prompt:
    """The text of prompts/<name>.md or data_cards/<name>.md for a recipe. Raises RecipeError when there is none."""
    for place in _places(recipe, folder):
        path = place / f"{name}.md"
        if path.is_file():
            return Prompt(name, text_in(path))
    raise RecipeError(f"{recipe}: no {folder}/{name}.md beside the recipe, one folder up or in the package")


def packaged(folder: str) -> Path:
    """Where the package keeps pipelines/, prompts/, questions/ and data_cards/: inside the wheel, or beside the package in a checkout."""
    inside = Path(__file__).parent / "data" / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder


def _places(recipe: Path, folder: str) -> tuple[Path, Path, Path]:
    return recipe.absolute().parent / folder, recipe.absolute().parent.parent / folder, packaged(folder)


def questions_for(recipe: Path, families: Sequence[TaskFamily]) -> dict[str, QuestionFile]:
    """ISO 639 code -> the questions of questions/<code>.yaml, the first that is found. families: those of the recipe. Raises RecipeError."""
    paths: dict[str, Path] = {}
    for place in reversed(_places(recipe, QUESTIONS)):
        paths |= {path.stem: path for path in sorted(place.glob("*.yaml"))}
        if wrong := sorted(place.glob("*.yml")):
            raise RecipeError(f"{wrong[0]}: a file of questions is called <language>.yaml; name it {wrong[0].stem}.yaml")
    return {language: read_questions(path, families) for language, path in sorted(paths.items())}


def read_questions(path: Path, families: Sequence[TaskFamily] = ()) -> QuestionFile:
    """A file of questions, checked by itself and against the families of a recipe. Raises RecipeError, one line a fault."""
    text = text_in(path, MAX_BYTES)
    raw = yaml_in(path, text, _Plain)
    if not isinstance(raw, dict):
        raise RecipeError(f"{path}: a file of questions is a mapping of {', '.join(Questions.model_fields)}")
    try:
        questions = Questions.model_validate(raw)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{path}, {line}" for line in faults_of(error, Questions, ()))) from error
    if questions.language != path.stem:
        raise RecipeError(f"{path}, language: {questions.language!r}, but the file is named {path.name}; name it {questions.language}.yaml")
    names = sorted({*PACKAGED_NAMES, *(family.name for family in families)})
    for name in questions.families:
        if name not in names and (near := get_close_matches(name, names, n=1)):
            raise RecipeError(f"{path}, families.{name}: no task family is called so; did you mean {near[0]!r}?")
    for family in families:
        listed = questions.families.get(family.name)
        try:
            check_changes(family.name, (*listed.ask, *listed.ask_untitled) if listed else (), family.asked == "change")
        except ValueError as error:
            raise RecipeError(f"{path}, families.{family.name}: {error}") from error
    return QuestionFile(questions, hashlib.sha256(text.encode()).hexdigest())


def text_in(path: Path, most: int | None = None) -> str:
    """The text of a UTF-8 file of at most so many bytes. Raises RecipeError."""
    try:
        if most is not None and path.stat().st_size > most:
            raise RecipeError(f"{path}: larger than {most // 1024} KB; is it the right file?")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: cannot be read: {error}; save it as UTF-8") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error


def yaml_in(path: Path, text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """The plain values of a YAML text; path: for messages. Raises RecipeError with line and column."""
    try:
        return yaml.load(text, loader)  # noqa: S506 - a safe loader or a stricter one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise RecipeError(f"{path}, {where}: not YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError as error:
        raise RecipeError(f"{path}: nested too deeply; lists and mappings of a few levels are all that is needed") from error


class _Plain(yaml.SafeLoader):
    """YAML without aliases, which make much of a few bytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            alias: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias (*name) is not accepted here; write the text again", alias.start_mark)
        return super().compose_node(parent, index)
