"""Load an adapter onto a base model without PEFT's registry."""

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
    """Load the adapter that `save_pretrained` wrote into the folder `path`, for inference. Returns the
    adapted model. Weights are read from safetensors only.

    Raises MossConfigError when the folder holds no MoSS adapter, ValueError when its weights do not fit the
    model.
    """
    folder = Path(path)
    try:
        values = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MossConfigError(f"{folder}: cannot read adapter_config.json: {error}") from error
    if values.get("peft_type") != "MOSS" or "leafinstruct_format" not in values:
        raise MossConfigError(
            f"{folder}: the adapter has type {values.get('peft_type')} and was not written by "
            "leafinstruct.moss"
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
        raise ValueError(f"{folder}: cannot read adapter_model.safetensors: {error}") from error
    weights = {f"{key.removeprefix(_PREFIX)}.{name}": tensor for key, tensor in stored.items()}
    wanted = {key for key in model.model.state_dict() if ".moss_" in key}
    if weights.keys() != wanted:
        odd = sorted(weights.keys() ^ wanted)[0]
        raise ValueError(
            f"{folder}: the weights do not fit this model, first {odd}; do they belong to another base?"
        )
    model.model.load_state_dict(weights, strict=False)
    return model
