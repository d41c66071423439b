from __future__ import annotations

from collections.abc import Iterator

import pytest
from llm.misbehaving import Misbehaving


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    """A fresh server on a free port; see misbehaving.py."""
    server = Misbehaving()
    thread = server.start()
    yield server
    server.stop(thread)
