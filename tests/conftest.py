"""What every test may use: documents built by hand, a hypothesis profile without deadlines (shared machines stall)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("leaf", deadline=None, max_examples=60)
settings.load_profile("leaf")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The unpacked tiny CLIP goes to a folder of this test run, never to the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real pages, archives and broken files; tests that want them skip elsewhere."""
    folder = os.environ.get("LEAF_REAL_DATA")
    if not folder:
        pytest.skip("LEAF_REAL_DATA is not set: no folder of real pages here")
    return Path(folder)
