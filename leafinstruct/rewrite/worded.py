"""Find the questions of a task family in the language of a document. Pure. The first case that applies:

    the recipe has questions in that language, or in `any`        they are used, completed from the language's
                                                                  file
    questions/<language>.yaml has questions of the family         they are used
    the recipe has questions in another language only             the family is not used
    otherwise                                                     the question is the document's own words
                                                                  (tasks.py)

A document of unknown language has no file, so no question is in a language that may not be its own.

Every question has a style, chosen at random by the recipe's seed: a dataset whose questions are all worded
alike teaches a model to expect that wording. A language model gets the style in its prompt; the templates
choose among their wordings, those of the form, then the shorter or the longer half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from leafinstruct.records.text.words import QUESTION_MARKS
from leafinstruct.rewrite.config import ANY, BY_NAME, ENGLISH, TaskFamily
from leafinstruct.rewrite.wording import FamilyQuestions, QuestionFile, Questions, TurnQuestions

Files = Mapping[str, QuestionFile]
"""Question files by ISO 639 code."""


_FORMS = {
    "question": "a question",
    "request": "a request in the imperative",
    "situation": "a sentence about what the person wants to do or know, then the request",
}
_LENGTHS = {
    "short": "of at most 10 words",
    "medium": "of 10 to 25 words",
    "detailed": "of two or three sentences, which say what the answer must contain",
}
_QUOTES = "”\"'»)"


@dataclass(frozen=True, slots=True)
class Style:
    """Form and length of a question, keys of _FORMS and _LENGTHS."""

    form: str
    length: str

    @property
    def name(self) -> str:
        return f"{self.form}, {self.length}"

    @property
    def in_words(self) -> str:
        """The style as a prompt states it."""
        return f"{_FORMS[self.form]} {_LENGTHS[self.length]}"

    def fitting(self, asks: Sequence[str]) -> Sequence[str]:
        """The wordings in this style, at least one. The order of `asks` is kept."""
        wanted = [ask for ask in asks if (self.form == "question") == _is_question(ask)]
        kept = wanted if wanted and self.form != "situation" else list(asks)
        if self.length == "medium" or len(kept) < 2:
            return kept
        longest = sorted(kept, key=len)
        half = longest[: (len(kept) + 1) // 2] if self.length == "short" else longest[len(kept) // 2 :]
        return [ask for ask in kept if ask in half]


@dataclass(frozen=True, slots=True)
class Wording:
    """The questions of a family in one language; fields as in a question file. question_titles: empty unless
    the whole document is asked for."""

    ask: tuple[str, ...]
    ask_untitled: tuple[str, ...]
    begins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    question_titles: tuple[str, ...] = ()
    result: str | None = None
    turns: TurnQuestions = field(default_factory=TurnQuestions)


@dataclass(frozen=True, slots=True)
class Task:
    """A family with its questions. wording: None if the language has none; by_model: a language model words
    the question, so the document's own words are not needed; style: of the question, None for any."""

    family: TaskFamily
    wording: Wording | None
    by_model: bool = False
    style: Style | None = None

    @property
    def has_turns(self) -> bool:
        """Whether the language has the further questions that the family needs."""
        turns = TurnQuestions() if self.wording is None else self.wording.turns
        return bool({"steps": turns.next, "sequence": turns.between}.get(self.family.asked, True))


STYLES = tuple(Style(form, length) for form, length in product(_FORMS, _LENGTHS))


def style_of(seed: int, example: str) -> Style:
    """The style of an example. example: a text that identifies it in all builds of its document."""
    return STYLES[number_of(f"{seed}\0{example}\0style") % len(STYLES)]


def _is_question(ask: str) -> bool:
    return ask.rstrip().rstrip(_QUOTES).endswith(tuple(QUESTION_MARKS))


def number_of(text: str) -> int:
    """A number that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def tasks_in(
    language: str | None, families: Sequence[TaskFamily], files: Files, by_model: bool = False
) -> list[Task]:
    """The families that can be used for documents in this language, in their order."""
    file = files.get(language or "")
    questions = None if file is None else file.questions
    found = [(family, _wording(family, language, questions)) for family in families]
    return [
        Task(family, wording, by_model)
        for family, wording in found
        if wording is not None or not family.states_questions
    ]


def _wording(family: TaskFamily, language: str | None, file: Questions | None) -> Wording | None:
    turns = TurnQuestions() if file is None else file.turns
    if family.language == ANY:
        return Wording(family.ask or (), family.ask_untitled or (), turns=turns)
    listed = None if file is None else file.families.get(family.name)
    own = family.states_questions and language == (family.language or ENGLISH)
    if not own and listed is None:
        return None
    listed = listed or FamilyQuestions.model_construct()
    ask = family.ask if own and family.ask is not None else listed.ask
    untitled = family.ask_untitled if own and family.ask_untitled is not None else listed.ask_untitled
    reworded = own and family.ask is not None and family.name in BY_NAME
    titles = file.question_titles if file is not None and family.given == "nothing" and not reworded else ()
    begins = listed.begins if ask is listed.ask else {}
    return Wording(ask, untitled, begins, titles, None if file is None else file.result, turns)
