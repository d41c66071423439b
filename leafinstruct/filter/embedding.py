"""Embed the images and texts of a part, and cache the vectors and cosines in embeddings-."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from leafinstruct.filter import materialize
from leafinstruct.filter.embedders import embedder
from leafinstruct.filter.embedders.devices import device_of
from leafinstruct.filter.embedders.weights import Weights
from leafinstruct.filter.texts.editing import digest_of
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.rows import EmbeddingRow
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.engine.device import Device
from leafinstruct.runtime.files import writing


def embed(
    weights: Weights,
    batch_size: int,
    max_pixels: int,
    key: str,
    out: Artifact,
    part: Part,
    remaining: Sequence[tuple[Document, Sequence[ImageRef]]],
    counts: Counter[str],
    device: Device,
) -> None:
    """Write embeddings-. Rows for these weights, texts and image bytes are kept; missing ones, and those on
    which the model failed, are computed. Counts `images_embedded` and `embeddings_failed` (images).

    remaining: documents with edited texts, before any drop, each with those of its images that remain.
    """
    path = out.file("embeddings", part.name)
    current = {
        (document.id, image.position): (digest_of(document), image.sha256)
        for document, images in remaining
        for image in images
    }
    rows = [
        row
        for row in (table.records(path, EmbeddingRow) if table.key_of(path) == key else ())
        if not row.fault
        and current.get((row.document_id, row.position), seen := (row.texts, row.sha256)) == seen
    ]
    embedded = {(row.document_id, row.position) for row in rows}
    missing = [
        (document, [image for image in images if (document.id, image.position) not in embedded])
        for document, images in remaining
    ]
    missing = [(document, images) for document, images in missing if images]
    if missing:
        model = embedder.load(weights, batch_size, device_of(weights.device, device), device.threads)
        names = {image.sha256 or "" for _, images in missing for image in images}
        order: dict[str, None] = {}
        stored = materialize.stored_bytes(out.file("images", part.name), names, order)
        opened = partial(materialize.opened, embedder.DECODE_PX, max_pixels)
        new = list(embedder.embed(model, missing, order, stored, opened, weights.knows))
        rows += new
        counts["images_embedded"] += len(order)
        counts["embeddings_failed"] += sum(bool(row.fault) for row in new)
    with writing(path) as temporary:
        table.write(temporary, rows, table.EMBEDDINGS, key)


def embeddings_of(out: Artifact, part: Part) -> dict[str, dict[int, EmbeddingRow]]:
    """document id -> position -> row of its image."""
    found: dict[str, dict[int, EmbeddingRow]] = {}
    for row in table.records(out.file("embeddings", part.name), EmbeddingRow):
        found.setdefault(row.document_id, {})[row.position] = row
    return found
