"""One run of several processes, as torchrun and accelerate start them: the first one encodes, writes and speaks, the others wait and compute.

Which process this is says accelerate, from the variables that its launcher and torchrun set.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch

PATIENCE = timedelta(hours=12)
"""That the others wait while the first one encodes pictures. `leaf train --dry-run` does that beforehand, in one process."""


def state() -> Any:
    """accelerate's PartialState: is_main_process, num_processes, process_index, wait_for_everyone()."""
    from accelerate import PartialState

    return PartialState(cpu=alone(), timeout=PATIENCE)


def in_bfloat16(precision: str) -> bool:
    """Whether products are computed in bfloat16: asked for, or left open on a GPU that has it."""
    able = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16" or (precision == "auto" and able)


def alone() -> bool:
    """Whether there is nothing but the CPU."""
    return not torch.accelerator.is_available()
