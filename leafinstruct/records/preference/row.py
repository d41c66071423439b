"""Preference rows: a question, the answer of a published row (chosen), and a worse answer to it (rejected).

    shard/preference/<split>-00000-of-00001.parquet     configuration `preference` of a dataset

`prompt`, `chosen` and `rejected` are turns as `messages` of the published row. Both answers share images, so
each image is stored once: an image part has the index of its image in `images`. An image may come from
another document, the lender; `image_info` states the document and the source of each. The columns are defined
in public.py, whose `open_shard(path, PREFERENCE)` reads the files.

kind            the rejected answer
round           a round of the same example that the examiner scored lower; `changed.round` is its number
shuffled_steps  the steps of the chosen answer in the order `changed.order`
swapped_image   the chosen answer, image `changed.image` of which (from 0) is one of the lender
other_text      the chosen answer, whose texts are those of the lender's answer
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from leafinstruct.records.example import PreferenceKind as Kind
from leafinstruct.records.published_row import (
    ImageInfo,
    Origin,
    PublishedImage,
    PublishedRow,
    PublishedScore,
    PublishedTurn,
)

KINDS: tuple[Kind, ...] = get_args(Kind)
FOLDER = "preference"
"""Folder of the shards beside those of rows, and configuration of a dataset."""
PUBLISHED = (f"{FOLDER}/*.parquet", f"{FOLDER}/SHA256SUMS")
"""Patterns of the published files of preference rows."""
EXAMINED, ROUND = "examined.", "examined.round"
"""Prefix of the scores that a preference row has of its answers, and the one that is the number of a
round."""

STATED = ("url", "page_url", "title", "language", "license")
"""Columns that rows and preference rows share, which the source states."""

Part = str | PublishedImage


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed: order of the steps, index of the image in the answer, number of the round. None: not
    of this kind."""

    order: Sequence[int] | None = None
    image: int | None = None
    round: int | None = None


@dataclass(frozen=True, slots=True)
class Lender:
    """The row of another document that lent an image or texts. example_id: of its published row."""

    example_id: str
    document_id: str
    source: str
    url: str | None = None
    page_url: str | None = None
    title: str | None = None
    license: str | None = None
    file: str | None = None
    locator: str | None = None


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """One preference row. example_id: of the published row with the chosen answer. lender: None if nothing is
    of another document. chosen_scores, rejected_scores: of the examiner, for the answers that it read."""

    id: str
    example_id: str
    document_id: str
    source: str
    task: str
    kind: Kind
    prompt: tuple[PublishedTurn, ...]
    chosen: tuple[PublishedTurn, ...]
    rejected: tuple[PublishedTurn, ...]
    changed: Changed = Changed()
    lender: Lender | None = None
    chosen_scores: tuple[PublishedScore, ...] = ()
    rejected_scores: tuple[PublishedScore, ...] = ()
    url: str | None = None
    page_url: str | None = None
    title: str | None = None
    language: str | None = None
    license: str | None = None
    provenance: Origin = field(default_factory=Origin)


def preference_id(example: str, kind: Kind) -> str:
    """First 16 hex digits of the sha256 of the example's id and the kind."""
    return hashlib.sha256(f"{example}\0{kind}".encode()).hexdigest()[:16]


def owned(row: PublishedRow) -> PublishedRow:
    """The row, each of whose images states its document and source."""
    turns = tuple(
        replace(
            turn,
            parts=tuple(
                part if isinstance(part, str) else replace(part, info=_owned(part.info, row))
                for part in turn.parts
            ),
        )
        for turn in row.turns
    )
    return replace(row, turns=turns)


def _owned(info: ImageInfo, row: PublishedRow) -> ImageInfo:
    return replace(info, document_id=row.document_id, source=row.source)


def preference_of(
    chosen: PublishedRow,
    rejected: Sequence[Part],
    kind: Kind,
    changed: Changed,
    lender: PublishedRow | None = None,
    rejected_scores: Sequence[PublishedScore] = (),
) -> PreferenceRow:
    """Make a row of a published row whose last turn is the chosen answer. Its images, those of `rejected` and
    those of `lender` are owned."""
    *prompt, answer = chosen.turns
    return PreferenceRow(
        id=preference_id(chosen.id, kind),
        example_id=chosen.id,
        **{name: getattr(chosen, name) for name in ("document_id", "source", "task", *STATED)},
        kind=kind,
        prompt=tuple(prompt),
        chosen=(answer,),
        rejected=(PublishedTurn("assistant", tuple(rejected)),),
        changed=changed,
        lender=None if lender is None else _lender_of(lender),
        chosen_scores=examined(chosen),
        rejected_scores=tuple(rejected_scores),
        provenance=chosen.provenance,
    )


def examined(row: PublishedRow) -> tuple[PublishedScore, ...]:
    """The examiner's scores of a row."""
    return tuple(score for score in row.scores if score.name.startswith(EXAMINED))


def _lender_of(row: PublishedRow) -> Lender:
    stated = {name: getattr(row, name) for name in ("url", "page_url", "title", "license")}
    place = row.provenance
    return Lender(row.id, row.document_id, row.source, **stated, file=place.file, locator=place.locator)
