"""Rows of the tables of table.py as frozen records, each with a field for every column of its schema.

Only values that a stage passes on have a class. Documents, scores and examples have theirs in document.py and
example.py. `checked.records` reads a table as one of these classes, and `table.write` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from leafinstruct.records.document import State

_UNANSWERED = ("refused", "unparsed", "too_large")


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
    (pixels), format, thumbnail (filter/scores/sequence.py), bytes: None if there is no image, see reason;
    bytes also if they were not read.
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
    thumbnail: bytes | None = None
    bytes: bytes | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingRow:
    """Row of table.EMBEDDINGS. vector: (d,), unit. text_positions, cosines, unknown_words: parallel, an entry
    for each text segment of the document."""

    document_id: str
    position: int
    sha256: str
    vector: Sequence[float]
    text_positions: Sequence[int]
    cosines: Sequence[float]
    unknown_words: Sequence[float]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Row of table.KEYS: digests of a document's text and of its images."""

    document_id: str
    text: str
    images: Sequence[str]


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """Row of table.DUPLICATES. text: number of earlier documents with the same text. images: share of images
    that an earlier document has too."""

    document_id: str
    text: int
    images: float
