"""Which task a document fits, what of it is given and asked, and how the question is worded. Pure; the families are data (rewrite/config.py).

    given    nothing       first step     first half     all but the last step
    asked    all of it     the rest       the rest       the last step                 `change`: the second image alone, then what follows it

A document whose owners are not all known is never cut: only families that give nothing fit it. Among the families that fit, those that need no
title come first where the document has none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.records.words import TITLE_ENDS, count_words
from leafinstruct.rewrite.config import GUIDE, PACKAGED, TaskFamily
from leafinstruct.rewrite.edits import request_of
from leafinstruct.rewrite.genre import first_sentence, genre_of
from leafinstruct.rewrite.steps import Steps, steps_of

_STOP_BEHIND_MARK = re.compile(r"([?!…？！؟])\.")  # noqa: RUF001 - the marks of other scripts are meant
"""A template's full stop behind a title that ends in a mark of its own."""
_HOW_TO = "how to "
"""A guide whose title begins so is asked for as people ask, too: "How do I fold a boat?"."""
_QUESTIONS = ("?", "？", "؟")  # noqa: RUF001 - the question marks of other scripts are meant


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a document beyond its segments. whole: no image of it was dropped or lost; resemblance: the smallest structural similarity of
    two images that follow each other, None where it was not computed."""

    whole: bool = True
    resemblance: float | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """A document in what the question shows and what the answer shows. change: the request between the two images of an edit."""

    context: tuple[Segment, ...]
    response: tuple[Segment, ...]
    change: str | None = None


def fitting(document: Document, families: Sequence[TaskFamily], facts: Facts) -> list[TaskFamily]:
    """The families whose needs a document meets, in their order."""
    if not document.images:
        return []
    steps, genre = steps_of(document), genre_of(document)
    return [family for family in families if genre in family.needs.genres and _fits(document, family, facts, steps)]


def choose(document: Document, families: Sequence[TaskFamily], facts: Facts, identity: str) -> TaskFamily | None:
    """One fitting family, chosen by an id, so that adding documents changes no other's task; None when none fits.

    Without a title, the beginning of a document says better what is asked for than its first sentence, so families that give something go first.
    """
    fits = fitting(document, families, facts)
    if document.title is None:
        fits = [family for family in fits if family.given != "nothing"] or fits
    return fits[number_of(identity) % len(fits)] if fits else None


def wants_resemblance(document: Document, families: Sequence[TaskFamily], facts: Facts) -> bool:
    """Whether the resemblance of its images decides whether a family fits."""
    asking = [family for family in families if family.needs.resemblance is not None]
    known = Facts(facts.whole, 1.0)
    return bool(asking and fitting(document, asking, known))


def parts_of(document: Document, family: TaskFamily) -> Parts:
    """The segments of a document that fits the family, parted."""
    return _parted(document, family, steps_of(document))


def _parted(document: Document, family: TaskFamily, cut: Steps) -> Parts:
    if family.asked == "change":
        body = [segment for step in cut.steps for segment in step]
        first, second = (at for at, segment in enumerate(body) if isinstance(segment, Image))
        return Parts(tuple(body[: first + 1]), tuple(body[second:]), request_of(document))
    context, response = cut.split({"nothing": 0, "first": 1, "half": max(1, len(cut.steps) // 2), "all_but_last": -1}[family.given])
    return Parts(tuple(context), tuple(response))


def questions(document: Document, family: TaskFamily, change: str | None = None) -> list[str]:
    """The ways in which the family asks for this document; one of them is used. How-to titles are asked for as people ask, too."""
    opening = first_sentence(document)
    title = _unquoted((document.title or "").strip().rstrip(TITLE_ENDS))
    if not title:
        return [ask.format(opening=opening, change=change) for ask in family.ask_untitled if opening or "{opening}" not in ask]
    if title.endswith(_QUESTIONS) and family.given == "nothing" and family.ask == PACKAGED.get(family.name, family).ask:
        return [f"{title} Answer with text and images."]
    asks = guide_asks(title) if family.ask == GUIDE.ask else [ask.format(title=title, opening=opening, change=change) for ask in family.ask]
    return [_STOP_BEHIND_MARK.sub(r"\1", ask) for ask in asks]


def _unquoted(title: str) -> str:
    """A title without the quotation marks around the whole of it: questions put their own."""
    inner = title[1:-1]
    return inner if len(title) > 2 and title[0] in '“"„«' and title[-1] in '”"“»' and not set(inner) & set('“”"„«»') else title


def guide_asks(title: str) -> list[str]:
    """The ways in which a guide of this title is asked for."""
    asks = [ask.format(title=title) for ask in GUIDE.ask]
    if title.lower().startswith(_HOW_TO):
        asks.append(f"How do I {_uncapitalized(title[len(_HOW_TO) :])}?")
    return asks


def _uncapitalized(words: str) -> str:
    """Words that went on behind others: `Fix a Shelf` with a small letter, `DNS works` as it is."""
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def number_of(text: str) -> int:
    """A number that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _fits(document: Document, family: TaskFamily, facts: Facts, steps: Steps) -> bool:
    needs = family.needs
    if len(document.images) < needs.min_images or len(steps.steps) < needs.min_steps or (needs.whole and not facts.whole):
        return False
    if family.asked == "change":
        if not steps.known or request_of(document) is None:
            return False
    elif family.given != "nothing" and (
        not steps.known or len(steps.steps) < 2 or not _each_has_an_image(_parted(document, family, steps))
    ):
        return False
    if needs.max_asked_words is not None and count_words(_texts(_parted(document, family, steps).response)) > needs.max_asked_words:
        return False
    if needs.resemblance is not None and (facts.resemblance is None or facts.resemblance < needs.resemblance):
        return False
    return bool(questions(document, family, ""))


def _each_has_an_image(parts: Parts) -> bool:
    return all(any(isinstance(segment, Image) for segment in side) for side in (parts.context, parts.response))


def _texts(segments: Sequence[Segment]) -> list[str]:
    return [segment.text for segment in segments if isinstance(segment, Text)]
