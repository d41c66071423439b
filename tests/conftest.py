"""What every test may use: an environment of its own, hypothesis profiles without deadlines (shared machines
stall)."""
# ruff: noqa: E402 - the environment is set before the imports that read it

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import own_environment

_HOME = tempfile.TemporaryDirectory(prefix="leaf-tests-", ignore_cleanup_errors=True)
own_environment.own(os.environ, Path(_HOME.name))

import pytest
from hypothesis import settings

settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile("quick")  # --hypothesis-profile thorough, as in make test-all


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of tests/e2e have the marker e2e, as single modules elsewhere do. Of a matrix, all variants but
    every n-th are slow."""
    seen = Counter[str]()
    for item in items:
        if item.path.parent.name == "e2e":
            item.add_marker("e2e")
        if (matrix := item.get_closest_marker("matrix")) is not None:
            name = item.nodeid.partition("[")[0]
            if seen[name] % matrix.args[0]:
                item.add_marker("slow")
            seen[name] += 1


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are no text are not part of a test's name: what gzip packs has the time in it, and processes
    would collect tests of different names."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins in a folder of its own: relative paths lead neither into the checkout nor into files
    of another test, which may run at the same time."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real pages, archives and broken files; tests that want them skip elsewhere."""
    folder = os.environ.get("LEAF_REAL_DATA")
    if not folder:
        pytest.skip("LEAF_REAL_DATA is not set: no folder of real pages here")
    return Path(folder)
