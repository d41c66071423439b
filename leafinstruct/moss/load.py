"""An adapter folder onto a base model, without PEFT's registry."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from leafinstruct.moss.config import MossConfig, MossConfigError
from leafinstruct.moss.model import MossModel

_PREFIX = "base_model.model."


def load(base: nn.Module, path: str | Path, name: str = "default") -> MossModel:
    """The base model with the adapter that `save_pretrained` wrote into the folder `path`, for inference;
    weights from safetensors only.

    Raises MossConfigError where the folder holds no MoSS adapter, ValueError where its weights do not fit the
    model.
    """
    folder = Path(path)
    try:
        values = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MossConfigError(f"{folder}: no adapter_config.json that can be read: {error}") from error
    if values.get("peft_type") != "MOSS" or "leafinstruct_format" not in values:
        raise MossConfigError(
            f"{folder}: an adapter of type {values.get('peft_type')}, not one that leafinstruct.moss wrote"
        )
    known = MossConfig.__dataclass_fields__
    config = MossConfig(
        **{key: value for key, value in values.items() if key in known and key != "peft_type"}
    )
    config.inference_mode = True
    model = MossModel(base, config, name)
    try:
        stored = load_file(folder / "adapter_model.safetensors")
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder}: no adapter_model.safetensors that can be read: {error}") from error
    weights = {f"{key.removeprefix(_PREFIX)}.{name}": tensor for key, tensor in stored.items()}
    wanted = {key for key in model.model.state_dict() if ".moss_" in key}
    if weights.keys() != wanted:
        odd = sorted(weights.keys() ^ wanted)[0]
        raise ValueError(
            f"{folder}: its weights do not fit this model, beginning with {odd}; is it another base?"
        )
    model.model.load_state_dict(weights, strict=False)
    return model
