"""What a backend gives: one loaded model, as `Embedder` uses it; and what backends share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.records.text.words import sentences_of

Piece = tuple[int, ...]
"""Token ids of a text, or of a piece of a text that is longer than the context, with the model's own tokens
at its ends."""


class Tower(Protocol):
    """A loaded model.

    pad: id that pads shorter texts. width: tokens to which all texts are padded; None if padding changes
    nothing but the rounding, so that a batch is padded to its own longest text.
    """

    pad: int
    width: int | None

    def pieces(self, text: str) -> list[Piece]:
        """The text as token ids, split where it is longer than the context; nothing is cut."""
        ...

    def unknown(self, tokens: Sequence[int]) -> float:
        """Share of tokens that were not in the training data, as far as the weights show it."""
        ...

    def prepared(self, image: Pil.Image) -> Any:
        """The tensor of one RGB image, (3, side, side) for most models. Called in several threads."""
        ...

    def of_images(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """(B, d), for B prepared images."""
        ...

    def of_texts(self, tokens: NDArray[np.int64], real: NDArray[np.int64]) -> NDArray[np.float32]:
        """(B, d). tokens: (B, L), padded. real: (B, L), 1 for tokens of the text, 0 for padding."""
        ...


def windows(text: str, encode: Callable[[str], list[int]], size: int) -> list[list[int]]:
    """Token ids of a text in windows of at most `size`: one if it fits, else its sentences, of which a longer
    one is several windows."""
    whole = encode(text)
    runs = [whole] if len(whole) <= size else [encode(sentence) for sentence in sentences_of(text)]
    return [run[at : at + size] for run in runs for at in range(0, max(1, len(run)), size)]


def framed(tokenizer: Any) -> tuple[Piece, Piece]:
    """The ids that a tokenizer of transformers puts before and after a text."""
    bare = tokenizer("a", add_special_tokens=False).input_ids
    whole = tokenizer("a").input_ids
    start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
    return tuple(whole[:start]), tuple(whole[start + len(bare) :])
