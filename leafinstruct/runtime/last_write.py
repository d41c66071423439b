"""The write after which a verb has done what it was asked for: a signal that comes during it or later does
not make a failure of it.

The write that completes a verb (a stage's record, a commit on the Hub, a rename) stands in `with
last_write():`. cli/stopping.py asks `holds` whether a signal has to wait. The verb then ends as it would
have, its report included; a second signal cuts the report short, with exit code 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class _State:
    """Of this process. held: signals that came since the last write began."""

    writing: bool = False
    complete: bool = False
    held: int = 0


_STATE = _State()


@contextmanager
def last_write() -> Iterator[None]:
    """Hold signals back while the block writes; after it the verb is complete."""
    _STATE.writing = True
    try:
        yield
        _STATE.complete = True
    finally:
        _STATE.writing = False


def holds() -> bool:
    """Whether the signal that has just come is to be ignored."""
    _STATE.held += 1
    return _STATE.writing or (_STATE.complete and _STATE.held == 1)


def complete() -> bool:
    """Whether what the verb was asked for is written."""
    return _STATE.complete


def go_on() -> bool:
    """Begin another step of the same verb. Returns whether a signal has come meanwhile."""
    stopped = _STATE.held > 0
    _STATE.complete, _STATE.held = False, 0
    return stopped
