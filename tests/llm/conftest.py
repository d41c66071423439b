from __future__ import annotations

from collections.abc import Iterator

import pytest
from llm.fake_clock import FakeClock
from llm.misbehaving import Misbehaving, serving

from leafinstruct.llm import clock as clocks


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Deadlines and pauses of the client do not depend on how busy the machine is."""
    clock = FakeClock()
    monkeypatch.setattr(clocks, "CLOCK", clock)
    return clock


@pytest.fixture
def server(clock: FakeClock) -> Iterator[Misbehaving]:
    """A fresh server on a free port; see misbehaving.py."""
    with serving(now=clock.now) as server:
        yield server
