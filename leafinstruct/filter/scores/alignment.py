"""CLIP text-image alignment: how well each image fits the text that owns it.

Computed from the cached matrix of cosines between a document's images and texts (embedders/), so moving a
threshold, or another definition of a score here, runs no model. A document in a language that the model does
not know has no such cosines: its scores are `not_scored`, and rules on them are ignored for it.

`alignment.own` is the cosine with the text that owns the image (records.owners), so two swapped neighbors
fail. `alignment.beside` is the larger of two cosines: with the nearest text before it, and with its captions
(or, without one, the nearest text after it). Scales differ between models, so rules name theirs.

On request, for sources that lost the order of their images, `reassigned` decides all owners of a document
together before they are scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from leafinstruct.filter.scores.cell import cell, of_unknown_language
from leafinstruct.records.document import Document, ImageRef, Segment
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import EmbeddingRow
from leafinstruct.records.text import owners, places

NO_OWNER = "no owner is known: the larger of both sides"
REASSIGN = "alignment.reassign"
"""Reason of a changed owner, in explanations."""
_LEAST = 1e-4
"""Step of a stored cosine."""
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


def reassigned(document: Document, rows: Mapping[int, EmbeddingRow], stated: bool) -> Document:
    """The document with its images assigned to its texts again: at most one image per text, with the largest
    sum of cosines; of equal sums the one that keeps more owners.

    rows: position -> matrix row of its image. stated: whether owners that the source states are replaced;
    else they stay, and their texts have no second image. Captions keep their images, and headings get none.
    Where there are more images than texts, those without a text keep their owners, so no owner is ever
    removed. A changed owner has `owner_found` matched; positions and order are unchanged. Conversations are
    returned unchanged: who speaks owns the images. Cost: 0.1 ms for 10 images and 40 texts.
    """
    from scipy.optimize import linear_sum_assignment  # 200 ms

    captions = {text.position for text in document.texts if text.kind == "caption"}
    cosines = {
        image.position: _of_kept_texts(document, rows[image.position], rows[image.position].cosines)
        for image in document.images
        if (stated or image.owner_found != "stated") and image.owner not in captions
    }
    images = [image for image in document.images if cosines.get(image.position)]
    taken = {image.owner for image in document.images if image.position not in cosines}
    texts = [
        text.position
        for text in document.texts
        if text.kind not in ("heading", "caption") and text.position not in taken
    ]
    if document.is_conversation or not images or not texts:
        return document
    # stored cosines are multiples of 1e-4
    present = _LEAST / (2 * len(images))
    gains = np.array(
        [
            [cosines[image.position][text] + present * (text == image.owner) for text in texts]
            for image in images
        ]
    )  # (images, texts)
    found = {
        images[row].position: texts[column]
        for row, column in zip(*linear_sum_assignment(gains, maximize=True), strict=True)
    }
    return replace(document, segments=tuple(_owned(segment, found) for segment in document.segments))


def _owned(segment: Segment, found: Mapping[int, int]) -> Segment:
    """A segment; an image with its new owner, if it is another one."""
    owner = found.get(segment.position)
    if not isinstance(segment, ImageRef) or owner is None or owner == segment.owner:
        return segment
    return replace(segment, owner=owner, owner_found="matched")


def is_matched(image: ImageRef) -> bool:
    """Whether `reassigned` changed the owner of an image."""
    return image.owner_found == "matched"


def changes_of_owners(read: Document, decided: Iterable[ImageRef]) -> list[str]:
    """One line for each image that `reassigned` gave another owner, with the one before. read: as ingest
    wrote it. decided: the images as filter left them."""
    before = {image.position: image for image in read.images}
    lines = []
    for image in filter(is_matched, decided):
        old = before[image.position]
        was = "its owner was unknown" if old.owner is None else f"before to [{old.owner}], {old.owner_found}"
        lines.append(f"{REASSIGN}: [{image.position}] belongs to [{image.owner}] by the matrix, {was}")
    return lines


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
    names = [
        "alignment.mean",
        "alignment.min",
        "alignment.unknown_words",
        *(["alignment.share"] if share else []),
    ]
    of_images = [(name, image.position) for image in document.images for name in _OF_IMAGES]
    return [
        of_unknown_language(name, document.language, position, model)
        for name, position in (*of_images, *((name, None) for name in names))
    ]


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
