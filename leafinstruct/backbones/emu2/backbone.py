"""Emu2: words are ids, patches are vectors that the model regresses. Nothing in them is sampled, so
temperature and top-k of images have no effect.

An image is 64 vectors of its encoder. Its decoder is a diffusion model that only Emu2-Gen contains; Emu2 and
Emu2-Chat alone read images but do not generate them. The published weights were never run here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from leafinstruct.backbones.backbone import ImageLayout, Item, Losses, Segment, Targets, unadapted
from leafinstruct.backbones.codes import of_ids
from leafinstruct.backbones.emu2.decoder import Emu2Output, patch_losses
from leafinstruct.backbones.emu2.diffusion import Diffusion
from leafinstruct.backbones.sampling import Sampling
from leafinstruct.backbones.text import decode, encode
from leafinstruct.backbones.vqgan import weights_sha256
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from transformers.cache_utils import Cache

BEGIN, PLACE, END = "[IMG]", "<image>", "[/IMG]"
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's


class Emu2:
    """The backbone. model: an Emu2ForCausalLM, adapted or not. decoder: the image decoder, None if images are
    only read."""

    guided: Literal["patches", "decoder"] = "decoder"

    def __init__(
        self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, decoder: Diffusion | None = None
    ) -> None:
        """Raises BackboneError when the vocabulary lacks the special tokens of images, or the decoder needs
        vectors of another width."""
        self.model, self._tokenizer, self._decoder = model, tokenizer, decoder
        names = tokenizer.get_vocab()
        for name in (BEGIN, PLACE, END):
            if name not in names:
                raise BackboneError(
                    f"the vocabulary has no {name}, which images need; is this Emu2's tokenizer?"
                )
        self._base = unadapted(model)
        self._begin, self._place, self._close = names[BEGIN], names[PLACE], names[END]
        config = self._base.config
        config.image_token_id = self._place
        if decoder is not None and decoder.width != config.d_model:
            raise BackboneError(
                f"the image decoder needs vectors of size {decoder.width}, but the model generates size "
                f"{config.d_model}"
            )
        self.end, self._start = int(config.eos_token_id), int(config.bos_token_id)
        self._side, self._size = self._base.model.visual.side, int(config.vision_config["image_size"])
        others = {
            number for number in (*tokenizer.all_special_ids, self._start, self._close) if number is not None
        }
        closed = frozenset(others - {self.end, self._begin, self._place, tokenizer.unk_token_id})
        self._layout = ImageLayout(
            self._begin, (*[None] * self._side**2, self._close), torch.tensor([self._place]), closed
        )

    @cached_property
    def encoder_identity(self) -> str:
        """See Backbone."""
        return weights_sha256(unadapted(self.model).model.visual)

    def image_layout(self, grid: tuple[int, int] | None) -> ImageLayout:
        """Raises BackboneError for another shape than the model's."""
        if grid not in (None, (self._side, self._side)):
            raise BackboneError(
                f"Emu2's images have {self._side} x {self._side} patches, not {grid[0]} x {grid[1]}"
            )
        return self._layout

    def encode(self, segments: Sequence[Segment]) -> list[Item]:
        """See Backbone."""
        found: list[Item] = [self._start]
        for segment in segments:
            if isinstance(segment, str):
                found += encode(self._tokenizer, segment)
            else:
                found += [self._begin, *self._vectors(segment), self._close]
        return found

    def _vectors(self, image: Image.Image) -> Tensor:
        """Return an image's vectors, (n_query, d). It is resized to a square, as in the encoder's
        training."""
        square = image.convert("RGB").resize((self._size, self._size), Image.Resampling.BICUBIC)
        pixels = (np.asarray(square, np.float32) / 255 - np.array(_MEAN, np.float32)) / np.array(
            _STD, np.float32
        )
        visual = self._base.model.visual
        found: Tensor = self._base.vectors(
            torch.from_numpy(pixels)
            .permute(2, 0, 1)[None]
            .to(visual.cls_token.device, visual.cls_token.dtype)
        )
        return found[0]

    def inputs(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """See Backbone; with `patches`, (N, d), if there are any."""
        ids = [self._place if isinstance(item, Tensor) else item for item in items]
        found = {"input_ids": torch.tensor([ids], device=self.model.device)}
        if vectors := [item for item in items if isinstance(item, Tensor)]:
            found["patches"] = torch.stack(vectors)
        return found

    def step(self, items: Sequence[Item], cache: Cache | None) -> tuple[Emu2Output, Cache]:
        """See Backbone."""
        with torch.no_grad():
            found = self.model(**self.inputs(items), past_key_values=cache, use_cache=True, logits_to_keep=1)
        return found, found.past_key_values

    def words(self, out: Emu2Output) -> Tensor:
        """See Backbone."""
        assert out.logits is not None
        return out.logits[0, -1].float().cpu()

    def patch(
        self,
        outs: Sequence[Emu2Output],
        how: Sampling,  # noqa: ARG002
        guidance: float,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        """Return the vector that the model regresses."""
        return _vector(outs[0])

    def losses(self, inputs: Mapping[str, Tensor], labels: Tensor) -> Losses:
        """See Backbone: cross-entropy of ids, mean squared error of vectors."""
        found = self.model(**inputs, use_cache=False)
        which = self.targets(labels)
        text, norm = of_ids(found.logits[:, :-1], labels[:, 1:].masked_fill(which.image, -100))
        vectors = patch_losses(found.patches[:, :-1], inputs["input_ids"], inputs.get("patches"), self._place)
        return Losses(text + vectors * which.image, which.text, which.image, which.ids, norm)

    def targets(self, labels: Tensor) -> Targets:
        """See Backbone."""
        image = labels[:, 1:] == self._place
        text = (labels[:, 1:] != -100) & ~image
        return Targets(text, image, text)

    def decode_text(self, ids: Sequence[int]) -> str:
        """See Backbone."""
        return decode(self._tokenizer, ids)

    def decode_image(self, items: Sequence[Item], guidance: float, generator: torch.Generator) -> Image.Image:
        """items: vectors in reading order, then the end token."""
        if self._decoder is None:
            raise BackboneError("Emu2 has no image decoder: load the one of Emu2-Gen, or set max_images to 0")
        vectors = torch.stack([item for item in items if isinstance(item, Tensor)])
        return self._decoder.image(
            vectors, self._unprompted() if guidance != 1.0 else None, guidance, generator
        )

    def _unprompted(self) -> Tensor:
        """Return the vectors that the model generates for an empty prompt, (n_query, d)."""
        found: list[Tensor] = []
        cache: Cache | None = None
        for _ in range(self._side**2):
            out, cache = self.step(found[-1:] or [self._start, self._begin], cache)
            found.append(_vector(out))
        return torch.stack(found)


def _vector(out: Emu2Output) -> Tensor:
    assert out.patches is not None
    return out.patches[0, -1]
