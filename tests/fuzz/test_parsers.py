"""Whatever the bytes are: every parser ends, in time and within memory, with documents and reasons and
without an exception.

Each parser is given mutations of a sound file, since random bytes alone never get past the first check. Short
here; `--hypothesis-profile` and the slow test at the end go further.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images.videos import shade, write_video
from ingest.reading import archive, record
from making import png

from leafinstruct.errors import LeafInstructError
from leafinstruct.images import containers
from leafinstruct.images.decode import decode, probe
from leafinstruct.images.video import frames
from leafinstruct.ingest.config import (
    ConversationsSource,
    HtmlSource,
    HubSource,
    Mint1tSource,
    Mmc4Source,
    ObelicsSource,
    VideoSource,
    VistSource,
    WarcSource,
    YouCook2Source,
)
from leafinstruct.ingest.readers import (
    conversations,
    html,
    hub,
    mint1t,
    mmc4,
    obelics,
    video,
    vist,
    warc,
    youcook2,
)
from leafinstruct.ingest.video import subtitles
from leafinstruct.records.document import Document, Frame, Rejected

PER_CASE = 10.0
"""Seconds of CPU that no input may take; not of the clock, which a busy machine stretches."""


def mutated(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The data with ranges replaced: (start, length, replacement), taken modulo its length."""
    out = bytearray(data)
    for start, length, new in cuts:
        at = start % (len(out) + 1)
        out[at : at + length] = new
    return bytes(out)


WILD = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"",
            b"\0" * 40,
            b"\xff\xff\xff\xff",
            b"[" * 300,
            b"{" * 300,
            b"<div>" * 200,
            b"1e999999",
            b"9" * 5000,
            b"\r\n\r\n",
            b"null",
            b'"',
            b"<image>",
            b"\\ud800",
        ]
    ),
)
CUTS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 60), WILD), min_size=1, max_size=5)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sound(kind: str, folder: Path) -> tuple[str, bytes]:
    """Name and bytes of a sound file of a kind."""
    steps = [{"from": "human", "value": "look <image>"}, {"from": "gpt", "value": "an image"}]
    if kind == "mmc4":
        line = {
            "url": "http://a.org",
            "text_list": ["One.", "Two."],
            "image_info": [{"image_name": "a.png", "matched_text_index": 1}],
        }
        return "a.jsonl", b"\n".join([json.dumps(line).encode()] * 3)
    if kind == "html":
        head = b"<html><head><meta charset=utf-8><base href='/x/'></head><body><main><h1>T</h1>"
        body = b"<p>text <b>of</b><img srcset='a.png 2x, b.png' src=c.png></p><table><tr><td>1<td>2</table><pre>code</pre></main></body></html>"  # noqa: E501
        return "a.html", head + body
    if kind == "warc":
        page = record("http://a.org/", b"<main><p>text<img src=0.png></main>")
        path = archive(
            folder / "sound.warc",
            page,
            record("http://a.org/0.png", png(), headers="Content-Type: image/png"),
        )
        return "a.warc", path.read_bytes()
    if kind == "conversations":
        return "a.json", json.dumps([{"image": ["a.png"], "conversations": steps}] * 3).encode()
    if kind == "vist":
        pieces = [
            [
                {
                    "story_id": "1",
                    "photo_flickr_id": str(n),
                    "worker_arranged_photo_order": n,
                    "original_text": "t",
                }
            ]
            for n in range(3)
        ]
        return "a.json", json.dumps(
            {"images": [{"id": str(n), "url_o": "http://a/b.jpg"} for n in range(3)], "annotations": pieces}
        ).encode()
    if kind == "youcook2":
        entry = {
            "duration": 9,
            "annotations": [{"segment": [0, 1], "id": 0, "sentence": "stir"}],
            "video_url": "http://a",
        }
        return "annotations.json", json.dumps({"database": {"a": entry}}).encode()
    if kind == "csv":
        return "a.csv", b'txt,png\n"one, two",a.png\n"line\nline","[""b.png""]"\n' * 2
    if kind in ("tar", "mint1t"):
        buffer = io.BytesIO()
        paper = {"texts": ["One.", None], "images": [None, "page_1_image_2"]}
        paper["image_metadata"] = [{"page": 1, "xref": 2}]
        members = [("1.png", png()), ("1.txt", b"text"), ("2.txt", b"more")]
        if kind == "mint1t":
            members = [("1.json", json.dumps(paper).encode()), ("1.tiff", b"II*\0"), ("2.json", b"{}")]
        with tarfile.open(fileobj=buffer, mode="w") as out:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))
        return "a.tar", buffer.getvalue()
    if kind in ("jsonl", "turns"):
        part = {"type": "image", "index": 0, "image": None, "text": None}
        said = [
            {"role": "user", "content": [part, {**part, "type": "text", "text": "q"}]},
            {"role": "assistant", "content": [part]},
        ]
        facts = [{"url": "http://a.org/a.png", "license": "CC0-1.0", "time": 1.5, "alt": "a"}]
        row = {
            "steps": [{"text": "One.", "shot": "a.png"}],
            "messages": said,
            "images": ["a.png"],
            "info": facts,
        }
        if kind == "jsonl":
            return "a.jsonl", b"\n".join([json.dumps(row).encode()] * 3)
        packed = io.BytesIO()
        pq.write_table(
            pa.Table.from_pylist([{**row, "images": [{"bytes": png(), "path": "a.png"}]}] * 9),
            packed,
            row_group_size=4,
        )
        return "a.parquet", packed.getvalue()
    buffer = io.BytesIO()
    if kind == "obelics":
        rows = [
            {
                "images": [None, "a.png"],
                "texts": ["t", None],
                "metadata": "[null, {}]",
                "general_metadata": "{}",
            }
        ] * 20
    else:
        rows = [{"png": png(), "txt": "text"}] * 20
    pq.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=5)
    return "a.parquet", buffer.getvalue()


