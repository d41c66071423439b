"""Identity of files: by content; a memo only saves hashing."""

import hashlib
import os
from pathlib import Path

import pytest

from leafinstruct.runtime import content


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are hashed."""
    found: list[Path] = []
    whole = content.file_sha256
    monkeypatch.setattr(content, "file_sha256", lambda path: found.append(path) or whole(path))
    return found


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


def test_identity_is_size_and_sha256_and_no_time(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    wanted = written(path, b"data")
    assert content.identity(path) == wanted == written(other, b"data") == content.identity(other)
    os.utime(path, ns=(5, 5))
    assert content.identity(path) == wanted
    with pytest.raises(FileNotFoundError):
        content.identity(tmp_path / "none")


def test_a_settled_file_is_hashed_once_and_again_when_it_was_written(tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(content, "RECENT", -1.0)
    path = tmp_path / "a"
    first = written(path, b"data")
    assert [content.identity(path) for _ in range(3)] == [first] * 3
    assert hashed == [path]
    times = path.stat()
    second = written(path, b"DATA")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert content.identity(path) == second
    assert hashed == [path, path]


def test_a_file_that_changed_just_now_is_not_remembered(tmp_path, hashed):
    path = tmp_path / "a"
    wanted = written(path, b"data")
    assert content.identity(path) == content.identity(path) == wanted
    assert (content.known(path), hashed) == (None, [path, path])


def test_what_was_known_holds_only_in_the_same_state(tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(content, "RECENT", -1.0)
    path = tmp_path / "a"
    wanted = written(path, b"data")
    content.identity(path)
    known = content.known(path)
    assert known == (content.state(path), wanted)
    content.forget(path)
    content.remember(path, *known)
    assert content.identity(path) == wanted
    assert hashed == [path]
    content.forget(path)
    now = written(path, b"other")
    content.remember(path, *known)
    assert content.identity(path) == now
    path.unlink()
    content.remember(path, *known)
    content.forget(path)


def test_processes_share_the_hash_of_a_large_file(tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(content, "RECENT", -1.0)
    monkeypatch.setattr(content, "LARGE", 4)
    path, small, shared = tmp_path / "a", tmp_path / "b", tmp_path / "shared"
    wanted = written(path, b"data")
    written(small, b"x")
    for each in (path, small):
        content.identity(each, shared)
        content.forget(each)  # another process
    assert content.identity(path, shared) == wanted
    content.identity(small, shared)
    assert hashed == [path, small, small]
    (note,) = (found for found in shared.rglob("*") if found.is_file())
    note.write_bytes(note.read_bytes()[:-9])
    content.forget(path)
    assert content.identity(path, shared) == wanted
    assert hashed[-1] == path
