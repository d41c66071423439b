"""HTML folders: real pages with hand-counted images, references to local files, parts that stay where they
are."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import bare, documents, outline, read_all, rejected
from selectolax.lexbor import LexborHTMLParser

from leafinstruct.errors import SourceError
from leafinstruct.ingest.config import HtmlSource
from leafinstruct.ingest.readers import html
from leafinstruct.records.document import ImageRef, Ref, Text

COUNTS = json.loads((Path(__file__).parent / "real_counts.json").read_text(encoding="utf-8"))["html"]
MADE_UP = [
    "Recent pages",
    "Newsletter",
    "Sign up to get new pages",
    "Log in to leave a comment",
    "We use cookies",
    "Accept",
    "Tweet",
    "You may also like",
    "All pages",
    "RSS",
    "Terms of use",
    "keep that license",
    "static site generator",
]
"""Phrases of the navigation, bars and footers that were put round the real pages."""


def source(path: Path, **settings: str) -> HtmlSource:
    return HtmlSource(name="h", path=str(path), **settings)


def one(folder: Path, page: str, name: str = "index.html") -> list[str]:
    """The outline of one page, and the reasons of what it lost."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(page, encoding="utf-8")
    items = read_all(html, source(folder), folder / "cache")
    return [
        *(line for document in documents(items) for line in outline(document)),
        *(f"!{reason}" for _, reason, _ in rejected(items)),
    ]


@pytest.fixture(scope="module")
def pages(real, tmp_path_factory):
    """Document id -> document, of all real pages."""
    items = read_all(html, source(real / "html"), tmp_path_factory.mktemp("cache"))
    assert rejected(items) == []
    return {Path(document.provenance.file).parent.as_posix(): document for document in documents(items)}


def test_real_pages_have_the_images_that_were_counted_by_hand(pages):
    assert {name: len(document.images) for name, document in pages.items()} == {
        name: row["images"] for name, row in COUNTS.items()
    }


def test_real_pages_keep_every_character_of_the_document_and_nothing_around_it(pages, real):
    """The three templates mark the document in three ways; its content is what comes out, in order, to
    the character."""
    for name, document in pages.items():
        page = (real / "html" / name / "index.html").read_text(encoding="utf-8")
        original = LexborHTMLParser(page).css_first("main, article, div.content").text()
        text = "".join(bare(item.text, placeholders=item.kind == "list") for item in document.texts)
        assert text == bare(original), name
        assert text.startswith(bare(COUNTS[name]["first"]))
        assert text.endswith(bare(COUNTS[name]["last"]))


def test_nothing_of_the_made_up_frame_is_left(pages):
    texts = [item.text for document in pages.values() for item in document.texts]
    assert [
        phrase
        for phrase in MADE_UP
        if any(text.startswith(phrase) or (len(phrase) > 8 and phrase in text) for text in texts)
    ] == []


def test_every_real_image_is_a_file_beside_its_page(pages, real):
    for name, document in pages.items():
        assert all(
            (real / "html" / item.ref.file).is_file() and item.ref.file.startswith(f"{name}/")
            for item in document.images
        )


def test_real_captions_stand_directly_after_their_image(pages):
    document = pages["rtk-configure-with-wifi"]
    captions = [item for item in document.texts if item.kind == "caption"]
    assert len(captions) == 6
    assert all(isinstance(document.segments[item.position - 1], ImageRef) for item in captions)
    assert captions[0].text == "Configuration page via WiFi"


def test_positions_count_from_zero_without_gaps(pages):
    assert all(
        [item.position for item in document.segments] == list(range(len(document.segments)))
        for document in pages.values()
    )


def test_a_page_declared_utf8_and_stored_as_cp1252_comes_out_right(real, tmp_path):
    (document,) = documents(read_all(html, source(real / "messy" / "wrong_charset.html"), tmp_path))
    assert document.texts[0] == Text(0, "Lo que necesitarás", "heading")
    assert "más pequeño del Módulo de Cámara" in document.texts[3].text


