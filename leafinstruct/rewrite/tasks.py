"""Which task a document fits, what of it is given and asked, and how the question is worded. Pure; the
families are data (rewrite/config.py).

    given    nothing       first step     first half     all but the last step
    asked    all of it     the rest       the rest       the last step                 `change`: the second image alone, then what follows it

A document whose owners are not all known is never cut: only families that give nothing fit it. Among the
families that fit, those that need no title come first where the document has none.

Where the document's language has no questions (rewrite/worded.py), no sentence is added. The question is the
beginning of the document in its own words, its title and then the given steps; the answer is what follows.
Without a title, the first text of the given steps is the instruction; it goes before the images that it
follows, unless it points back at them. A title alone asks for everything where no family that gives something
fits. The passage between its images asks for an edit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.records.text.signs import POINTS_BACK
from leafinstruct.records.text.words import QUESTION_MARKS, TITLE_ENDS, count_words
from leafinstruct.rewrite.config import ENGLISH, TaskFamily
from leafinstruct.rewrite.edits import passage_of, request_of
from leafinstruct.rewrite.genre import first_sentence, genre_of
from leafinstruct.rewrite.parse import MAX_INSTRUCTION
from leafinstruct.rewrite.steps import Steps, steps_of
from leafinstruct.rewrite.worded import Task, Wording

_STOP_BEHIND_MARK = re.compile(rf"([!…！{QUESTION_MARKS}])\.")  # noqa: RUF001 - the full-width mark is meant
"""A template's full stop behind a title that ends in a mark of its own."""

_INSTRUCTING = ("prose", "heading", "list")
"""Kinds of text that can be an instruction: a caption, a table or code alone asks for nothing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a document beyond its segments. whole: no image of it was dropped or lost;
    resemblance: the smallest structural similarity of two images that follow each other, None where it was
    not computed."""

    whole: bool = True
    resemblance: float | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """A document in what the question shows and what the answer shows."""

    context: tuple[Segment, ...]
    response: tuple[Segment, ...]


def fitting(document: Document, tasks: Sequence[Task], facts: Facts) -> list[Task]:
    """The tasks whose family's needs a document meets and whose question it can be asked, in their order."""
    met = {family.name for family in met_by(document, [task.family for task in tasks], facts)}
    return [task for task in tasks if task.family.name in met and _can_be_asked(document, task)]


def met_by(document: Document, families: Sequence[TaskFamily], facts: Facts) -> list[TaskFamily]:
    """The families whose needs a document meets, whether or not there is a question."""
    if not document.images:
        return []
    steps, genre = steps_of(document), genre_of(document)
    return [
        family
        for family in families
        if genre in family.needs.genres and _meets(document, family, facts, steps)
    ]


def choose(document: Document, tasks: Sequence[Task], facts: Facts, identity: str) -> Task | None:
    """One fitting task, chosen by an id, so that adding documents changes no other's task; None when none
    fits.

    Without a title, the beginning of a document says better what is asked for than its first sentence, so
    families that give something go first; and so they do where the question has no words but the title's.
    """
    fits = fitting(document, tasks, facts)
    well = [
        task
        for task in fits
        if task.family.given != "nothing" or (document.title is not None and (task.wording or task.by_model))
    ]
    fits = well or fits
    return fits[number_of(identity) % len(fits)] if fits else None


def wants_resemblance(document: Document, tasks: Sequence[Task], facts: Facts) -> bool:
    """Whether the resemblance of its images decides whether a family fits."""
    asking = [task for task in tasks if task.family.needs.resemblance is not None]
    known = Facts(facts.whole, 1.0)
    return bool(asking and fitting(document, asking, known))


def parts_of(document: Document, family: TaskFamily) -> Parts:
    """The segments of a document that fits the family, parted."""
    return _parted(family, steps_of(document))


