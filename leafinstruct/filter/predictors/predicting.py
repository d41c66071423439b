"""Compute the scores of a recipe's own models over a part, and cache them in predictions-.

An image is scored once in a part, whatever number of documents show it, and one forward pass gives the scores
of all labels of a checkpoint. A document is scored with edited texts (filter/texts), before any drop, so a
value depends on no rule. A batch never crosses a part, so results do not depend on the number of workers. A
row is valid as long as its image, or the texts of its document, and the identity of its predictor are the
same. A document in a language that the model does not know is not scored, and no rule is applied to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from leafinstruct.filter import extending, materialize
from leafinstruct.filter.embedders.batches import Rows
from leafinstruct.filter.embedders.devices import device_of
from leafinstruct.filter.predictors.predictor import Checkpoint, Predictor
from leafinstruct.filter.scores.cell import cell, of_unknown_language
from leafinstruct.filter.texts.editing import digest_of
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import CellRow
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.engine.device import Device
from leafinstruct.runtime.files import writing

DECODE_PX = 1024
"""Longer side at which images are decoded for a classifier."""

LOADED = 4
"""Checkpoints that a process keeps for its next part."""


@dataclass(frozen=True)
class _Item:
    """What a predictor scores: an image (position) of a document, or the document (None). seen: sha256 of the
    image, or digest of the texts."""

    document: Document
    position: int | None
    seen: str


def key_of(
    predictors: Sequence[Predictor],
    max_pixels: int,
    libraries: Mapping[str, str],
    inputs: Artifact,
    part: Part,
) -> str:
    """What determines the rows of predictions-: a digest for what was read and computed with, and one for the
    predictors."""
    read = [inputs.file_digest("documents", part.name), max_pixels, libraries]
    return f"{digest(read)} {digest(sorted(map(_of, predictors)))}"


def predict(
    predictors: Sequence[Predictor],
    max_pixels: int,
    key: str,
    out: Artifact,
    part: Part,
    pairs: Sequence[tuple[Document, Sequence[ImageRef]]],
    counts: Counter[str],
    device: Device,
) -> None:
    """Write predictions-. Valid rows are kept; missing ones, and those on which a model failed, are computed.
    Counts `predicted` and `predictions_failed`.

    pairs: the documents that remain, with edited texts, each with those of its images that remain.
    """
    path = out.file("predictions", part.name)
    items = {
        "image": [
            _Item(document, it.position, it.sha256 or "") for document, images in pairs for it in images
        ],
        "document": [_Item(document, None, digest_of(document)) for document, _ in pairs],
    }
    current = {(one.document.id, one.position): one.seen for some in items.values() for one in some}
    identities = {predictor.name: _of(predictor) for predictor in predictors}
    rows = extending.current(path, key, current, identities)
    known = {(row.document_id, row.position, row.name) for row in rows}
    opened = partial(materialize.opened, DECODE_PX, max_pixels)
    groups: dict[Checkpoint, list[Predictor]] = {}
    for predictor in predictors:
        groups.setdefault(predictor.checkpoint, []).append(predictor)
    for checkpoint, own in groups.items():
        missing = [
            item
            for item in items[checkpoint.level]
            if any((item.document.id, item.position, one.name) not in known for one in own)
        ]
        if missing:
            computed = _computed(checkpoint, own, missing, out, part, opened, device)
            fresh = [row for row in computed if (row.document_id, row.position, row.name) not in known]
            rows += fresh
            counts["predicted"] += len(fresh)
            counts["predictions_failed"] += sum(row.state == "failed" for row in fresh)
    with writing(path) as temporary:
        table.write(temporary, rows, table.EXTENSIONS, key)


def predictions_of(out: Artifact, part: Part, predictors: Sequence[Predictor]) -> dict[str, list[Cell]]:
    """document id -> its cells of these predictors, those of images first."""
    return extending.cells_of(
        out.file("predictions", part.name), {predictor.name: _of(predictor) for predictor in predictors}
    )


def first_fault(files: Sequence[Path]) -> str:
    """Score and reason of the first item in predictions- on which a model failed."""
    rows = (row for path in files for row in table.records(path, CellRow))
    return next(f"{row.name}: {row.detail}" for row in rows if row.state == "failed")


def _of(predictor: Predictor) -> str:
    return digest([predictor.name, predictor.identity])


def _computed(
    checkpoint: Checkpoint,
    own: Sequence[Predictor],
    items: Sequence[_Item],
    out: Artifact,
    part: Part,
    opened: Any,
    device: Device,
) -> Iterator[CellRow]:
    """The rows of all labels of a checkpoint. opened: bytes -> RGB image."""
    weights = checkpoint.weights
    scored = [item for item in items if _is_known(checkpoint, item)]
    values: dict[str, Rows | str] = {}  # what an item is -> (labels,), or why there are none
    model: Any = None
    if scored:
        model = _load(checkpoint, device_of(weights.device, device), device.threads)
        if checkpoint.level == "image":
            order: dict[str, None] = {}
            stored = materialize.stored_bytes(
                out.file("images", part.name), {item.seen for item in scored}, order
            )
            rows = model.images(stored, opened)
            values = dict(zip(order, rows, strict=True))
        else:
            documents = {item.seen: [text.text for text in item.document.texts] for item in scored}
            values = dict(zip(documents, model.documents(documents.values()), strict=True))
    columns = {
        one.name: 0 if one.label is None else model.index(one.label, one.checkpoint)
        for one in own
        if model is not None
    }
    for item in items:
        for one in own:
            if not _is_known(checkpoint, item):
                found = of_unknown_language(one.name, item.document.language, item.position, weights.label)
            elif isinstance(value := values[item.seen], str):
                found = Cell(one.name, None, "failed", item.position, weights.label, value)
            else:
                found = cell(one.name, float(value[columns[one.name]]), item.position, weights.label)
            yield CellRow.of_cell(item.document.id, item.seen, _of(one), found)


def _is_known(checkpoint: Checkpoint, item: _Item) -> bool:
    return checkpoint.level == "image" or checkpoint.weights.knows(item.document.language)


@lru_cache(maxsize=LOADED)
def _load(checkpoint: Checkpoint, device: str, threads: int) -> Any:
    """The model of a checkpoint, loaded once for all parts of this process."""
    if checkpoint.family == "perplexity":
        from leafinstruct.filter.predictors.perplexity import Perplexity

        return Perplexity(checkpoint, device)
    from leafinstruct.filter.predictors.classifier import ImageClassifier, TextClassifier

    if checkpoint.level == "image":
        return ImageClassifier(checkpoint, device, threads)
    return TextClassifier(checkpoint, device)
