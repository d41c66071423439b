"""Erasing in each cache: what is meant is overwritten, what is not stays where it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from making import document

from leafinstruct.images.web import store
from leafinstruct.images.web.store import Fetched, Store
from leafinstruct.ingest import removed_records
from leafinstruct.publish.purge import run
from leafinstruct.records import frames, table
from leafinstruct.records.document import Frame, Ref
from leafinstruct.records.removals import add as add_entries
from leafinstruct.records.removals import beside, entry, load
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.stage_report import StageReport
from leafinstruct.train.data import codes


def test_fetched_bytes_are_overwritten_and_others_stay_in_their_places(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    entries = {
        name: kept.put(Fetched(f"http://{name}/", "ok"), f"bytes of {name}".encode() * 9) for name in "abc"
    }
    kept.close()
    (blob,), (log,) = tmp_path.glob("*.bin"), tmp_path.glob("*.jsonl")
    size = blob.stat().st_size
    with blob.open("ab") as file, log.open("ab") as lines:
        file.write(b"bytes of a kill")
        lines.write(b'{"url":"http://torn/')
    assert store.erase(tmp_path, lambda entry: entry.url == "http://b/", dry_run=True) == 1
    assert b"bytes of b" in blob.read_bytes()
    for expected in (1, 0):  # a second time, as after a kill
        assert store.erase(tmp_path, lambda entry: entry.url == "http://b/") == expected
        assert b"bytes of b" not in blob.read_bytes()
        assert b"kill" not in blob.read_bytes()
        assert b"http://b/" not in log.read_bytes()
        assert b"torn" not in log.read_bytes()
    assert blob.stat().st_size == size + len(b"bytes of a kill")
    again = Store(tmp_path)
    assert [again.intact(f"http://{name}/") for name in "abc"] == [entries["a"], None, entries["c"]]
    assert list(store.verify(tmp_path)) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_codes_of_an_image_go_for_every_backbone_and_grid(tmp_path: Path, dry_run: bool) -> None:
    images = [hashlib.sha256(name).digest() for name in (b"a", b"b")]
    for identity in ("one", "two"):
        known = codes.Codes(tmp_path / identity)
        for image in images:
            for grid in (None, (2, 3)):
                known.put((image, grid), image * 5)
    old = tmp_path / "one/old.codes"
    old.write_bytes(images[1] * 9)
    assert codes.erase(tmp_path, lambda sha256: sha256 == images[0].hex(), dry_run) == 4
    left = b"".join(path.read_bytes() for path in tmp_path.glob("*/*.codes"))
    assert (images[0] in left) is dry_run
    assert old.exists() is dry_run
    if not dry_run:
        again = codes.Codes(tmp_path / "two")
        assert [again.get((image, (2, 3))) for image in images] == [None, images[1] * 5]
        assert (again.repaired, list(codes.verify(tmp_path))) == (0, [])


def test_frames_that_no_build_has_filtered_are_found_by_their_bytes(tmp_path):
    """As a run with --limit, or one that was cut, leaves them: only the file of frames knows those bytes."""
    ingest = Artifact(tmp_path / "runs/t/ingest")
    read = document("A step of a video.", file="a.mp4")
    with writing(ingest.file("documents", "v")) as temporary:
        table.write(temporary, [table.document_row(read)], table.DOCUMENTS)
    path = ingest.file("frames", "v")
    with writing(path) as temporary, frames.frame_writer(temporary) as add:
        for number in range(2):
            add(Frame(Ref(file="a.mp4", time=float(number)), "stamp", b"bytes of frame %d" % number))
    ingest.commit("v", "key", StageReport(), [ingest.file("documents", "v")])
    recipe = tmp_path / "recipe.yaml"

    def purge(data: bytes) -> None:
        run.purge(recipe, tmp_path / "runs/t", [entry("sha256", hashlib.sha256(data).hexdigest())], False)

    purge(b"bytes of another frame")
    assert path.exists()
    before = removed_records.complies(load(beside(recipe)), ingest, "v")
    add_entries(
        beside(recipe), [entry("sha256", hashlib.sha256(b"bytes of frame 1").hexdigest())], tmp_path / ".lock"
    )
    assert (before, removed_records.complies(load(beside(recipe)), ingest, "v")) == (True, False), (
        "of a list that came from elsewhere"
    )
    purge(b"bytes of frame 1")
    assert not path.exists()
    assert ingest.file("documents", "v").exists()
