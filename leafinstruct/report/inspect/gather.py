"""Gather the records of a run for its page: one JSON-ready dictionary per document, and shared facts.

Reads whatever tables and reports the stages have, so it also works for an unfinished run; a document without
a verdict is `undecided`. Cells of scores are in arrays parallel to the names of scores (for images: to the
document's images), since a page has 5,000 documents with fifty scores each.

A cell is its value; without a value, its state (`not_scored`, `failed` ...); null if it was never computed,
because the document was dropped earlier. The page needs this difference to replay decisions under other
bounds.

Above `limit` documents the page shows those with the smallest sha256 of their id. Chosen over the smallest
ids, which would show too few duplicates, since a duplicate is the record with the larger id.

Chosen: rows of records/table, a part at a time in its own process (parts.py), over data frames of the whole
run, so that memory is bounded by a part. A part numbers its images from 0; `gather` renumbers them for the
page.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import nsmallest
from pathlib import Path
from typing import Any

from leafinstruct.filter.catalog import SCORES
from leafinstruct.records import table
from leafinstruct.records.shards import named, values
from leafinstruct.records.table import Row
from leafinstruct.records.text.language_names import named as language_named
from leafinstruct.records.text.words import word_units
from leafinstruct.report.inspect.layout import layout
from leafinstruct.report.inspect.parts import OnProgress, in_order
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Part

TEXT_BYTES, LEAST = 12_000_000, 1_500
"""Maximum bytes of text of a page, and minimum share of one document. A document has its share twice, for its
source and for its example. The page marks text that is cut."""
CUT = 1_000
"""Maximum number of characters of a URL, an alternative text or a judge's explanation."""
_IMAGE_COLUMNS = ["ref", "sha256", "width", "height", "reason"]
_EXAMPLE_COLUMNS = ["id", "document_id", "task", "turns", "models"]
NAMES = {
    level: [name for name, score in SCORES.items() if score.level == level] for level in ("document", "image")
}
"""Names of scores by level, in the order of a record's cells."""


@dataclass
class Gathered:
    """Contents of a page.

    records: in the order of their parts. wanted: part -> sha256 of the images that it is the first to show,
    in order of use; the number of an image in the page is its index over all parts. documents: number of
    documents of the run. models: score -> the model that computed it. allowance: bytes of text of one
    document. cut: number of documents with more text.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    wanted: dict[str, list[str]] = field(default_factory=dict)
    documents: int = 0
    models: dict[str, str] = field(default_factory=dict)
    allowance: int = 0
    cut: int = 0

    @property
    def images(self) -> int:
        """Number of wanted images."""
        return sum(map(len, self.wanted.values()))


@dataclass
class _OfPart:
    """Facts shared by the records of one part, see Gathered. images: sha256 -> number in the part."""

    allowance: int
    images: dict[str, int] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    def number(self, sha256: str | None) -> int | None:
        """The image's number in the part."""
        return None if sha256 is None else self.images.setdefault(sha256, len(self.images))


