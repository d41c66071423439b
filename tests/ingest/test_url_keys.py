"""Which spellings of a URL are one address in an archive, and which are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import archive, documents, read_all, record
from making import png

from leafinstruct.images.read import fetch
from leafinstruct.ingest.archive.url_key import key
from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc

ONE = [
    ("http://bücher.example/a.png", "http://xn--bcher-kva.example/a.png"),
    ("http://BÜCHER.example/a.png", "http://XN--BCHER-KVA.example/a.png"),
    ("http://b%C3%BCcher.example/a.png", "http://bücher.example/a.png"),
    ("http://例え.jp/a", "http://xn--r8jz45g.jp/a"),
    ("http://a。example/x", "http://a.example/x"),
    ("http://e.org/%7Eu/a.png", "http://e.org/~u/a.png"),
    ("http://e.org/%41%2d%2E%5F", "http://e.org/A-._"),
    ("http://e.org/%c3%a9.png", "http://e.org/%C3%A9.png"),
    ("http://e.org/é.png", "http://e.org/%c3%a9.png"),
    ("http://e.org/a b.png", "http://e.org/a%20b.png"),
    ("http://e.org/a(1).png", "http://e.org/a%281%29.png"),
    ("http://e.org/100%.png", "http://e.org/100%25.png"),
    ("http://e.org/a?q=%7ea", "http://e.org/a?q=~a"),
    ("http://e.org/a?q=b c", "http://e.org/a?q=b%20c"),
    ("http://e.org/a?q=b+c", "http://e.org/a?q=b%20c"),
    ("http://e.org/a?q=é", "http://e.org/a?q=%C3%A9"),
    ("http://e.org:80/a", "http://e.org/a"),
    ("https://e.org:443/a", "http://e.org/a"),
    ("http://e.org:/a", "http://e.org/a"),
    ("http://e.org", "http://e.org/"),
    ("http://e.org?", "http://e.org/"),
    ("http://e.org#top", "http://e.org/"),
    ("http://e.org/a.png#x?y", "http://e.org/a.png"),
    ("http://e.org/b/../a/./c.png", "http://e.org/a/c.png"),
    ("http://e.org/../a.png", "http://e.org/a.png"),
    ("HTTP://E.ORG./a.png", "http://e.org/a.png"),
    ("http://u:p@e.org/a.png", "http://e.org/a.png"),
    ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"),
]
TWO = [
    ("http://e.org/a%2Fb.png", "http://e.org/a/b.png"),
    ("http://e.org/a%3Fb", "http://e.org/a?b"),
    ("http://e.org/a%23b", "http://e.org/a#b"),
    ("http://e.org/a%2525", "http://e.org/a%25"),
    ("http://e.org/A.png", "http://e.org/a.png"),
    ("http://e.org/a/", "http://e.org/a"),
    ("http://e.org//a", "http://e.org/a"),
    ("http://e.org/a?b=1&c=2", "http://e.org/a?c=2&b=1"),
    ("http://e.org/a?b=%26", "http://e.org/a?b=&"),
    ("http://e.org/a?b=%2B", "http://e.org/a?b=+"),
    ("http://e.org:8080/a", "http://e.org/a"),
    ("http://www.e.org/a", "http://e.org/a"),
    ("http://bucher.example/a", "http://bücher.example/a"),
    ("http://e.org/%E9.png", "http://e.org/%C3%A9.png"),
    ("http://e.org/\udce9.png", "http://e.org/\udce8.png"),
]


@pytest.mark.parametrize(("first", "second"), ONE)
def test_spellings_of_one_address(first, second):
    assert key(first) == key(second)


@pytest.mark.parametrize(("first", "second"), TWO)
def test_two_addresses(first, second):
    assert key(first) != key(second)


@pytest.mark.parametrize("url", ["http://[", "http://e.org:99999999/", "http://e.org:x/"])
def test_a_malformed_url_raises(url):
    with pytest.raises(ValueError, match=r"Invalid|Port"):
        key(url)


@given(
    st.from_regex(
        r"https?://[a-z]{1,3}\.[a-z]{2}(/[a-zA-Z0-9.~_/-]{0,12}(\?[a-z=&.]{1,6})?)?", fullmatch=True
    )
)
def test_the_quick_way_gives_what_the_long_one_gives(url):
    assert key(url) == key(url.replace("://", "://user@"))


@given(st.text(max_size=30))
def test_a_key_is_its_own_key(text):
    try:
        found = key(f"http://e.org/{text}")
    except ValueError:
        return
    assert key(f"http://{found}") == found


@pytest.mark.parametrize(("src", "target"), [*ONE[:12], *(pair[::-1] for pair in ONE[:12])])
@pytest.mark.parametrize("crawl", [False, True])
def test_an_archived_image_is_found_under_each_spelling(tmp_path, src, target, crawl):
    folder = tmp_path / "w"
    folder.mkdir()
    body = f'<html><head><meta charset=utf-8></head><body><p>text<img src="{src}"></body></html>'.encode()
    page, image = record("http://a.org/", body), record(target, png(), headers="Content-Type: image/png")
    if crawl:
        archive(folder / "1.warc", page)
        archive(folder / "2.warc", image)
    else:
        archive(folder / "1.warc", page, image)
    source = WarcSource(name="w", path=str(folder), crawl=crawl)
    (found,) = documents(read_all(warc, source, tmp_path / "cache"))
    assert fetch(found.images[0].ref, folder) == png()


@pytest.mark.parametrize("codec", ["utf-8", "latin-1"])
def test_bytes_of_a_header_are_those_that_a_browser_sends(tmp_path, codec):
    """Crawlers write URLs as they got them; two URLs in Latin-1 are not taken for one."""
    sign, mark = "é".encode(codec), b"@" * len("é".encode(codec))
    escaped = "".join(f"%{byte:02X}" for byte in sign)
    image = "Content-Type: image/png"
    moved = record("http://a.org/old", b"", "301 Moved", f"Location: /{mark.decode()}.png")
    path = archive(
        tmp_path / "a.warc",
        record("http://a.org/", f"<p>text<img src=/{escaped}.png><img src=/old>".encode()),
        record("http://a.org/@.png", png(dot=9), headers=image).replace(b"@", "è".encode(codec), 1),
        record("http://a.org/@.png", png(), headers=image).replace(b"@", sign, 1),
        moved.replace(mark, sign, 1),
    )
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache"))
    assert {fetch(item.ref, tmp_path) for item in found.images} == {png()}
    assert len({item.url for item in found.images}) == 2
