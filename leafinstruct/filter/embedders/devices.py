"""Where a model runs: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.

The kind of device is part of what a score depends on, since other kernels give other last digits; its index
is not. So one run may use all GPUs of a machine or one of them, and gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import Dtype
from leafinstruct.runtime.engine.device import Device

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Files of the drivers (NVIDIA, WSL, ROCm) without which torch finds no `cuda` device."""
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags of /proc/cpuinfo: x86 (two), and ARM."""


@cache
def kind_of(device: str) -> str:
    """cpu, cuda or mps. `auto` is a GPU of CUDA or ROCm if this machine has one, never mps. torch is imported
    only where a driver is."""
    if device == "auto":
        return "cuda" if any(Path(file).exists() for file in _DRIVERS) and _count() else "cpu"
    return device.partition(":")[0]


def devices_of(device: str, option: str = "filter.alignment") -> tuple[str, ...]:
    """The devices that a recipe's `device` means on this machine, as torch names them. option: the section
    that states it.

    Raises RecipeError if there is none of the kind, or none with the index.
    """
    kind, _, index = device.partition(":")
    kind = kind_of(device)
    if kind == "cpu":
        return ("cpu",)
    count = _count() if kind == "cuda" else _mps()
    if not count:
        hint = (
            "install a CUDA build of torch and check `nvidia-smi`"
            if kind == "cuda"
            else "it needs an Apple GPU"
        )
        raise RecipeError(
            f"{option}.device: {device}: torch finds no {kind} device on this machine; {hint}, or "
            "set device: cpu"
        )
    if index and int(index) >= count:
        last = "only cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise RecipeError(f"{option}.device: {device}: this machine has {last}")
    if kind == "mps":
        return ("mps",)
    return (device,) if index else tuple(f"cuda:{at}" for at in range(count))


def check_dtype(
    dtype: Dtype, kind: str, flags: frozenset[str] | None = None, option: str = "filter.alignment"
) -> None:
    """Raise RecipeError for bfloat16 where it is slower than float32: on a CPU without instructions for it.

    flags: of the CPU, read from this machine if they are not given. option: the section that states `dtype`.
    """
    if dtype == "bfloat16" and kind == "cpu" and not _FLAGS & (cpu_flags() if flags is None else flags):
        raise RecipeError(
            f"{option}.dtype: bfloat16: this CPU has neither AMX nor AVX512-BF16, so it would be "
            "slower than float32; remove dtype, or use a GPU"
        )


def shared_devices(models: Sequence[tuple[str, str, Dtype]], remote: bool = False) -> tuple[str, ...]:
    """The devices of the processes that run all models of a recipe, () if all run on the CPU.

    models: (section that states it, `device`, `dtype`) of each. remote: whether they run on other machines;
    then only the kind counts, and this machine may have no such device. Raises RecipeError for a device or a
    number format that this machine does not have, and for two models on different GPUs: one process of a
    device runs them all, so that a part is read once.
    """
    found: dict[tuple[str, ...], str] = {}
    for option, device, dtype in models:
        check_dtype(dtype, kind_of(device), option=option)
        devices = (kind_of(device),) if remote else devices_of(device, option)
        if devices != ("cpu",):
            found[devices] = option
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        raise RecipeError(
            f"{second}.device: it is {', '.join(other)}, but {first}.device is {', '.join(one)}; models run "
            "on the same device or on the CPU: write the same device, or cpu"
        )
    return next(iter(found), ())


def device_of(kind: str, own: Device) -> str:
    """Where a model of a kind of device runs in this process: on its own device, unless that is of another
    kind."""
    return own.name if own.name and kind_of(own.name) == kind else kind


@cache
def cpu_flags() -> frozenset[str]:
    """The instruction sets of the CPU as Linux lists them; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return frozenset()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    listed = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(listed.partition(":")[2].split())


def _count() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _mps() -> int:
    import torch

    return int(torch.backends.mps.is_available())