COLUMNS = [{"text": "txt"}, {"image": "png"}]
FACTS = {key: f"info.{key}" for key in ("url", "license", "time", "alt")}
RICH = [
    {"interleave": [{"text": "steps.text"}, {"image": "steps.shot"}]},
    {"conversation": "messages", "images": "images", **FACTS},
]
READERS: dict[str, tuple[ModuleType, Callable[[Path], Any]]] = {
    "mmc4": (mmc4, lambda path: Mmc4Source(name="f", path=str(path))),
    "html": (html, lambda path: HtmlSource(name="f", path=str(path))),
    "warc": (warc, lambda path: WarcSource(name="f", path=str(path), crawl=True)),
    "conversations": (conversations, lambda path: ConversationsSource(name="f", path=str(path))),
    "vist": (vist, lambda path: VistSource(name="f", path=str(path))),
    "youcook2": (youcook2, lambda path: YouCook2Source(name="f", path=str(path), videos=str(path.parent))),
    "obelics": (obelics, lambda path: ObelicsSource(name="f", path=str(path))),
    "mint1t": (mint1t, lambda path: Mint1tSource(name="f", path=str(path))),
    "csv": (hub, lambda path: HubSource(name="f", path=str(path), segments=COLUMNS)),
    "tar": (hub, lambda path: HubSource(name="f", path=str(path), segments=COLUMNS)),
    "parquet": (hub, lambda path: HubSource(name="f", path=str(path), segments=COLUMNS)),
    "jsonl": (
        hub,
        lambda path: HubSource(
            name="f", path=str(path), segments=RICH, url_column="url", license_column="terms"
        ),
    ),
    "turns": (hub, lambda path: HubSource(name="f", path=str(path), segments=RICH)),
}


