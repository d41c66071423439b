"""Rows of the tables of table.py as frozen records, each with a field for every column of its schema.

Only values that a stage passes on have a class. Documents, scores and examples have theirs in document.py and
example.py. `checked.records` reads a table as one of these classes, and `table.write` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from leafinstruct.records.document import State
from leafinstruct.records.example import Cell

_UNANSWERED = ("refused", "unparsed", "too_large", "suspicious", "not_shown")


@dataclass(frozen=True, slots=True)
class Drop:
    """Why an image or a document was dropped, an entry of `drops` in table.DECISIONS.

    position: the image's position, None for the document. threshold: the bound that the value failed. detail:
    of the score, and for `drop: step` which text was dropped with the image.
    """

    rule: str
    value: float | None
    threshold: float | None
    state: str
    position: int | None = None
    detail: str = ""

    @property
    def reason(self) -> str:
        """The rule's name in counts. It includes the state if a model gave no value, which does not mean that
        the document is bad."""
        return f"{self.rule} ({self.state})" if self.state in _UNANSWERED else self.rule


class Measurement(TypedDict):
    """A score of an image, by name."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class ImageRow:
    """Row of table.IMAGES: what was read at a reference.

    file: None for an image from the web. state: `failed` if reading may succeed later. sha256, width, height
    (pixels), format, bytes: None if there is no image, see reason; bytes also if they were not read. hash: 64
    hex digits (filter/index/image.py), None also for an image without structure. thumbnail: see
    filter/scores/sequence.py.
    """

    ref: str
    file: str | None
    stamp: str
    state: State
    reason: str = ""
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    scores: Sequence[Measurement] = ()
    hash: str | None = None
    thumbnail: bytes | None = None
    bytes: bytes | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingRow:
    """Row of table.EMBEDDINGS. texts: digest of the document's texts. vector: (d,), unit. text_positions,
    cosines, unknown_words: parallel, an entry for each text segment of the document; empty if the model does
    not know its language. fault: why the model failed on the image or a text; then there is no vector."""

    document_id: str
    position: int
    sha256: str
    texts: str
    vector: Sequence[float]
    text_positions: Sequence[int]
    cosines: Sequence[float]
    unknown_words: Sequence[float]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CellRow:
    """Row of table.EXTENSIONS: a cell, valid as long as seen (the digest of what it was
    computed from) and of (the digest of what computed it) are the same."""

    document_id: str
    seen: str
    of: str
    name: str
    position: int | None
    value: float | None
    state: State
    model: str | None
    detail: str

    @classmethod
    def of_cell(cls, document: str, seen: str, of: str, cell: Cell) -> CellRow:
        """The row of a cell. document: its id."""
        return cls(
            document, seen, of, cell.name, cell.position, cell.value, cell.state, cell.model, cell.detail
        )

    @property
    def cell(self) -> Cell:
        return Cell(self.name, self.value, self.state, self.position, self.model, self.detail)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Row of table.KEYS. text, images: digests of a document's text and of its kept images. words: number of
    words. bands, runs: of its text (filter/index/text.py), empty without words. hashes: four numbers for each
    image, zeros if it has no hash."""

    document_id: str
    text: str
    words: int
    images: Sequence[str]
    bands: NDArray[np.uint64]
    runs: NDArray[np.uint32]
    hashes: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """Row of table.DUPLICATES. text, near_text: number of better documents with the same text, and of its
    group of near-duplicates. images, near_images, copied_images: share of images that a better document has
    too, of which it has a near one of other bytes, and a mirrored, scaled or recompressed copy. group: id of
    the best document of its group, None if it is in none. reference_text, reference_images: scores of
    contamination, None if there is no reference."""

    document_id: str
    text: int
    images: float
    near_text: int
    near_images: float
    copied_images: float
    group: str | None
    reference_text: float | None = None
    reference_images: float | None = None
