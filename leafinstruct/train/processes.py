"""Runs of several processes, as torchrun and accelerate start them: the first one encodes, writes and logs;
the others wait and compute.

accelerate reads the number of a process from the variables that its launcher and torchrun set. On a CPU a
process keeps the memory that it frees.
"""

from __future__ import annotations

import ctypes
import platform
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from leafinstruct.errors import TrainError

if TYPE_CHECKING:
    from accelerate import PartialState
    from transformers import PreTrainedModel

PATIENCE = timedelta(hours=12)
"""How long the others wait while the first one encodes images. `leaf train --dry-run` encodes them
beforehand, in one process."""

SMALL = 50_000_000
"""Parameters of a small model: multiplying one row by one of its matrices is faster than waking a thread."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
_LARGE = 1 << 30
"""Bytes."""


def keep_freed_memory() -> None:
    """Let glibc keep freed memory, up to 1 GB; does nothing with another C library.

    A step frees large blocks, and the next one allocates the same. By default each returns to the kernel and
    is paged in again. With freed memory kept, leaf:tiny-1 trains on 4,550 tokens a second (a tenth of them
    padding) on two cores instead of 3,600. Peak memory is the same within 2%, also with 42 M parameters.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGE)


@contextmanager
def in_one_thread(model: PreTrainedModel) -> Iterator[None]:
    """Run a block with one thread when the model is SMALL and on a CPU; otherwise leave torch's setting.

    Generating token by token cannot be split, and two threads wait for each other: leaf:tiny-1 generates 47
    tokens a second with one thread and 46 with two, but 1.3 with two beside another busy process.
    """
    threads = torch.get_num_threads()
    small = model.device.type == "cpu" and sum(value.numel() for value in model.parameters()) < SMALL
    torch.set_num_threads(1 if small else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def state() -> PartialState:
    """Return accelerate's state of this process; the same in every call."""
    from accelerate import PartialState

    return PartialState(cpu=alone(), timeout=PATIENCE)


def check_gpus(arguments: Sequence[str]) -> None:
    """Raise TrainError when one process would train on several GPUs. arguments: those of `leaf`, for the
    command that starts one process per GPU."""
    if (count := torch.cuda.device_count()) > 1 and state().distributed_type == "NO":
        raise one_process_for(count, arguments)


def one_process_for(count: int, arguments: Sequence[str] = ("train", "RECIPE")) -> TrainError:
    """Return the error for one process with `count` GPUs. The HF Trainer would use nn.DataParallel, which
    these batches and losses do not support."""
    command = shlex.join(["torchrun", "--nproc-per-node", str(count), "-m", "leafinstruct.cli", *arguments])
    return TrainError(
        f"found {count} GPUs, but one process trains on one: run `{command}`, or choose one GPU with "
        "CUDA_VISIBLE_DEVICES=0"
    )


def in_bfloat16(precision: str) -> bool:
    """Whether to compute in bfloat16: when set, or with `auto` on a GPU that supports it."""
    able = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16" or (precision == "auto" and able)


def alone() -> bool:
    """Whether the CPU is the only device."""
    return not torch.accelerator.is_available()