def test_a_page_without_a_body_has_a_reason(real, tmp_path):
    assert rejected(read_all(html, source(real / "messy" / "no_body.html"), tmp_path)) == [
        ("", "no_body", True)
    ]


def test_five_megabytes_on_one_line_are_read_in_a_second(real, tmp_path):
    started = time.process_time()
    (document,) = documents(read_all(html, source(real / "messy" / "single_line_5mb.html"), tmp_path))
    assert time.process_time() - started < 20
    assert sum(len(item.text) for item in document.texts) > 4_900_000


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("pic.png", "<a/b/pic.png>"),
        ("./x/../pic.png", "<a/b/pic.png>"),
        ("../up.png", "<a/up.png>"),
        ("/top.png", "<top.png>"),
        ("my%20pic.png", "<a/b/my pic.png>"),
        ("my pic.png", "<a/b/my pic.png>"),
        ("odd%2520.png", "<a/b/odd%20.png>"),
        ("raw%41.png", "<a/b/raw%41.png>"),
        ("pic.png?v=3#x", "<a/b/pic.png>"),
        ("gone.png", "<a/b/gone.png>"),
        ("..\\up.png", "<a/up.png>"),
        ("https://c.example/x.png#f", "<https://c.example/x.png>"),
        ("//c.example/x.png", "<https://c.example/x.png>"),
        ("../../../etc/passwd", "!unsafe_path"),
        ("/../../etc/passwd", "!unsafe_path"),
        ("%2e%2e/%2e%2e/%2e%2e/etc/passwd", "!unsafe_path"),
        ("file:///etc/passwd", "!unsafe_path"),
        ("C:/x.png", "!unsafe_path"),
        ("x%00.png", "!unsafe_path"),
        ("x%7F.png?v=3", "!unsafe_path"),
        ("javascript:alert(1)", "!unknown_scheme"),
        ("http://[", "!bad_url"),
        ("data:image/png;base64,AAAA", "!data_uri"),
        ("#top", "!no_source"),
        ("/" + "x" * 300 + ".png", f"<{'x' * 300}.png>"),
        ("%41" * 100 + ".png", f"<a/b/{'A' * 100}.png>"),
        ("x" * 2000, "!unsafe_path"),
    ],
)
def test_what_an_address_refers_to(tmp_path, url, reference):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/pic.png", "a/b/my pic.png", "a/b/odd%20.png", "a/b/raw%41.png", "a/up.png", "top.png"):
        (tmp_path / name).touch()
    assert one(tmp_path, f'<body><p>text</p><img src="{url}"></body>', "a/b/index.html") == [
        "prose: text",
        reference,
    ]


def test_base_decides_where_relative_addresses_lead(tmp_path):
    image = "<body><img src='x.png'></body>"
    assert one(tmp_path / "1", f"<head><base href='https://c.example/d/'></head>{image}") == [
        "<https://c.example/d/x.png>"
    ]
    assert one(tmp_path / "2", f"<head><base href='../media/'></head>{image}", "p/index.html") == [
        "<media/x.png>"
    ]


def test_a_root_address_without_a_file_is_on_the_site_that_the_page_names(tmp_path):
    page = "<head><link rel=canonical href='https://c.example/p/1'></head><body><img src='/m/x.png'></body>"
    assert one(tmp_path, page) == ["<https://c.example/m/x.png>"]


def test_of_several_addresses_the_first_that_exists_is_taken(tmp_path):
    (tmp_path / "small.png").touch()
    assert one(tmp_path, '<body><img src="small.png" srcset="big.png 2000w"></body>') == ["<small.png>"]
    (tmp_path / "big.png").touch()
    assert one(tmp_path, '<body><img src="small.png" srcset="big.png 2000w"></body>') == ["<big.png>"]


def test_address_and_license_of_the_page_win_over_the_source(tmp_path):
    head = (
        "<head><link rel=canonical href='https://c.example/p'><link rel=license "
        "href='https://l.example/by'></head>"
    )
    (tmp_path / "1.html").write_text(f"{head}<body><img src=a.png></body>")
    (tmp_path / "2.html").write_text("<body>x</body>")
    first, second = documents(read_all(html, source(tmp_path, license="MIT"), tmp_path))
    assert (first.url, first.license, first.images[0]) == (
        "https://c.example/p",
        "https://l.example/by",
        first.images[0],
    )
    assert first.images[0] == ImageRef(0, Ref(file="a.png"), license="https://l.example/by")
    assert (second.url, second.license) == (None, "MIT")