@pytest.mark.parametrize("kind", READERS)
@FEW
@given(cuts=CUTS)
def test_a_reader_gives_documents_and_reasons_or_says_in_one_line_what_is_wrong(kind, cuts, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind)
    if kind == "youcook2":
        (folder / "a.mp4").write_bytes(b"no video")
    name, data = sound(kind, folder)
    path = folder / name
    path.write_bytes(mutated(data, cuts))
    module, source_of = READERS[kind]
    source, started = source_of(path), time.process_time()
    try:
        items = [
            item
            for span in module.plan(source, 2, folder / "cache")
            for item in module.read(source, span, folder / "cache")
        ]
    except LeafInstructError as error:
        items, said = [], str(error)
    else:
        said = ""
    assert len(said.splitlines()) <= 1
    assert time.process_time() - started < PER_CASE
    for item in items:
        assert isinstance(item, (Document, Rejected))
        if isinstance(item, Rejected):
            assert item.reason.replace("_", "").isalnum()
            assert len(item.detail) < 1000
        else:
            assert [segment.position for segment in item.segments] == list(range(len(item.segments)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return folder, write_video(
        folder / "a.mp4", [shade((index * 8, 30, 30), index) for index in range(20)], gop=5
    ).read_bytes()


@FEW
@given(cuts=CUTS)
def test_videos(cuts, made, tmp_path_factory):
    folder, data = made
    path = folder / "wild.mp4"
    path.write_bytes(mutated(data, cuts))
    (folder / "wild.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nText\n")
    started = time.process_time()
    list(frames.choose(path, [(0.0, 1.0), (1.0, 2.0)], 2))
    frames.frame(path, 0.4)
    source = VideoSource(name="f", path=str(path))
    assert all(
        isinstance(item, (Document, Frame, Rejected))
        for span in video.plan(source, 9, folder)
        for item in video.read(source, span, folder)
    )
    assert time.process_time() - started < PER_CASE


@FEW
@given(cuts=CUTS, name=st.sampled_from(["a.vtt", "a.srt"]))
def test_subtitles(cuts, name, tmp_path_factory):
    path = tmp_path_factory.mktemp("said") / name
    text = (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.000\nOne <c>two</c>\n\n2\n00:00:01.000 --> "
        "00:00:02.000\nOne two\nthree\n"
    )
    path.write_bytes(mutated(text.encode(), cuts))
    cues, _ = subtitles.cues(path)
    assert all(cue.end > cue.start and cue.text for cue in cues)
    assert all(later.start >= earlier.start for earlier, later in pairwise(cues))


IMAGES = {}
for _kind, _options in {
    "PNG": {},
    "JPEG": {},
    "GIF": {},
    "WEBP": {},
    "BMP": {},
    "TIFF": {},
    "AVIF": {},
}.items():
    _buffer = io.BytesIO()
    shade((200, 30, 30), 20).save(_buffer, _kind, **_options)
    IMAGES[_kind] = _buffer.getvalue()


@pytest.mark.parametrize("kind", IMAGES)
@FEW
@given(cuts=CUTS)
def test_images(kind, cuts):
    data = mutated(IMAGES[kind], cuts)
    started = time.process_time()
    probe(data)
    found = decode(data, 64)
    assert time.process_time() - started < PER_CASE
    assert max(getattr(found, "size", (1, 1))) <= 64


@FEW
@given(
    cuts=CUTS,
    member=st.one_of(
        st.text(max_size=30), st.from_regex(r"row=\d{1,3},column=(png|txt)(,item=\d)?", fullmatch=True)
    ),
)
def test_cells(cuts, member, tmp_path_factory):
    path = tmp_path_factory.mktemp("cell") / "a.parquet"
    path.write_bytes(mutated(sound("parquet", path.parent)[1], cuts))
    found = containers.cell(path, member)
    assert isinstance(found, bytes) or found.reason in {
        "missing_cell",
        "not_an_image_value",
        "too_large",
        "truncated",
    }


BOMBS = {
    "a line of ten million characters": (
        "mmc4",
        b'{"text_list": ["' + b"a" * 10_000_000 + b'"], "image_info": []}',
    ),
    "a nested JSON line": ("mmc4", b"[" * 5_000_000),
    "a line of ten million lists": ("mmc4", b'{"text_list": ["a"], "x": [' + b"[]," * 10_000_000 + b"[]]}"),
    "a list of ten million lists": ("conversations", b'[{"image": [' + b"[]," * 10_000_000 + b"[]]}]"),
    "a line of seven million numbers": (
        "mmc4",
        b'{"text_list": ["a"], "similarity_matrix": [' + b"1.5," * 7_000_000 + b"1]}",
    ),
    "a nested JSON list": ("conversations", b"[" * 5_000_000),
    "a wide number": ("conversations", b"[" + b"9" * 5_000_000 + b"]"),
    "nested annotations": ("vist", b'{"annotations": ' + b"[" * 5_000_000),
    "a nested page": ("html", b"<div>" * 1_000_000),
    "a page of one line": ("html", b"<p>" + b"word " * 2_000_000),
    "mixed encodings": (
        "mmc4",
        '{"text_list": ["ä"], "image_info": []}\n'.encode()
        + '{"text_list": ["ä"], "image_info": []}'.encode("cp1252"),
    ),
}

CHILD = """
import sys, time
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from fuzz.test_parsers import READERS
from leafinstruct.errors import LeafInstructError
module, source_of = READERS[sys.argv[2]]
path = Path(sys.argv[3])
def most():  # of this process alone: ru_maxrss begins with what its parent took
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = most()
started = time.process_time()
try:
    source = source_of(path)
    items = [item for span in module.plan(source, 500, path.parent / "cache") for item in module.read(source, span, path.parent / "cache")]
except LeafInstructError:
    items = []
print(time.process_time() - started, (most() - before) / 1024, len(items))
"""  # noqa: E501


def bomb_of_parquet() -> bytes:
    """Forty rows of 20 MB each in some 30 kB."""
    texts = pa.array([["a" * (20 << 20)] for _ in range(40)])
    buffer = io.BytesIO()
    table = pa.table({"texts": texts, "images": pa.array([[None]] * 40, pa.list_(pa.string()))})
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    return buffer.getvalue()


@pytest.mark.e2e
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("bomb", [*BOMBS, "long cells"])
def test_bombs_cost_seconds_and_megabytes(bomb, tmp_path):
    kind, data = BOMBS[bomb] if bomb in BOMBS else ("obelics", bomb_of_parquet())
    path = tmp_path / sound(kind, tmp_path)[0]
    path.write_bytes(data)
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent.parent), kind, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    seconds, megabytes, _ = map(float, done.stdout.split())
    assert seconds < PER_CASE
    assert megabytes < 400
