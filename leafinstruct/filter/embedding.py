"""Embed the images and texts of a part with CLIP, and cache the vectors and cosines in embeddings-."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leafinstruct.filter import materialize
from leafinstruct.filter.scores import clip
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.rows import EmbeddingRow
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.files import writing


def embed(
    weights: clip.Weights,
    batch_size: int,
    max_pixels: int,
    key: str,
    out: Artifact,
    part: Part,
    remaining: Sequence[tuple[Document, Sequence[ImageRef]]],
    counts: Counter[str],
) -> None:
    """Write embeddings-. Rows for these weights, texts and image bytes are kept, missing ones are computed.

    remaining: documents with edited texts, before any drop, each with those of its images that remain.
    """
    path = out.file("embeddings", part.name)
    current = {
        (document.id, image.position): (clip.digest_of(document), image.sha256)
        for document, images in remaining
        for image in images
    }
    rows = [
        row
        for row in (table.records(path, EmbeddingRow) if table.key_of(path) == key else ())
        if current.get((row.document_id, row.position), seen := (row.texts, row.sha256)) == seen
    ]
    embedded = {(row.document_id, row.position) for row in rows}
    missing = [
        (document, [image for image in images if (document.id, image.position) not in embedded])
        for document, images in remaining
    ]
    missing = [(document, images) for document, images in missing if images]
    if missing:
        model = clip.load(weights, batch_size)
        names = {image.sha256 or "" for _, images in missing for image in images}
        order: dict[str, None] = {}
        images = materialize.decoded(out.file("images", part.name), names, order, clip.DECODE_PX, max_pixels)
        rows += clip.embed(model, missing, order, images)
        counts["images_embedded"] += len(order)
    with writing(path) as temporary:
        table.write(temporary, rows, table.EMBEDDINGS, key)


def embeddings_of(out: Artifact, part: Part) -> dict[str, dict[int, EmbeddingRow]]:
    """document id -> position -> row of its image."""
    found: dict[str, dict[int, EmbeddingRow]] = {}
    for row in table.records(out.file("embeddings", part.name), EmbeddingRow):
        found.setdefault(row.document_id, {})[row.position] = row
    return found
