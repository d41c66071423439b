"""What a run will take: memory at its peak, and hours. Measured, not guessed: three real passes forward and
backward on the device that would train, with its backbone, adapter, precision and rows, of which the first
warms up; then scaled to the batch, the longest row and the number of steps.

    weights        bytes of the backbone as it is loaded
    adapter        weights, gradients and AdamW's two moments, float32
    activations    what autograd keeps for the backward pass of a whole batch: counted by its own hooks, parameters left out
    logits         the gradient of all logits, and two temporary copies of the labeled ones in float32, alive when everything above is
    program        of a process on the CPU: Python and libraries, as the system counts them now

Linear in tokens, which holds for attention that keeps no (T, T) matrix; rows are padded to the longest of
their batch, and the longest batch is what must fit. On a GPU fragmentation and the CUDA context come on top.
A long row is probed by its first PROBE tokens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leafinstruct.errors import TrainError
from leafinstruct.train import processes
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.data.tokens import Collator, Rows

PROBE = 1024
"""Tokens of a probed row at most."""
PASSES = 3


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA's, Python's, and torch's on the CPU, which is a RuntimeError."""
    message = str(error)
    known = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(word in message for word in known)
    )


@contextmanager
def explain_out_of_memory(hint: str) -> Iterator[None]:
    """Running out of memory in the block raises TrainError, with the hint."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainError(f"out of memory: {hint}") from error


def report(
    config: TrainConfig, model: Any, backbone: Any, collator: Collator, rows: Rows, out: Callable[[str], None]
) -> None:
    """Lines for a person. model: adapted; its adapter is changed by the trial."""
    device = (
        torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    )
    lengths = rows.lengths().tolist()
    longest, mean = (config.context,) * 2 if config.packing else (max(lengths), sum(lengths) / len(lengths))
    with explain_out_of_memory("lower train.context, or set train.gradient_checkpointing: true"):
        backbone.model = model = model.to(device).train()
        kept, seconds, tokens = _probe(
            config, model, backbone, collator, rows[lengths.index(max(lengths))], device
        )
    # after the trial, which loads libraries and pages weights in
    program = _program(model) if device.type == "cpu" else 0
    parts = {
        **memory(model, config.batch, longest, kept / tokens),
        **({"program": float(program)} if program else {}),
    }
    for name, size in (*parts.items(), ("peak memory, estimated", sum(parts.values()))):
        out(f"{name:<28} {_size(size):>12}")
    out(
        f"batch of {config.batch:,} rows of {longest:,} tokens; gradient checkpointing "
        f"{'on' if config.gradient_checkpointing else 'off'}"
    )
    passes = config.steps * config.accumulate * config.batch
    hours = passes * mean * seconds / tokens / 3600
    pace = f"{tokens / seconds:,.0f} tokens/s, measured over {PASSES - 1} passes of {tokens:,}"
    out(f"about {_time(hours)} on this {device.type}: {pace}")


def memory(model: Any, batch: int, longest: int, kept: float) -> dict[str, float]:
    """Bytes under what they are for. kept: bytes of activations a token."""
    values = list(model.parameters())
    frozen = sum(
        value.numel() * value.element_size()
        for value in (*values, *model.buffers())
        if not value.requires_grad
    )
    logits = batch * longest * int(model.get_output_embeddings().weight.shape[0])
    width = model.get_output_embeddings().weight.element_size()
    return {
        "weights": frozen,
        "adapter, gradients, AdamW": 16 * sum(value.numel() for value in values if value.requires_grad),
        "activations": kept * batch * longest,
        "logits' gradients": logits * (width + 8),
    }


def _probe(
    config: TrainConfig,
    model: Any,
    backbone: Any,
    collator: Collator,
    row: Mapping[str, Any],
    device: torch.device,
) -> tuple[float, float, int]:
    """Bytes kept for a backward pass, seconds of a pass and of an optimizer's step's share, tokens of the
    pass."""
    if config.gradient_checkpointing:
        model.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    batch = {name: value.to(device) for name, value in collator([_cut(row)]).items()}
    labels, _ = batch.pop("labels"), batch.pop("lengths")
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad])
    known = {value.untyped_storage().data_ptr() for value in model.parameters()}
    best, kept = float("inf"), 0
    half = processes.in_bfloat16(config.precision)
    for number in range(PASSES):
        seen: dict[int, int] = {}

        def note(value: Tensor, seen: dict[int, int] = seen) -> Tensor:
            storage = value.untyped_storage()
            if storage.data_ptr() not in known:
                seen[storage.data_ptr()] = storage.nbytes()
            return value

        began = time.monotonic()
        with (
            torch.autograd.graph.saved_tensors_hooks(note, lambda value: value),
            torch.autocast(device.type, torch.bfloat16, enabled=half),
        ):
            losses = backbone.losses(batch, labels)
        (losses.value.sum() / max(1, int((labels != -100).sum()))).backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        kept = sum(seen.values())
        best = min(best, time.monotonic() - began) if number else best
    return float(kept), best, int(batch["input_ids"].numel())


def _cut(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's first tokens; whole where patches are vectors, whose number must fit."""
    whole = dict(row)
    if len(row["vectors"]):
        return whole
    return {**whole, "ids": row["ids"][:PROBE], "loss_mask": row["loss_mask"][:PROBE]}


def _program(model: Any) -> int:
    """Bytes of this process beside the model; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    held = sum(value.numel() * value.element_size() for value in (*model.parameters(), *model.buffers()))
    resident = int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return max(0, resident - int(held))


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _time(hours: float) -> str:
    return (
        f"{hours:,.1f} hours"
        if hours >= 1
        else f"{hours * 60:,.1f} minutes"
        if hours * 60 >= 1
        else f"{hours * 3600:,.0f} seconds"
    )
