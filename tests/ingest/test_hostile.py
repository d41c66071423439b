"""Small inputs that would take hours or gigabytes: each ends in a second, with a reason; what only looks like
one is read."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
import zipfile
from pathlib import Path

import pytest
from ingest.reading import documents, outline, read_all, rejected

from leafinstruct.ingest.config import HtmlSource, Mmc4Source
from leafinstruct.ingest.page.page import PageError, parse
from leafinstruct.ingest.readers import html, mmc4
from leafinstruct.ingest.tables import lines

N = 20_000
COPIED = "".join(f"<p><b id={n}></x>" for n in range(6000))


def mmc4_items(path: Path, part_size: int = 5):
    return read_all(mmc4, Mmc4Source(name="m", path=str(path)), path.parent / "cache", part_size)


# --- trees
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        COPIED,
        COPIED.replace("<p>", "<span>").replace("</x>", "</span>"),
        "<div>" * 3000 + "".join(f"<i id={n}>" for n in range(3000)) + "</div>x" * 3000,
        "<b>"
        + "".join(f"<b id={n}>" for n in range(1500))
        + "".join(f"<i id={n}>" for n in range(1500))
        + "</b>x" * 1500,
        "<div></x>" * N,
        "<div/>" * N,
        '<div a="<">' * N,
        '<div a="</div>">' * N,
        "<div a='></div>'>" * N,
        "<div><!--</div>-->" * N,
        "<div><!--></div-->" * N,
        '<div =">' * N + '"',
        "<div><script></div></script>" * N,
        "<svg><title>" + "<div>" * N,
        "<svg>" + "<div/>" * N,
        "<svg><foreignObject>" + "<path/>" * N,
        "<div><svg><![CDATA[></div>]]></svg>" * N,
        "<div><table></div>" * N,
        "<script><!--<script></script><style></script>" + "<div>" * N,
        "<script><!--><script></script>" + "<div>" * N,
        "<script><!--<script>--></script>" + "<div>" * N,
        ("<div>" * 500 + "<table><tr><td>" + "</div>" * 500) * 100,
        ("<u-x>" * 500 + "<div>" + "</u-x>" * 500) * 100,
    ],
)
def test_a_tree_that_would_take_minutes_is_refused_in_a_second(page):
    started = time.process_time()
    with pytest.raises(PageError, match="too_deep"):
        parse(page.encode())
    assert time.process_time() - started < 30


@pytest.mark.e2e
@pytest.mark.parametrize(
    "page",
    [
        "<p>x<b>y</b><i class=a>z</i></p>" * N,
        "<p>x<br/><img src=a.png /><hr/>" * N,
        "<ul>" + "<li><a href=x>y</a>" * N + "</ul>",
        "<table>" + "<tr><td><span>x</span><td><b>y</b>" * N + "</table>",
        "<p><svg><g><path d='M0'/><circle r=1 /></g></svg>x</p>" * N,
        "".join(f"<a name={n}><p>x" for n in range(N)),
        "<font color=red><font size=2><center>" + "<p>x<b>y</b>" * N,
        "<p>a < b and c<d></d></p>" * N,
        "<p>x</p></div></span>" * N,
        "<b>x</b> " * 210_000,
        "<p><b><i>x</i></b>" * 70_000,
        "<p>x</p><script>if (a<b) '<div>'</script>" * N,
        "<script><!--<script></script>" + "<div>" * 200_000,
    ],
)
def test_a_long_page_that_is_only_long_is_read(page):
    assert parse(f"<body><p>start</p>{page}".encode()).pieces


@pytest.mark.parametrize(
    "unit", ["<a ", "<a b='", '<a b="', "<!--", "<!", "</", "<a b=", "<", "<script>", "<svg><![CDATA["]
)
def test_tags_without_an_end_are_looked_through_once(unit):
    started = time.process_time()
    with contextlib.suppress(PageError):
        parse(f"<body>{unit * 300_000}".encode())
    assert time.process_time() - started < 30


def test_a_list_may_start_at_any_number_of_digits():
    (block,) = parse(f"<ol start={'9' * 5000}><li>a<li>b</ol>".encode()).pieces
    assert block.text == "1. a\n2. b"
    (block,) = parse(b"<ol start=999999999><li>a<li>b</ol>").pieces
    assert block.text == "999999999. a\n1000000000. b"


# --- lines
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 1000])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_run_of_blank_lines_is_one_item_and_later_lines_keep_their_numbers(
    tmp_path, monkeypatch, suffix, step
):
    monkeypatch.setattr(lines, "STEP", step)
    text = (
        "\n \n\n"
        + '{"text_list": ["a"]}\n'
        + "\n" * 2000
        + '{"text_list": ["b"]}\n\n{"text_list": ["c"]}\n\n\n'
    )
    path = tmp_path / f"d.jsonl{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix else text.encode())
    items = mmc4_items(path, part_size=2)
    assert [item.provenance.locator for item in documents(items)] == ["line=4", "line=2005", "line=2007"]
    assert rejected(items) == [(f"line={n}", "empty_line", True) for n in (1, 5, 2006, 2008)]


def test_two_million_newlines_are_one_reason_and_seconds(tmp_path):
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b"\n" * 2_000_000))
    started = time.process_time()
    assert rejected(mmc4_items(tmp_path / "d.jsonl.gz")) == [("line=1", "empty_line", True)]
    assert time.process_time() - started < 30


@pytest.mark.parametrize(
    ("text", "limits", "locator"),
    [
        ("\n" * 3000, {"MAX_LINE": 1000}, "offset=1020"),
        ("x" * 70_000, {"MAX_LINE": 1000}, "offset=20"),
        ('{"text_list": ["b"]}\n' * 5000, {"FREE": 4095}, "offset=4094"),
        ("x" * 70_000, {"FREE": 4095}, "offset=20"),
    ],
)
@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_a_bomb_stops_the_file_and_keeps_what_was_before_it(
    tmp_path, monkeypatch, suffix, text, limits, locator
):
    for name, value in limits.items():
        monkeypatch.setattr(lines, name, value)
    monkeypatch.setattr(lines, "EXPANSION", 2)
    text, path = '{"text_list":["a"]}\n' + text, tmp_path / f"d.jsonl{suffix}"
    if suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("d.jsonl", text)
    items = mmc4_items(path, part_size=500)
    assert outline(documents(items)[0]) == ["prose: a"]
    assert [(place, reason) for place, reason, _ in rejected(items) if reason != "empty_line"] == [
        (locator, "too_large")
    ]


# --- documents
# ----------------------------------------------------------------------------------------------------

IMAGE = {"image_name": "", "raw_url": "http://example.org/a.png", "matched_text_index": 0}


@pytest.mark.parametrize(
    ("sentences", "images", "lost"),
    [
        (["a"] * 9_990, 10, []),
        (["a"] * 9_991, 10, ["too_many_pieces"]),
        (["a"], 2_000, []),
        (["a"], 2_001, ["too_many_pieces"]),
        (["a" * 4_000_000] * 2, 0, []),
        (["a" * 4_000_000] * 2 + ["a"], 0, ["too_long"]),
    ],
)
@pytest.mark.parametrize("kind", ["mmc4", "html"])
def test_a_document_holds_what_somebody_wrote_and_not_more(tmp_path, kind, sentences, images, lost):
    if kind == "mmc4":
        (tmp_path / "d.jsonl").write_text(
            json.dumps({"text_list": sentences, "image_info": [IMAGE] * images})
        )
        items = mmc4_items(tmp_path / "d.jsonl")
    else:
        page = "".join(f"<p>{text}</p>" for text in sentences) + "<img src=http://example.org/a.png>" * images
        (tmp_path / "d.html").write_text(f"<body><main>{page}</main>")
        items = read_all(html, HtmlSource(name="h", path=str(tmp_path)), tmp_path / "cache")
    assert [(reason, whole) for _, reason, whole in rejected(items)] == [(reason, True) for reason in lost]
    assert [len(item.segments) for item in documents(items)] == ([] if lost else [len(sentences) + images])
