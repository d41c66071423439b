"""Which checkpoint a run goes on from, and what can be wrong with it.

The Trainer writes a checkpoint file by file and its own state last, so a kill in the middle leaves one without it, which it would fail to read.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from leafinstruct.errors import TrainError


def last(folder: Path) -> Path | None:
    """The last whole checkpoint; None where there is none."""
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name) and _whole(path)]
    return max(found, key=lambda path: int(path.name.split("-")[1]), default=None)


def tidy(folder: Path) -> None:
    """Remove what a kill left half written."""
    for path in folder.glob("checkpoint-*"):
        if not _whole(path):
            shutil.rmtree(path)


def step(path: Path | None) -> int:
    """Of a checkpoint; 0 of None."""
    return int(path.name.split("-")[1]) if path is not None else 0


def check(path: Path, model: Any) -> None:
    """Raises TrainError where a checkpoint does not hold what the model's adapter has."""
    from peft import get_peft_model_state_dict
    from safetensors import SafetensorError, safe_open

    file = path / "adapter_model.safetensors"
    wanted = {name: tuple(value.shape) for name, value in get_peft_model_state_dict(model, save_embedding_layers=False).items()}
    try:
        with safe_open(file, "pt") as stored:
            found = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise TrainError(f"{file}: cannot be read: {error}; remove {path.name} to go on from the checkpoint before it") from error
    if found != wanted:
        odd = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise TrainError(
            f"{file}: is of another adapter or backbone: {len(odd)} weights differ, first {odd[0]} "
            f"({found.get(odd[0], 'missing')}, wanted {wanted.get(odd[0], 'none')}); --rebuild starts over"
        )


def _whole(path: Path) -> bool:
    try:
        return "global_step" in json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
