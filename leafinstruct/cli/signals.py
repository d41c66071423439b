"""Signals: SIGINT, SIGTERM and SIGHUP become one Interrupted, however many arrive."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from leafinstruct.runtime import last_write

if TYPE_CHECKING:
    from leafinstruct.runtime.engine.watched import OnProgress, Progressed

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal ended the verb. Not an Exception, so that no handler takes it for a failure of its own."""


def listen() -> None:
    """Raise Interrupted on the next signal. SIGHUP stays ignored if the caller ignored it, as nohup does."""
    last_write.next_step()  # an earlier verb of this process may have finished its last write
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore() -> None:
    """Ignore signals until Python removes its own handlers at exit."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - the signal module's signature
    """Raise once: a second signal during cleanup would leave workers that nobody waits for."""
    if last_write.is_ignored():
        return
    for other in SIGNALS:
        if signal.getsignal(other) == _interrupt:
            signal.signal(other, _do_nothing)
    raise Interrupted


def _do_nothing(number: int, frame: object) -> None:
    """Do nothing. Not SIG_IGN: Python complains if that replaces the handler of a signal that is already
    pending."""


def stopping(on_progress: OnProgress) -> OnProgress:
    """Wrap a progress callback so that it raises Interrupted after a signal. An event loop swallows
    exceptions in its callbacks, an interrupt too; so the next finished part stops the build."""

    def show(now: Progressed) -> None:
        if signal.getsignal(signal.SIGINT) is not _interrupt:
            raise Interrupted
        on_progress(now)

    return show
