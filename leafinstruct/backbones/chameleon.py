"""Chameleon and Anole: one vocabulary for words and codes, images of one shape.

transformers' forward sets the logits of image codes to the minimum, in training too, so labels on them have
infinite loss and none is ever generated. `Interleaved` is the same model without that step, and loads the
same weights. The image tokenizer is an argument: the published one (vqgan), whose encoder is in transformers
and whose decoder is in the published `vqgan.ckpt`, or patch_vq, the packaged one. The published weights were
never run here; keys and shapes are tested on tiny ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import ChameleonForConditionalGeneration, PreTrainedTokenizerBase
from transformers.modeling_outputs import CausalLMOutputWithPast

from leafinstruct.backbones.backbone import ImageLayout, Item, Segment, unadapted
from leafinstruct.backbones.codes import Codes
from leafinstruct.backbones.text import decode, encode
from leafinstruct.errors import BackboneError

BEGIN, END = "<racm3:break>", "<eoss>"
"""Special tokens before and after an image in the published vocabulary."""


class Interleaved(ChameleonForConditionalGeneration):
    """Chameleon with logits for image codes."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """See the parent class. labels: (B, T), -100 for no loss."""
        length = kwargs.pop("num_items_in_batch", None)
        outputs = self.model(input_ids=input_ids, **kwargs)
        logits = self.lm_head(outputs.last_hidden_state[:, -logits_to_keep:])
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, num_items_in_batch=length
            )
        return CausalLMOutputWithPast(
            loss, logits, outputs.past_key_values, outputs.hidden_states, outputs.attentions
        )


class Images(Protocol):
    """An image tokenizer of one shape. codes: number of codes; side: patches along a side; identity: hash of
    the encoder's weights."""

    codes: int
    side: int

    @property
    def identity(self) -> str: ...

    def encode(self, image: Image.Image) -> list[int]:
        """Return side * side codes in reading order."""

    def image(self, codes: Tensor) -> Image.Image:
        """codes: (side, side)."""


class Chameleon(Codes):
    """The backbone. model: an Interleaved, adapted or not. images: its image tokenizer."""

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, images: Images) -> None:
        """Raises BackboneError when the vocabulary lacks the special tokens of images, or has another number
        of codes."""
        self._tokenizer, self.images = tokenizer, images
        config = model.config
        names = config.vocabulary_map
        for name in (BEGIN, END):
            if name not in names:
                raise BackboneError(
                    f"the vocabulary has no {name}, which images need; is this Chameleon's tokenizer?"
                )
        self.end, self._special_tokens = int(config.eos_token_id), (names[BEGIN], names[END])
        self._to_id = unadapted(model).model.vocabulary_mapping.img2bpe
        self._to_code = {number: code for code, number in self._to_id.items()}
        # without any code, super().__init__ raises an error
        if self._to_code and len(self._to_code) != images.codes:
            raise BackboneError(
                f"the image tokenizer has {images.codes} codes, but the vocabulary {len(self._to_code)}"
            )
        super().__init__(model, torch.tensor(sorted(self._to_code)))
        closed = {
            names[END],
            *([names["<image>"]] if "<image>" in names else []),
            config.pad_token_id,
            config.bos_token_id,
        } - {None, self.end}
        self._side = images.side
        self._layout = ImageLayout(
            names[BEGIN], (*[None] * self._side**2, names[END]), self.codes, frozenset(closed)
        )

    @property
    def encoder_identity(self) -> str:
        """See Backbone."""
        return self.images.identity

    def image_layout(self, grid: tuple[int, int] | None) -> ImageLayout:
        """Raises BackboneError for another shape than the model's."""
        if grid not in (None, (self._side, self._side)):
            raise BackboneError(
                f"Chameleon's images have {self._side} x {self._side} patches, not {grid[0]} x {grid[1]}"
            )
        return self._layout

    def encode(self, segments: Sequence[Segment]) -> list[Item]:
        """See Backbone; all items are ids."""
        found: list[Item] = [int(self.model.config.bos_token_id)]
        for segment in segments:
            if isinstance(segment, str):
                found += encode(self._tokenizer, segment)
            else:
                found += [
                    self._special_tokens[0],
                    *(self._to_id[code] for code in self.images.encode(segment)),
                    self._special_tokens[1],
                ]
        return found

    def decode_text(self, ids: Sequence[int]) -> str:
        """See Backbone."""
        return decode(self._tokenizer, ids)

    def decode_image(self, items: Sequence[Item], guidance: float, generator: torch.Generator) -> Image.Image:  # noqa: ARG002 - codes were guided
        """items: codes in reading order, then the end token."""
        codes = torch.tensor([self._to_code[int(number)] for number in items[:-1]]).view(
            self._side, self._side
        )
        return self.images.image(codes)
