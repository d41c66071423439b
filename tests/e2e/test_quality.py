"""Guard of docs/quality.md, measured again with few pages: what was found is still found, and what was kept
is still kept. The page itself is measured with more (`make quality`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import quality

ROOT = Path(__file__).parent.parent.parent
EACH, EVERY_SCRIPT, CLEAN = 2, 4, 20
FOUND, TOGETHER = 0.95, 0.85
"""Share from which a class counts as found on the page; share of all their pages that must be found. With few
pages on both sides, a class that is found in two of three may look like one that is always found."""
MARGIN = 2
"""Clean pages of a group that may be lost beyond the share of the page: of 4, chance alone loses two more."""
PLANTING = """
import json, sys
from pathlib import Path
import quality
if __name__ == "__main__":
    names, recipe, folder = sys.argv[1].split(","), Path(sys.argv[2]), Path(sys.argv[3])
    each, clean, every_script = map(int, sys.argv[4:])
    planted = quality.measure_drawn(recipe, folder / "planted", names, each)
    print(json.dumps([planted, quality.measure_clean(recipe, folder / "clean", clean, every_script)]))
"""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def documented() -> quality.Measured:
    measured: quality.Measured = json.loads((ROOT / "docs/quality.json").read_text(encoding="utf-8"))
    return measured


@pytest.fixture(scope="module")
def measured(documented, tmp_path_factory) -> tuple[quality.Figures, quality.Figures]:
    """Of the classes that the page says are found, in a process that may start workers."""
    folder = tmp_path_factory.mktemp("quality")
    names = [
        name
        for name, figure in documented["planted"]["Sketchbook"].items()
        if figure["count"] >= FOUND * figure["n"]
    ]
    script = folder / "planting.py"
    script.write_text(PLANTING, encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "scripts")])
    arguments = [",".join(names), ROOT / documented["recipe"], folder / "work", EACH, CLEAN, EVERY_SCRIPT]
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    planted, lost = json.loads(done.stdout.splitlines()[-1])
    return planted, lost


def test_classes_that_were_found_are_found(documented, measured):
    planted, _ = measured
    assert len(planted) >= 15
    assert [name for name, figure in planted.items() if not figure["count"]] == []
    found = sum(figure["count"] for figure in planted.values())
    pages = sum(figure["n"] for figure in planted.values())
    assert found >= TOGETHER * pages, planted


def test_clean_pages_that_were_kept_are_kept(documented, measured):
    _, lost = measured
    shares = {
        group: figure["count"] / figure["n"] for group, figure in documented["lost"]["Sketchbook"].items()
    }
    assert set(lost) == set(shares)
    assert {
        group: figure["count"]
        for group, figure in lost.items()
        if figure["count"] > shares[group] * figure["n"] + MARGIN
    } == {}
