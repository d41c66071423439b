"""Images that are written into records as text: found where they are, whatever packs and quotes them."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest.reading import documents, read_all, rejected
from making import png

from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import ConversationsSource, HubSource, Mmc4Source, ObelicsSource
from leafinstruct.ingest.readers import conversations, hub, mmc4, obelics
from leafinstruct.records.document import Ref

ONE, TWO = png(dot=3), png(dot=9, size=(96, 70))
URL = "data:image/png;base64,"
STEP = [{"text": "text"}, {"image": "image"}]


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def written(folder: Path, name: str, *lines: str) -> Path:
    data = "".join(f"{line}\n" for line in lines).encode()
    if name.endswith(".zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("a.jsonl", data)
    else:
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def images(path: Path, segments: Any = STEP, **keys: Any) -> list[bytes]:
    """The bytes of all images of a table, as a build reads them."""
    source = HubSource(name="t", path=str(path), segments=segments, **keys)
    return bytes_of(read_all(hub, source, cache(path)), path.parent)


def bytes_of(items: list[Any], root: Path) -> list[bytes]:
    refs = [image.ref for item in documents(items) for image in item.images]
    assert [Ref.of(str(ref)) for ref in refs] == refs
    found = [fetch(ref, root) for ref in refs]
    assert all(isinstance(data, bytes) for data in found), (found, rejected(items))
    return found


def cache(path: Path) -> Path:
    made = path.parent / ".cache"
    made.mkdir(exist_ok=True)
    return made


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: URL + text,
        lambda text: text,
        lambda text: "data:;base64," + text,
        lambda text: {"bytes": text, "path": None},
        lambda text: {"path": URL + text},
        lambda text: "\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
    ],
    ids=["data", "base64", "no type", "bytes", "path", "lines"],
)
def test_an_image_in_a_line_of_json_is_read(tmp_path, name, wrap):
    lines = [
        json.dumps({"text": "Käse", "image": wrap(text_of(data))}, ensure_ascii=False) for data in (ONE, TWO)
    ]
    assert images(written(tmp_path, name, *lines)) == [ONE, TWO]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_escapes_of_other_writers_are_read(tmp_path, name):
    """PHP escapes slashes, Gson signs of HTML."""
    plain = json.dumps({"text": "x", "image": URL + text_of(ONE)})
    php = plain.replace("/", "\\/")
    gson = plain.replace("=", "\\u003d").replace("+", "\\u002b")
    assert images(written(tmp_path, name, php, gson)) == [ONE, ONE]


def test_many_images_of_a_line_keep_their_order(tmp_path):
    rows = [
        json.dumps({"text": "x", "image": [URL + text_of(TWO), URL + text_of(ONE), URL + text_of(TWO)]})
    ] * 3
    for name in ("a.jsonl", "a.jsonl.gz"):
        assert images(written(tmp_path, name, *rows)) == [TWO, ONE, TWO] * 3


@pytest.mark.parametrize("url", [URL + text_of(ONE), text_of(ONE)])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_chat_messages_may_contain_their_images(tmp_path, url, name):
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "A leaf."}]
    path = written(tmp_path, name, json.dumps({"messages": messages}))
    items = read_all(conversations, ConversationsSource(name="c", path=str(path)), cache(path))
    assert bytes_of(items, tmp_path) == [ONE]
    table = [{"conversation": "messages"}]
    assert images(path, table) == [ONE]


@pytest.mark.parametrize(("name", "hint"), [("a.jsonl.zip", "unzip"), ("a.json", "one record per line")])
def test_an_image_without_a_range_is_a_reason_with_a_hint(tmp_path, name, hint):
    record = {"image": URL + text_of(ONE), "conversations": [
        {"from": "human", "value": "<image> What?"}, {"from": "gpt", "value": "A leaf."}]}  # fmt: skip
    path = written(tmp_path, name, json.dumps([record] if name == "a.json" else record))
    items = read_all(conversations, ConversationsSource(name="c", path=str(path)), cache(path))
    assert [reason for _, reason, _ in rejected(items)] == ["data_uri"]
    assert hint in items[0].detail


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("data:text/plain,hello", "bad_reference"),
        ("data:,x", "bad_reference"),
        ("/9j/", "unsafe_path"),
        ("iVBORw0KGgo", ["iVBORw0KGgo"]),
        ("R0lGODlh.png", ["R0lGODlh.png"]),
        ("iVBORw0KGgo" + "a" * 90 + ".png", ["iVBORw0KGgo" + "a" * 90 + ".png"]),
    ],
)
def test_what_is_no_image_keeps_its_reason(tmp_path, value, expected):
    path = written(tmp_path, "a.jsonl", json.dumps({"text": "x", "image": value}))
    source = HubSource(name="t", path=str(path), segments=STEP)
    items = read_all(hub, source, cache(path))
    refs = [str(image.ref) for item in documents(items) for image in item.images]
    lost = [reason for _, reason, _ in rejected(items)]
    assert (lost, refs) == (([expected], []) if isinstance(expected, str) else ([], expected))


def test_text_columns_of_parquet_may_contain_images(tmp_path):
    rows = {
        "text": ["x", "y", "z"],
        "image": [URL + text_of(ONE), text_of(TWO), "c.png"],
        "many": [[text_of(TWO), URL + text_of(ONE)], [], None],
        "info": [{"img": URL + text_of(ONE)}, None, {"img": None}],
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    (tmp_path / "c.png").write_bytes(TWO)
    mapping = [*STEP, {"image": "many"}, {"image": "info.img"}]
    assert images(tmp_path / "a.parquet", mapping) == [ONE, TWO, ONE, ONE, TWO, TWO]


def test_obelics_may_contain_images(tmp_path):
    rows = {"texts": [["Fold it.", None]], "images": [[None, URL + text_of(ONE)]]}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    source = ObelicsSource(name="o", path=str(tmp_path / "a.parquet"))
    assert bytes_of(read_all(obelics, source, cache(tmp_path / "a.parquet")), tmp_path) == [ONE]


def test_json_members_of_a_tar_name_or_contain_images(tmp_path):
    record = {"images": ["7.cover.png", URL + text_of(TWO), "http://e.org/a.png"], "text": "x"}
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, data in (("7.cover.png", ONE), ("7.json", json.dumps(record).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    source = HubSource(
        name="t", path=str(tmp_path / "a.tar"), segments=[{"text": "json.text"}, {"image": "json.images"}]
    )
    (document,) = read_all(hub, source, cache(tmp_path / "a.tar"))
    assert [image.url for image in document.images] == [None, None, "http://e.org/a.png"]
    assert [fetch(image.ref, tmp_path) for image in document.images[:2]] == [ONE, TWO]


def test_columns_may_have_dots_in_their_names(tmp_path):
    rows = {"text.en": ["x"], "image.raw": [ONE], "image.many": [[{"bytes": TWO, "path": None}]]}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    mapping = [{"text": "text.en"}, {"image": "image.raw"}, {"image": "image.many"}]
    assert images(tmp_path / "a.parquet", mapping) == [ONE, TWO]
    row = {"text.en": "x", "meta": {"image.raw": URL + text_of(ONE)}, "a.b": {"c": text_of(TWO)}}
    mapping = [{"text": "text.en"}, {"image": "meta.image.raw"}, {"image": "a.b.c"}]
    assert images(written(tmp_path, "b.jsonl", json.dumps(row)), mapping) == [ONE, TWO]


@pytest.mark.parametrize("index", [1, 1.0, "1", "1.0", " 1 "])
def test_a_whole_number_of_mmc4_may_be_written_otherwise(tmp_path, index):
    entry = {"raw_url": "http://e.org/a.jpg", "matched_text_index": index}
    path = written(tmp_path, "a.jsonl", json.dumps({"text_list": ["Cut.", "Fold."], "image_info": [entry]}))
    (document,) = read_all(mmc4, Mmc4Source(name="m", path=str(path)), cache(path))
    assert [type(item).__name__ for item in document.segments] == ["Text", "ImageRef", "Text"]


@pytest.mark.parametrize(
    "index", [1.5, "one", "1e0", True, None, "", float("nan"), float("inf"), "-1", "9" * 30]
)
def test_other_values_stay_a_reason(tmp_path, index):
    entry = {"raw_url": "http://e.org/a.jpg", "matched_text_index": index}
    path = written(tmp_path, "a.jsonl", json.dumps({"text_list": ["Cut.", "Fold."], "image_info": [entry]}))
    items = read_all(mmc4, Mmc4Source(name="m", path=str(path)), cache(path))
    assert [reason for _, reason, _ in rejected(items)] == ["no_text_index"]
