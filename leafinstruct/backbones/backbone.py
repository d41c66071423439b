"""What a backbone must tell, so that one loop can draw text and images from it, and one trainer train it.

A sequence is a row of items: ids, and for backbones whose patches are vectors (Emu2) the vectors themselves.
An image is written by a `Script`: the ids that follow the mark which begins it, one by one, where None stands
for "a patch, whichever the model says". Chameleon's is 1,024 patches and the end mark; Emu3's spells the
size, then rows of patches with a line end each, then two marks; Emu2's is 64 patches and the end mark. Inside
a script nothing else can come, so text never breaks into an image, and an image always has its shape.

What the model says at a step (`Out`) is the backbone's own affair: logits over one vocabulary, logits and a
regressed vector, or hidden rows of which a head for images makes logits (Janus). The loop asks `words` and
`patch` for what to make of it, never the model.

A segment is text (str) or an image (PIL, RGB).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from PIL import Image
from torch import Tensor

from leafinstruct.backbones.sampling import Sampling

Segment = str | Image.Image
Item: TypeAlias = int | Tensor
"""An id, or the vector of a patch, (d,)."""
Out: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """begin: the id that begins an image. steps: what follows; None for a patch. codes: the ids that patches
    have, (C,). closed: other ids that no text holds."""

    begin: int
    steps: tuple[int | None, ...]
    codes: Tensor
    closed: frozenset[int]


@dataclass(frozen=True, slots=True)
class Targets:
    """Which items from the second on are labeled, (B, T - 1) bool. text: ids that are no patches. image:
    patches. ids: what has logits, so text, and patches unless they are vectors."""

    text: Tensor
    image: Tensor
    ids: Tensor


@dataclass(frozen=True, slots=True)
class Losses:
    """The loss of saying each item from the second on. value: (B, T - 1), 0 where there is no label. text,
    image, ids: see Targets. norm: (B, T - 1), log of the sum of the exponentials of all logits, 0 outside
    ids. Means, weights and sums over images are the caller's."""

    value: Tensor
    text: Tensor
    image: Tensor
    ids: Tensor
    norm: Tensor


class Backbone(Protocol):
    """A model with its tokenizers."""

    model: Any
    end: int
    """The id that ends an answer."""
    guided: Literal["patches", "decoder"]
    """Where guidance acts: on each patch as it is drawn, or when patches become pixels."""

    @property
    def sees(self) -> str:
        """Identity of what makes items of images: its weights, hashed."""

    def image_layout(self, grid: tuple[int, int] | None) -> ImageLayout:
        """How an image of (height, width) patches is written; None: the backbone's usual shape. Raises
        BackboneError for another shape."""

    def encode(self, segments: Sequence[Segment]) -> list[Item]:
        """A prompt: its beginning, then text and images with their marks, in order. Control strings within
        text are text."""

    def inputs(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """One row of items as the model's arguments, `input_ids` (1, T) among them."""

    def step(self, items: Sequence[Item], cache: Any) -> tuple[Out, Any]:
        """What the model says behind items, which follow those that the cache knows; and the cache."""

    def words(self, out: Out) -> Tensor:
        """Logits over the vocabulary, (V,) float32 on the CPU."""

    def patch(self, outs: Sequence[Out], how: Sampling, guidance: float, generator: torch.Generator) -> Item:
        """The next patch. outs: of the prompted sequence, and of the unprompted one where patches are
        guided."""

    def targets(self, labels: Tensor) -> Targets:
        """What losses will have a value for. labels: (B, T) ids, -100 where there is no loss."""

    def losses(self, inputs: Mapping[str, Tensor], labels: Tensor) -> Losses:
        """Of a forward pass with gradients. labels: (B, T) ids, -100 where there is no loss."""

    def decode_text(self, ids: Sequence[int]) -> str:
        """The text of ids."""

    def decode_image(self, items: Sequence[Item], guidance: float, generator: torch.Generator) -> Image.Image:
        """The image of a whole script, without its beginning. Raises BackboneError where no decoder is
        there."""


@runtime_checkable
class Resizing(Protocol):
    """A backbone whose images have many shapes, so that their area is a choice."""

    def grid_of(self, size: tuple[int, int], patches: int) -> tuple[int, int]:
        """(height, width) in patches of an image of (width, height) pixels: never enlarged, its aspect kept,
        at most so many patches."""

    def shaped(self, image: Image.Image, grid: tuple[int, int]) -> Image.Image:
        """The image in the pixels of a grid, which `encode` then takes as it is."""


def unadapted(model: Any) -> Any:
    """The transformers model within an adapted one; a bare one itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
