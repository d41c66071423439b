"""Builds whose language model is a scripted server of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llm.fake_clock import FakeClock
from llm.misbehaving import Misbehaving, depending, serving

from leafinstruct.llm import clock as clocks


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds of this process: pauses cost no time, and deadlines do not depend on how busy the machine is."""
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())


@pytest.fixture
def server(request: pytest.FixtureRequest, no_pauses: None) -> Iterator[Misbehaving]:
    """A server whose model answers as the function `answer` of the test's module, if it has one."""
    answer = getattr(request.module, "answer", None)
    with serving(None if answer is None else depending(answer)) as server:
        yield server
