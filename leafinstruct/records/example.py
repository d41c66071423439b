"""The example that a document becomes: a conversation whose turns mix text and images on both sides.

A turn's parts are plain strings and images: a rewritten sentence no longer has a position in the source, an
image keeps its own. All parts together contain every kept image of the document exactly once and in document
order (rewrite/parse checks it).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from leafinstruct.records.document import ImageRef, Provenance, Role, State

Part = str | ImageRef
PreferenceKind = Literal["round", "shuffled_steps", "swapped_image", "other_text"]
"""How the rejected answer of a preference row was made (records/preference/row.py)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One score of one document, or of one of its images.

    name: `<family>.<name>`. position: of the image, None for a score of the document. value: None unless
    state is ok, rounded to 1e-4. model: the model that computed it, None for plain arithmetic. detail: one
    sentence (the judge's reason).
    """

    name: str
    value: float | None
    state: State = "ok"
    position: int | None = None
    model: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's contribution to the conversation."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One training example. `task` names its family (`guide`, `continuation`, `edit`, `conversation`).

    language: of its document, None if undetermined. models, prompts: (name, identity) pairs of all that were
    used for this example, sorted by name.
    """

    id: str
    document_id: str
    source: str
    task: str
    turns: tuple[Turn, ...]
    provenance: Provenance
    scores: tuple[Cell, ...] = ()
    url: str | None = None
    license: str | None = None
    title: str | None = None
    page_url: str | None = None
    language: str | None = None
    models: tuple[tuple[str, str], ...] = ()
    prompts: tuple[tuple[str, str], ...] = ()

    @property
    def images(self) -> tuple[ImageRef, ...]:
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, ImageRef))


def example_id(document: str, task: str, piece: int = 0) -> str:
    """First 16 hex digits of the sha256 of document id, task family and, for all but the first piece of a
    long document, the number of the piece."""
    return hashlib.sha256("\0".join((document, task, *([str(piece)] if piece else []))).encode()).hexdigest()[
        :16
    ]
