"""CLIP text-image alignment, and the embeddings that coherence uses too.

The whole image x segment matrix of each document is computed and cached. `alignment.own`, the margin and any
later re-assignment of owners are computed from it, and moving a threshold runs no model. Images and texts of
a part are embedded in batches across its documents. A batch never crosses a part, so results do not depend on
the number of workers; cosines are rounded to 1e-4 before they are stored or judged.

Equal texts of a part are embedded once, in batches sorted by length and padded to their own longest text.
CLIP's text transformer is causal and reads its vector at the end token, so padding after it changes only the
rounding: cosines differ by less than 1e-6. Real pages have 20 tokens per text, and padding them to the
context's 77 was most of CLIP's cost there: 4.25 CPU-s per page, now 1.29 (37 pages, ViT-B/32's size,
float32).

`alignment.own` is the cosine with the text that owns the image (records.owners), so two swapped neighbors
fail. `alignment.beside` is the larger of two cosines: with the nearest text before it, and with its captions
(or, without one, the nearest text after it). A text longer than the model's context is split into sentences
(a longer sentence into windows), embedded in pieces and mean-pooled; nothing is cut.

Chosen: clip-anytorch (`clip.load`), which opens every published OpenAI checkpoint and any other of that form.
Scales differ between models, so rules name theirs. Cost: benchmarks/alignment.py; ViT-B/32 in batches 11
images per CPU-second (8.3 one at a time), the tiny one 600.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct import _torchvision as torchvision_import
from leafinstruct.errors import RecipeError
from leafinstruct.filter.scores.text import cell
from leafinstruct.llm.config import basename
from leafinstruct.records.document import Document, Image
from leafinstruct.records.example import Cell
from leafinstruct.records.table import Row
from leafinstruct.records.text import owners, places
from leafinstruct.records.text.words import sentences_of

DECODE_PX = 1024
"""Longer side at which images are decoded for CLIP. Up to an aspect of 3:1, the shorter side then has 336 px,
the largest published resolution."""

Piece = tuple[int, ...]
"""Token ids of a text, or of a piece of a text that is longer than the context."""

NO_OWNER = "no owner is known: the larger of both sides"


@dataclass(frozen=True)
class Weights:
    """Which CLIP is used.

    name: as in the recipe. file: its checkpoint, None for a published name that clip downloads. sha256: of
    the file. toy: the packaged tiny model is used on images that it was not trained on.
    """

    name: str
    file: str | None
    sha256: str | None
    toy: bool = False

    @property
    def label(self) -> str:
        """The name in scores, rows and the card; for a checkpoint's path the last part."""
        name = basename(self.name)
        return f"{name} (toy: knows only Sketchbook)" if self.toy else name

    @property
    def identity(self) -> str:
        """What keys and fingerprints contain: the file's sha256, or the published name, whose file clip
        verifies."""
        return self.sha256 or self.name


def load_clip() -> Any:
    """The `clip` module."""
    torchvision_import.mend()
    with warnings.catch_warnings():
        # constraints.txt pins a setuptools that has it
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import clip

    return clip


