from __future__ import annotations

from collections.abc import Iterator

import pytest
from images.web_server import Wild, wild


@pytest.fixture
def server() -> Iterator[Wild]:
    """A fresh server on a free port; see web_server.py."""
    with wild() as found:
        yield found
