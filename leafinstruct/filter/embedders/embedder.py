"""Embed the images and texts of a part in batches, whatever the backend.

The whole image x segment matrix of each document is computed and cached. Images and texts of a part are
embedded in batches across its documents. A batch never crosses a part, so results do not depend on the number
of workers; cosines are rounded to 1e-4 before they are stored.

Equal texts of a part are embedded once, in batches sorted by length and padded to their own longest text if
the model allows it (Tower.width). Real pages have 20 tokens per text, and padding them to the context's 77
was most of CLIP's cost there. A text longer than the model's context is split into sentences (a longer
sentence into windows), embedded in pieces and mean-pooled; nothing is cut.

Tolerance: in another batch a vector differs in the rounding of float32, so a cosine differs by less than
1e-5 and a stored one by at most one step of 1e-4; with bfloat16 cosines differ by less than 0.01
(tests/filter/test_alignment_texts.py).

One image or text on which the model fails, runs out of memory or gives NaN fails alone (batches.py).
Cost: benchmarks/alignment.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.filter.embedders.batches import Rows, batched, each, prepared
from leafinstruct.filter.embedders.tower import Piece, Tower
from leafinstruct.filter.embedders.weights import Weights
from leafinstruct.filter.texts.editing import digest_of
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.rows import EmbeddingRow

CODE = 3
"""Increased when the same weights give other vectors, cosines or shares of unknown words than before."""

DECODE_PX = 1024
"""Longer side at which images are decoded for the model. Up to an aspect of 3:1, the shorter side then has
336 px, the largest resolution of OpenAI's models."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Embedded:
    """Vectors of images or texts, in their order.

    rows: (n, d), unit; a row of zeros where the model failed. faults: index -> why it failed. unknown: (n,)
    of texts, the share of tokens that were not in the training data.
    """

    rows: Rows
    faults: Mapping[int, str] = field(default_factory=dict)
    unknown: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


class Embedder:
    """A loaded model: embeds images and texts as unit rows.

    batch_size: of one forward pass. threads: that decode and prepare images while the model computes; 0:
    none, which is right where the model itself uses the cores.
    """

    def __init__(self, tower: Tower, batch_size: int, threads: int = 0) -> None:
        self._tower, self._batch, self._threads = tower, batch_size, threads

    def images(self, images: Iterable[_T], opened: Callable[[_T], Pil.Image] | None = None) -> Embedded:
        """Embed RGB images. opened: makes the image of an item, in a thread if there are some."""

        def prepare(item: Any) -> Any:
            return self._tower.prepared(item if opened is None else opened(item))

        rows = prepared(
            images, prepare, lambda batch: _unit(self._tower.of_images(batch)), self._batch, self._threads
        )
        return _embedded(rows)

    def texts(self, texts: Sequence[str]) -> Embedded:
        """Embed texts, pooled over their pieces."""
        groups = [self._tower.pieces(text) for text in texts]
        vectors = self._of_pieces({piece for group in groups for piece in group})
        found: list[Rows | str] = []
        for group in groups:
            parts = [vectors[piece] for piece in group]
            rows = [row for row in parts if not isinstance(row, str)]
            faults = [row for row in parts if isinstance(row, str)]
            found.append(faults[0] if faults else np.mean(rows, axis=0))
        unknown = [self._tower.unknown([token for piece in group for token in piece]) for group in groups]
        return _embedded(found, np.asarray(unknown, np.float64))

    def _of_pieces(self, pieces: Iterable[Piece]) -> dict[Piece, Rows | str]:
        """Each piece's unit vector, or why there is none. The shortest come first; see the module's
        docstring."""

        def forward(batch: Sequence[Piece]) -> Rows:
            width = self._tower.width or len(batch[-1])
            tokens = np.full((len(batch), width), self._tower.pad, np.int64)  # (B, L)
            real = np.zeros_like(tokens)
            for at, piece in enumerate(batch):
                tokens[at, : len(piece)], real[at, : len(piece)] = piece, 1
            return _unit(self._tower.of_texts(tokens, real))

        vectors: dict[Piece, Rows | str] = {}
        for batch in batched(sorted(pieces, key=lambda piece: (len(piece), piece)), self._batch):
            vectors |= zip(batch, each(batch, forward), strict=True)
        return vectors


def tower_of(weights: Weights, device: str) -> Tower:
    """Load a model onto a device. Raises RecipeError if it cannot be opened."""
    if weights.backend == "open_clip":
        from leafinstruct.filter.embedders.open_clip import OpenClipTower

        return OpenClipTower(weights, device)
    if weights.backend == "transformers":
        from leafinstruct.filter.embedders.dual_encoder import DualEncoderTower

        return DualEncoderTower(weights, device)
    from leafinstruct.filter.embedders.clip import ClipTower

    return ClipTower(weights, device)


@lru_cache(maxsize=1)
def load(weights: Weights, batch_size: int, device: str = "cpu", threads: int = 0) -> Embedder:
    """The model of this process, loaded once for all parts. See Embedder."""
    return Embedder(tower_of(weights, device), batch_size, threads)


def embed(
    model: Embedder,
    documents: Sequence[tuple[Document, Sequence[ImageRef]]],
    names: Iterable[str],
    images: Iterable[_T],
    opened: Callable[[_T], Pil.Image],
    knows: Callable[[str | None], bool] = lambda language: True,  # noqa: ARG005
) -> Iterator[EmbeddingRow]:
    """Yield rows of table.EMBEDDINGS for the given images of each document.

    documents: with edited texts, before any drop, so that a row depends on no rule; each with those of its
    (materialized) images that have no row yet. images, opened: see Embedder.images, each once. names: their
    sha256 in the same order, complete once `images` is exhausted. knows: whether the model knows a language;
    texts of others are not embedded, and their rows have no cosines.
    """
    vectors = model.images(images, opened)  # (n, d)
    index = {name: at for at, name in enumerate(names)}
    shown = [
        (document, missing, document.texts if knows(document.language) else ())
        for document, missing in documents
    ]
    found = model.texts([text.text for _, _, texts in shown for text in texts])  # (m, d)
    end = 0
    for document, missing, texts in shown:
        start, end = end, end + len(texts)
        texts_digest = digest_of(document)
        about_texts = next((found.faults[at] for at in range(start, end) if at in found.faults), "")
        for image in missing:
            at = index[image.sha256 or ""]
            vector = vectors.rows[at]
            fault = vectors.faults.get(at, about_texts)
            kept = texts if not fault else ()
            cosines = found.rows[start:end] @ vector if kept else np.zeros(0, np.float32)
            yield EmbeddingRow(
                document.id,
                image.position,
                image.sha256 or "",
                texts_digest,
                [] if fault else vector.tolist(),
                [text.position for text in kept],
                np.round(cosines, 4).tolist(),
                np.round(found.unknown[start:end], 4).tolist() if kept else [],
                fault,
            )


def _embedded(found: Sequence[Rows | str], unknown: NDArray[np.float64] | None = None) -> Embedded:
    width = next((len(row) for row in found if not isinstance(row, str)), 1)
    rows = [np.zeros(width, np.float32) if isinstance(row, str) else row for row in found]
    return Embedded(
        _unit(np.stack(rows)) if rows else np.zeros((0, 1), np.float32),
        {at: row for at, row in enumerate(found) if isinstance(row, str)},
        np.zeros(0) if unknown is None else unknown,
    )


def _unit(rows: Rows) -> Rows:
    unit: Rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
