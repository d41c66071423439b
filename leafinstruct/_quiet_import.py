"""Import libraries without the messages that they, or optional libraries behind them, log on import.

peft and diffusers import bitsandbytes wherever it is installed, also for a model that is not quantized. On a
CPU with AVX512-BF16, bitsandbytes logs that a package `kernels` is missing: a warning that preceded the
output of every `leaf train`.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from leafinstruct._torchvision import mend


def import_peft() -> None:
    """Make `import peft` and `import transformers` work here, and import peft quietly. Raises what the
    imports raise."""
    mend()
    with quiet():
        import peft  # noqa: F401 - imported for those who import it next


@contextmanager
def quiet() -> Iterator[None]:
    """Discard warnings, and log records that no handler takes, from imports of this thread.

    Python writes records without a handler to stderr (`logging.lastResort`). An application that has
    configured logging still gets them.
    """
    last = logging.lastResort
    logging.lastResort = _OtherThreads(last)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.lastResort = last


class _OtherThreads(logging.Handler):
    """Passes records of other threads on to the handler that it replaces."""

    def __init__(self, replaced: logging.Handler | None) -> None:
        super().__init__(logging.NOTSET if replaced is None else replaced.level)
        self._replaced, self._quiet = replaced, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one record."""
        if self._replaced is not None and record.thread != self._quiet:
            self._replaced.handle(record)
