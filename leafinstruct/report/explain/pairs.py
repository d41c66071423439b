"""The preference rows of a document, and those of others to which it lends, for `leaf explain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow.compute as pc

from leafinstruct.records.preference.row import FOLDER, PreferenceRow
from leafinstruct.records.preference.stored import preferences_in
from leafinstruct.records.public import PREFERENCE, open_shard
from leafinstruct.records.published_row import PublishedScore
from leafinstruct.records.shards import split_of
from leafinstruct.runtime.artifact import Artifact

_WITHOUT_IMAGES = [name for name in PREFERENCE.schema().names if name != "images"]


def about(
    shards: Artifact, document: str
) -> tuple[dict[str, list[dict[str, object]]], list[dict[str, object]]]:
    """Example -> its preference rows; and the rows of other documents with an image or texts of this one. Of
    rows about other documents only the ids are read."""
    own: dict[str, list[dict[str, object]]] = {}
    lent: list[dict[str, object]] = []
    for path in sorted((shards.path / FOLDER).glob("*.parquet")):
        for number, row in _rows(path, document):
            place = {"file": f"{FOLDER}/{path.name}", "row": number, "split": split_of(path)}
            if row.document_id == document:
                own.setdefault(row.example_id, []).append({**_shown(row), **place})
            else:
                names = ("id", "kind", "document_id", "example_id")
                lent.append({**{name: getattr(row, name) for name in names}, **place})
    return own, lent


def _rows(path: Path, document: str) -> list[tuple[int, PreferenceRow]]:
    """The rows that are about a document or borrow from it, with their numbers in the file."""
    found: list[tuple[int, PreferenceRow]] = []
    shard, first = open_shard(path, PREFERENCE), 0
    groups: list[tuple[int, int]] = []
    for group in range(shard.row_groups):
        count = 0
        for batch in shard.batches(["document_id", "lender.document_id"], 4096, [group]):
            lender = pc.struct_field(batch.column("lender"), "document_id")
            here = pc.or_kleene(pc.equal(batch.column("document_id"), document), pc.equal(lender, document))
            if pc.any(here).as_py():
                groups.append((group, first))
            count += batch.num_rows
        first += count
    for group, start in dict.fromkeys(groups):
        number = start
        for batch in shard.batches(_WITHOUT_IMAGES, 256, [group]):
            for row in preferences_in(batch):
                if document in (row.document_id, row.lender and row.lender.document_id):
                    found.append((number, row))
                number += 1
    return found


def _shown(row: PreferenceRow) -> dict[str, object]:
    parts = [
        part if isinstance(part, str) else _image(row, part.info.source_position, part.info.document_id)
        for turn in row.rejected
        for part in turn.parts
    ]
    return {
        "id": row.id,
        "kind": row.kind,
        "changed": {name: value for name, value in asdict(row.changed).items() if value is not None},
        "lender": None if row.lender is None else asdict(row.lender),
        "rejected": parts,
        "scores": {"chosen": _scores(row.chosen_scores), "rejected": _scores(row.rejected_scores)},
    }


def _image(row: PreferenceRow, position: int | None, document: str | None) -> str:
    return f"[image {position}]" if document == row.document_id else f"[image {position} of {document}]"


def _scores(found: tuple[PublishedScore, ...]) -> Mapping[str, float | None]:
    return {score.name: score.value for score in found}
