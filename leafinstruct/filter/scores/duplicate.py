"""Exact duplicates: inside a document, and across all documents and sources.

    duplicate.within    image      earlier images of the document with the same bytes
    duplicate.text      document   living documents with a smaller id and the same normalized text
    duplicate.images  document   share of its images that stand in a living document with a smaller id

"Living" means alive after alignment and coherence: a copy is not refused for the sake of an original that was
itself dropped. The keeper is the smallest id, which depends on no order of files or workers. Across documents
it is a global step: keys per part, one reduction over keys only, verdicts per part. Cost: about 100 bytes of
memory for each document and each image while the reduction runs.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from leafinstruct.filter.scores.text import cell
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.table import Row
from leafinstruct.records.text.words import identity_of


def within(document: Document) -> list[Cell]:
    """One cell an image: how many earlier images of this document have its bytes (materialized images
    only)."""
    seen: dict[str | None, int] = {}
    cells = []
    for image in document.images:
        cells.append(cell("duplicate.within", float(seen.get(image.sha256, 0)), image.position))
        seen[image.sha256] = seen.get(image.sha256, 0) + 1
    return cells


def text_digest(document: Document) -> str:
    """Digest of the text, its typesetting aside (records.words.identity); a document without words is no copy
    of another."""
    words = identity_of(text.text for text in document.texts) or f"\0{document.id}"
    return hashlib.sha256(words.encode()).hexdigest()[:24]


def key_row(document: Document) -> Row:
    """What the reduction needs of one living document."""
    return {
        "document_id": document.id,
        "text": text_digest(document),
        "images": [(image.sha256 or "")[:24] for image in document.images],
    }


def reduce(parts: Sequence[tuple[str, Iterable[Row]]]) -> dict[str, list[Row]]:
    """Keys of all parts -> rows of records.table.DUPLICATES for each part: the one place that sees the whole
    corpus."""
    keys = sorted(
        (row["document_id"], part, row["text"], row["images"]) for part, rows in parts for row in rows
    )
    texts: Counter[str] = Counter()
    images: set[str] = set()
    verdicts: dict[str, list[Row]] = {part: [] for part, _ in parts}
    for document, part, text, shown in keys:
        repeated = sum(image in images for image in shown) / len(shown) if shown else 0.0
        verdicts[part].append({"document_id": document, "text": texts[text], "images": round(repeated, 4)})
        texts[text] += 1
        images.update(shown)
    return verdicts


def cells_of(row: Row) -> list[Cell]:
    """The document's two cells."""
    return [cell("duplicate.text", float(row["text"])), cell("duplicate.images", float(row["images"]))]
