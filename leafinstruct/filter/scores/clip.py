"""CLIP: the vectors of images and texts, from which alignment and coherence are computed.

The whole image x segment matrix of each document is computed and cached. Images and texts of a part are
embedded in batches across its documents. A batch never crosses a part, so results do not depend on the number
of workers; cosines are rounded to 1e-4 before they are stored.

Equal texts of a part are embedded once, in batches sorted by length and padded to their own longest text.
CLIP's text transformer is causal and reads its vector at the end token, so padding after it changes only the
rounding: cosines differ by less than 1e-6. Real pages have 20 tokens per text, and padding them to the
context's 77 was most of CLIP's cost there: 4.25 CPU-s per page, now 1.29 (37 pages, ViT-B/32's size,
float32). A text longer than the model's context is split into sentences (a longer sentence into windows),
embedded in pieces and mean-pooled; nothing is cut.

Chosen: clip-anytorch (`clip.load`), which opens every published OpenAI checkpoint and any other of that form.
Cost: benchmarks/alignment.py; ViT-B/32 in batches 11 images per CPU-second (8.3 one at a time), the tiny one
600.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct import _torchvision as torchvision_import
from leafinstruct.errors import RecipeError
from leafinstruct.llm.config import basename
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.rows import EmbeddingRow
from leafinstruct.records.text.words import sentences_of

CODE = 2
"""Increased when the same weights give other vectors, cosines or shares of unknown words than before."""

DECODE_PX = 1024
"""Longer side at which images are decoded for CLIP. Up to an aspect of 3:1, the shorter side then has 336 px,
the largest published resolution."""

Piece = tuple[int, ...]
"""Token ids of a text, or of a piece of a text that is longer than the context."""


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
    documents: Sequence[tuple[Document, Sequence[ImageRef]]],
    names: Iterable[str],
    images: Iterable[Pil.Image],
) -> Iterator[EmbeddingRow]:
    """Yield rows of table.EMBEDDINGS for the given images of each document.

    documents: with edited texts, before any drop, so that a row depends on no rule; each with those of its
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
        texts_digest = digest_of(document)
        for image in missing:
            vector = vectors[index[image.sha256 or ""]]
            cosines = rows[start:end] @ vector if end > start else np.zeros(0, np.float32)
            yield EmbeddingRow(
                document.id,
                image.position,
                image.sha256 or "",
                texts_digest,
                vector.tolist(),
                [text.position for text in document.texts],
                np.round(cosines, 4).tolist(),
                np.round(unknown[start:end], 4).tolist(),
            )


def digest_of(document: Document) -> str:
    """Digest of a document's texts and their positions: what its rows of table.EMBEDDINGS depend on."""
    texts = "\0".join(f"{text.position} {text.text}" for text in document.texts)
    return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:24]


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
