"""Exact duplicates: inside a document, and across all documents and sources.

    duplicate.within    image      earlier images of the document with the same bytes
    duplicate.text      document   remaining documents with a smaller id and the same normalized text
    duplicate.images    document   share of its images that a remaining document with a smaller id has too

"Remaining" means not dropped up to alignment and coherence: a copy is not dropped in favor of an original
that was itself dropped. The document with the smallest id is kept, which depends on no order of files or
workers. Duplicates across documents need a global step: keys per part, one reduction over the keys, results
per part. Cost: about 100 bytes of memory per document and image during the reduction.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from leafinstruct.filter.scores.cell import cell
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import DuplicateRow, KeyRow
from leafinstruct.records.text.words import identity_of


def within(document: Document) -> list[Cell]:
    """One cell per image: how many earlier images of this document have the same bytes (materialized images
    only)."""
    seen: dict[str | None, int] = {}
    cells = []
    for image in document.images:
        cells.append(cell("duplicate.within", float(seen.get(image.sha256, 0)), image.position))
        seen[image.sha256] = seen.get(image.sha256, 0) + 1
    return cells


def text_digest(document: Document) -> str:
    """Digest of the text without its typesetting (records.words.identity). A document without words is a copy
    of no other."""
    words = identity_of(text.text for text in document.texts) or f"\0{document.id}"
    return hashlib.sha256(words.encode()).hexdigest()[:24]


def key_row(document: Document) -> KeyRow:
    """What the reduction needs to know of one remaining document."""
    images = [(image.sha256 or "")[:24] for image in document.images]
    return KeyRow(document.id, text_digest(document), images)


def reduce(parts: Sequence[tuple[str, Iterable[KeyRow]]]) -> dict[str, list[DuplicateRow]]:
    """Keys of all parts -> rows of records.table.DUPLICATES for each part. The only step that sees the whole
    corpus."""
    keys = sorted((row.document_id, part, row.text, row.images) for part, rows in parts for row in rows)
    texts: Counter[str] = Counter()
    images: set[str] = set()
    results: dict[str, list[DuplicateRow]] = {part: [] for part, _ in parts}
    for document, part, text, shown in keys:
        repeated = sum(image in images for image in shown) / len(shown) if shown else 0.0
        results[part].append(DuplicateRow(document, texts[text], round(repeated, 4)))
        texts[text] += 1
        images.update(shown)
    return results


def cells_of(row: DuplicateRow) -> list[Cell]:
    """The document's two cells."""
    return [cell("duplicate.text", float(row.text)), cell("duplicate.images", row.images)]