class Clip:
    """A loaded model: embeds images and texts as unit rows."""

    def __init__(self, weights: Weights, batch_size: int) -> None:
        """Load the model. Raises RecipeError if the name is unknown, or the weights cannot be opened or
        downloaded."""
        import torch

        clip = load_clip()
        from clip.simple_tokenizer import SimpleTokenizer

        self._torch, self._batch = torch, batch_size
        if weights.file is None and weights.name not in clip.available_models():
            known = ", ".join(clip.available_models())
            raise RecipeError(
                f"filter.alignment.model: {weights.name!r} is neither a file nor one of {known}"
            )
        try:
            # clip tries TorchScript before a plain state dict, and torch deprecates the try
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r".*torch\.jit\.load.*", DeprecationWarning)
                warnings.filterwarnings("ignore", ".*is not a JIT archive.*", UserWarning)
                self._model, self._preprocess = clip.load(
                    weights.file or weights.name, device="cpu", jit=False
                )
        except (OSError, RuntimeError, KeyError, UnpicklingError, EOFError) as error:
            raise RecipeError(
                f"filter.alignment.model: {weights.name} cannot be opened "
                f"({str(error).splitlines()[0][:200]}); "
                "a published name needs the network once, a path must be a CLIP state dict"
            ) from error
        self._model.eval()
        self._tokenizer = SimpleTokenizer()
        self._context = int(self._model.context_length)
        rows = self._model.token_embedding.weight.detach()
        self._known = (rows != 0).any(dim=1).numpy()  # (vocabulary,): rows that were trained

    def images(self, images: Iterable[Pil.Image]) -> NDArray[np.float32]:
        """Embed RGB images as (n, d) unit rows."""
        torch = self._torch
        batches = []
        with torch.inference_mode():
            for batch in _batched(images, self._batch):
                pixels = torch.stack([self._preprocess(image) for image in batch])  # (B, 3, side, side)
                batches.append(self._model.encode_image(pixels).float().numpy())
        return _unit(np.concatenate(batches)) if batches else np.zeros((0, 1), np.float32)

    def texts(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Embed texts as (n, d) unit rows, pooled over their pieces. Also returns (n,), the share of tokens
        that were not in the training data."""
        groups = [self._pieces(text) for text in texts]
        vectors = self._of_pieces({piece for group in groups for piece in group})
        pooled = [np.mean([vectors[piece] for piece in group], axis=0) for group in groups]
        unknown = [self._unknown(group) for group in groups]
        return _unit(np.stack(pooled)) if pooled else np.zeros((0, 1), np.float32), np.asarray(unknown)

    def _of_pieces(self, pieces: Iterable[Piece]) -> dict[Piece, NDArray[np.float32]]:
        """Each piece's unit vector. The shortest come first, and each batch is padded to its own longest; see
        the module's docstring."""
        torch = self._torch
        vectors: dict[Piece, NDArray[np.float32]] = {}
        with torch.inference_mode():
            for batch in _batched(sorted(pieces, key=lambda piece: (len(piece), piece)), self._batch):
                tokens = torch.zeros(len(batch), len(batch[-1]), dtype=torch.int)  # (B, longest)
                for row, piece in zip(tokens, batch, strict=True):
                    row[: len(piece)] = torch.tensor(piece, dtype=torch.int)
                vectors |= zip(batch, _unit(self._model.encode_text(tokens).float().numpy()), strict=True)
        return vectors

    def _pieces(self, text: str) -> list[Piece]:
        """Token rows of at most the context length, each from start token to end token."""
        start, end = self._tokenizer.encoder["<|startoftext|>"], self._tokenizer.encoder["<|endoftext|>"]
        size = self._context - 2
        whole = self._encode(text)
        runs = [whole] if len(whole) <= size else [self._encode(sentence) for sentence in sentences_of(text)]
        windows = [run[at : at + size] for run in runs for at in range(0, max(1, len(run)), size)]
        return [(start, *window, end) for window in windows]

    def _encode(self, text: str) -> list[int]:
        # the tokenizer would read a literal <|endoftext|> in a document as its control token
        return list(self._tokenizer.encode(text.replace("<|", "< |")))

    def _unknown(self, pieces: Sequence[Sequence[int]]) -> float:
        tokens = [token for piece in pieces for token in piece[1:-1]]
        return 1 - float(np.mean(self._known[tokens])) if tokens else 0.0


@lru_cache(maxsize=1)
def load(weights: Weights, batch_size: int) -> Clip:
    """The model of this process, loaded once for all parts."""
    return Clip(weights, batch_size)


def weights_of(name: str, tiny: Path | None, strangers: bool) -> Weights:
    """Find the weights of a recipe's model: the unpacked tiny one, a checkpoint's path, or a name that clip
    knows and verifies by its sha256.

    strangers: whether there are sources other than Sketchbook, which make the tiny model a toy. Raises
    RecipeError for a missing file.
    """
    path = tiny if tiny is not None else Path(name)
    if not path.is_file():
        if path.suffix in (".pt", ".pth"):
            raise RecipeError(f"filter.alignment.model: {name}: no such file")
        return Weights(name, None, None)
    with path.open("rb") as file:
        return Weights(
            name,
            str(path),
            hashlib.file_digest(file, "sha256").hexdigest(),
            toy=tiny is not None and strangers,
        )


def embed(
    model: Clip,
    documents: Sequence[tuple[Document, Sequence[Image]]],
    names: Iterable[str],
    images: Iterable[Pil.Image],
) -> Iterator[Row]:
    """Yield rows of table.EMBEDDINGS for the given images of each document.

    documents: as ingest wrote them, with all texts, so that a row depends on no rule; each with those of its
    (materialized) images that have no row yet. images: RGB, streamed, each once. names: their sha256 in the
    same order, complete once `images` is exhausted.
    """
    vectors = model.images(images)  # (n, d)
    index = {name: at for at, name in enumerate(names)}
    texts = [text.text for document, _ in documents for text in document.texts]
    rows, unknown = model.texts(texts)  # (m, d), (m,)
    end = 0
    for document, missing in documents:
        start, end = end, end + len(document.texts)
        for image in missing:
            vector = vectors[index[image.sha256 or ""]]
            cosines = rows[start:end] @ vector if end > start else np.zeros(0, np.float32)
            yield {
                "document_id": document.id,
                "position": image.position,
                "sha256": image.sha256,
                "vector": vector.tolist(),
                "text_positions": [text.position for text in document.texts],
                "cosines": np.round(cosines, 4).tolist(),
                "unknown_words": np.round(unknown[start:end], 4).tolist(),
            }


def texts_beside(document: Document, image: Image) -> list[int]:
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


def with_owners(document: Document, rows: Mapping[int, Row]) -> Document:
    """Decide the document's inferred owners again with the alignment matrix (position -> row), where it is
    conclusive. See records.owners."""
    return owners.align(
        document, {position: _of_kept_texts(document, row, "cosines") for position, row in rows.items()}
    )


def image_cells(document: Document, rows: Mapping[int, Row], model: str) -> list[Cell]:
    """`alignment.own`, `alignment.beside` and `alignment.margin` of the document's images, from their matrix
    rows (position -> row).

    own: the cosine with the text of the image's owner. If the owner is unknown or its text was dropped, it is
    that of `beside`, and the detail reports it.
    """
    cells = []
    for image in document.images:
        cosines = _of_kept_texts(document, rows[image.position], "cosines")
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


def document_cells(
    document: Document, rows: dict[int, Row], own: Sequence[Cell], share_above: float | None, model: str
) -> list[Cell]:
    """Aggregates over the images that are still kept. own: their `alignment.own` cells."""
    kept = {image.position for image in document.images}
    values = [
        item.value
        for item in own
        if item.name == "alignment.own" and item.position in kept and item.value is not None
    ]
    row = next((row for position, row in rows.items() if position in kept), None)
    unknown = list(_of_kept_texts(document, row, "unknown_words").values()) if row else []
    cells = [
        cell("alignment.mean", float(np.mean(values)) if values else math.nan, model=model),
        cell("alignment.min", min(values, default=math.nan), model=model),
        cell("alignment.unknown_words", float(np.mean(unknown)) if unknown else math.nan, model=model),
    ]
    if share_above is not None:
        share = float(np.mean([value >= share_above for value in values])) if values else math.nan
        cells.append(cell("alignment.share", share, model=model))
    return cells


def _of_kept_texts(document: Document, row: Row, name: str) -> dict[int, float]:
    """position -> value of a row's list that is parallel to its texts, for texts that are still kept."""
    kept = {text.position for text in document.texts}
    return {
        position: value
        for position, value in zip(row["text_positions"], row[name], strict=True)
        if position in kept
    }


def published_sha256(name: str) -> str | None:
    """sha256 of the checkpoint of a published name in clip's own cache; None if it is not there."""
    path = Path("~/.cache/clip").expanduser() / f"{name.replace('/', '-')}.pt"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
