"""The model of a run: the frozen backbone, its adapter, and their sizes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from leafinstruct.backbones import tiny
from leafinstruct.backbones.backbone import Backbone, unadapted
from leafinstruct.backbones.generate import positions
from leafinstruct.backbones.load import load
from leafinstruct.errors import RecipeError, TrainError
from leafinstruct.moss import MossConfig, MossConfigError
from leafinstruct.moss.match import count
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.data.packing import check_attention

if TYPE_CHECKING:
    from peft import PeftModel

LARGE = 0.1
"""Share of the base's parameters above which an adapter needs `--allow-large`: it is rarely intended, and its
optimizer takes twice its size again. The packaged base is tiny and has no limit."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of parameters of base and adapter."""

    base: int
    trainable: int

    @property
    def optimizer_bytes(self) -> int:
        """Bytes of the adapter's weights, gradients and AdamW's two moments, float32."""
        return 16 * self.trainable

    @property
    def share(self) -> float:
        """Trainable parameters as a share of the base's."""
        return self.trainable / self.base

    def __str__(self) -> str:
        return (
            f"{self.trainable:,} trainable parameters, {self.share:.2%} of the base's {self.base:,}; "
            f"with gradients and AdamW {self.optimizer_bytes / 1e6:,.1f} MB"
        )


def load_backbone(config: TrainConfig) -> Backbone:
    """Load the backbone. Raises BackboneError or TrainError for unusable weights, RecipeError for a context
    that is too long for it."""
    given = config.backbone
    backbone, odd = load(
        given.name, Path(given.weights), Path(given.decoder) if given.decoder is not None else None
    )
    if odd:
        raise TrainError(
            f"{given.weights}: {len(odd)} keys differ from the model's, first {odd[0]}; run `leaf doctor` "
            "for details"
        )
    if config.packing:
        check_attention(backbone.model)
    if config.context > (most := positions(backbone)):
        raise RecipeError(
            f"train.context: {config.context:,} tokens, but the model has {most:,} positions; lower it"
        )
    return backbone


def adapter_of(config: TrainConfig, backbone: Backbone) -> tuple[MossConfig, Sizes]:
    """Return the adapter's settings and size. Raises RecipeError for incompatible settings, or target_modules
    that match nothing."""
    from leafinstruct.moss.model import default_targets

    settings = config.adapter.model_dump()
    settings["target_modules"] = settings["target_modules"] or default_targets(
        unadapted(backbone.model).config.model_type
    )
    try:
        adapter = MossConfig(**settings)
        trainable = count(backbone.model, adapter)
    except MossConfigError as error:
        raise RecipeError(f"train.adapter: {error}") from error
    return adapter, Sizes(sum(value.numel() for value in backbone.model.parameters()), trainable)


def check_size(config: TrainConfig, sizes: Sizes) -> None:
    """Raise TrainError for an adapter that is LARGE."""
    if sizes.share > LARGE and config.backbone.weights != tiny.NAME:
        raise TrainError(
            f"the adapter has {sizes.share:.0%} of the base's parameters: lower its ranks, or pass "
            "--allow-large"
        )


def cast(model: nn.Module, precision: str) -> None:
    """Convert the frozen weights. Buffers keep their type, because angles of rotary embeddings in bfloat16
    are wrong at long contexts."""
    if precision != "auto":
        for value in model.parameters():
            value.data = value.data.to(getattr(torch, precision))


def adapted(backbone: Backbone, adapter: MossConfig, seed: int) -> PeftModel:
    """Seed all random generators, and return the backbone's model with a new adapter."""
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(seed)
    with warnings.catch_warnings():
        # peft 0.21 uses the old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model = get_peft_model(backbone.model, adapter)
    base = unadapted(model)
    model.peft_config["default"].base_model_name_or_path = base.name_or_path = (
        None  # otherwise every checkpoint would contain a path of this machine
    )
    return model
