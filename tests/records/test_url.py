"""URLs compared: one normal form, and which of two are of one site."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.records.url import full_host, host_of, normal, one_domain


@pytest.mark.parametrize(
    "other",
    [
        "http://shop.example/a/b?x=1",
        "https://SHOP.example:443/a/b?x=1#part",
        "http://shop.example.:80/a/b/?x=1",
        "https://me:secret@shop.example/a/./c/../b?x=1",
        " https://shop.example/%61/b?x=1 ",
    ],
)
def test_what_makes_no_difference(other):
    assert normal(other) == normal("https://shop.example/a/b?x=1")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("path", ["café/한글.png", "q?name=Ångström%2Fb%26c"])
def test_the_unicode_form_of_a_letter_makes_no_difference(path, form):
    given = unicodedata.normalize(form, path)
    wanted = normal(f"https://shop.example/{unicodedata.normalize('NFC', path)}")
    assert normal(f"https://shop.example/{given}") == wanted
    assert normal(f"https://shop.example/{quote(given, safe='/?=%&')}") == wanted


def test_bytes_that_are_no_utf_8_stay_escaped():
    assert normal("https://shop.example/%ff%C3%A9%E9") == "shop.example/%FF%C3%A9%E9"
    assert normal("https://shop.example/%E9") != normal("https://shop.example/é")


@pytest.mark.parametrize("query", ["x=a b", "x=a+b", "x=a%20b"])
def test_a_space_of_a_query_is_written_in_three_ways(query):
    assert normal(f"https://shop.example/a b?{query}") == "shop.example/a%20b?x=a+b"


def test_a_plus_sign_of_a_query_is_no_space():
    assert normal("https://shop.example/?x=a%2Bb") != normal("https://shop.example/?x=a+b")


@pytest.mark.parametrize(
    "other",
    [
        "https://shop.example/a",
        "https://shop.example/a/b",
        "https://shop.example/a/b?x=2",
        "https://www.shop.example/a/b?x=1",
        "https://shop.example:8443/a/b?x=1",
        "https://shop.example/A/b?x=1",
        "https://shop.example.evil.example/a/b?x=1",
    ],
)
def test_what_makes_a_difference(other):
    assert normal(other) != normal("https://shop.example/a/b?x=1")


@pytest.mark.parametrize("url", ["http://shop.example", "https://shop.example/", "https://shop.example/#top"])
def test_a_home_page_is_one(url):
    assert normal(url) == "shop.example/"


@given(st.text(max_size=80) | st.text(alphabet="htps:/.@[]#?%ab1\\ ", max_size=60))
def test_any_text_has_one_normal_form(text):
    assert normal(text) == normal(text)
    assert full_host(text) == full_host(text).lower()


@given(
    st.from_regex(
        r"(http|HTTPS)://[a-z]{1,5}(\.[a-z]{1,5}){0,2}(:80|:8080)?(/[a-z%~é]{0,3}){0,3}/?(\?a=b)?(#x)?",
        fullmatch=True,
    )
)
def test_the_normal_form_of_a_url_is_that_of_the_url_without_fragment(url):
    assert normal(url.partition("#")[0]) == normal(url)
    assert host_of(url) is not None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("https://docs.maker.co.uk/a", "http://shop.maker.co.uk", True),
        ("https://alice.github.io/", "https://bob.github.io/", False),
        ("https://maker.com", "https://maker.com.evil.com", False),
        ("https://maker.com", "https://maker.com@evil.com/", False),
        ("http://127.0.0.1:8000/", "http://127.0.0.1/", True),
        ("http://10.0.0.1/", "http://10.0.0.2/", False),
        ("http://a.corp.internal/", "http://b.corp.internal/", False),
        ("https://bücher.de/", "https://www.xn--bcher-kva.de/", True),
        ("https://maker.com", None, False),
        (None, None, False),
        ("urn:a", "urn:a", False),
    ],
)
def test_which_urls_are_of_one_site(first, second, same):
    assert one_domain(first, second) is same