def gather(
    stages: Mapping[str, Artifact], limit: int, on_progress: OnProgress, engine: Engine | None = None
) -> Gathered:
    """Gather at most `limit` documents of a run, without pixels. engine: None for this process."""
    ingest = stages["ingest"]
    ids = {
        part: [row["id"] for row in rows_of(ingest.file("documents", part), ["id"])]
        for part in ingest.parts()
    }
    chosen = _chosen([name for names in ids.values() for name in names], limit)
    parts = [Part(part, own) for part, names in ids.items() if (own := chosen.intersection(names))]
    found = Gathered(
        documents=sum(map(len, ids.values())), allowance=max(LEAST, TEXT_BYTES // (2 * max(1, len(chosen))))
    )
    shards = _shards(stages["shard"])
    numbers: dict[str, int] = {}
    for report in in_order(
        partial(_read, dict(stages), found.allowance), parts, engine, len(chosen), on_progress
    ):
        new = found.wanted[report["part"]] = [name for name in report["images"] if name not in numbers]
        numbers.update(zip(new, range(len(numbers), len(numbers) + len(new)), strict=True))
        places = [numbers[name] for name in report["images"]]
        for record in report["records"]:
            _place(record, places, shards)
        found.records += report["records"]
        found.models = {**report["models"], **found.models}
        found.cut += report["cut"]
    return found


def _chosen(ids: list[str], limit: int) -> set[str]:
    return set(
        ids
        if len(ids) <= limit
        else nsmallest(limit, ids, key=lambda name: hashlib.sha256(name.encode()).digest())
    )


def _place(record: dict[str, Any], places: list[int], shards: Mapping[str, str]) -> None:
    """Set what depends on the whole run: the numbers of a record's images, and the split of its example."""
    for segment in record["segments"]:
        if segment.get("image") is not None:
            segment["image"] = places[segment["image"]]
    if "example" in record:
        record["example"]["split"] = shards.get(record["example"]["id"])


def _read(stages: Mapping[str, Artifact], allowance: int, part: Part) -> dict[str, Any]:
    """Task of an engine: read one part, whose payload is the ids of the chosen documents."""
    shared = _OfPart(allowance)
    records = list(_records(stages, part.name, part.payload, shared))
    return {
        "part": part.name,
        "records": records,
        "images": list(shared.images),
        "models": shared.models,
        "cut": shared.cut,
    }


class _Allowance:
    """Number of bytes of a document's text that may still be shown."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.cut = False

    def take(self, text: str) -> dict[str, Any]:
        """The text within the allowance, and the number of characters that are cut."""
        size = len(text.encode("utf-8", "replace"))
        if size <= self.left:
            self.left -= size
            return {"text": text}
        shown = text.encode("utf-8", "replace")[: self.left].decode("utf-8", "ignore")
        self.left, self.cut = 0, True
        return {"text": shown, "cut": len(text) - len(shown)}


def _records(
    stages: Mapping[str, Artifact], part: str, chosen: set[str], shared: _OfPart
) -> Iterator[dict[str, Any]]:
    """The records of one part, in the order of its documents."""
    filtered, rewrite = stages["filter"], stages["rewrite"]
    decided = filtered.report(part) is not None
    verdicts: dict[str, tuple[str, list[Row]]] = {}
    owners_now: dict[str, dict[int, int | None]] = {}
    for kind, verdict in (("documents", "kept"), ("dropped", "dropped")):
        for row in rows_of(filtered.file(kind, part), ["id", "drops", "segments"]) if decided else ():
            if row["id"] in chosen:
                verdicts[row["id"]] = verdict, row["drops"]
                owners_now[row["id"]] = {
                    one["position"]: one["owner"] for one in row["segments"] if one["type"] == "image"
                }
    refused = {
        row["id"]: row["drops"]
        for row in rows_of(rewrite.file("dropped", part), ["id", "drops"])
        if row["id"] in chosen
    }
    examples = {
        row["document_id"]: row
        for row in rows_of(rewrite.file("examples", part), _EXAMPLE_COLUMNS)
        if row["document_id"] in chosen
    }
    cells: dict[str, list[Row]] = {}
    for row in rows_of(filtered.file("scores", part)) if decided else ():
        if row["document_id"] in chosen:
            cells.setdefault(row["document_id"], []).append(row)
    images = {row["ref"]: row for row in rows_of(filtered.file("images", part), _IMAGE_COLUMNS)}
    for row in rows_of(stages["ingest"].file("documents", part)):
        if row["id"] not in chosen:
            continue
        verdict, drops = verdicts.get(row["id"], ("undecided", []))
        source, answer = _Allowance(shared.allowance), _Allowance(shared.allowance)
        segments, positions = _segments(row, images, source, shared)
        example = _example(examples.get(row["id"]), row["segments"], answer, shared)
        shared.cut += source.cut or answer.cut
        yield {
            "id": row["id"],
            **{name: row[name] for name in ("source", "url", "license")},
            "language": language_named(row["language"]),
            **row["provenance"],
            "verdict": verdict,
            "drops": [_drop(drop) for drop in drops],
            **({"refused": [_drop(drop) for drop in refused[row["id"]]]} if row["id"] in refused else {}),
            "segments": segments,
            **_minima(row["segments"]),
            **layout(row, owners_now.get(row["id"], {})),
            **_cells(cells.get(row["id"], []), positions, shared),
            **example,
        }


def _segments(
    row: Row, images: Mapping[str, Row], allowance: _Allowance, shared: _OfPart
) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """Segments for the page, and position -> index among the images."""
    shown: list[dict[str, Any]] = []
    positions: dict[int, int] = {}
    for segment in row["segments"]:
        position = segment["position"]
        if segment["type"] == "text":
            shown.append(
                {"at": position, "kind": segment["kind"], **_role(segment), **allowance.take(segment["text"])}
            )
            continue
        positions[position] = len(positions)
        ref = table.image_ref(segment)
        seen: Mapping[str, Any] = images.get(ref) or {}
        size = {"size": [seen["width"], seen["height"]]} if seen.get("width") else {}
        shown.append(
            {
                "at": position,
                "kind": "image",
                **_role(segment),
                "image": shared.number(seen.get("sha256")),
                "ref": ref[:CUT],
                "alt": segment["alt"][:CUT],
                **size,
                **({"reason": seen["reason"][:CUT]} if seen.get("reason") else {}),
            }
        )
    return shown, positions


def _minima(segments: Iterable[Row]) -> dict[str, Any]:
    """Counts for `min_words`: words of the document, and of the captions that directly follow each image and
    are dropped with it (filter/decision.py), in units of words.UNITS."""
    whole, of_captions = 0, list[int]()
    in_captions = False
    for segment in segments:
        if segment["type"] == "image":
            of_captions.append(0)
            in_captions = True
            continue
        words = word_units(segment["text"])
        whole += words
        in_captions = in_captions and segment["kind"] == "caption"
        if in_captions:
            of_captions[-1] += words
    return {"words": whole, "caption_words": of_captions}


def _cells(rows: Iterable[Row], positions: Mapping[int, int], shared: _OfPart) -> dict[str, Any]:
    """`scores` and `image_scores`, parallel to NAMES and to the images; `explanations`: score -> the judge's
    reason."""
    own: dict[str, Any] = {}
    images: dict[str, list[Any]] = {}
    explanations: dict[str, str] = {}
    for row in rows:
        value = row["state"] if row["value"] is None or math.isnan(row["value"]) else row["value"]
        if row["model"]:
            shared.models.setdefault(row["name"], row["model"])
        if row["position"] is None:
            own[row["name"]] = value
            if row["detail"]:
                explanations[row["name"]] = row["detail"][:CUT]
        elif row["position"] in positions:
            images.setdefault(row["name"], [None] * len(positions))[positions[row["position"]]] = value
    return {
        "scores": [own.get(name) for name in NAMES["document"]],
        "image_scores": [images.get(name) for name in NAMES["image"]],
        "explanations": explanations,
    }


def _example(
    row: Row | None, segments: Iterable[Row], allowance: _Allowance, shared: _OfPart
) -> dict[str, Any]:
    """`example`: id, task, split and turns; empty if there is none. Images, and texts that are identical to a
    segment, are given by position (`at`), so that no text is stored twice."""
    if row is None:
        return {}
    unchanged = {segment["text"]: segment["position"] for segment in segments if segment["type"] == "text"}
    turns = []
    for turn in row["turns"]:
        parts: list[dict[str, Any]] = []
        for part in turn["parts"]:
            if part["type"] == "image":
                shared.number(part["sha256"])
                parts.append({"at": part["position"]})
            else:
                parts.append(
                    {"at": unchanged[part["text"]]}
                    if part["text"] in unchanged
                    else allowance.take(part["text"])
                )
        turns.append({"role": turn["role"], "parts": parts})
    models = {item["name"]: item["identity"] for item in row["models"]}
    return {
        "example": {
            "id": row["id"],
            "task": row["task"],
            "split": None,
            "by": models.get("rewrite"),
            "turns": turns,
        }
    }


def _shards(shard: Artifact) -> dict[str, str]:
    """Example id -> split, from the shards."""
    splits: dict[str, str] = {}
    for path in sorted(shard.path.glob("*.parquet")):
        if place := named(path):
            splits.update(
                (example, place[1]) for batch in values(path, "id") for example in batch.to_pylist()
            )
    return splits


def _drop(drop: Row) -> list[Any]:
    """[rule, position of the image or null, value, threshold, state, detail]."""
    value = drop["value"]
    value = None if value is None or math.isnan(value) else value
    return [drop["rule"], drop["position"], value, drop["threshold"], drop["state"], drop["detail"][:CUT]]


def _role(segment: Row) -> dict[str, str]:
    return {"role": segment["role"]} if segment["role"] else {}


def rows_of(path: Path, columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of a table; none if it does not exist, since it may not be built yet."""
    if path.exists():
        yield from table.read(path, columns)
