"""Choose the task of a document, what is given and asked, and the question. Pure; families are data
(rewrite/config.py).

    given    nothing       first step     first half     all but the last step
    asked    all of it     the rest       the rest       the last step                 `change`: the second
    image alone, then what follows it

    asked `steps`          all of it, one step a turn
    asked `sequence`       the passage between two images; the first question shows everything else

A document whose images are not all bound to texts is never cut: only families that give nothing fit it. For a
document without a title, families that need none are preferred.

If the document's language has no questions (rewrite/worded.py), no sentence is added. The question is then
the beginning of the document: its title and the given steps; the answer is what follows. Without a title, the
first text of the given steps is the instruction; it moves before the images that it follows, unless it refers
back to them. A title alone asks for the whole document if no family that gives something fits. The passage
between its images asks for an edit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.text.genre import first_sentence, genre_of
from leafinstruct.records.text.signs import POINTS_BACK
from leafinstruct.records.text.words import QUESTION_MARKS, TITLE_ENDS, count_words
from leafinstruct.rewrite.config import ENGLISH, TaskFamily
from leafinstruct.rewrite.edits import passage_of, request_of
from leafinstruct.rewrite.parse import MAX_INSTRUCTION
from leafinstruct.rewrite.steps import Steps, steps_of
from leafinstruct.rewrite.worded import Task, Wording, number_of

_STOP_AFTER_PUNCTUATION = re.compile(rf"([!…！{QUESTION_MARKS}])\.")  # noqa: RUF001 - the full-width mark is meant
"""A template's full stop after a title that ends in its own punctuation."""

PASSAGE = 5
"""Minimum words of a passage between two images that a question about the sequence asks for."""
_PASSAGES = ("prose", "list", "heading", "caption")

_INSTRUCTING = ("prose", "heading", "list")
"""Kinds of text that can be an instruction. A caption, a table or code alone asks for nothing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a document beyond its segments. whole: no image was dropped or lost; resemblance: smallest
    structural similarity of two consecutive images, None if not computed."""

    whole: bool = True
    resemblance: float | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """A document divided into the segments of the question and those of the answer."""

    context: tuple[Segment, ...]
    response: tuple[Segment, ...]


def fitting(document: Document, tasks: Sequence[Task], facts: Facts) -> list[Task]:
    """The tasks whose needs a document meets and that have a question for it, in their order."""
    met = {family.name for family in met_by(document, [task.family for task in tasks], facts)}
    return [task for task in tasks if task.family.name in met and _can_be_asked(document, task)]


def met_by(document: Document, families: Sequence[TaskFamily], facts: Facts) -> list[TaskFamily]:
    """The families whose needs a document meets, with or without a question."""
    if not document.images:
        return []
    steps, genre = steps_of(document), genre_of(document)
    return [
        family
        for family in families
        if genre in family.needs.genres and _meets(document, family, facts, steps)
    ]


def choose(document: Document, tasks: Sequence[Task], facts: Facts, identity: str) -> Task | None:
    """Choose one fitting task by an id, so that new documents do not change the task of others; None if none
    fits.

    Families that give something are preferred for a document without a title, because its beginning states
    better what is asked for than its first sentence; and if the question has only the words of the title.
    """
    fits = fitting(document, tasks, facts)
    preferred = [
        task
        for task in fits
        if task.family.given != "nothing" or (document.title is not None and (task.wording or task.by_model))
    ]
    fits = preferred or fits
    return fits[number_of(identity) % len(fits)] if fits else None


def wants_resemblance(document: Document, tasks: Sequence[Task], facts: Facts) -> bool:
    """Whether a family's fit depends on the resemblance of the images."""
    asking = [task for task in tasks if task.family.needs.resemblance is not None]
    known = Facts(facts.whole, 1.0)
    return bool(asking and fitting(document, asking, known))


def parts_of(document: Document, family: TaskFamily) -> Parts:
    """Divide a document that fits the family."""
    return _parted(family, steps_of(document))


