"""Which checkpoint a run goes on from, and what can be wrong with it.

The Trainer writes a checkpoint file by file and its own state last, so a kill in the middle leaves one
without it, which it would fail to read. Each holds the sha256 of its files, which are compared before a run
goes on: one that is damaged is removed, and the run goes on from the one before.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from leafinstruct.errors import TrainError
from leafinstruct.runtime.artifact import Artifact, file_fault, file_sha256, load, save

SUMS = "sums.json"
"""In a checkpoint: sha256 of each of its files."""


def last(folder: Path) -> Path | None:
    """The last whole checkpoint; None where there is none."""
    return max((path for path in _all(folder) if _finished(path)), key=step, default=None)


def saved(folder: Path, kept: int) -> None:
    """Record the sha256 of the files of the checkpoint that was just written, and remove all whole ones but
    the last so many. The Trainer's own rotation takes any folder whose name holds a checkpoint's."""
    found = sorted((path for path in _all(folder) if _finished(path)), key=step)
    for path in found[-1:]:
        save(path / SUMS, sums(path))
    for path in found[:-kept]:
        shutil.rmtree(path)


def tidy(folder: Path, log: Callable[[str], None]) -> None:
    """Remove what a kill left half written, and what is damaged, of which a line is given to `tell`. Folders
    that somebody else named alike stay."""
    for path in _all(folder):
        fault = _fault(path) if _finished(path) else None
        if fault is not None:
            log(f"{path.name} is damaged ({fault}) and removed")
        if fault is not None or not _finished(path):
            shutil.rmtree(path)


def is_done(out: Artifact, log: Callable[[str], None]) -> bool:
    """Whether a run has ended and its adapter is what was saved; a damaged one is a line given to `tell`."""
    record = out.record
    odd = damaged(out.path / "adapter", (record or {}).get("adapter"))
    if odd is not None:
        log(f"adapter/{odd}; it is saved again from the last checkpoint")
    return record is not None and odd is None


def step(path: Path | None) -> int:
    """Of a checkpoint; 0 of None."""
    return int(path.name.split("-")[1]) if path is not None else 0


def check(path: Path, model: Any) -> None:
    """Raises TrainError where a checkpoint does not hold what the model's adapter has, or its optimizer and
    schedule cannot be read, without which a run would go on otherwise than it was. Shared-out ones (FSDP) are
    folders, and looked at when they are read."""
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
            f"{file}: cannot be read: {error}; remove {path.name} to go on from the checkpoint before it"
        ) from error
    if found != wanted:
        odd = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise TrainError(
            f"{file}: is of another adapter or backbone: {len(odd)} weights differ, first {odd[0]} "
            f"({found.get(odd[0], 'missing')}, wanted {wanted.get(odd[0], 'none')}); --rebuild starts over"
        )

    for name in ("optimizer.pt", "scheduler.pt"):
        if (path / name).exists() or not [*path.glob("optimizer*"), *path.glob("pytorch_model_fsdp*")]:
            _read(path / name)


def forget(folder: Path, but: Collection[Path]) -> None:
    """Remove what a run made, and its log, but for some."""
    for path in folder.iterdir():
        if path not in but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _read(file: Path) -> None:
    try:
        torch.load(file, map_location="meta", weights_only=True)
    except Exception as error:  # torch raises whatever it meets
        raise TrainError(
            f"{file}: cannot be read: {str(error).splitlines()[0][:200]}; remove {file.parent.name} "
            "to go on from the checkpoint before it"
        ) from error


def _all(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.glob("checkpoint-*")
        if re.fullmatch(r"checkpoint-\d+", path.name) and path.is_dir()
    ]


def sums(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, its own list of them aside."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SUMS]
    return {str(path.relative_to(folder)): file_sha256(path) for path in files}


def damaged(folder: Path, recorded: Mapping[str, str] | None) -> str | None:
    """`<file>: <fault>` of the first file that is not what was recorded; None where all are, or nothing was
    recorded (earlier versions)."""
    faults = ((name, file_fault(folder / name, sha256)) for name, sha256 in (recorded or {}).items())
    return next((f"{name}: {fault}" for name, fault in faults if fault is not None), None)


def _fault(path: Path) -> str | None:
    """What is wrong with the files of a checkpoint that states their sha256; those of earlier versions state
    none."""
    if (path / SUMS).exists() and load(path / SUMS) is None:
        return f"{SUMS}: its bytes are not those that were recorded"
    return damaged(path, load(path / SUMS))


def _finished(path: Path) -> bool:
    try:
        return "global_step" in json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
