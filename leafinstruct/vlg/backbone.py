"""What a backbone must tell, so that one loop can draw text and pictures from it.

A picture is written by a `Script`: the ids that follow the mark which begins it, one by one, where None stands for "a code, whichever the model
chooses". Chameleon's is 1,024 codes and the end mark; Emu3's spells the size, then rows of codes with a line end each, then two marks. Inside a
script nothing else can come, so text never breaks into a picture, and a picture always has its shape.

A segment is text (str) or a picture (PIL, RGB). A model that has its own head for pictures (Janus) would give `logits` of its own for a code; the
loop asks the backbone for them, never the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image
from torch import Tensor

Segment = str | Image.Image


@dataclass(frozen=True, slots=True)
class Script:
    """begin: the id that begins a picture. steps: what follows; None for a code. codes: the ids of codes, (C,). closed: ids that no text holds."""

    begin: int
    steps: tuple[int | None, ...]
    codes: Tensor
    closed: frozenset[int]


class Backbone(Protocol):
    """A model with its tokenizers."""

    model: Any
    end: int
    """The id that ends an answer."""

    def script(self, grid: tuple[int, int] | None) -> Script:
        """How a picture of (height, width) patches is written; None: the backbone's usual shape. Raises BackboneError for another shape."""

    def encode(self, segments: Sequence[Segment]) -> list[int]:
        """Ids of a prompt: its beginning, then text and pictures with their marks, in order. Control strings within text are text."""

    def decode_text(self, ids: Sequence[int]) -> str:
        """The text of ids."""

    def decode_picture(self, ids: Sequence[int]) -> Image.Image:
        """The picture of a whole script's ids, without the beginning."""

    def logits(self, ids: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """ids: (1, T) behind those that the cache knows. Returns the last position's logits, (V,), and the cache."""
