"""Which parts have changed image files, and where that is looked for."""

from __future__ import annotations

import pytest
from making import InlineEngine, png
from s3 import S3

from leafinstruct.filter import materialize
from leafinstruct.records import table
from leafinstruct.records.rows import ImageRow
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.store import opened

COMPARED = "comparing images"


def stages(folder, root, names) -> tuple[Artifact, Artifact]:
    """A part whose images were read as they are now."""
    inputs = Artifact(folder / "ingest")
    inputs.path.mkdir(parents=True)
    inputs.finish({}, {"roots": {"own": root}})
    out = Artifact(folder / "filter", inputs)
    at = materialize.roots_of(inputs)["own"]
    rows = [ImageRow(name, name, materialize.file_stamp(at / name), "ok") for name in names]
    path = out.file("images", "own-1")
    path.parent.mkdir(parents=True)
    table.write(path, rows, table.IMAGES)
    return inputs, out


def moved(inputs, out) -> tuple[set[str], bool]:
    """The changed parts, and whether the engine compared them."""
    engine = InlineEngine()
    found = materialize.outdated(inputs, out, engine, ["own-1"])
    return found, COMPARED in engine.reports


def test_many_objects_of_a_bucket_are_compared_by_the_engine(tmp_path, monkeypatch):
    opened.close()
    with S3(monkeypatch) as s3:
        s3.bucket()
        for name in ("a.png", "b.png"):
            s3.put(f"data/{name}", png())
        given = stages(tmp_path, "s3://crawl/data", ["a.png", "b.png"])
        assert moved(*given) == (set(), False)
        monkeypatch.setattr(materialize, "ASKED_HERE", 1)
        assert moved(*given) == (set(), True)
        s3.put("data/b.png", png(dot=3))
        opened.close()
        assert moved(*given) == ({"own-1"}, True)
    opened.close()


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "gone.png"])
def test_a_name_that_no_file_has_is_no_change(tmp_path, name):
    (tmp_path / "data").mkdir()
    assert moved(*stages(tmp_path / "run", "../../data", [name])) == (set(), False)