def _parted(family: TaskFamily, cut: Steps) -> Parts:
    if family.asked == "sequence":
        body = [segment for step in cut.steps for segment in step]
        passage = _passage(body)
        assert passage is not None, "the document fits the family"
        first, last = passage
        return Parts(tuple(body[:first] + body[last:]), tuple(body[first:last]))
    if family.asked == "change":
        body = [segment for step in cut.steps for segment in step]
        first, second = (at for at, segment in enumerate(body) if isinstance(segment, ImageRef))
        return Parts(tuple(body[: first + 1]), tuple(body[second:]))
    context, response = cut.split(
        {"nothing": 0, "first": 1, "half": max(1, len(cut.steps) // 2), "all_but_last": -1}[family.given]
    )
    return Parts(tuple(context), tuple(response))


def questions(document: Document, task: Task) -> list[str]:
    """The possible questions of the task for this document; one of them is used. A title that begins like a
    guide ("How to ...") adds further questions. In a language without questions: the document's own words, or
    none."""
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
    """The questions for a title, and further ones for its beginning, e.g. "How do I fold a boat?" for "How to
    fold a boat"."""
    asks = [ask.format(title=title, opening=opening, change=change) for ask in wording.ask]
    for start, further in wording.begins.items():
        rest = title[len(start) :]
        if title[: len(start)].lower() == start.lower():
            asks += [ask.format(rest=rest, lower_rest=_uncapitalized(rest)) for ask in further]
    return [_STOP_AFTER_PUNCTUATION.sub(r"\1", ask) for ask in asks]


def in_own_words(document: Document, family: TaskFamily) -> tuple[str, Parts] | None:
    """The question in the document's own words, and the parts without it; None if its words make no
    question."""
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
    """A title without quotation marks around the whole of it, because questions add their own."""
    inner = title[1:-1]
    return (
        inner
        if len(title) > 2 and title[0] in '“"„«' and title[-1] in '”"“»' and not set(inner) & set('“”"„«»')
        else title
    )


def _uncapitalized(words: str) -> str:
    """The rest of a title with a small first letter (`fix a Shelf`), unless it is an acronym (`DNS
    works`)."""
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _passage(body: Sequence[Segment]) -> tuple[int, int] | None:
    """First and last index (exclusive) of a passage between two images: prose and lists of at least PASSAGE
    words. It is chosen by the words of the document; None if there is none."""
    images = [at for at, segment in enumerate(body) if isinstance(segment, ImageRef)]
    found = [
        (before + 1, after)
        for before, after in pairwise(images)
        if all(isinstance(item, Text) and item.kind in _PASSAGES for item in body[before + 1 : after])
        and count_words(_texts(body[before + 1 : after])) >= PASSAGE
    ]
    return found[number_of("\0".join(_texts(body))) % len(found)] if found else None


def _can_be_asked(document: Document, task: Task) -> bool:
    if not task.by_model and not task.has_turns:
        return False
    return (task.by_model and task.wording is None) or bool(questions(document, task))


def _meets(document: Document, family: TaskFamily, facts: Facts, steps: Steps) -> bool:
    needs = family.needs
    if (
        len(document.images) < needs.min_images
        or len(steps.steps) < needs.min_steps
        or (needs.whole and not facts.whole)
    ):
        return False
    if family.asked == "change":  # the patterns of requests are English
        if document.language not in (None, ENGLISH) or not steps.known or passage_of(document) is None:
            return False
    elif family.asked == "steps":
        if not steps.known or len(steps.steps) < 2 or not all(map(_texts, steps.steps)):
            return False
    elif family.asked == "sequence":
        if _passage([segment for step in steps.steps for segment in step]) is None:
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
        any(isinstance(segment, ImageRef) for segment in side) for side in (parts.context, parts.response)
    )


def _texts(segments: Sequence[Segment]) -> list[str]:
    return [segment.text for segment in segments if isinstance(segment, Text)]
