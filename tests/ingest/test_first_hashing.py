"""Source files are hashed once: in the engine's workers, before the first build has read any of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import InlineEngine

from leafinstruct.ingest import rot, stage
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine import base
from leafinstruct.runtime.engine.share import Share, Shared
from leafinstruct.runtime.files import load

COUNT = 70
"""More than one task hashes."""


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are hashed. All have settled, and are many enough for workers."""
    found: list[Path] = []
    whole = content.file_sha256
    monkeypatch.setattr(content, "file_sha256", lambda path: found.append(path) or whole(path))
    monkeypatch.setattr(content, "RECENT", -1.0)
    monkeypatch.setattr(base, "SMALL", 0)
    return found


@pytest.fixture
def settings(tmp_path: Path) -> IngestSettings:
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.html").write_text(f"<p>Page {number} is about grey paint.</p>", "utf-8")
    source = {"kind": "html", "name": "own", "path": str(folder), "license": "CC0-1.0"}
    return IngestSettings.of(recipes.load({"name": "t", "part_size": 8, "ingest": {"sources": [source]}}))


def forget(settings: IngestSettings) -> None:
    """Know nothing, as another process."""
    for source in settings.config.sources:
        for path in Path(source.path).iterdir():
            content.forget(path)


def test_a_first_build_hashes_in_the_engine_and_neither_a_restart_nor_another_share_again(
    tmp_path, settings, hashed
):
    out, engine = Artifact(tmp_path / "run/ingest"), InlineEngine()
    first = stage.fingerprint(settings, None, out, engine)
    tasks = engine.reports["hashing sources"]
    assert len(tasks) == 2
    assert sum(len(report.value) for report in tasks) == COUNT == len(hashed)
    assert out.record is None
    assert len(load(out.path / rot.KNOWN)) == COUNT
    hashed.clear()
    for other in (InlineEngine(), Shared(InlineEngine(), Share(2, 2), tmp_path / "run")):
        forget(settings)
        assert stage.fingerprint(settings, None, out, other) == first
        assert rot.altered(out, lambda: stage.plan(settings, out)) == []
    assert hashed == []
    forget(settings)
    assert stage.fingerprint(settings, None, Artifact(tmp_path / "new/ingest"), InlineEngine()) == first | {
        "roots": {"own": "../../pages"}
    }


def test_a_file_that_changed_just_now_is_not_known_by_its_state(tmp_path, settings, hashed, monkeypatch):
    monkeypatch.setattr(content, "RECENT", 1e9)
    out = Artifact(tmp_path / "run/ingest")
    stage.fingerprint(settings, None, out, InlineEngine())
    assert {entry["state"] for entry in load(out.path / rot.KNOWN).values()} == {None}
    hashed.clear()
    stage.fingerprint(settings, None, out, InlineEngine())
    assert {path.name for path in hashed} == {f"{number}.html" for number in range(COUNT)}
