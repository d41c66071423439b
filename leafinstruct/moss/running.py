"""The stack of running forward passes, from which a layer gets the layout of its pass.

An adapted layer only gets hidden states, so the layout reaches it through a context variable: a stack of
(model, pass), one for each thread and asyncio task. Threads may share one adapted model (a server, the
replicas of nn.DataParallel), and a model may call another adapted model, or itself, within its own pass. An
attribute of the model would be shared by all of them: with one, 44 of 120 passes in threads were wrong
without an error.

A pass that ends with an Exception is removed from the stack. KeyboardInterrupt leaves its pass there, because
torch then calls no hook; the thread's next pass is above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from leafinstruct.moss.conv_cache import ConvCache
from leafinstruct.moss.layout import Layout


class Pass:
    """What the layers of one forward pass share.

    layout: None while no adapter routes; conv: the conv cache, which the layers fill; kept: see Layout.kept.
    q, k and v have the same input, so it is split once: a third of the copies, and of what autograd keeps.
    """

    def __init__(
        self, layout: Layout | None = None, conv: ConvCache | None = None, kept: Tensor | None = None
    ) -> None:
        self.layout, self.conv, self.kept = layout, conv, kept
        self._split: tuple[Layout, bool, Tensor, Tensor, Tensor] | None = None

    def split(self, layout: Layout, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split x, (..., d), into text rows (N_text, d) and patches (N_image, d)."""
        last, grad = self._split, torch.is_grad_enabled()
        if last is None or last[0] is not layout or last[1] is not grad or last[2] is not x:
            rows = x.reshape(-1, x.shape[-1])
            last = self._split = (layout, grad, x, rows[layout.text], rows[layout.image])
        return last[3], last[4]


class Running:
    """Access to the running passes of one adapted model. It stores no pass, so it can be copied and pickled
    with the model."""

    @property
    def now(self) -> Pass | None:
        """The innermost pass of this model in this thread or task."""
        for running, found in reversed(_passes.get()):
            if running is self:
                return found
        return None

    def begin(self, found: Pass) -> None:
        """Push a pass."""
        _passes.set((*_passes.get(), (self, found)))

    def end(self) -> None:
        """Pop the innermost pass of this model and everything above it."""
        stack = _passes.get()
        own = [place for place, (running, _) in enumerate(stack) if running is self]
        if own:
            _passes.set(stack[: own[-1]])

    @contextmanager
    def within(self, found: Pass) -> Iterator[None]:
        """Run a block as part of a pass."""
        before = _passes.set((*_passes.get(), (self, found)))
        try:
            yield
        finally:
            _passes.reset(before)


_passes: ContextVar[tuple[tuple[Running, Pass], ...]] = ContextVar("leafinstruct_moss_passes", default=())
