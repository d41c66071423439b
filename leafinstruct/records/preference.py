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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import get_args

import pyarrow as pa

from leafinstruct.errors import SchemaError
from leafinstruct.records.document import Role
from leafinstruct.records.example import PreferenceKind as Kind
from leafinstruct.records.public import PREFERENCE, open_shard
from leafinstruct.records.published_row import (
    ROLES,
    ImageInfo,
    Origin,
    PublishedImage,
    PublishedRow,
    PublishedScore,
    PublishedTurn,
    rows_in,
)
from leafinstruct.records.table import Row

KINDS: tuple[Kind, ...] = get_args(Kind)
FOLDER = "preference"
"""Folder of the shards beside those of rows, and configuration of a dataset."""
PUBLISHED = (f"{FOLDER}/*.parquet", f"{FOLDER}/SHA256SUMS")
"""Patterns of the published files of preference rows."""
EXAMINED, ROUND = "examined.", "examined.round"
"""Prefix of the scores that a preference row has of its answers, and the one that is the number of a
round."""
SMALL = ("id", "example_id", "document_id", "source", "url", "page_url", "license", "image_info", "lender")
"""Columns of `sources`."""

_PLAIN = ("id", "example_id", "document_id", "source", "task", "kind")
_STATED = ("url", "page_url", "title", "language", "license")
_SIDES = ("prompt", "chosen", "rejected")

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
        **{name: getattr(chosen, name) for name in ("document_id", "source", "task", *_STATED)},
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


def columns_of(row: PreferenceRow) -> Row:
    """The row as it is stored. An image that occurs in several places is stored once."""
    images: dict[tuple[str | None, int | None, str | None], PublishedImage] = {}
    index: dict[tuple[str | None, int | None, str | None], int] = {}

    def content(part: Part) -> Row:
        if isinstance(part, str):
            return {"type": "text", "text": part, "image": None}
        info = part.info
        key = (info.document_id, info.source_position, info.sha256)
        images.setdefault(key, part)
        return {"type": "image", "text": None, "image": index.setdefault(key, len(index))}

    sides = {
        name: [
            {"role": turn.role, "content": [content(part) for part in turn.parts]}
            for turn in getattr(row, name)
        ]
        for name in _SIDES
    }
    named = (("models", row.provenance.models), ("prompts", row.provenance.prompts))
    return {
        **{name: getattr(row, name) for name in (*_PLAIN, *_STATED)},
        **sides,
        "images": [{"bytes": image.data, "path": None} for image in images.values()],
        "image_info": [asdict(image.info) for image in images.values()],
        "changed": asdict(row.changed),
        "lender": None if row.lender is None else asdict(row.lender),
        "scores": [
            {"side": side, "name": score.name, "value": score.value, "state": score.state}
            for side, scores in (("chosen", row.chosen_scores), ("rejected", row.rejected_scores))
            for score in scores
        ],
        "provenance": {
            **{name: getattr(row.provenance, name) for name in ("recipe", "file", "locator")},
            **{
                kind: [{"name": name, "identity": identity} for name, identity in pairs]
                for kind, pairs in named
            },
        },
    }


def read(path: Path, with_images: bool = True) -> Iterator[PreferenceRow]:
    """The rows of a preference shard. with_images: whether images have their bytes. Raises SourceError for a
    damaged file, SchemaError for other rows, and for a row that leaf did not write."""
    names = [name for name in PREFERENCE.schema().names if with_images or name != "images"]
    for batch in open_shard(path, PREFERENCE).batches(names):
        yield from preferences_in(batch)


def preferences_in(batch: pa.RecordBatch) -> Iterator[PreferenceRow]:
    """The rows of a batch with all columns, or all but `images`. Raises SchemaError for an invalid row."""
    for row, published in zip(batch.to_pylist(), rows_in(batch), strict=True):
        try:
            yield _row(row, published)
        except (TypeError, KeyError, IndexError, ValueError) as error:
            raise SchemaError(f"preference row {ascii(row['id'])[:40]}: leaf did not write it") from error


def _row(row: Row, published: PublishedRow) -> PreferenceRow:
    given = published.images or (None,) * len(published.image_info)
    images = [PublishedImage(data, info) for data, info in zip(given, published.image_info, strict=True)]

    def part(of: Row) -> Part:
        if of["type"] == "text":
            return str(of["text"])
        if of["type"] != "image" or not 0 <= of["image"] < len(images):
            raise ValueError(of["type"])
        return images[of["image"]]

    def turns(name: str) -> tuple[PublishedTurn, ...]:
        return tuple(PublishedTurn(_role(one["role"]), tuple(map(part, one["content"]))) for one in row[name])

    scores = {
        side: tuple(
            PublishedScore(one["name"], None, one["value"], one["state"])
            for one in row["scores"] or ()
            if one["side"] == side
        )
        for side in ("chosen", "rejected")
    }
    if row["kind"] not in KINDS:
        raise ValueError(row["kind"])
    return PreferenceRow(
        **{name: row[name] for name in (*_PLAIN, *_STATED)},
        prompt=turns("prompt"),
        chosen=turns("chosen"),
        rejected=turns("rejected"),
        changed=Changed(**row["changed"]) if row["changed"] else Changed(),
        lender=_lender(row["lender"]),
        chosen_scores=scores["chosen"],
        rejected_scores=scores["rejected"],
        provenance=published.provenance,
    )


def _role(role: str) -> Role:
    if role not in ROLES:
        raise ValueError(role)
    return role


def _lender(given: Row | None) -> Lender | None:
    """The lender; None if every field is null, as Arrow may read a null struct."""
    return Lender(**given) if given is not None and given["document_id"] else None


def sources(path: Path) -> Iterator[tuple[str, tuple[PublishedRow, ...]]]:
    """Of each row its id, and the records that it is made of: its own, with all images, and that of the
    lender. For checks and removals, which apply to each of them. Raises SourceError and SchemaError."""
    for batch in open_shard(path, PREFERENCE).batches(SMALL, 1024):
        examples, lenders = batch.column("example_id").to_pylist(), batch.column("lender").to_pylist()
        for row, example, given in zip(rows_in(batch), examples, lenders, strict=True):
            own, lender = replace(row, id=example or ""), _lender(given)
            if lender is None:
                yield row.id, (own,)
                continue
            names = ("document_id", "source", "url", "page_url", "title", "license")
            lent = PublishedRow(id=lender.example_id, **{name: getattr(lender, name) for name in names})
            yield row.id, (own, lent)
