"""One run of several processes, as torchrun and accelerate start them: the first one encodes, writes and
speaks, the others wait and compute.

Which process this is says accelerate, from the variables that its launcher and torchrun set. On a CPU a
process keeps the memory that it frees.
"""

from __future__ import annotations

import ctypes
import platform
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch

from leafinstruct.errors import TrainError

PATIENCE = timedelta(hours=12)
"""That the others wait while the first one encodes images. `leaf train --dry-run` does that beforehand, in
one process."""

SMALL = 50_000_000
"""Parameters; a product of one row with a matrix of such a model takes less than a thread to wake."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""
_LARGE = 1 << 30
"""Bytes."""


def keep_freed_memory() -> None:
    """Let glibc keep what is freed, up to 1 GB; with another C library nothing is changed.

    A step frees large blocks and the next one asks for the same. By default each goes back to the kernel and
    is faulted in anew, page by page: kept, leaf:tiny-1 learns from 4,550 tokens a second (a tenth of them
    padding) on two cores instead of 3,600. Peak memory is the same within 2%, also of 42 M parameters.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGE)


@contextmanager
def in_one_thread(model: torch.nn.Module) -> Iterator[None]:
    """Draw with a SMALL model on a CPU in one thread; others as torch likes.

    Token by token there is nothing to share out, and two threads wait for each other: leaf:tiny-1 draws 47
    tokens a second in one and 46 in two, but 1.3 in two beside another busy process.
    """
    threads = torch.get_num_threads()
    small = model.device.type == "cpu" and sum(value.numel() for value in model.parameters()) < SMALL
    torch.set_num_threads(1 if small else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def state() -> Any:
    """accelerate's PartialState: is_main_process, num_processes, process_index, wait_for_everyone()."""
    from accelerate import PartialState

    return PartialState(cpu=alone(), timeout=PATIENCE)


def check_gpus(arguments: Sequence[str]) -> None:
    """Raises TrainError where one process would train on several GPUs. arguments: of `leaf`, for the command
    that starts a process for each."""
    if (count := torch.cuda.device_count()) > 1 and state().distributed_type == "NO":
        raise one_process_for(count, arguments)


def one_process_for(count: int, arguments: Sequence[str] = ("train", "RECIPE")) -> TrainError:
    """The error of one process with so many GPUs. The HF Trainer would use nn.DataParallel, for which neither
    batches nor losses are made."""
    command = shlex.join(["torchrun", "--nproc-per-node", str(count), "-m", "leafinstruct.cli", *arguments])
    return TrainError(
        f"{count} GPUs, and one process trains on one: run `{command}`, or choose one GPU with "
        "CUDA_VISIBLE_DEVICES=0"
    )


def in_bfloat16(precision: str) -> bool:
    """Whether products are computed in bfloat16: asked for, or left open on a GPU that has it."""
    able = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16" or (precision == "auto" and able)


def alone() -> bool:
    """Whether there is nothing but the CPU."""
    return not torch.accelerator.is_available()
