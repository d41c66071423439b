"""The device of this process: a task that needs one asks here, so that tasks stay functions of a part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """name: as torch names it, empty for a process without one of its own. threads: of this process for work
    beside the device."""

    name: str = ""
    threads: int = 0


_of_process = [Device()]


def assign(device: Device) -> None:
    """Set the device of this process. The engine does it once, before the first task."""
    _of_process[0] = device


def assigned() -> Device:
    """The device of this process."""
    return _of_process[0]
