"""Images of a page in another archive of the crawl, by an index that is built or given; revisits, cut
records, images inside pages."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import archive, documents, read_all, record, rejected
from making import png

from leafinstruct.errors import SourceError
from leafinstruct.images.read import data_url, fetch
from leafinstruct.ingest.archive import crawl
from leafinstruct.ingest.archive.cdxj import Capture
from leafinstruct.ingest.config import HtmlSource, WarcSource
from leafinstruct.ingest.readers import html, warc
from leafinstruct.records.document import Rejected

IMAGE = "Content-Type: image/png"
PNG = [png(dot=index * 10) for index in range(4)]


def page(inner: str) -> bytes:
    return f"<html><body><main><p>text of a page</p>{inner}</main></body></html>".encode()


def source(folder: Path, **settings: object) -> WarcSource:
    return WarcSource(name="w", path=str(folder), crawl=True, **settings)


def two_archives(folder: Path) -> dict[str, tuple[int, int]]:
    """A page in one file, its images in the other; returns where those lie there."""
    folder.mkdir(exist_ok=True)
    images = [record(f"http://a.org/{index}.png", PNG[index], headers=IMAGE) for index in range(3)]
    moved = record("http://a.org/old.png", b"", "301 Moved", "Location: /2.png")
    archive(folder / "images.warc", *images, moved)
    archive(
        folder / "pages.warc.gz",
        record(
            "http://a.org/x/",
            page("<img src=../0.png><img src=/1.png?><img src=/old.png><img src=/none.png>"),
        ),
    )
    places, offset = {}, 0
    for index, item in enumerate(images):
        places[f"{index}.png"] = (offset, len(item))
        offset += len(item)
    return places


def refs(folder: Path, cache: Path, **settings: object) -> list[str]:
    (found,) = documents(read_all(warc, source(folder, **settings), cache))
    return [str(image.ref) for image in found.images]


def test_an_image_in_another_archive_is_found_and_read(tmp_path):
    two_archives(tmp_path / "w")
    (found,) = documents(read_all(warc, source(tmp_path / "w"), tmp_path / "cache"))
    assert [image.ref.file for image in found.images] == ["images.warc", "images.warc", "images.warc", None]
    assert fetch(found.images[0].ref, tmp_path / "w") == PNG[0]
    assert fetch(found.images[2].ref, tmp_path / "w") == PNG[2]
    assert found.images[3].ref.url == "http://a.org/none.png"


def test_without_crawl_it_is_not_looked_for(tmp_path):
    two_archives(tmp_path / "w")
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(tmp_path / "w")), tmp_path / "cache"))
    assert all(image.ref.file is None for image in found.images)


@pytest.mark.parametrize("packed", [False, True])
def test_a_given_index_is_used_instead(tmp_path, packed):
    places = two_archives(tmp_path / "w")
    lines = ["!cdxj 1.0", "nonsense {", "org,a)/x 2024 [1]"]
    for name, (offset, length) in places.items():
        about = {
            "url": f"http://a.org/{name}",
            "mime": "image/png",
            "status": "200",
            "offset": str(offset),
            "length": str(length),
        }
        lines.append(
            f"org,a)/{name} 20240506100000 {json.dumps({**about, 'filename': 'crawl/warc/images.warc'})}"
        )
    lines.append(
        f"org,a)/none.png 2024 {json.dumps({'url': 'http://a.org/none.png', 'status': '404', 'offset': 1, 'length': 1, 'filename': 'images.warc'})}"  # noqa: E501
    )
    path = tmp_path / ("index.cdxj.gz" if packed else "index.cdxj")
    text = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    found = refs(tmp_path / "w", tmp_path / "cache", cdxj=str(path))
    offset, length = places["0.png"]
    assert found[0] == f"images.warc#bytes={offset},{length}"
    offset, length = places["2.png"]
    # the redirect is of the archive's own index
    assert found[2:] == [f"images.warc#bytes={offset},{length}", "http://a.org/none.png"]


def test_the_index_of_another_crawl_is_a_wrong_recipe(tmp_path):
    two_archives(tmp_path / "w")
    (tmp_path / "index.cdxj").write_text(
        'a)/ 2024 {"url": "http://a/", "filename": "other.warc.gz", "offset": "0", "length": "9"}\n'
    )
    with pytest.raises(SourceError, match="is it the index of another crawl"):
        refs(tmp_path / "w", tmp_path / "cache", cdxj=str(tmp_path / "index.cdxj"))


def test_the_pages_own_archive_comes_first_and_then_the_first_by_name(tmp_path):
    (tmp_path / "w").mkdir()
    image = [record("http://a.org/0.png", data, headers=IMAGE) for data in PNG]
    archive(tmp_path / "w" / "b.warc", image[1])
    archive(tmp_path / "w" / "a.warc", image[2], image[3])
    archive(tmp_path / "w" / "own.warc", record("http://a.org/", page("<img src=0.png>")), image[0])
    archive(tmp_path / "w" / "z.warc", record("http://a.org/z", page("<img src=0.png>")))
    found = {
        item.provenance.file: item
        for item in documents(read_all(warc, source(tmp_path / "w"), tmp_path / "cache"))
    }
    assert fetch(found["own.warc"].images[0].ref, tmp_path / "w") == PNG[0]
    assert fetch(found["z.warc"].images[0].ref, tmp_path / "w") == PNG[2]


def test_a_changed_crawl_is_indexed_anew_and_an_unchanged_one_is_not(tmp_path):
    two_archives(tmp_path / "w")
    before = refs(tmp_path / "w", tmp_path / "cache")
    (made,) = (tmp_path / "cache").glob("crawl-*.cdxj")
    stamp = made.stat().st_mtime_ns
    assert refs(tmp_path / "w", tmp_path / "cache") == before
    assert made.stat().st_mtime_ns == stamp
    depends = warc.depends(source(tmp_path / "w"), tmp_path / "cache")
    archive(tmp_path / "w" / "more.warc", record("http://a.org/none.png", PNG[3], headers=IMAGE))
    assert warc.depends(source(tmp_path / "w"), tmp_path / "cache") != depends
    after = refs(tmp_path / "w", tmp_path / "cache")
    assert after[:3] == before[:3]
    assert after[3].startswith("more.warc#bytes=")


ADDRESSES = st.lists(
    st.from_regex(r"http://(www\.)?[a-c]\.org/[a-cA-C!~ .\-?&]{0,4}", fullmatch=True),
    min_size=1,
    max_size=30,
    unique=True,
)


@given(ADDRESSES, st.integers(1, 4))
def test_every_address_of_a_sorted_index_is_found_and_no_other(tmp_path_factory, addresses, run):
    folder = tmp_path_factory.mktemp("index")
    kept = addresses[::2]
    entries = [
        crawl._entry(
            crawl.key(url), f"{index:04d}", Capture(url, "0" * 14, "image/png", "200", index, 1, "a.warc")
        )
        for index, url in enumerate(kept)
    ]
    before, crawl.RUN, crawl.OPEN = (crawl.RUN, crawl.OPEN), run, 2
    try:
        crawl._sorted(entries, folder / "index.cdxj")
    finally:
        crawl.RUN, crawl.OPEN = before
    keys = {crawl.key(url): index for index, url in reversed(list(enumerate(kept)))}
    for url in addresses:
        wanted = keys.get(crawl.key(url))
        assert crawl.find(folder / "index.cdxj", url) == (None if wanted is None else ("a.warc", wanted, 1))


def test_redirects_in_a_circle_end(tmp_path):
    (tmp_path / "w").mkdir()
    archive(
        tmp_path / "w" / "a.warc",
        record("http://a.org/1.png", b"", "302 Found", "Location: /2.png"),
        record("http://a.org/2.png", b"", "302 Found", "Location: /1.png"),
    )
    archive(tmp_path / "w" / "b.warc", record("http://a.org/", page("<img src=1.png>")))
    assert refs(tmp_path / "w", tmp_path / "cache") == ["http://a.org/1.png"]


@pytest.mark.parametrize("given_index", [False, True])
@pytest.mark.parametrize(("hops", "held"), [(1, True), (5, True), (6, False)])
def test_an_image_behind_redirects_in_several_archives_is_found_up_to_a_limit(
    tmp_path, hops, held, given_index
):
    folder = tmp_path / "w"
    folder.mkdir()
    for hop in range(hops):
        archive(
            folder / f"{hop}.warc",
            record(f"http://a.org/{hop}.png", b"", "302 Found", f"Location: http://a.org/{hop + 1}.png"),
        )
    archive(folder / "p.warc", record("http://a.org/", page("<img src=0.png>")))
    last = archive(folder / "zz.warc", record(f"http://a.org/{hops}.png", PNG[0], headers=IMAGE))
    index = tmp_path / "index.cdxj"
    about = {
        "url": f"http://a.org/{hops}.png",
        "mime": "image/png",
        "offset": "0",
        "length": str(last.stat().st_size),
        "filename": "zz.warc",
    }
    index.write_text(f"org,a)/{hops}.png 2024 {json.dumps(about)}\n")
    (found,) = refs(folder, tmp_path / "cache", **({"cdxj": str(index)} if given_index else {}))
    assert found.startswith("zz.warc#bytes=") == held
    assert (found == "http://a.org/0.png") != held


def extra(item: bytes, header: str) -> bytes:
    return item.replace(b"WARC-Date:", f"{header}\r\nWARC-Date:".encode(), 1)


def test_a_revisit_leads_to_the_capture_that_it_repeats(tmp_path):
    revisit = extra(
        record("http://a.org/new.png", b"", headers=IMAGE, kind="revisit"),
        "WARC-Refers-To-Target-URI: http://a.org/0.png",
    )
    same = extra(
        record("http://a.org/0.png", b"", headers=IMAGE, kind="revisit"),
        "WARC-Refers-To-Target-URI: http://a.org/0.png",
    )
    path = archive(
        tmp_path / "a.warc.gz",
        record("http://a.org/", page("<img src=new.png><img src=0.png>")),
        revisit,
        same,
        record("http://a.org/0.png", PNG[0], headers=IMAGE),
    )
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache"))
    assert [fetch(image.ref, tmp_path) for image in found.images] == [PNG[0], PNG[0]]


@pytest.mark.parametrize("crawled", [False, True])
def test_a_revisit_that_names_no_page_is_a_loss_with_that_reason(tmp_path, crawled):
    """Neither digest nor date: whether a capture in the file is the one that it repeats is unknown."""
    bare = record("http://a.org/", b"", kind="revisit")
    path = archive(tmp_path / "a.warc.gz", record("http://a.org/", page("")), bare)
    items = read_all(warc, WarcSource(name="w", path=str(path), crawl=crawled), tmp_path / "cache")
    assert len(documents(items)) == 1
    (loss,) = (item for item in items if isinstance(item, Rejected))
    assert (loss.reason, loss.detail) == (
        "revisit_of_absent_page",
        "it gives neither the digest nor the URL and date of the page that it repeats",
    )


def test_a_record_that_the_crawler_cut_is_a_reason(tmp_path):
    cut = extra(record("http://a.org/", page("<p>half of what there")), "WARC-Truncated: length")
    whole = record("http://a.org/b", page("<img src=0.png>"))
    path = archive(
        tmp_path / "a.warc.gz",
        cut,
        whole,
        extra(record("http://a.org/0.png", PNG[0][:99], headers=IMAGE), "WARC-Truncated: time"),
    )
    items = read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache")
    assert rejected(items) == [("offset=0", "truncated_record", True)]
    assert fetch(documents(items)[0].images[0].ref, tmp_path).reason == "truncated"


BIG = png(size=(400, 300))
PACKED = f"data:image/png;base64,{base64.b64encode(BIG).decode()}"


@pytest.mark.parametrize(
    "url",
    [
        PACKED,
        PACKED.replace("data:", "DATA:"),
        f"data:image/png,{quote_from_bytes(BIG)}",
        PACKED.replace("base64,", "charset=x;base64,"),
    ],
)
def test_an_image_inside_a_page_is_a_range_of_it(tmp_path, url):
    (tmp_path / "a.html").write_bytes(
        page(f"<p>before</p><img alt='a b' src='{url}'><p>after</p><img src='{url}'>")
    )
    (found,) = documents(read_all(html, HtmlSource(name="h", path=str(tmp_path / "a.html")), tmp_path))
    assert [fetch(image.ref, tmp_path) for image in found.images] == [BIG, BIG]
    assert found.images[0].ref == found.images[1].ref  # the same bytes lie at one place, and are read once
    assert (found.images[0].alt, found.images[0].url) == ("a b", None)


@pytest.mark.parametrize(
    "headers", ["Content-Type: text/html", "Content-Type: text/html\r\nContent-Encoding: gzip"]
)
def test_an_image_inside_an_archived_page_is_a_piece_of_its_body(tmp_path, headers):
    body = page(f"<p>words</p><img src='{PACKED}'>")
    packed = gzip.compress(body) if "gzip" in headers else body
    path = archive(tmp_path / "a.warc.gz", record("http://a.org/", packed, headers=headers))
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache"))
    assert found.images[0].ref.member.startswith("bytes=")
    assert fetch(found.images[0].ref, tmp_path) == BIG


def test_placeholders_drawings_and_escaped_addresses_are_reasons(tmp_path):
    tiny = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    drawing = "data:image/svg+xml," + "%3Csvg/%3E" * 200
    escaped = PACKED.replace("base64,", "base64&#44;")
    (tmp_path / "a.html").write_bytes(
        page(
            f"<img src='{tiny}'><img src='{drawing}'><img src='{escaped}'><img src='{tiny}' "
            "data-src='real.png'>"
        )
    )
    items = read_all(html, HtmlSource(name="h", path=str(tmp_path / "a.html")), tmp_path)
    assert [reason for _, reason, _ in rejected(items)] == ["data_uri"] * 3
    assert [image.ref.file for image in documents(items)[0].images] == ["real.png"]


def test_a_page_of_very_many_images_inside_it_stays_quick(tmp_path):
    import time

    url = "data:image/png;base64," + "A" * 1000
    (tmp_path / "a.html").write_bytes(
        page("".join(f"<img src='{url}{index:06d}'>" for index in range(1_900)))
    )
    started = time.process_time()
    items = read_all(html, HtmlSource(name="h", path=str(tmp_path / "a.html")), tmp_path)
    assert len(documents(items)[0].images) == 200
    assert time.process_time() - started < 20


@given(st.binary(max_size=60))
def test_data_addresses_are_undone_or_refused(data):
    assert data_url(b"data:image/png;base64," + base64.b64encode(data)) == data
    assert data_url(b"data:," + quote_from_bytes(data).encode()) == data
    found = data_url(b"data:;base64," + data)
    assert found is None or isinstance(found, bytes)
    assert data_url(b"data:" + data.replace(b",", b"")) is None
