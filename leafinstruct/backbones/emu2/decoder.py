"""Emu2 (arXiv 2312.13286) as a transformers model: a Llama that reads and generates images as 64 vectors
each.

transformers does not contain Emu2; the published code is on the Hub and is not run here. Keys are those of
the published weights, so these load unchanged: `model.visual.*`, `model.decoder.lm.*` (a Llama), `project_up`
(vector -> decoder), `project_down` (decoder -> vector).

    an image        [IMG] <image> x 64 [/IMG]       each <image> is the placeholder of a vector
    in              embedding of an id, or project_up(vector)
    out             at each position logits of the next id, and project_down(hidden) for the next vector, the
                    first after [IMG]
    loss            cross-entropy of labeled ids + mean squared error of labeled vectors (section 2.2 of the
                    paper)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.utils import ModelOutput

from leafinstruct.backbones.emu2.encoder import Eva
from leafinstruct.errors import BackboneError

PUBLISHED_VISION = {
    "image_size": 448,
    "patch_size": 14,
    "width": 1792,
    "layers": 64,
    "head_width": 112,
    "mlp_ratio": 8.571428571428571,
    "qkv_bias": True,
    "postnorm": True,
    "layer_norm_eps": 1e-6,
    "n_query": 64,
}
RESEARCH_KEYS = {
    r"^visual\.": "model.visual.",
    r"^vl_adapter\.projection\.": "project_up.",
    r"^decoder\.lm\.stu_regress_head\.": "project_down.",
    r"^decoder\.lm\.project_": "project_",
    r"^decoder\.": "model.decoder.",
}
"""Keys of the research repository's weights -> keys on the Hub."""


class Emu2Config(LlamaConfig):
    """The published config.json: a Llama's with d_model (size of an image's vectors) and vision_config."""

    model_type = "emu2"
    d_model: int = 1792
    vision_config: dict[str, Any] | None = None
    image_token_id: int = 32003
    """Id of <image>; replaced by the tokenizer's (backbones.emu2.backbone)."""

    def __post_init__(self, **kwargs: Any) -> None:
        self.vision_config = {**PUBLISHED_VISION, **(self.vision_config or {})}
        super().__post_init__(**kwargs)


@dataclass
class Emu2Output(ModelOutput):
    """Output of a forward pass. logits: (B, T, V); patches: (B, T, d_model), the next vectors; text_loss,
    image_loss: means over labeled items."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    patches: Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    text_loss: Tensor | None = None
    image_loss: Tensor | None = None


class _Decoder(nn.Module):
    def __init__(self, config: Emu2Config) -> None:
        super().__init__()
        self.lm = LlamaForCausalLM(config)


class _Halves(nn.Module):
    def __init__(self, config: Emu2Config) -> None:
        super().__init__()
        assert config.vision_config is not None
        self.visual, self.decoder = Eva(config.vision_config), _Decoder(config)


class Emu2ForCausalLM(PreTrainedModel):
    """The model. Only `vectors` uses the image encoder, never a forward pass."""

    config_class = Emu2Config
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    # the loss is already a mean, so the HF Trainer divides by its accumulation steps
    accepts_loss_kwargs = False
    _no_split_modules = ("LlamaDecoderLayer", "_Block")
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: Emu2Config) -> None:
        super().__init__(config)
        self.model = _Halves(config)
        self.project_down = nn.Linear(config.hidden_size, config.d_model, bias=False)
        self.project_up = nn.Linear(config.d_model, config.hidden_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embeddings of ids."""
        found: nn.Module = self.model.decoder.lm.get_input_embeddings()
        return found

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Set the embeddings of ids."""
        self.model.decoder.lm.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the head of ids."""
        found: nn.Module = self.model.decoder.lm.lm_head
        return found

    def vectors(self, pixels: Tensor) -> Tensor:
        """Encode pixels, (B, 3, S, S), normalized as CLIP's, to (B, n_query, d_model)."""
        with torch.no_grad():
            found: Tensor = self.model.visual(pixels)
        return found

    def forward(
        self,
        input_ids: Tensor,
        patches: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> Emu2Output:
        """input_ids: (B, T). patches: (N, d_model), the vectors of all <image> placeholders in order. labels:
        (B, T), -100 for no loss; the target of an <image> is its vector.

        Raises BackboneError when the numbers of vectors and placeholders differ.
        """
        lm, place = self.model.decoder.lm, input_ids == self.config.image_token_id
        given = 0 if patches is None else len(patches)
        if given != int(place.sum()):
            raise BackboneError(
                f"input_ids have {int(place.sum())} placeholders of patches, but {given} vectors are given"
            )
        embedded = self.get_input_embeddings()(input_ids)
        if patches is not None:
            projected = self.project_up(patches.to(self.project_up.weight.dtype)).to(embedded.dtype)
            embedded = embedded.masked_scatter(place[..., None], projected)
        outputs = lm.model(inputs_embeds=embedded, **kwargs)
        hidden = outputs.last_hidden_state[:, -logits_to_keep:]
        logits, vectors = lm.lm_head(hidden), self.project_down(hidden)
        found = Emu2Output(
            logits=logits,
            patches=vectors,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
        )
        if labels is not None:
            wanted = labels[:, 1:] == self.config.image_token_id
            ids = labels[:, 1:].masked_fill(wanted, -100)
            found.text_loss = _mean(
                cross_entropy(logits[:, :-1].float().transpose(1, 2), ids, reduction="none"), ids != -100
            )
            found.image_loss = _mean(
                patch_losses(vectors[:, :-1], input_ids, patches, self.config.image_token_id), wanted
            )
            found.loss = found.text_loss + found.image_loss
        return found


def patch_losses(vectors: Tensor, input_ids: Tensor, patches: Tensor | None, image_token: int) -> Tensor:
    """Return the mean squared error at each position before a patch, (B, T - 1), 0 elsewhere. vectors: (B, T
    - 1, d), the model's; they are always part of the graph."""
    place = input_ids[:, 1:] == image_token
    if patches is None:
        return vectors.float().sum(-1) * 0.0
    # a row may begin within an image, whose first patch then has no prediction
    first = input_ids[:, 0] == image_token
    counts = (input_ids == image_token).sum(1).tolist()
    rows = [part[int(start) :] for part, start in zip(patches.split(counts), first.tolist(), strict=True)]
    target = torch.zeros_like(vectors).masked_scatter(place[..., None], torch.cat(rows).to(vectors.dtype))
    return mse_loss(vectors.float(), target.float(), reduction="none").mean(-1) * place


def _mean(values: Tensor, which: Tensor) -> Tensor:
    """Return the mean over `which`; 0, with zero gradients, if it is empty."""
    return (values * which).sum() / which.sum().clamp(min=1)
