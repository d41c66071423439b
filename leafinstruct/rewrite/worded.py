"""A task family as it asks in the language of one document. Pure.

    the recipe's own questions in that language, or in any        they are used; what the family does not state comes from the language's file
    questions of the family in questions/<language>.yaml          they are used
    the recipe's own questions in another language alone          the family is not used
    none                                                          the question is made of the document's own words (tasks.py)

A document whose language is not known has no file: it is never asked for in a language that may not be its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leafinstruct.rewrite.config import ANY, ENGLISH, PACKAGED, TaskFamily
from leafinstruct.rewrite.wording import FamilyQuestions, QuestionFile, Questions

Files = Mapping[str, QuestionFile]
"""ISO 639 code -> the questions of that language."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The questions of a family in one language; fields as in a file of questions. question_titles: empty
    where not everything is asked for."""

    ask: tuple[str, ...]
    ask_untitled: tuple[str, ...]
    begins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    question_titles: tuple[str, ...] = ()
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A family with its questions. wording: None where the language has none; by_model: a language model
    words the question, so that the document's own words need not make one."""

    family: TaskFamily
    wording: Wording | None
    by_model: bool = False


def tasks_in(
    language: str | None, families: Sequence[TaskFamily], files: Files, by_model: bool = False
) -> list[Task]:
    """The families that can be used for a document in this language, in their order."""
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
