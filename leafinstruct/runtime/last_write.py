"""The last write of a verb: a signal during it or after it does not make the verb fail.

The write that completes a verb (a stage's record, a commit on the Hub, a rename) is made in `with
last_write():`. cli/signals.py asks `is_ignored` about each signal. The verb then ends normally, its report
included; a second signal cuts the report short, with exit code 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class _State:
    """State of this process. signals: signals since the last write began."""

    writing: bool = False
    complete: bool = False
    signals: int = 0


_STATE = _State()


@contextmanager
def last_write() -> Iterator[None]:
    """Ignore signals while the block writes; after it the verb is complete."""
    _STATE.writing = True
    try:
        yield
        _STATE.complete = True
    finally:
        _STATE.writing = False


def is_ignored() -> bool:
    """Count a signal that has just arrived. Returns whether to ignore it."""
    _STATE.signals += 1
    return _STATE.writing or (_STATE.complete and _STATE.signals == 1)


def complete() -> bool:
    """Whether the last write is done."""
    return _STATE.complete


def next_step() -> bool:
    """Begin another step of the same verb. Returns whether a signal arrived during the one before."""
    interrupted = _STATE.signals > 0
    _STATE.complete, _STATE.signals = False, 0
    return interrupted
