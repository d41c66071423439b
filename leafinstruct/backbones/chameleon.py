"""Chameleon and Anole: one vocabulary for words and codes, images of one shape.

transformers' forward sets the logits of image codes to the minimum, in training too, so labels on them cost
infinity and none is ever drawn: `Interleaved` is the same model without that step, and loads the same
weights. Images become codes and codes images by a tokenizer that is given: the published one (vqgan), whose
encoder transformers holds and whose decoder comes from the published `vqgan.ckpt`, or patch_vq, the packaged
one. The published weights were never run here; keys and shapes are tested on tiny ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor
from transformers import ChameleonForConditionalGeneration
from transformers.modeling_outputs import CausalLMOutputWithPast

from leafinstruct.backbones.backbone import ImageLayout, Item, Segment, unadapted
from leafinstruct.backbones.codes import Codes
from leafinstruct.backbones.text import decode, encode
from leafinstruct.errors import BackboneError

BEGIN, END = "<racm3:break>", "<eoss>"
"""Names of the marks around an image in the published vocabulary."""


class Interleaved(ChameleonForConditionalGeneration):
    """Chameleon whose codes have logits."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """As the parent's, for ids or embeddings. labels: (B, T), -100 where there is no loss."""
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
    """An image tokenizer of one shape. codes: how many there are. side: patches along a side. identity: of
    the weights that make the codes."""

    codes: int
    side: int

    @property
    def identity(self) -> str: ...

    def encode(self, image: Image.Image) -> list[int]:
        """side * side codes in the order of reading."""

    def image(self, codes: Tensor) -> Image.Image:
        """codes: (side, side)."""


class Chameleon(Codes):
    """The backbone. model: an Interleaved, adapted or not. images: its image tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, images: Images) -> None:
        """Raises BackboneError where the vocabulary lacks the marks of images, or has another number of
        codes."""
        self._tokenizer, self.images = tokenizer, images
        config = model.config
        names = config.vocabulary_map
        for name in (BEGIN, END):
            if name not in names:
                raise BackboneError(
                    f"the vocabulary has no {name}, which stands beside an image; is this Chameleon?"
                )
        self.end, self._special_tokens = int(config.eos_token_id), (names[BEGIN], names[END])
        self._to_id = unadapted(model).model.vocabulary_mapping.img2bpe
        self._to_code = {number: code for code, number in self._to_id.items()}
        # without any, the line below says what that means
        if self._to_code and len(self._to_code) != images.codes:
            raise BackboneError(
                f"the image tokenizer has {images.codes} codes, the vocabulary {len(self._to_code)}"
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
    def sees(self) -> str:
        """See Backbone."""
        return self.images.identity

    def image_layout(self, grid: tuple[int, int] | None) -> ImageLayout:
        """Raises BackboneError for another shape than the model's."""
        if grid not in (None, (self._side, self._side)):
            raise BackboneError(
                f"Chameleon draws images of {self._side} x {self._side} patches only, not {grid[0]} x "
                f"{grid[1]}"
            )
        return self._layout

    def encode(self, segments: Sequence[Segment]) -> list[Item]:
        """Ids, from the beginning of a sequence on."""
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
        """Without marks."""
        return decode(self._tokenizer, ids)

    def decode_image(self, items: Sequence[Item], guidance: float, generator: torch.Generator) -> Image.Image:  # noqa: ARG002 - codes were guided
        """items: codes in the order of reading, then the end mark."""
        codes = torch.tensor([self._to_code[int(number)] for number in items[:-1]]).view(
            self._side, self._side
        )
        return self.images.image(codes)
