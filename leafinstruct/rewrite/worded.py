"""Find the questions of a task family in the language of a document. Pure. The first case that applies:

    the recipe has questions in that language, or in `any`        they are used, completed from the language's
                                                                  file
    questions/<language>.yaml has questions of the family         they are used
    the recipe has questions in another language only             the family is not used
    otherwise                                                     the question is the document's own words
                                                                  (tasks.py)

A document of unknown language has no file, so no question is in a language that may not be its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leafinstruct.rewrite.config import ANY, ENGLISH, PACKAGED, TaskFamily
from leafinstruct.rewrite.wording import FamilyQuestions, QuestionFile, Questions

Files = Mapping[str, QuestionFile]
"""Question files by ISO 639 code."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The questions of a family in one language; fields as in a question file. question_titles: empty unless
    the whole document is asked for."""

    ask: tuple[str, ...]
    ask_untitled: tuple[str, ...]
    begins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    question_titles: tuple[str, ...] = ()
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A family with its questions. wording: None if the language has none; by_model: a language model words
    the question, so the document's own words are not needed."""

    family: TaskFamily
    wording: Wording | None
    by_model: bool = False


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
    if family.language == ANY:
        return Wording(family.ask or (), family.ask_untitled or ())
    listed = None if file is None else file.families.get(family.name)
    own = family.states_questions and language == (family.language or ENGLISH)
    if not own and listed is None:
        return None
    listed = listed or FamilyQuestions.model_construct()
    ask = family.ask if own and family.ask is not None else listed.ask
    untitled = family.ask_untitled if own and family.ask_untitled is not None else listed.ask_untitled
    reworded = own and family.ask is not None and family.name in PACKAGED
    titles = file.question_titles if file is not None and family.given == "nothing" and not reworded else ()
    begins = listed.begins if ask is listed.ask else {}
    return Wording(ask, untitled, begins, titles, None if file is None else file.result)
