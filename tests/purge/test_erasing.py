"""Erasing in each cache: what is meant is overwritten, what is not stays where it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from leafinstruct.pictures.web import store
from leafinstruct.pictures.web.store import Fetched, Store
from leafinstruct.train import codes


def test_fetched_bytes_are_overwritten_and_others_stay_in_their_places(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    entries = {name: kept.put(Fetched(f"http://{name}/", "ok"), f"bytes of {name}".encode() * 9) for name in "abc"}
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
