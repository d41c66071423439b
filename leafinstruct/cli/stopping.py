"""Ctrl-C, termination and a closed terminal: one interrupt, however many signals, and nothing
half-written."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from leafinstruct.runtime import last_write

if TYPE_CHECKING:
    from leafinstruct.pipeline import OnProgress, Progressed

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal that ends the verb; no Exception, so that nothing on the way takes it for a failure of its
    own."""


def listen() -> None:
    """From now on a signal raises Interrupted. SIGHUP stays ignored where the caller had it ignored, as nohup
    does."""
    last_write.go_on()  # an earlier verb of this process may have written its last
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def end() -> None:
    """Python takes its own handlers away as it ends; until then no signal counts."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - the signal module's signature
    """Stop once: a second signal in the middle of tidying up would leave workers that nobody waits for."""
    if last_write.holds():
        return
    for other in SIGNALS:
        if signal.getsignal(other) == _interrupt:
            signal.signal(other, _deaf)
    raise Interrupted


def _deaf(number: int, frame: object) -> None:
    """Not SIG_IGN yet: Python complains when it finds that in place of the handler of a signal which is on
    its way."""


def stopping(on_progress: OnProgress) -> OnProgress:
    """An event loop swallows what is raised inside one of its callbacks, an interrupt too: the next part that
    ends then stops the build."""

    def show(now: Progressed) -> None:
        if signal.getsignal(signal.SIGINT) is not _interrupt:
            raise Interrupted
        on_progress(now)

    return show
