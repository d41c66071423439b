"""Store preference rows, and read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa

from leafinstruct.errors import SchemaError
from leafinstruct.records.document import Role
from leafinstruct.records.preference.row import KINDS, STATED, Changed, Lender, Part, PreferenceRow
from leafinstruct.records.public import PREFERENCE, open_shard
from leafinstruct.records.published_row import (
    ROLES,
    PublishedImage,
    PublishedRow,
    PublishedScore,
    PublishedTurn,
    rows_in,
)
from leafinstruct.records.table import Row

SMALL = ("id", "example_id", "document_id", "source", "url", "page_url", "license", "image_info", "lender")
"""Columns of `sources`."""

_PLAIN = ("id", "example_id", "document_id", "source", "task", "kind")
_SIDES = ("prompt", "chosen", "rejected")


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
        **{name: getattr(row, name) for name in (*_PLAIN, *STATED)},
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
        **{name: row[name] for name in (*_PLAIN, *STATED)},
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