def _parted(family: TaskFamily, cut: Steps) -> Parts:
    if family.asked == "change":
        body = [segment for step in cut.steps for segment in step]
        first, second = (at for at, segment in enumerate(body) if isinstance(segment, Image))
        return Parts(tuple(body[: first + 1]), tuple(body[second:]))
    context, response = cut.split(
        {"nothing": 0, "first": 1, "half": max(1, len(cut.steps) // 2), "all_but_last": -1}[family.given]
    )
    return Parts(tuple(context), tuple(response))


def questions(document: Document, task: Task) -> list[str]:
    """The ways in which the task asks for this document; one of them is used. A title that begins as the
    language's guides do is asked for as people ask, too. Of a language without questions: the document's own
    words, or none."""
    wording = task.wording
    if wording is None:
        own = in_own_words(document, task.family)
        return [] if own is None else [own[0]]
    change = request_of(document, wording.result) if task.family.asked == "change" else None
    if change is None and task.family.asked == "change":
        return []
    opening = first_sentence(document)
    title = _unquoted((document.title or "").strip().rstrip(TITLE_ENDS))
    if not title:
        return [
            ask.format(opening=opening, change=change)
            for ask in wording.ask_untitled
            if opening or "{opening}" not in ask
        ]
    if title.endswith(tuple(QUESTION_MARKS)) and wording.question_titles:
        return [ask.format(title=title) for ask in wording.question_titles]
    return titled(wording, title, opening, change)


def titled(wording: Wording, title: str, opening: str = "", change: str | None = None) -> list[str]:
    """The questions for a title, and the further ones for how it begins: "How do I fold a boat?" for "How to
    fold a boat"."""
    asks = [ask.format(title=title, opening=opening, change=change) for ask in wording.ask]
    for start, further in wording.begins.items():
        rest = title[len(start) :]
        if title[: len(start)].lower() == start.lower():
            asks += [ask.format(rest=rest, lower_rest=_uncapitalized(rest)) for ask in further]
    return [_STOP_BEHIND_MARK.sub(r"\1", ask) for ask in asks]


def in_own_words(document: Document, family: TaskFamily) -> tuple[str, Parts] | None:
    """The question of a document that nothing is added to, and the parts without it; None where its own words
    make none."""
    parts = parts_of(document, family)
    if family.asked == "change":
        return None if request_of(document, None) is None else (passage_of(document) or "", parts)
    if title := (document.title or "").strip():
        return title, parts
    at, first = next(
        ((at, item) for at, item in enumerate(parts.context) if isinstance(item, Text)), (0, None)
    )
    if first is None or first.kind not in _INSTRUCTING or not 0 < len(first.text.strip()) <= MAX_INSTRUCTION:
        return None
    if at and POINTS_BACK.search(first.text):
        return None
    return first.text.strip(), replace(parts, context=parts.context[:at] + parts.context[at + 1 :])


def _unquoted(title: str) -> str:
    """A title without the quotation marks around the whole of it: questions put their own."""
    inner = title[1:-1]
    return (
        inner
        if len(title) > 2 and title[0] in '“"„«' and title[-1] in '”"“»' and not set(inner) & set('“”"„«»')
        else title
    )


def _uncapitalized(words: str) -> str:
    """Words that went on behind others: `Fix a Shelf` with a small letter, `DNS works` as it is."""
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def number_of(text: str) -> int:
    """A number that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _can_be_asked(document: Document, task: Task) -> bool:
    return (task.by_model and task.wording is None) or bool(questions(document, task))


def _meets(document: Document, family: TaskFamily, facts: Facts, steps: Steps) -> bool:
    needs = family.needs
    if (
        len(document.images) < needs.min_images
        or len(steps.steps) < needs.min_steps
        or (needs.whole and not facts.whole)
    ):
        return False
    if family.asked == "change":  # the patterns of a request are English
        if document.language not in (None, ENGLISH) or not steps.known or passage_of(document) is None:
            return False
    elif family.given != "nothing" and (
        not steps.known or len(steps.steps) < 2 or not _each_has_an_image(_parted(family, steps))
    ):
        return False
    if (
        needs.max_asked_words is not None
        and count_words(_texts(_parted(family, steps).response)) > needs.max_asked_words
    ):
        return False
    return needs.resemblance is None or (
        facts.resemblance is not None and facts.resemblance >= needs.resemblance
    )


def _each_has_an_image(parts: Parts) -> bool:
    return all(
        any(isinstance(segment, Image) for segment in side) for side in (parts.context, parts.response)
    )


def _texts(segments: Sequence[Segment]) -> list[str]:
    return [segment.text for segment in segments if isinstance(segment, Text)]