def test_a_page_that_is_a_link_out_of_the_folder_is_not_read(tmp_path):
    (tmp_path / "secret.html").write_text("<body>secret</body>")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "page.html").symlink_to(tmp_path / "secret.html")
    assert rejected(read_all(html, source(tmp_path / "in"), tmp_path)) == [("", "unsafe_path", True)]


def test_pipes_links_in_circles_and_hidden_files_are_no_pages(tmp_path):
    os.mkfifo(tmp_path / "pipe.html")
    (tmp_path / "loop.html").symlink_to("loop.html")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "._page.html").touch()
    (tmp_path / "page.HTML").touch()
    (span,) = html.plan(source(tmp_path), 10, tmp_path)
    assert span.files == ("page.HTML",)


def test_a_page_that_vanished_harms_no_other(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.html").write_text(f"<body>{name}</body>")
    (span,) = html.plan(source(tmp_path), 10, tmp_path)
    (tmp_path / "b.html").unlink()
    items = list(html.read(source(tmp_path), span, tmp_path))
    assert rejected(items) == [("", "unreadable", True)]
    assert [document.provenance.file for document in documents(items)] == ["a.html", "c.html"]


parts = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=3)
names = st.sets(parts.map(lambda found: "/".join(found) + "x.html"), min_size=1, max_size=60)


@given(names, st.integers(1, 10))
def test_spans_partition_the_pages(tmp_path_factory, found, part_size):
    folder = tmp_path_factory.mktemp("law")
    touch(folder, found)
    spans = html.plan(source(folder), part_size, folder)
    assert sorted(name for span in spans for name in span.files) == sorted(found)
    assert all(span.stop == len(span.files) <= part_size for span in spans)


@given(names, st.text("abcdef", min_size=1, max_size=4), st.integers(1, 10))
def test_a_new_page_changes_exactly_one_part_or_splits_it(tmp_path_factory, found, name, part_size):
    folder = tmp_path_factory.mktemp("law")
    touch(folder, found)
    before = set(html.plan(source(folder), part_size, folder))
    touch(folder, {f"new-{name}.html"})
    after = set(html.plan(source(folder), part_size, folder))
    gone, made = before - after, after - before
    assert len(gone) <= 1
    assert sum(len(span.files) for span in made) == sum(len(span.files) for span in gone) + 1
    assert all(any(f"new-{name}.html" in span.files for span in made) for _ in gone)


def touch(folder: Path, found: set[str]) -> None:
    for name in found:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", "no such file or folder"),
        ("", "holds no .html"),
        ("*.html", "matches no file"),
        (".hidden", "holds no"),
    ],
)
def test_a_source_with_nothing_to_read_is_one_line(tmp_path, path, message):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "._index.html").touch()
    with pytest.raises(SourceError, match=message):
        html.plan(source(tmp_path / path), 5, tmp_path)


def test_of_several_urls_a_file_that_exists_comes_first(tmp_path):
    """A browser saves one size of an image, and leaves the URLs of the others in the page."""
    page = "<body><p>text</p><img src=a_files/s.jpg srcset='https://e.example/l.jpg 2x, gone.jpg 1x'></body>"
    assert one(tmp_path, page)[1] == "<https://e.example/l.jpg>"
    (tmp_path / "a_files").mkdir()
    (tmp_path / "a_files" / "s.jpg").touch()
    assert one(tmp_path, page)[1] == "<a_files/s.jpg>"


def test_what_a_page_does_not_show_is_counted_with_a_reason(tmp_path):
    page = "<body><p>Well done <img class=emoji src=/e.png></p><dialog><img src=/d.jpg></dialog></body>"
    assert one(tmp_path, page) == ["prose: Well done", "!not_shown", "!emoji_without_alt"]
