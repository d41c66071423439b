"""Estimate the peak memory and the duration of a run.

Three real forward and backward passes are measured on the device that would train, with its backbone,
adapter, precision and rows; the first is a warmup. The result is scaled to the batch, the longest row and the
number of steps.

    weights        bytes of the backbone as it is loaded
    adapter        weights, gradients and AdamW's two moments, float32
    activations    what autograd keeps for the backward pass of a whole batch, counted by its hooks, without
                   parameters
    logits         the gradient of all logits, and two temporary float32 copies of the labeled ones, at the
                   moment of the peak
    program        of a process on the CPU: Python and libraries, as the system counts them now

The scaling is linear in tokens, which holds for attention that keeps no (T, T) matrix. Rows are padded to the
longest of their batch, and the longest batch must fit. On a GPU, fragmentation and the CUDA context come on
top. Of a long row the first PROBE tokens are measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from leafinstruct.backbones.backbone import Backbone
from leafinstruct.errors import TrainError
from leafinstruct.train import processes
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.data.tokens import Collator, Rows, TokenRow

if TYPE_CHECKING:
    from peft import PeftModel

PROBE = 1024
"""Maximum number of tokens of the measured row."""
PASSES = 3


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error reports missing memory: CUDA's, Python's, or torch's on the CPU, a RuntimeError."""
    message = str(error)
    known = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(word in message for word in known)
    )


@contextmanager
def explain_out_of_memory(hint: str) -> Iterator[None]:
    """Raise TrainError with the hint when the block runs out of memory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainError(f"out of memory: {hint}") from error


def report(
    config: TrainConfig,
    model: PeftModel,
    backbone: Backbone,
    collator: Collator,
    rows: Rows,
    out: Callable[[str], None],
) -> None:
    """Write the estimate line by line to `out`. model: adapted; the measurement changes its adapter."""
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
    # after the measurement, which loads libraries and pages weights in
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


def memory(model: PeftModel, batch: int, longest: int, kept: float) -> dict[str, float]:
    """Return bytes by purpose. kept: bytes of activations per token."""
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
    model: PeftModel,
    backbone: Backbone,
    collator: Collator,
    row: TokenRow,
    device: torch.device,
) -> tuple[float, float, int]:
    """Return the bytes kept for a backward pass, the seconds of a pass with its optimizer step, and the
    tokens of the pass."""
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


def _cut(row: TokenRow) -> TokenRow:
    """Return a row's first tokens; the whole row when patches are vectors, because their number must fit."""
    if len(row.vectors):
        return row
    return replace(row, ids=row.ids[:PROBE], loss_mask=row.loss_mask[:PROBE])


def _program(model: PeftModel) -> int:
    """Return the bytes of this process without the model; 0 on systems without /proc."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    own = sum(value.numel() * value.element_size() for value in (*model.parameters(), *model.buffers()))
    resident = int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return max(0, resident - int(own))


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
