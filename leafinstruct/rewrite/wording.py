"""Question files, questions/<code>.yaml, and the checks of question templates. Pure.

A file names the speaker who read its questions. For a language without a file no sentence is added: see
rewrite/tasks.py.
"""

from __future__ import annotations

import string
from collections.abc import Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from leafinstruct.records.text.language_names import NAMES, hint

PLACES = frozenset({"title", "opening", "change"})
"""Placeholders of a question template: the title, the first sentence, the request for a change."""


class Section(BaseModel):
    """A mapping of a recipe or of a question file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _listed(asks: Any) -> Any:
    if isinstance(asks, str):
        raise ValueError(f"questions are a list: write [{asks!r}]")
    return asks


def places_of(ask: str) -> list[str]:
    """The placeholders in a template. Raises ValueError for an invalid template or a placeholder with a
    format."""
    try:
        fields = [field[1:] for field in string.Formatter().parse(ask) if field[1] is not None]
    except ValueError as error:
        raise ValueError(f"the question {ask!r} is no template: {error}; write {{{{ for a brace") from error
    if any(spec or conversion for _, spec, conversion in fields):
        raise ValueError(f"the question {ask!r} formats a placeholder; write only its name, as {{title}}")
    return [name or "" for name, _, _ in fields]


def _template(ask: str, places: Set[str]) -> str:
    if not ask.strip():
        raise ValueError("a question is empty; write it, or remove the entry")
    if unknown := sorted({*places_of(ask)} - places):
        near = get_close_matches(unknown[0], places, n=1)
        allowed = (
            f"did you mean {{{near[0]}}}?"
            if near
            else f"known are {', '.join(f'{{{name}}}' for name in sorted(places))}"
        )
        raise ValueError(f"the question {ask!r} uses {{{unknown[0]}}}; {allowed}")
    return ask


def _templates(asks: tuple[str, ...], places: Set[str] = PLACES) -> tuple[str, ...]:
    return tuple(_template(ask, places) for ask in asks)


Asks = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_templates)]
"""Question templates that may name PLACES."""
_Rests = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    AfterValidator(partial(_templates, places={"rest", "lower_rest"})),
]
_Titles = Annotated[
    tuple[str, ...], BeforeValidator(_listed), AfterValidator(partial(_templates, places={"title"}))
]
_Result = Annotated[str, AfterValidator(partial(_template, places={"result"}))]


FamilyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""Name of a task family, of its shards and of the dataset's configuration on the Hub."""


def is_wordless(ask: str) -> bool:
    """Whether a template has no words of its own and so fits every language: `{title}`, `“{opening}”`."""
    return not any(
        character.isalnum() for literal, *_ in string.Formatter().parse(ask) for character in literal
    )


def check_untitled(asks: tuple[str, ...]) -> tuple[str, ...]:
    """Raise ValueError if a question for documents without a title uses {title}."""
    if any("title" in places_of(ask) for ask in asks):
        raise ValueError("a question in ask_untitled uses {title}, but such documents have none")
    return asks


def check_changes(name: str, asks: tuple[str, ...], changing: bool) -> None:
    """Raise ValueError unless {change} is in all questions of a family that asks for a change, and in none of
    others."""
    if any(("change" in places_of(ask)) != changing for ask in asks):
        raise ValueError(
            f"the task {name}: {{change}} must be in every question if asked is `change`, and in "
            "none otherwise"
        )


class FamilyQuestions(Section):
    """The questions of one task family in one language."""

    ask: Asks = ()
    """Questions for documents with a title; `{title}`, `{opening}` (first sentence) and `{change}` are filled
    in."""
    ask_untitled: Annotated[Asks, AfterValidator(check_untitled)] = ()
    """Questions for documents without a title; if empty, the family needs a title."""
    begins: dict[str, _Rests] = {}
    """Beginning of a title -> further questions for such titles; `{rest}` is what follows, `{lower_rest}` the
    same with a small first letter."""

    @model_validator(mode="after")
    def _asks(self) -> FamilyQuestions:
        if not self.ask and not self.ask_untitled:
            raise ValueError("there is no question; give ask, ask_untitled or both, or remove the family")
        return self


def _turns(places: Set[str]) -> Any:
    return Annotated[
        tuple[str, ...], BeforeValidator(_listed), AfterValidator(partial(_of_turns, places=places))
    ]


def _of_turns(asks: tuple[str, ...], places: Set[str]) -> tuple[str, ...]:
    for ask in _templates(asks, places):
        if missing := sorted(places - {*places_of(ask)}):
            raise ValueError(f"the question {ask!r} needs {{{missing[0]}}}")
    return asks


class TurnQuestions(Section):
    """Further questions of a conversation. A family that needs missing ones is not used in this language."""

    next: _turns(frozenset()) = ()  # type: ignore[valid-type]
    """How a person asks for the next step."""
    between: _turns(frozenset({"before", "after"})) = ()  # type: ignore[valid-type]
    """Questions for what happens between the images with the numbers `{before}` and `{after}`."""
    order: _turns(frozenset({"one", "other"})) = ()  # type: ignore[valid-type]
    """Questions for which of two sentences, `{one}` and `{other}`, comes first."""


class Questions(Section):
    """The questions of one language."""

    language: str = Field(default="", validate_default=True)
    """ISO 639 code."""
    read_by: str = Field(default="", validate_default=True)
    """The speaker of the language who read these questions."""
    question_titles: _Titles = ()
    """Questions for documents whose title is a question, if the whole document is asked for. If empty, such a
    title is treated like any other."""
    turns: TurnQuestions = TurnQuestions()
    """Further questions of a conversation."""
    result: _Result | None = None
    """Template of the request for a change that a text describes by its `{result}`. Without it, such texts
    are no request."""
    families: dict[FamilyName, FamilyQuestions] = Field(default={}, validate_default=True)
    """Questions of each task family. A family that is not listed asks in the document's own words."""

    @field_validator("language")
    @classmethod
    def _known(cls, language: str) -> str:
        return known(language)

    @field_validator("read_by")
    @classmethod
    def _read(cls, read_by: str) -> str:
        if not read_by.strip():
            raise ValueError(
                "missing; name the speaker of the language who read these questions, as read_by: NAME"
            )
        return read_by.strip()

    @field_validator("families")
    @classmethod
    def _some(cls, families: dict[str, FamilyQuestions]) -> dict[str, FamilyQuestions]:
        if not families:
            raise ValueError(
                "missing; give the questions of at least one task family, as families: {report: {ask: [...]}}"
            )
        return families


def known(language: str) -> str:
    """Return a language code. Raises ValueError if it is unknown."""
    if language not in NAMES:
        raise ValueError(f"unknown language {language!r}; {hint(language)}")
    return language


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """The questions of a file, and the sha256 of the file."""

    questions: Questions
    sha256: str
