"""Archived pages and images whose HTTP headers withhold them from training: refused as those fetched from the
web are, unless the recipe sets `opt_out: false`."""

from __future__ import annotations

import json

import pytest
from ingest.reading import archive, documents, read_all, record, rejected
from making import png

from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc

HTML, IMAGE = "Content-Type: text/html", "Content-Type: image/png"
STATED = [
    ("X-Robots-Tag: noai", "noai"),
    ("x-robots-tag: noindex\r\nX-Robots-Tag: NoImageAI, noai", "noai, noimageai"),
    ("X-Robots-Tag: somebot: noai", "noai"),
    ("TDM-Reservation: 1", "tdm-reservation: 1"),
    ("TDM-Reservation: 0\r\nX-Robots-Tag: noindex, nofollow", ""),
    ("X-Description: noai", ""),
]


def page(inner: str = "") -> bytes:
    return f"<html><body><main><p>Fold the paper.</p>{inner}</main></body></html>".encode()


@pytest.mark.parametrize(("header", "stated"), STATED)
def test_a_page_whose_headers_withhold_it_is_refused_unless_opt_out_is_false(tmp_path, header, stated):
    path = archive(
        tmp_path / "a.warc.gz",
        record("http://a.org/", page(), headers=f"{HTML}\r\n{header}"),
        record("http://a.org/b", page()),
    )
    found = read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache")
    free = read_all(warc, WarcSource(name="w", path=str(path), opt_out=False), tmp_path / "cache")
    assert [document.url for document in documents(free)] == ["http://a.org/", "http://a.org/b"]
    if stated:
        assert [document.url for document in documents(found)] == ["http://a.org/b"]
        assert rejected(found) == [("offset=0", "opt_out", True)]
        assert found[0].detail == f"its headers opt out of training: {stated}"
    else:
        assert found == free


@pytest.mark.parametrize(("header", "stated"), STATED)
def test_an_image_whose_headers_withhold_it_is_lost_to_its_page_and_not_fetched_instead(
    tmp_path, header, stated
):
    path = archive(
        tmp_path / "a.warc",
        record("http://a.org/", page("<img src=/a.png><img src=/b.png>")),
        record("http://a.org/a.png", png(), headers=f"{IMAGE}\r\n{header}"),
        record("http://a.org/b.png", png(dot=9), headers=IMAGE),
    )
    found = read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache")
    free = read_all(warc, WarcSource(name="w", path=str(path), opt_out=False), tmp_path / "cache")
    assert [image.url for image in documents(free)[0].images] == ["http://a.org/a.png", "http://a.org/b.png"]
    assert [image.url for image in documents(found)[0].images] == [
        "http://a.org/a.png",
        "http://a.org/b.png",
    ][bool(stated) :]
    assert rejected(found) == ([("offset=0", "opt_out", False)] if stated else [])


@pytest.mark.parametrize("given", [False, True])
def test_so_is_one_that_lies_in_another_archive_of_the_crawl(tmp_path, given):
    """Also where the crawl's index came with it: a CDXJ line has no headers."""
    (tmp_path / "w").mkdir()
    archive(
        tmp_path / "w" / "pages.warc.gz", record("http://a.org/", page("<img src=/a.png><img src=/b.png>"))
    )
    images = [
        record("http://a.org/b.png", png(dot=9), headers=IMAGE),
        record("http://a.org/a.png", png(), headers=f"{IMAGE}\r\nX-Robots-Tag: noai"),
    ]
    archive(tmp_path / "w" / "images.warc", *images)
    lines, offset = [], 0
    for name, item in zip("ba", images, strict=True):
        about = {
            "url": f"http://a.org/{name}.png",
            "mime": "image/png",
            "filename": "images.warc",
            "offset": offset,
            "length": len(item),
        }
        lines.append(f"org,a)/{name}.png 2024 {json.dumps(about)}\n")
        offset += len(item)
    (tmp_path / "index.cdxj").write_text("".join(lines))
    settings = {"crawl": True, "cdxj": str(tmp_path / "index.cdxj") if given else None}
    found = read_all(warc, WarcSource(name="w", path=str(tmp_path / "w"), **settings), tmp_path / "cache")
    assert [image.ref.file for image in documents(found)[0].images] == ["images.warc"]
    assert rejected(found) == [("offset=0", "opt_out", False)]
    free = read_all(
        warc, WarcSource(name="w", path=str(tmp_path / "w"), opt_out=False, **settings), tmp_path / "cache"
    )
    assert [image.ref.file for image in documents(free)[0].images] == ["images.warc", "images.warc"]
