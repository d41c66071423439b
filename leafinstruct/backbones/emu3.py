"""Emu3: one vocabulary for words and codes, images of many shapes. The size comes first, as text; each row of
codes ends with a line end.

    <|image start|> 16*24 <|image token|> (codes of a row, line end) x 16 <|extra_201|> <|image end|>

transformers has both halves of the image tokenizer. The published weights were never run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import nn

from leafinstruct.backbones.backbone import ImageLayout, Item, Segment, unadapted
from leafinstruct.backbones.codes import Codes
from leafinstruct.backbones.text import decode, encode
from leafinstruct.backbones.vqgan import to_image, weights_sha256
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SPECIAL_TOKENS = ("<|image start|>", "<|image token|>", "<|extra_200|>", "<|extra_201|>", "<|image end|>")


class Emu3(Codes):
    """The backbone. model: Emu3ForConditionalGeneration, adapted or not. grid: default (height, width) in
    patches of generated images."""

    def __init__(
        self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, grid: tuple[int, int] = (90, 90)
    ) -> None:
        """Raises BackboneError when the vocabulary lacks the special tokens of images."""
        self._tokenizer, self._grid = tokenizer, grid
        names = tokenizer.get_vocab()
        for name in _SPECIAL_TOKENS:
            if name not in names:
                raise BackboneError(
                    f"the vocabulary has no {name}, which images need; is this Emu3's tokenizer?"
                )
        self._begin, self._codes_follow, self._line, self._frame, self._close = (
            names[name] for name in _SPECIAL_TOKENS
        )
        base = unadapted(model)
        self._vq, self._mapping = base.model.vqmodel, base.model.vocabulary_mapping
        super().__init__(model, torch.tensor(sorted(self._mapping.image_tokens)))
        text = base.config.text_config
        self.end, self._start = int(text.eos_token_id), int(text.bos_token_id)
        placeholder = self._mapping.image_token_id
        closed = {
            self._codes_follow,
            self._line,
            self._frame,
            self._close,
            self._start,
            text.pad_token_id,
            placeholder,
        } - {None, self.end}
        self._closed = frozenset(closed)
        self._factor = 2 ** (len(self._vq.config.channel_multiplier) - 1)

    @cached_property
    def encoder_identity(self) -> str:
        """See Backbone."""
        return weights_sha256(self._vq)

    def image_layout(self, grid: tuple[int, int] | None) -> ImageLayout:
        """Any shape of at least one patch."""
        height, width = grid or self._grid
        if height < 1 or width < 1:
            raise BackboneError(f"an image of {height} x {width} patches cannot be generated")
        rows = (*[None] * width, self._line) * height
        return ImageLayout(
            self._begin,
            (*self._head(height, width), *rows, self._frame, self._close),
            self.codes,
            self._closed,
        )

    def _head(self, height: int, width: int) -> list[int]:
        return [*encode(self._tokenizer, f"{height}*{width}"), self._codes_follow]

    def encode(self, segments: Sequence[Segment]) -> list[Item]:
        """See Backbone; all items are ids."""
        found: list[Item] = [self._start]
        for segment in segments:
            found += encode(self._tokenizer, segment) if isinstance(segment, str) else self._image(segment)
        return found

    def grid_of(self, size: tuple[int, int], patches: int) -> tuple[int, int]:
        """See Resizing. Sides are whole patches; a thin image is shortened when rounding up its width would
        exceed the budget."""
        scale = min(1.0, (patches * self._factor**2 / (size[0] * size[1])) ** 0.5)
        width, height = (max(1, int(side * scale) // self._factor) for side in size)
        if width * height > patches:  # one side is a single patch
            width, height = min(width, patches), min(height, patches)
        return height, width

    def shaped(self, image: Image.Image, grid: tuple[int, int]) -> Image.Image:
        """See Resizing."""
        size = (grid[1] * self._factor, grid[0] * self._factor)
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)

    def _image(self, image: Image.Image) -> list[int]:
        """Encode an image, reduced to at most the number of patches of the default grid."""
        height, width = grid = self.grid_of(image.size, self._grid[0] * self._grid[1])
        size = (width * self._factor, height * self._factor)
        pixels = np.asarray(self.shaped(image, grid), np.float32) / 127.5 - 1.0
        images = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(self.model.device, self._vq.dtype)
        with torch.no_grad():
            codes = self._vq.encode(images, torch.tensor([[size[1], size[0]]])).image_tokens[0]
        rows = self._mapping.convert_img2bpe(codes.view(height, width)).flatten().tolist()
        return [self._begin, *self._head(height, width), *rows, self._frame, self._close]

    def decode_text(self, ids: Sequence[int]) -> str:
        """See Backbone."""
        return decode(self._tokenizer, ids)

    def decode_image(self, items: Sequence[Item], guidance: float, generator: torch.Generator) -> Image.Image:  # noqa: ARG002 - codes were guided
        """items: those of the layout's steps."""
        ids = [int(item) for item in items]
        rows = ids[ids.index(self._codes_follow) + 1 : -2]
        width = rows.index(self._line)
        codes = self._mapping.convert_bpe2img(torch.tensor(rows).view(-1, width + 1))
        with torch.no_grad():
            pixels = self._vq.decode(codes[None].to(self.model.device)).float().cpu()
        return to_image(pixels.reshape(-1, *pixels.shape[-2:])[:3])
