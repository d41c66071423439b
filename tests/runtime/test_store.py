"""Stores: whole puts, ranges of one state, listings; what a bucket answers when it limits, refuses or breaks
off."""

from __future__ import annotations

import gc
import hashlib
import pickle
from pathlib import Path

import pytest
from s3 import SECRET, refusing, serving

from leafinstruct.errors import SourceError
from leafinstruct.ingest.files import exists
from leafinstruct.runtime.store import bucket, opened
from leafinstruct.runtime.store.disk import Folder
from leafinstruct.runtime.store.path import ObjectPath, located, relative_root, root_at


@pytest.fixture
def s3(monkeypatch):
    with serving(monkeypatch, retries=2) as server:
        yield server


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_of(folder: Path, data: bytes) -> Path:
    path = folder / "local.bin"
    path.write_bytes(data)
    return path


def content(size: int) -> bytes:
    """Bytes of which no two ranges are equal."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_a_store_keeps_whole_objects(place, s3, tmp_path):
    store = Folder(tmp_path / "store") if place == "disk" else opened.target_of("s3://crawl/x")[0]
    one, other = b"one", content(5_000)
    store.put("a/b.bin", file_of(tmp_path, one), sha256(one))
    store.put("a/b.bin", file_of(tmp_path, other), sha256(other))
    assert store.create("a/c.bin", file_of(tmp_path, one), sha256(one))
    assert not store.create("a/c.bin", file_of(tmp_path, other), sha256(other))
    head = store.head("a/b.bin")
    assert head.size == 5_000
    assert store.get("a/b.bin", 10, 4_000, head) == other[10:4_000]
    assert store.get("a/b.bin", 0, 0, head) == b""
    assert [(key, found.size) for key, found in sorted(store.list("a"))] == [
        ("a/b.bin", 5_000),
        ("a/c.bin", 3),
    ]
    assert dict(store.list("a"))["a/b.bin"] == head
    assert list(store.list("b")) == []
    assert (store.sha256("a/b.bin"), store.sha256("a/none")) == (sha256(other), None)
    store.put("a/b.bin", file_of(tmp_path, one), sha256(one))
    with pytest.raises(SourceError, match=r"a/b\.bin: changed while it was read; run the same command again"):
        store.get("a/b.bin", 0, 2, head)
    store.delete("a/b.bin")
    store.delete("a/b.bin")
    with pytest.raises(FileNotFoundError):
        store.head("a/b.bin")
    assert [key for key, _ in store.list("")] == ["a/c.bin"]


def test_a_folder_refuses_other_bytes_and_names_that_lead_out(tmp_path):
    store = Folder(tmp_path / "store")
    with pytest.raises(SourceError, match="its sha256 is not 00, which was recorded"):
        store.put("a", file_of(tmp_path, b"x"), "00")
    assert list(store.list("")) == []
    with pytest.raises(SourceError, match="leads out of it"):
        store.put("../a", file_of(tmp_path, b"x"), sha256(b"x"))


def test_a_large_object_is_sent_in_parts_and_appears_whole(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(bucket, "CHUNK", 5 << 20)  # the smallest that S3 takes
    data = content((5 << 20) + 1_000)
    store = opened.target_of("s3://crawl")[0]
    store.put("big.bin", file_of(tmp_path, data), sha256(data))
    assert s3.data("big.bin") == data
    assert store.sha256("big.bin") == sha256(data)
    assert sum(method == "PUT" and path.endswith("big.bin") for method, path, _ in s3.requests) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [("503 Slow Down", "SlowDown"), ("429 Too Many Requests", ""), ("500 Internal", "InternalError")],
)
def test_limits_and_failures_are_waited_out(status, code, s3):
    s3.put("a.txt", b"text")
    for method in ("GET", "HEAD"):
        s3.fault = refusing(status, code, times=2, method=method)
        opened.close()
        assert ObjectPath("s3://crawl/a.txt").read_text() == "text"
    s3.fault = refusing(status, code, times=2)
    assert [name for name, _ in ObjectPath("s3://crawl").files()] == ["a.txt"]


def test_a_bucket_that_still_limits_is_an_error_of_one_line(s3):
    s3.put("a.txt", b"text")
    s3.fault = refusing("503 Slow Down", "SlowDown")
    with pytest.raises(SourceError) as error:
        ObjectPath("s3://crawl/a.txt").read_bytes()
    assert str(error.value).startswith("s3://crawl/a.txt: 503; the bucket still limits requests;")
    s3.fault = None
    assert ObjectPath("s3://crawl/a.txt").read_bytes() == b"text"


def test_a_cut_body_is_continued(s3):
    data = content(3 << 20)
    s3.put("a.bin", data)
    cuts = [2]

    def cut(environ, start):
        if environ["REQUEST_METHOD"] != "GET" or not cuts[0]:
            return None
        cuts[0] -= 1
        heads = []
        body = b"".join(s3.forward(environ, lambda *head: heads.append(head)))
        start(*heads[0])
        return [body[: len(body) // 2]]

    s3.fault = cut
    assert ObjectPath("s3://crawl/a.bin").read_bytes() == data
    assert cuts == [0]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ("403 Forbidden", "AccessDenied", "403 AccessDenied; check the credentials and their rights"),
        ("403 Forbidden", "SignatureDoesNotMatch", "403 SignatureDoesNotMatch; check the credentials"),
        ("401 Unauthorized", "", "401; check the credentials"),
        ("301 Moved", "PermanentRedirect", "301; the bucket is in another region; set AWS_REGION"),
        (
            "404 Not Found",
            "NoSuchBucket",
            "404 NoSuchBucket; check the name of the bucket, and AWS_ENDPOINT_URL",
        ),
    ],
)
def test_a_refusal_names_bucket_reason_and_hint_and_no_credentials(status, code, message, s3):
    s3.fault = refusing(status, code)
    with pytest.raises(SourceError) as error:
        list(ObjectPath("s3://crawl/pages").files())
    assert str(error.value).startswith(f"s3://crawl/pages: {message}")
    assert SECRET not in repr(error.value) + repr(error.value.__cause__) + repr(opened.store_of("s3://crawl"))


def test_a_bucket_that_does_not_exist(s3):
    with pytest.raises(SourceError, match="s3://none/a: 404 NoSuchBucket; check the name of the bucket"):
        ObjectPath("s3://none/a").is_dir()


def test_a_server_that_does_not_answer(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    opened.close()
    with pytest.raises(
        SourceError, match="the store does not answer; check the network and AWS_ENDPOINT_URL"
    ):
        ObjectPath("s3://crawl/a").is_file()


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    opened.close()
    with pytest.raises(SourceError, match=r"pip install 'leafinstruct\[buckets\]'"):
        ObjectPath("s3://crawl/a").is_file()


@pytest.mark.parametrize("key", ["pages/../../etc/passwd", "pages//a.html", "pages/./a.html"])
def test_a_hostile_key_is_refused_and_not_printed_raw(key, s3):
    s3.put("pages/a.html", b"x")
    s3.put(key, b"x")
    with pytest.raises(SourceError, match="a key that is no plain path") as error:
        list(ObjectPath("s3://crawl/pages").files())
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["a\x7f.png", "a\x00.png", "x/../../y", "\ud800.png", "é" * 600])
def test_a_hostile_name_is_no_object_and_an_outage_is_no_answer(name, s3):
    store, _ = opened.store_of("s3://crawl/x")
    with pytest.raises(FileNotFoundError):
        store.head(name)
    assert not exists(ObjectPath("s3://crawl"), name)
    s3.fault = refusing("503 Slow Down", "SlowDown")
    with pytest.raises(SourceError, match="503"):
        exists(ObjectPath("s3://crawl"), "a.png")


def test_keys_are_taken_as_they_are(s3):
    names = ["a b#c%25[1]é?.txt", "*.txt", "x/{y}.txt"]
    for name in names:
        s3.put(f"odd/{name}", name.encode())

    folder = ObjectPath("s3://crawl/odd")
    assert {name: (folder / name).read_text() for name, _ in folder.files()} == dict(
        zip(names, names, strict=True)
    )


def test_a_file_is_read_by_blocks_and_ahead(s3, monkeypatch):
    monkeypatch.setattr(opened, "BLOCK", 4096)
    data = content(40 * opened.BLOCK + 77)
    s3.put("a.bin", data)
    path = ObjectPath("s3://crawl/a.bin")
    with path.open("rb") as stream:
        assert stream.seek(-77, 2) == 40 * opened.BLOCK
        assert stream.read() == data[-77:]
        assert stream.read(5) == b""
    place = 9 * opened.BLOCK - 10  # over an edge of two blocks
    with path.open("rb", buffering=0) as raw:
        raw.seek(place)
        assert raw.read(20) == data[place : place + 20]
    s3.requests.clear()
    opened.close()
    with path.open("rb") as stream:
        assert stream.read() == data
    sizes = [1, 2, 4, 8, 16, 10]  # blocks
    ranges = [item[2] for item in s3.requests if item[0] == "GET"]
    assert len(ranges) == len(sizes)
    assert ranges[:3] == ["bytes=0-4095", "bytes=4096-12287", "bytes=12288-28671"]
    s3.requests.clear()
    with path.open("rb") as stream:  # the last blocks are kept
        stream.seek(20 * opened.BLOCK)
        assert stream.read(10) == data[20 * opened.BLOCK :][:10]
    assert s3.requests == []


def test_a_changed_object_is_noticed_and_never_mixed(s3):
    data = content(4 * opened.BLOCK)
    s3.put("a.bin", data)
    path = ObjectPath("s3://crawl/a.bin")
    with path.open("rb") as stream:
        stream.read(10)
        s3.put("a.bin", bytes(len(data)))
        with pytest.raises(SourceError, match=r"s3://crawl/a\.bin: changed while it was read"):
            stream.read()
    assert path.read_bytes() == bytes(len(data))


def test_a_planned_state_holds_in_another_process(s3):
    s3.put("a.bin", b"old")
    head = ObjectPath("s3://crawl/a.bin").head
    s3.put("a.bin", b"new")
    opened.close()
    opened.remember([("s3://crawl/a.bin", head)])
    with pytest.raises(SourceError, match="changed while it was read"):
        ObjectPath("s3://crawl/a.bin").read_bytes()


def test_paths_of_objects_behave_like_paths():
    path = located("s3://bucket/a/b.warc.gz")
    assert isinstance(path, ObjectPath)
    assert (str(path), path.name, str(path.parent), path.suffix) == (
        "s3://bucket/a/b.warc.gz",
        "b.warc.gz",
        "s3://bucket/a",
        ".gz",
    )
    assert path.relative_to(ObjectPath("s3://bucket")).as_posix() == "a/b.warc.gz"
    for name in ("hf/x.jsonl", "s3/y/z.jsonl", "gs/a"):  # folders with the name of a scheme
        inside = ObjectPath("s3://bucket/data") / name
        assert inside.relative_to(ObjectPath("s3://bucket/data")).as_posix() == name
    assert pickle.loads(pickle.dumps(path)) == path
    assert hash(ObjectPath("s3://bucket/a")) == hash(path.parent)
    assert str((path.parent / "../../../etc").resolve()) == "s3:/../etc" or not (
        (path.parent / "../../../etc").resolve().is_relative_to(path.parent)
    )
    assert not (path.parent / "../x").resolve().is_relative_to(path.parent)
    assert not (path.parent / "/etc/passwd").resolve().is_relative_to(path.parent)
    with pytest.raises(SourceError, match="only files on a disk can be read in this way"):
        open(path)  # noqa: PTH123, SIM115
    with pytest.raises(SourceError, match="builds only read buckets"):
        path.write_text("x")


def test_the_root_of_a_source_is_recorded_relative_on_a_disk_and_whole_in_a_store(tmp_path):
    assert relative_root(tmp_path / "data", tmp_path / "runs") == "../data"
    assert root_at(tmp_path / "runs", "../data").resolve() == (tmp_path / "data").resolve()
    assert relative_root(ObjectPath("s3://b/x"), tmp_path) == "s3://b/x"
    assert root_at(tmp_path, "s3://b/x") == ObjectPath("s3://b/x")


def test_globs_stay_within_a_folder_unless_they_have_two_stars(s3):
    for key in ("a.html", "x/b.html", "x/y/c.html", "x/d.txt"):
        s3.put(f"p/{key}", b"")
    base = ObjectPath("s3://crawl/p")

    def found(pattern: str) -> list[str]:
        return [path.relative_to(base).as_posix() for path in base.glob(pattern)]

    assert found("*.html") == ["a.html"]
    assert found("**/*.html") == ["a.html", "x/b.html", "x/y/c.html"]
    assert found("x/*") == ["x/b.html", "x/d.txt"]
    assert found("[ax]/?.html") == ["x/b.html"]
    assert found("x?b.html") == found("x[!a]b.html") == found("**.html/*") == []
    assert found("**/y/*.html") == found("x/**/c.html") == ["x/y/c.html"]
    gc.collect()  # no connection is left to warn about
