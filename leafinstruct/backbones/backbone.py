"""The protocol of a backbone, with which one loop generates text and images and one trainer trains.

A sequence is a list of items: ids, and for backbones whose patches are vectors (Emu2) the vectors themselves.
An image follows an `ImageLayout`: the ids after the token that begins it, one by one, with None for each
patch that the model generates. Chameleon's has 1,024 patches and an end token; Emu3's has the size as text,
rows of patches with a line end each, and two special tokens; Emu2's has 64 patches and an end token. Nothing
else can occur within a layout, so text never interrupts an image, and an image always has its shape.

The output of a step (`Out`) depends on the backbone: logits over one vocabulary, logits and a regressed
vector, or hidden states that an image head turns into logits (Janus). The loop calls `words` and `patch` to
interpret it, never the model.

A segment is text (str) or an image (PIL, RGB).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from PIL import Image
from torch import Tensor, nn

from leafinstruct.backbones.sampling import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.cache_utils import Cache

Segment = str | Image.Image
Item: TypeAlias = int | Tensor
"""An id, or a patch's vector, (d,)."""
Out: TypeAlias = Any
"""The output of a step. Only the backbone that returned it reads it, so no common type exists."""


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """How an image is written. begin: the id that begins it; steps: the ids that follow, None for a patch;
    codes: ids of patches, (C,); closed: other ids that cannot occur in text."""

    begin: int
    steps: tuple[int | None, ...]
    codes: Tensor
    closed: frozenset[int]


@dataclass(frozen=True, slots=True)
class Targets:
    """Masks of the labeled items from the second on, (B, T - 1) bool. text: ids other than patches; image:
    patches; ids: items with logits, that is text, and patches unless they are vectors."""

    text: Tensor
    image: Tensor
    ids: Tensor


@dataclass(frozen=True, slots=True)
class Losses:
    """The loss of each item from the second on. value: (B, T - 1), 0 without a label; text, image, ids: see
    Targets; norm: (B, T - 1), log of the sum of the exponentials of all logits, 0 outside ids. The caller
    computes means and weights."""

    value: Tensor
    text: Tensor
    image: Tensor
    ids: Tensor
    norm: Tensor


class Backbone(Protocol):
    """A model with its tokenizers."""

    model: nn.Module
    """The transformers model, adapted or not, or a wrapper of it for several processes."""
    end: int
    """The id that ends an answer."""
    guided: Literal["patches", "decoder"]
    """Where guidance applies: to each generated patch, or when patches are decoded to pixels."""

    @property
    def encoder_identity(self) -> str:
        """Hash of the image encoder's weights."""

    def image_layout(self, grid: tuple[int, int] | None) -> ImageLayout:
        """Return the layout of an image of (height, width) patches, None for the backbone's usual shape.
        Raises BackboneError for an unsupported shape."""

    def encode(self, segments: Sequence[Segment]) -> list[Item]:
        """Encode a prompt: the beginning of a sequence, then text and images with their special tokens, in
        order. Control strings within text are encoded as text."""

    def inputs(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """Return the model's arguments for one row of items, `input_ids` (1, T) among them."""

    def step(self, items: Sequence[Item], cache: Cache | None) -> tuple[Out, Cache]:
        """Return the model's output after items, which continue the cached ones, and the cache."""

    def words(self, out: Out) -> Tensor:
        """Return logits over the vocabulary, (V,) float32 on the CPU."""

    def patch(self, outs: Sequence[Out], how: Sampling, guidance: float, generator: torch.Generator) -> Item:
        """Return the next patch. outs: of the sequence with the prompt, and of the one without if patches are
        guided."""

    def targets(self, labels: Tensor) -> Targets:
        """Return the items that have a loss. labels: (B, T) ids, -100 for no loss."""

    def losses(self, inputs: Mapping[str, Tensor], labels: Tensor) -> Losses:
        """Return the losses of a forward pass, with gradients. labels: (B, T) ids, -100 for no loss."""

    def decode_text(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""

    def decode_image(self, items: Sequence[Item], guidance: float, generator: torch.Generator) -> Image.Image:
        """Decode an image. items: those of its layout's steps. Raises BackboneError without an image
        decoder."""


@runtime_checkable
class Resizing(Protocol):
    """A backbone whose images have many shapes and sizes."""

    def grid_of(self, size: tuple[int, int], patches: int) -> tuple[int, int]:
        """Return (height, width) in patches for an image of (width, height) pixels: its aspect is kept, it is
        never enlarged, and it has at most `patches` patches."""

    def shaped(self, image: Image.Image, grid: tuple[int, int]) -> Image.Image:
        """Resize an image to the pixels of a grid, which `encode` then keeps."""


def unadapted(model: nn.Module) -> PreTrainedModel:
    """Return the transformers model within an adapted one, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def text_config(model: nn.Module) -> PreTrainedConfig:
    """Return the settings of a model's decoder of text: a section of its own in models of several."""
    config = unadapted(model).config
    return getattr(config, "text_config", config)


def pad_id(model: nn.Module) -> int:
    """Return the id that pads rows: the model's, or else its end token, or else 0."""
    text = text_config(model)
    found = next(number for number in (text.pad_token_id, text.eos_token_id, 0) if number is not None)
    return int(found[0] if isinstance(found, list) else found)
