"""Find the checkpoint from which a run continues, and check it for damage.

The Trainer writes a checkpoint file by file and its own state last, so a kill in between leaves a checkpoint
without a state, which the Trainer cannot read. Each checkpoint records the sha256 of its files. They are
compared before a run continues: a damaged checkpoint is removed, and the run continues from the one before.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from torch import nn

from leafinstruct.errors import TrainError
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import ALTERED, file_fault, file_sha256, load, save

SUMS = "sums.json"
"""File in a checkpoint with the sha256 of each of its files."""


def last(folder: Path) -> Path | None:
    """Return the last complete checkpoint, or None."""
    return max((path for path in _all(folder) if _finished(path)), key=step, default=None)


def seal(folder: Path, kept: int) -> None:
    """Record the sha256 of the files of the last checkpoint, and remove all complete checkpoints but the last
    `kept`. The Trainer's own rotation would remove any folder with a similar name."""
    found = sorted((path for path in _all(folder) if _finished(path)), key=step)
    for path in found[-1:]:
        save(path / SUMS, sums(path))
    for path in found[:-kept]:
        shutil.rmtree(path)


def tidy(folder: Path, log: Callable[[str], None]) -> None:
    """Remove incomplete and damaged checkpoints; damaged ones are logged. Other folders with a similar name
    are kept."""
    for path in _all(folder):
        fault = _fault(path) if _finished(path) else None
        if fault is not None:
            log(f"removing {path.name}, which is damaged: {fault}")
        if fault is not None or not _finished(path):
            shutil.rmtree(path)


def is_done(out: Artifact, log: Callable[[str], None]) -> bool:
    """Whether a run has ended and its adapter is undamaged. Damage is logged."""
    record = out.record
    odd = damaged(out.path / "adapter", (record or {}).get("adapter"))
    if odd is not None:
        log(f"adapter/{odd}; the adapter is saved again from the last checkpoint")
    return record is not None and odd is None


def step(path: Path | None) -> int:
    """Return the step of a checkpoint; 0 for None."""
    return int(path.name.split("-")[1]) if path is not None else 0


def check(path: Path, model: nn.Module) -> None:
    """Raise TrainError when a checkpoint's weights do not fit the model's adapter, or when its optimizer or
    schedule is unreadable: without them the run would continue differently. Sharded ones (FSDP) are folders,
    which are checked when they are read."""
    from peft import get_peft_model_state_dict
    from safetensors import SafetensorError, safe_open

    file = path / "adapter_model.safetensors"
    wanted = {
        name: tuple(value.shape)
        for name, value in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    try:
        with safe_open(file, "pt") as stored:
            found = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise TrainError(
            f"{file}: cannot be read: {error}; remove {path.name} to continue from the checkpoint before it"
        ) from error
    if found != wanted:
        odd = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise TrainError(
            f"{file}: belongs to another adapter or backbone: {len(odd)} weights differ, first {odd[0]} "
            f"({found.get(odd[0], 'missing')}, expected {wanted.get(odd[0], 'none')}); --rebuild starts over"
        )

    for name in ("optimizer.pt", "scheduler.pt"):
        if (path / name).exists() or not [*path.glob("optimizer*"), *path.glob("pytorch_model_fsdp*")]:
            _read(path / name)


def clear(folder: Path, but: Collection[Path]) -> None:
    """Remove the files of a run, except for the paths in `but`."""
    for path in folder.iterdir():
        if path not in but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _read(file: Path) -> None:
    try:
        torch.load(file, map_location="meta", weights_only=True)
    except Exception as error:  # torch raises errors of any type
        raise TrainError(
            f"{file}: cannot be read: {str(error).splitlines()[0][:200]}; remove {file.parent.name} "
            "to continue from the checkpoint before it"
        ) from error


def _all(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.glob("checkpoint-*")
        if re.fullmatch(r"checkpoint-\d+", path.name) and path.is_dir()
    ]


def sums(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, except for SUMS itself."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SUMS]
    return {str(path.relative_to(folder)): file_sha256(path) for path in files}


def damaged(folder: Path, recorded: Mapping[str, str] | None) -> str | None:
    """Return `<file>: <fault>` for the first file that differs from the record; None when all agree, or
    nothing was recorded (earlier versions)."""
    faults = ((name, file_fault(folder / name, sha256)) for name, sha256 in (recorded or {}).items())
    return next((f"{name}: {fault}" for name, fault in faults if fault is not None), None)


def _fault(path: Path) -> str | None:
    """Return what is wrong with the files of a checkpoint, or None. Checkpoints of earlier versions have no
    record."""
    if (path / SUMS).exists() and load(path / SUMS) is None:
        return f"{SUMS}: {ALTERED}"
    return damaged(path, load(path / SUMS))


def _finished(path: Path) -> bool:
    try:
        return "global_step" in json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
