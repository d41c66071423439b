"""Indexes of crawls as other tools write them, and ours as they read it; files that are no index."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest
from ingest.reading import archive, documents, read_all, record
from making import png

from leafinstruct.errors import SourceError
from leafinstruct.images.read import fetch
from leafinstruct.ingest.archive.cdxj import Capture, capture_of, is_index, surt
from leafinstruct.ingest.archive.url_key import key
from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc

IMAGE = "Content-Type: image/png"
URL = "http://a.org/a.png"
PATH = "crawl-data/CC-MAIN-2024-10/segments/1/warc/images.warc.gz"


@pytest.fixture
def crawl(tmp_path) -> Path:
    """A page in one archive, its image in another; an empty folder for the index."""
    (tmp_path / "w").mkdir()
    (tmp_path / "i").mkdir()
    archive(tmp_path / "w" / "page.warc.gz", record("http://a.org/", f"<p>text<img src={URL}>".encode()))
    archive(tmp_path / "w" / "images.warc.gz", record(URL, png(), headers=IMAGE))
    return tmp_path


def size(crawl: Path) -> int:
    return (crawl / "w" / "images.warc.gz").stat().st_size


def found(crawl: Path, name: str = "", path: str = "w") -> bytes | None:
    """The bytes of the page's image as the archives have it, None if it is only on the web. name: of the
    index in its folder; the folder itself if empty."""
    source = WarcSource(name="w", path=str(crawl / path), crawl=True, cdxj=str(crawl / "i" / name))
    (document,) = documents(read_all(warc, source, crawl / "cache"))
    data = fetch(document.images[0].ref, crawl / path)
    return data if isinstance(data, bytes) else None


def common_crawl(size: int, /, **changes: object) -> str:
    about = {
        **{"url": URL, "mime": "image/png", "mime-detected": "image/png", "status": "200"},
        **{
            "digest": "G7HRM7BGOKSKMSXZAHMUQTTV53QOFSMK",
            "length": str(size),
            "offset": "0",
            "filename": PATH,
        },
        **changes,
    }
    return f"org,a)/a.png 20240506100000 {json.dumps(about)}\n"


OTHER = common_crawl(9, url="http://b.org/", filename="crawl-data/other.warc.gz")


@pytest.mark.parametrize(
    "name",
    [
        "cdx-00000.gz",
        "cdx-00299.gz",
        "cdx-00000",
        "CDX-00001.GZ",
        "index.cdxj",
        "index.cdxj.gz",
        "a.cdx",
        "a.cdx.gz",
    ],
)
@pytest.mark.parametrize("directly", [False, True])
def test_an_index_is_found_by_its_name_in_a_folder_and_directly(crawl, name, directly):
    text = (OTHER + common_crawl(size(crawl))).encode()
    packed = gzip.compress(text[:200]) + gzip.compress(text[200:])  # Common Crawl packs 3,000 lines at a time
    (crawl / "i" / name).write_bytes(packed if name.lower().endswith("gz") else text)
    (crawl / "i" / "cluster.idx").write_text("org,a)/ 2024\tcdx-00000.gz\t0\t9\t1\n")
    (crawl / "i" / "README.txt").write_text("no index")
    assert found(crawl, name if directly else "") == png()


def test_an_index_beside_the_archives_is_one_and_they_are_not(crawl):
    (crawl / "w" / "cdx-00000.gz").write_bytes(gzip.compress(common_crawl(size(crawl)).encode()))
    (crawl / "i").rmdir()
    (crawl / "i").symlink_to(crawl / "w")
    assert found(crawl) == png()


LINES = {
    "Common Crawl": common_crawl,
    "cdxj-indexer": lambda length: (
        f'org,a)/a.png 20240506100000 {{"url": "{URL}", "mime": "image/png", "status": "200", "digest": '
        f'"sha1:A", "length": "{length}", "offset": "0", "filename": "images.warc.gz"}}\n'
    ),
    "cdxj-indexer, numbers": lambda length: common_crawl(0, length=length, offset=0, status=200),
    "cdxj-indexer --json": lambda length: json.dumps(
        {"urlkey": "org,a)/a.png", "timestamp": "20240506100000"}
        | json.loads(LINES["cdxj-indexer"](length)[28:])
    ),
    "warcio index": lambda length: json.dumps(
        {
            **{"offset": "0", "length": str(length), "filename": "images.warc.gz", "warc-type": "response"},
            **{"warc-target-uri": URL, "http:content-type": "image/png; q=1", "http:status": "200"},
        }
    ),
    "pywb": lambda length: (
        "!meta {}\n"
        + common_crawl(length, filename="images.warc.gz", **{"orig.length": "-", "orig.offset": "-"})
    ),
    "CDX of 11 columns": lambda length: (
        " CDX N b a m s k r M S V g\n"
        f"org,a)/a.png 20240506100000 {URL} image/png 200 AAAA - - {length} 0 images.warc.gz\n"
    ),
    "CDX without its first line": lambda length: (
        f"org,a)/a.png 20240506100000 {URL} image/png 200 AAAA - - {length} 0 images.warc.gz\n"
    ),
    "CDX of other columns": lambda length: (
        f" CDX A a b m s S V g\na.org {URL} 20240506100000 image/png 200 {length} 0 images.warc.gz\n"
    ),
    "a type that is no type": lambda length: common_crawl(length, mime="unk", **{"mime-detected": ""}),
    "a type of a store": lambda length: common_crawl(
        length, mime="application/octet-stream", **{"mime-detected": "image/png"}
    ),
    "a wrong type": lambda length: common_crawl(length, mime="application/jpg", **{"mime-detected": ""}),
    "a resource": lambda length: common_crawl(length, status="-"),
    "a brace in the key": lambda length: common_crawl(length).replace("org,a)/a.png", "org,a)/{a}.png"),
    "another spelling": lambda length: common_crawl(length, url="https://A.org:443/%61.png#x"),
    "damage around it": lambda length: f'\0\xff {{\n{common_crawl(length)}org,a)/ 2024 {{"url": \n[1]\n',
}


@pytest.mark.parametrize("kind", LINES)
def test_lines_of_other_tools(crawl, kind):
    (crawl / "i" / "a.cdxj").write_text(LINES[kind](size(crawl)))
    assert found(crawl) == png()


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "404"},
        {"status": "301"},
        {"mime": "text/html", "mime-detected": "text/html"},
        {"mime": "warc/revisit", "mime-detected": ""},
        {"url": "http://["},
    ],
)
def test_lines_that_are_no_image_are_a_reason_to_say_so(crawl, changes):
    (crawl / "i" / "a.cdxj").write_text(common_crawl(size(crawl), **changes))
    with pytest.raises(SourceError, match=r"none of the 1 lines that name archives.* is an image"):
        found(crawl)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.cdxj", b"<html>\nnot found\n</html>\n", r"a\.cdxj: none of its 3 lines .*cdxj-indexer"),
        ("cdx-00000.gz", gzip.compress(b"hello\n"), r"cdx-00000\.gz: none of its 1 lines"),
        (
            "a.cdxj",
            b'{"offset": "0", "warc-target-uri": "http://a.org/"}\n',
            "url, offset, length and filename",
        ),
        ("a.cdxj", common_crawl(5, length="x").encode(), "none of its 1 lines"),
        ("a.cdxj", common_crawl(5, length="-1").encode(), "none of its 1 lines"),
        ("a.cdxj", common_crawl(5, offset="9" * 9_000).encode(), "none of its 1 lines"),
        ("a.cdxj", b"[" * 60_000 + b"\n", "none of its 1 lines"),
        ("a.cdxj", b"x {" + b'{"a":' * 20_000 + b"\n", "none of its"),
        (
            "a.cdx",
            b" CDX N b a m s k r V g\nk 2024 http://a.org/ image/png 200 A - 0 images.warc.gz\n",
            "length",
        ),
        ("a.cdxj", b"", "holds no line"),
        ("a.cdxj", b"!cdxj 1.0\n\n", "holds no line"),
        ("cdx-00000.gz", gzip.compress(OTHER.encode()), "another crawl"),
        ("cdx-00000.gz", gzip.compress(OTHER.encode() * 99)[:-20], r"cdx-00000\.gz: cannot be read"),
        ("cdx-00000.gz", b"\x1f\x8b junk", r"cdx-00000\.gz: cannot be read"),
    ],
)
def test_an_index_without_a_usable_line_is_an_error_that_names_it(crawl, name, data, message):
    (crawl / "i" / name).write_bytes(data)
    with pytest.raises(SourceError, match=message):
        found(crawl)


def test_a_file_that_is_none_is_named_also_beside_a_good_one(crawl):
    (crawl / "i" / "a.cdxj").write_text(common_crawl(size(crawl)))
    (crawl / "i" / "b.cdxj").write_text("hello\n")
    with pytest.raises(SourceError, match=r"b\.cdxj: none of its 1 lines"):
        found(crawl)
    (crawl / "i" / "b.cdxj").write_text("")
    assert found(crawl) == png()


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://example.com/", "com,example)/"),
        ("http://www.example.com", "com,example)/"),
        ("https://WWW2.Example.com:8080/A/B/?b=2&A=1", "com,example:8080)/a/b?a=1&b=2"),
        ("http://wwwexample.org/a.png", "org,wwwexample)/a.png"),
        ("http://www./a", "www)/a"),
        ("http://[2001:db8::1]:81/a", "[2001:db8::1]:81)/a"),
        ("http://bücher.example/ä b", "example,xn--bcher-kva)/%c3%a4%20b"),
        ("http://com/?", "com)/"),
    ],
)
def test_the_first_field_of_a_line(url, wanted):
    assert surt(key(url)) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cdx-00000.gz", True),
        ("a.CDXJ", True),
        ("a.cdx", True),
        ("a.warc.gz", False),
        ("cdx-a.gz", False),
        ("a.gz", False),
    ],
)
def test_names_of_indexes(name, wanted):
    assert is_index(name) == wanted


CASES = [
    "http://a.org/A.png",
    "http://a.org/a.png",
    "http://www.a.org/a.png",
    "http://a.org/x?b&a",
    "http://a.org/x?a&b",
]


def test_our_index_is_one_that_other_tools_read(tmp_path):
    """Sorted lines of key, time and JSON, whose ranges are the records; and we read it as a given one."""
    folder = tmp_path / "w"
    folder.mkdir()
    images = [record(url, png(dot=number * 9), headers=IMAGE) for number, url in enumerate(CASES)]
    archive(
        folder / "images.warc.gz", *images, record("http://a.org/old", b"", "302 Found", "Location: /A.png")
    )
    inner = "".join(f"<img src={url}>" for url in [*CASES, "http://a.org/old"])
    archive(folder / "page.warc.gz", record("http://a.org/", f"<p>text{inner}".encode()))
    wanted = [*(png(dot=number * 9) for number in range(5)), png(dot=0)]
    source = WarcSource(name="w", path=str(folder), crawl=True)
    (first,) = documents(read_all(warc, source, tmp_path / "cache"))
    assert [fetch(image.ref, folder) for image in first.images] == wanted
    (made,) = (tmp_path / "cache").glob("crawl-*.cdxj")
    lines = made.read_text(encoding="ascii").splitlines()
    keys, times, members = zip(*(line.split(" ", 2) for line in lines), strict=True)
    assert len(lines) == 6
    assert all(before <= after for before, after in itertools.pairwise(keys))
    assert [surt(key(json.loads(text)["url"])) for text in members] == list(keys)
    assert set(times) == {"20240506100000"}
    whole = (folder / "images.warc.gz").read_bytes()
    for text in members:
        about = json.loads(text)
        begin, length = int(about["offset"]), int(about["length"])
        one = gzip.decompress(whole[begin : begin + length])
        assert f"WARC-Target-URI: {about['url']}\r\n".encode() in one
        assert (about["filename"], about["mime"]) == (
            "images.warc.gz",
            "unk" if "old" in text else "image/png",
        )
        assert about["status"] == ("302" if "old" in text else "200")
    given = source.model_copy(update={"cdxj": str(made)})
    (second,) = documents(read_all(warc, given, tmp_path / "again"))
    assert [image.ref for image in second.images] == [image.ref for image in first.images]


def test_ten_thousand_urls_of_one_first_field_cost_no_search_each(tmp_path):
    import time

    names = [
        "".join(letters)
        for letters in itertools.product("aA", "bB", "cC", "dD", "eE", "fF", "gG", "hH", "iI", "jJ")
    ]
    lines = [
        common_crawl(5, url=f"http://a.org/{name}{end}", filename="w.warc")
        for name in names
        for end in range(4)
    ]
    folder = tmp_path / "w"
    folder.mkdir()
    inner = "".join(f"<img src=/{name}3>" for name in names)
    archive(folder / "w.warc", record("http://a.org/", f"<p>text{inner}".encode()))
    (tmp_path / "a.cdxj").write_text("".join(lines))
    began = time.process_time()
    source = WarcSource(name="w", path=str(folder), crawl=True, cdxj=str(tmp_path / "a.cdxj"))
    (document,) = documents(read_all(warc, source, tmp_path / "cache"))
    assert {image.ref.file for image in document.images} == {"w.warc"}
    assert time.process_time() - began < 3


def test_a_line_is_read_field_by_field():
    line = common_crawl(7, offset=3, filename="b").encode()
    assert capture_of(line) == Capture(URL, "20240506100000", "image/png", "200", 3, 7, "b")
    assert capture_of(b"no line") is None
