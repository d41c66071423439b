"""Run a build in a notebook, whose cells are run by an event loop.

asyncio refuses a second loop in the same thread, and a build runs one of its own for requests. So the work
gets a thread there. Elsewhere it stays in the caller's thread, where Python delivers interrupts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

_T = TypeVar("_T")
_Report = Callable[[Any], None]


def outside_loop(work: Callable[[_Report], _T], report: _Report) -> _T:
    """Return `work(report)`, computed in another thread if this one runs an event loop.

    report: a progress callback, which is then called in that thread. After a KeyboardInterrupt the work ends
    with its next report.
    """
    if not _in_loop():
        return work(report)
    interrupted = Event()

    def stopping(progress: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        report(progress)

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(work, stopping)
        try:
            return running.result()
        except KeyboardInterrupt:
            interrupted.set()
            raise


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
