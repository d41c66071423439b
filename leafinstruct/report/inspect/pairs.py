"""The rejected answers of preference rows for the page, beside the examples that they are worse than."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from leafinstruct.records.preference.row import FOLDER, PreferenceRow
from leafinstruct.records.preference.stored import preferences_in
from leafinstruct.records.public import PREFERENCE, open_shard
from leafinstruct.runtime.artifact import Artifact

TEXT = 1_000
"""Maximum number of characters of a text that its document does not have."""
_COLUMNS = [name for name in PREFERENCE.schema().names if name != "images"]


def add_rejected(shards: Artifact, records: Iterable[dict[str, Any]], numbers: Mapping[str, int]) -> None:
    """Add the rejected answers to the examples of records, whose images have the numbers of the page.
    numbers: sha256 -> number of an image in the page."""
    of_document = {record["id"]: record for record in records}
    pairs = _rejected(shards, of_document)
    for record in of_document.values():
        known = {segment["text"]: segment["at"] for segment in record["segments"] if "text" in segment}
        for example in record["examples"]:
            if rows := pairs.get(example["id"]):
                example["pairs"] = [_pair(row, known, numbers) for row in rows]


def _rejected(shards: Artifact, chosen: Collection[str]) -> dict[str, list[PreferenceRow]]:
    """Example -> its preference rows without pixels, of the chosen documents."""
    found: dict[str, list[PreferenceRow]] = {}
    for path in sorted((shards.path / FOLDER).glob("*.parquet")):
        for batch in open_shard(path, PREFERENCE).batches(_COLUMNS, 256):
            for row in preferences_in(batch):
                if row.document_id in chosen:
                    found.setdefault(row.example_id, []).append(row)
    return found


def _pair(row: PreferenceRow, known: Mapping[str, int], numbers: Mapping[str, int]) -> dict[str, object]:
    parts: list[dict[str, object]] = []
    for part in (part for turn in row.rejected for part in turn.parts):
        if not isinstance(part, str):
            info = part.info
            lent = info.document_id != row.document_id
            number = numbers.get(info.sha256 or "")
            parts.append(
                {"lent": info.document_id, "image": number} if lent else {"at": info.source_position}
            )
        elif part in known:
            parts.append({"at": known[part]})
        else:
            left = len(part) - TEXT
            parts.append({"text": part[:TEXT], **({"cut": left} if left > 0 else {})})
    return {
        "kind": row.kind,
        "about": _about(row),
        "lender": row.lender and row.lender.document_id,
        "scores": [
            [side, score.name, score.value]
            for side, scores in (("chosen", row.chosen_scores), ("rejected", row.rejected_scores))
            for score in scores
        ],
        "turns": [{"role": "assistant", "parts": parts}],
    }


def _about(row: PreferenceRow) -> str:
    """What was changed, in words. Steps and images are counted from 1."""
    changed = row.changed
    if changed.order is not None:
        return f"steps in the order {', '.join(str(at + 1) for at in changed.order)}"
    if changed.image is not None:
        return f"image {changed.image + 1} of the answer is of another document"
    return "texts of another document" if changed.round is None else f"round {changed.round}"
