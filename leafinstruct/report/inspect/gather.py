"""Gather the records of a run for its page: one JSON-ready dictionary per document, and shared facts.

Reads whatever tables and reports the stages have, so it also works for an unfinished run; a document without
a verdict is `undecided`. Cells of scores are in arrays parallel to the names of scores (for images: to the
document's images), since a page has 5,000 documents with fifty scores each.

A cell is its value; without a value, its state (`not_scored`, `failed` ...); null if it was never computed,
because the document was dropped earlier. The page needs this difference to replay decisions under other
bounds.

A record has its texts as filter edited them, and a line for each edit; its words are those that the rules
counted.

Above `limit` documents the page shows those with the smallest sha256 of their id. Chosen over the smallest
ids, which would show too few duplicates, since of equal records those with larger ids are the duplicates.

Chosen: rows of records/table, a part at a time in its own process (parts.py), over data frames of the whole
run, so that memory is bounded by a part. A part numbers its images from 0; `gather` renumbers them for the
page.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from heapq import nsmallest
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

from leafinstruct.filter.catalog import OF_EXAMPLES, SCORES
from leafinstruct.filter.scores.alignment import REASSIGN, changes_of_owners
from leafinstruct.filter.scores.cell import ignored
from leafinstruct.filter.texts.editing import edited, line_of
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.edits import Edit, edits
from leafinstruct.records.example import Cell, Example
from leafinstruct.records.rows import Drop, ImageRow
from leafinstruct.records.shards import named, values
from leafinstruct.records.text.language_names import named as language_named
from leafinstruct.records.text.words import word_units
from leafinstruct.report.inspect.layout import layout
from leafinstruct.report.inspect.pairs import add_rejected
from leafinstruct.report.inspect.parts import OnProgress, in_order
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Part

TEXT_BYTES, LEAST = 12_000_000, 1_500
"""Maximum bytes of text of a page, and minimum share of one document. A document has its share twice, for its
source and for its example. The page marks text that is cut."""
CUT = 1_000
"""Maximum number of characters of a URL, an alternative text or a judge's explanation."""
T = TypeVar("T")


def scores_of(filtered: Artifact, rewritten: Artifact) -> dict[str, dict[str, str]]:
    """Level -> name -> meaning of the scores that a run may have, in the order of a record's cells: those of
    leafinstruct, those of examples if a model examined them, then those of packages that were installed when
    it was built and of its own models."""
    fingerprint = filtered.fingerprint or {}
    kinds = cast("list[dict[str, Any]]", [fingerprint.get(kind, {}) for kind in ("extensions", "predictors")])
    found: dict[str, dict[str, str]] = {"document": {}, "image": {}}
    are_examined = (rewritten.fingerprint or {}).get("examiner") is not None
    for score in (*SCORES.values(), *(OF_EXAMPLES.values() if are_examined else ())):
        found[score.level][score.name] = score.meaning
    for name, declared in chain.from_iterable(kind.items() for kind in kinds):
        found[declared["level"]][name] = declared["meaning"]
    return found


