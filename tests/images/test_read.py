"""References to bytes: what is read, what is refused, and that a page cannot reach a file outside its
source."""

from __future__ import annotations

import gzip
import os
import tracemalloc

import pytest
from ingest.reading import archive, record

from leafinstruct.images import read
from leafinstruct.images.archive import RecordError, response
from leafinstruct.images.read import Unreadable, fetch
from leafinstruct.records.document import Ref

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "source"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "x.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "up").symlink_to(tmp_path)
    (folder / "in.png").symlink_to("a/x.png")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    return folder


@pytest.mark.parametrize("file", ["a/x.png", "in.png", "./a/../a/x.png"])
def test_a_file_below_the_root_is_read(root, file):
    assert fetch(Ref(file=file), root) == PNG


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("a/gone.png", "missing"),
        ("../secret.png", "unsafe_path"),
        ("a/../../secret.png", "unsafe_path"),
        ("/etc/passwd", "unsafe_path"),
        ("out.png", "unsafe_path"),
        ("up/secret.png", "unsafe_path"),
        ("a\0.png", "unsafe_path"),
        ("a", "not_a_file"),
        ("pipe.png", "not_a_file"),
        ("x" * 5000, "missing"),
    ],
)
def test_what_cannot_be_read_has_one_reason_that_no_retry_changes(root, file, reason):
    found = fetch(Ref(file=file), root)
    assert (found.reason, found.retryable) == (reason, False)
    assert "secret" not in found.detail or "secret" in file


def test_links_in_a_circle_lead_nowhere(root):
    """Python 3.11 raises, 3.13 finds no file."""
    assert fetch(Ref(file="loop.png"), root).reason in {"unsafe_path", "missing"}


def test_a_root_that_is_itself_a_link_is_no_escape(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert fetch(Ref(file="a/x.png"), tmp_path / "link") == PNG


def test_a_file_above_the_limit_is_refused(root, monkeypatch):
    monkeypatch.setattr(read, "MAX_BYTES", len(PNG))
    assert fetch(Ref(file="a/x.png"), root) == PNG
    monkeypatch.setattr(read, "MAX_BYTES", len(PNG) - 1)
    assert fetch(Ref(file="a/x.png"), root).reason == "too_large"


def test_a_url_is_not_fetched_here_and_the_hint_is_given(root):
    found = fetch(Ref(url="http://a.example/x.png"), root)
    assert found.reason == "url_not_fetched"
    assert "filter.images.fetch" in found.detail


def test_a_failing_disk_is_worth_another_try(root, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(read, "_whole", fail)
    assert fetch(Ref(file="a/x.png"), root) == Unreadable(
        "unreadable", "a/x.png: Input/output error", retryable=True
    )


@pytest.fixture
def packed(tmp_path):
    """An archive, and the range of each record in it."""
    records = [
        record("http://a.example/x.png", PNG, headers="Content-Type: image/png"),
        record(
            "http://a.example/x.png",
            gzip.compress(PNG),
            headers="Content-Type: image/png\r\nContent-Encoding: gzip",
        ),
        record("http://a.example/", b"", kind="request"),
    ]
    path = archive(tmp_path / "a.warc.gz", *records)
    sizes = [len(gzip.compress(item, mtime=0)) for item in records]
    return path, [(sum(sizes[:n]), size) for n, size in enumerate(sizes)]


def test_a_range_is_read_and_decoded(packed):
    path, ((offset, length), second, _) = packed
    assert fetch(Ref(file=path.name, offset=offset, length=length), path.parent) == PNG
    assert fetch(Ref(file=path.name, offset=second[0], length=second[1]), path.parent) == PNG


def test_a_range_that_is_no_response_has_a_reason(packed):
    path, ((_, length), _, (offset, size)) = packed

    def reason(start: int, count: int) -> str:
        return fetch(Ref(file=path.name, offset=start, length=count), path.parent).reason

    assert reason(offset, size) == "not_in_archive"
    assert reason(3, length) == "not_in_archive"
    assert reason(offset, size + 1) == "truncated"
    assert reason(0, read.MAX_RANGE + 1) == "too_large"
    assert reason(0, 0) == "not_in_archive"


def test_only_the_range_is_read(tmp_path):
    """A record in the middle of a sparse file of 8 GB costs its own length."""
    data = record("http://a.example/x.png", PNG, headers="Content-Type: image/png")
    with (tmp_path / "big.warc").open("wb") as file:
        file.seek(4 << 30)
        file.write(data)
        file.truncate(8 << 30)
    tracemalloc.start()
    try:
        assert fetch(Ref(file="big.warc", offset=4 << 30, length=len(data)), tmp_path) == PNG
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_body_that_unpacks_without_end_stops_at_the_limit(tmp_path):
    bomb = gzip.compress(b"\0" * (200 << 20), 1)
    data = record("http://a.example/x.png", bomb, headers="Content-Type: image/png\r\nContent-Encoding: gzip")
    with pytest.raises(RecordError) as raised:
        response(data, 1 << 20)
    assert raised.value.reason == "too_large"
    path = archive(tmp_path / "a.warc", data)
    assert fetch(Ref(file=path.name, offset=0, length=len(data)), tmp_path).reason == "too_large"
