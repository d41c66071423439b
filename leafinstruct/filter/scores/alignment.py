"""CLIP text-image alignment: how well each image fits the text that owns it.

Computed from the cached matrix of cosines between a document's images and texts (embedders/), so moving a
threshold, or another definition of a score here, runs no model. A document in a language that the model does
not know has no such cosines: its scores are `not_scored`, and rules on them are ignored for it.

`alignment.own` is the cosine with the text that owns the image (records.owners), so two swapped neighbors
fail. `alignment.beside` is the larger of two cosines: with the nearest text before it, and with its captions
(or, without one, the nearest text after it). Scales differ between models, so rules name theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from leafinstruct.filter.scores.cell import cell
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import EmbeddingRow
from leafinstruct.records.text import owners, places
from leafinstruct.records.text.language_names import named

NO_OWNER = "no owner is known: the larger of both sides"
_UNKNOWN = "the model does not know "
_OF_IMAGES = ("alignment.own", "alignment.beside", "alignment.margin")


def texts_beside(document: Document, image: ImageRef) -> list[int]:
    """Positions of the texts on both sides of an image: the nearest before it, and its captions or else the
    nearest after it."""
    index = next(at for at, segment in enumerate(document.segments) if segment.position == image.position)
    captions = [
        text.position for text in document.segments[index + 1 : places.captions(document.segments, index)]
    ]
    before = [
        text.position
        for text in document.texts
        if text.position < image.position and text.kind not in ("heading", "caption")
    ]
    after = [
        text.position
        for text in document.texts
        if text.position > image.position and text.kind not in ("heading", "caption")
    ]
    found = [*before[-1:], *(captions or after[:1])]
    return found or [text.position for text in document.texts]


def with_owners(document: Document, rows: Mapping[int, EmbeddingRow]) -> Document:
    """Decide the document's inferred owners again with the alignment matrix (position -> row), where it is
    conclusive. See records.owners."""
    return owners.align(
        document, {position: _of_kept_texts(document, row, row.cosines) for position, row in rows.items()}
    )


def image_cells(document: Document, rows: Mapping[int, EmbeddingRow], model: str) -> list[Cell]:
    """`alignment.own`, `alignment.beside` and `alignment.margin` of the document's images, from their matrix
    rows (position -> row).

    own: the cosine with the text of the image's owner. If the owner is unknown or its text was dropped, it is
    that of `beside`, and the detail reports it. An image on which the model failed has state `failed`.
    """
    cells = []
    for image in document.images:
        row = rows[image.position]
        if row.fault:
            cells += [Cell(name, None, "failed", image.position, model, row.fault) for name in _OF_IMAGES]
            continue
        cosines = _of_kept_texts(document, row, row.cosines)
        near = texts_beside(document, image)
        beside = max((cosines[position] for position in near if position in cosines), default=math.nan)
        known = image.owner is not None and image.owner in cosines
        own = cosines[image.owner] if image.owner is not None and known else beside
        mine = [image.owner] if known else near
        others = [value for position, value in cosines.items() if position not in mine]
        own_cell = cell("alignment.own", own, image.position, model)
        cells.append(own_cell if known or own_cell.value is None else replace(own_cell, detail=NO_OWNER))
        cells.append(cell("alignment.beside", beside, image.position, model))
        cells.append(
            cell(
                "alignment.margin",
                own - float(np.mean(others)) if others else math.nan,
                image.position,
                model,
            )
        )
    return cells


def unknown_language(document: Document, share: bool, model: str) -> list[Cell]:
    """The cells of a document in a language that the model does not know. share: whether `alignment.share` is
    scored."""
    detail = f"{_UNKNOWN}{named(document.language)}"
    names = [
        "alignment.mean",
        "alignment.min",
        "alignment.unknown_words",
        *(["alignment.share"] if share else []),
    ]
    return [
        *(
            Cell(name, None, "not_scored", image.position, model, detail)
            for image in document.images
            for name in _OF_IMAGES
        ),
        *(Cell(name, None, "not_scored", None, model, detail) for name in names),
    ]


def is_ignored(cell: Cell) -> bool:
    """Whether a cell is of `unknown_language`, so that no rule is applied to it."""
    return (
        cell.name.startswith("alignment.") and cell.state == "not_scored" and cell.detail.startswith(_UNKNOWN)
    )


def document_cells(
    document: Document,
    rows: Mapping[int, EmbeddingRow],
    own: Sequence[Cell],
    share_above: float | None,
    model: str,
) -> list[Cell]:
    """Aggregates over the images that are still kept. own: their `alignment.own` cells."""
    kept = {image.position for image in document.images}
    values = [
        item.value
        for item in own
        if item.name == "alignment.own" and item.position in kept and item.value is not None
    ]
    row = next((row for position, row in rows.items() if position in kept), None)
    unknown = list(_of_kept_texts(document, row, row.unknown_words).values()) if row else []
    cells = [
        cell("alignment.mean", float(np.mean(values)) if values else math.nan, model=model),
        cell("alignment.min", min(values, default=math.nan), model=model),
        cell("alignment.unknown_words", float(np.mean(unknown)) if unknown else math.nan, model=model),
    ]
    if share_above is not None:
        share = float(np.mean([value >= share_above for value in values])) if values else math.nan
        cells.append(cell("alignment.share", share, model=model))
    return cells


def _of_kept_texts(document: Document, row: EmbeddingRow, values: Sequence[float]) -> dict[int, float]:
    """position -> value, for texts that are still kept. values: a list of the row, parallel to its texts."""
    kept = {text.position for text in document.texts}
    return {
        position: value
        for position, value in zip(row.text_positions, values, strict=True)
        if position in kept
    }