def _examples(rewrite: Artifact, part: str, chosen: set[str]) -> dict[str, list[Example]]:
    """The examples of each chosen document; a long one makes several."""
    found: dict[str, list[Example]] = {}
    for example in _there(rewrite.file("examples", part), table.examples):
        if example.document_id in chosen:
            found.setdefault(example.document_id, []).append(example)
    return found


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
    """Facts shared by the records of one part, see Gathered and `scores_of`. images: sha256 -> number
    in the part."""

    allowance: int
    scores: Mapping[str, Mapping[str, str]]
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
        part: [name for (name,) in _there(ingest.file("documents", part), _ids)] for part in ingest.parts()
    }
    chosen = _chosen([name for names in ids.values() for name in names], limit)
    parts = [Part(part, own) for part, names in ids.items() if (own := chosen.intersection(names))]
    found = Gathered(
        documents=sum(map(len, ids.values())), allowance=max(LEAST, TEXT_BYTES // (2 * max(1, len(chosen))))
    )
    shards = _shards(stages["shard"])
    numbers: dict[str, int] = {}
    for part, (records, shared) in in_order(
        partial(_read, dict(stages), found.allowance), parts, engine, len(chosen), on_progress
    ):
        new = found.wanted[part] = [name for name in shared.images if name not in numbers]
        numbers.update(zip(new, range(len(numbers), len(numbers) + len(new)), strict=True))
        places = [numbers[name] for name in shared.images]
        for record in records:
            _place(record, places, shards)
        found.records += records
        found.models = {**shared.models, **found.models}
        found.cut += shared.cut
    add_rejected(stages["shard"], found.records, numbers)
    return found


def _chosen(ids: list[str], limit: int) -> set[str]:
    return set(
        ids
        if len(ids) <= limit
        else nsmallest(limit, ids, key=lambda name: hashlib.sha256(name.encode()).digest())
    )


def _place(record: dict[str, Any], places: list[int], shards: Mapping[str, str]) -> None:
    """Set what depends on the whole run: the numbers of a record's images, and the split of its examples."""
    for segment in record["segments"]:
        if segment.get("image") is not None:
            segment["image"] = places[segment["image"]]
    for example in record["examples"]:
        example["split"] = shards.get(example["id"])


def _read(
    stages: Mapping[str, Artifact], allowance: int, part: Part
) -> Found[tuple[str, tuple[list[dict[str, Any]], _OfPart]]]:
    """Task of an engine: name of a part, whose payload is the ids of the chosen documents, its records, and
    what they share."""
    shared = _OfPart(allowance, scores_of(stages["filter"], stages["rewrite"]))
    records = list(_records(stages, part.name, part.payload, shared))
    return Found(value=(part.name, (records, shared)))


class Allowance:
    """Number of bytes of a document's text that may still be shown."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.cut = False

    def take(self, text: str) -> dict[str, object]:
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
    verdicts: dict[str, tuple[str, Sequence[Drop]]] = {}
    decided_images: dict[str, Sequence[ImageRef]] = {}
    changes: dict[str, Sequence[Edit]] = {}
    for kind, verdict in (("documents", "kept"), ("dropped", "dropped")):
        for document, drops in _there(filtered.file(kind, part), table.decisions) if decided else ():
            if document.id in chosen:
                verdicts[document.id] = verdict, drops
                decided_images[document.id] = document.images
        changes |= {name: made for name, made in _there(filtered.file(kind, part), edits) if made and decided}
    refused: dict[str, list[list[Any]]] = {}
    for document, drops in _there(rewrite.file("dropped", part), table.decisions):
        if document.id in chosen:
            refused.setdefault(document.id, []).extend(map(shown_drop, drops))
    examples = _examples(rewrite, part, chosen)
    cells: dict[str, list[Cell]] = {}
    for name, cell in _there(filtered.file("scores", part), table.scores) if decided else ():
        if name in chosen:
            cells.setdefault(name, []).append(cell)
    for name, made_of in examples.items():
        cells.setdefault(name, []).extend(_lowest(made_of))
    images = {row.ref: row for row in _there(filtered.file("images", part), _images)}
    for read in _there(stages["ingest"].file("documents", part), table.documents):
        if read.id not in chosen:
            continue
        document, made = edited(read, changes.get(read.id, ()))
        left = decided_images.get(document.id, ())
        verdict, failed = verdicts.get(document.id, ("undecided", ()))
        source, answer = Allowance(shared.allowance), Allowance(shared.allowance)
        segments, positions = _segments(document, images, source, shared)
        shown = [_example(example, document, answer, shared) for example in examples.get(document.id, ())]
        shared.cut += source.cut or answer.cut
        yield {
            "id": document.id,
            "source": document.source,
            "url": document.url,
            "license": document.license,
            "language": language_named(document.language),
            **asdict(document.provenance),
            "verdict": verdict,
            "drops": [shown_drop(drop) for drop in failed],
            "edits": _changes(read, made, left),
            **({"refused": refused[document.id]} if document.id in refused else {}),
            "segments": segments,
            **_minima(document),
            **layout(document, {image.position: image.owner for image in left}),
            **({"ignored": families} if (families := ignored(cells.get(document.id, ()))) else {}),
            **_cells(cells.get(document.id, []), positions, shared),
            "examples": shown,
        }


def _changes(read: Document, made: Sequence[Edit], images: Sequence[ImageRef]) -> list[list[str]]:
    """[reason, line] of each edit and of each image with another owner. images: as filter left them."""
    return [
        *([edit.reason, line_of(edit, read)[:CUT]] for edit in made),
        *([REASSIGN, line] for line in changes_of_owners(read, images)),
    ]


def _segments(
    document: Document, images: Mapping[str, ImageRow], allowance: Allowance, shared: _OfPart
) -> tuple[list[dict[str, object]], dict[int, int]]:
    """Segments for the page, and position -> index among the images."""
    shown: list[dict[str, object]] = []
    positions: dict[int, int] = {}
    for segment in document.segments:
        role = {"role": segment.role} if segment.role else {}
        if isinstance(segment, Text):
            shown.append(
                {"at": segment.position, "kind": segment.kind, **role, **allowance.take(segment.text)}
            )
            continue
        positions[segment.position] = len(positions)
        ref = str(segment.ref)
        seen = images.get(ref)
        shown.append(
            {
                "at": segment.position,
                "kind": "image",
                **role,
                "image": None if seen is None else shared.number(seen.sha256),
                "ref": ref[:CUT],
                "alt": segment.alt[:CUT],
                **({"size": [seen.width, seen.height]} if seen is not None and seen.width else {}),
                **({"reason": seen.reason[:CUT]} if seen is not None and seen.reason else {}),
            }
        )
    return shown, positions


def _minima(document: Document) -> dict[str, object]:
    """Counts for `min_words`: words of the document, and of the captions that directly follow each image and
    are dropped with it (filter/decision.py), in units of words.UNITS."""
    whole, of_captions = 0, list[int]()
    in_captions = False
    for segment in document.segments:
        if not isinstance(segment, Text):
            of_captions.append(0)
            in_captions = True
            continue
        words = word_units(segment.text)
        whole += words
        in_captions = in_captions and segment.kind == "caption"
        if in_captions:
            of_captions[-1] += words
    return {"words": whole, "caption_words": of_captions}


def _cells(cells: Iterable[Cell], positions: Mapping[int, int], shared: _OfPart) -> dict[str, object]:
    """`scores` and `image_scores`, parallel to `scores_of` and to the images; `explanations`: score -> the
    judge's reason."""
    own: dict[str, object] = {}
    images: dict[str, list[Any]] = {}
    explanations: dict[str, str] = {}
    for cell in cells:
        value = cell.state if cell.value is None or math.isnan(cell.value) else cell.value
        if cell.model:
            shared.models.setdefault(cell.name, cell.model)
        if cell.position is None:
            own[cell.name] = value
            if cell.detail:
                explanations[cell.name] = cell.detail[:CUT]
        elif cell.position in positions:
            images.setdefault(cell.name, [None] * len(positions))[positions[cell.position]] = value
    return {
        "scores": [own.get(name) for name in shared.scores["document"]],
        "image_scores": [images.get(name) for name in shared.scores["image"]],
        "explanations": explanations,
    }


def _lowest(examples: Sequence[Example]) -> list[Cell]:
    """The scores of the examples of a document: of each score, the smallest value."""
    cells = [cell for example in examples for cell in example.scores if cell.name in OF_EXAMPLES]
    cells.sort(key=lambda cell: math.inf if cell.value is None else cell.value)
    return list({cell.name: cell for cell in reversed(cells)}.values())


def _example(
    example: Example, document: Document, allowance: Allowance, shared: _OfPart
) -> dict[str, object]:
    """id, task, split, turns, and its own scores. Images, and texts that are identical to a segment, are
    given by position (`at`), so that no text is stored twice."""
    unchanged = {text.text: text.position for text in document.texts}
    turns = []
    for turn in example.turns:
        parts: list[dict[str, object]] = []
        for part in turn.parts:
            if not isinstance(part, str):
                shared.number(part.sha256)
                parts.append({"at": part.position})
            else:
                parts.append({"at": unchanged[part]} if part in unchanged else allowance.take(part))
        turns.append({"role": turn.role, "parts": parts})
    return {
        "id": example.id,
        "task": example.task,
        "split": None,
        "by": dict(example.models).get("rewrite"),
        "turns": turns,
        "checks": [
            [cell.name, cell.value, cell.detail[:CUT]]
            for cell in example.scores
            if cell.name.startswith("rewrite.") or cell.name in OF_EXAMPLES
        ],
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


def shown_drop(drop: Drop) -> list[Any]:
    """[rule, position of the image or null, value, threshold, state, detail]."""
    value = None if drop.value is None or math.isnan(drop.value) else drop.value
    return [drop.rule, drop.position, value, drop.threshold, drop.state, drop.detail[:CUT]]


def _there(path: Path, read: Callable[[Path], Iterator[T]]) -> Iterator[T]:
    """The rows of a table; none if it does not exist, since it may not be built yet."""
    return read(path) if path.exists() else iter(())


def _ids(path: Path) -> Iterator[tuple[str]]:
    return table.columns(path, "id")


def _images(path: Path) -> Iterator[ImageRow]:
    return table.records(path, ImageRow, ["bytes"])
