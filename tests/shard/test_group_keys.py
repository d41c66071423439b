"""Keys that group two documents: registered domains, the same words, images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.records.url import domains_of, host_of
from leafinstruct.shard.group_keys import group_keys_of


def test_hosts():
    assert host_of("https://www.Example.org:80/a?b") == "example.org"
    assert host_of(None) is None
    assert host_of("http://[broken") is None
    assert host_of("no address") is None


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("docs.maker.com", "maker.com"),
        ("shop.maker.co.uk", "maker.co.uk"),
        ("maker.co.uk.", "maker.co.uk"),
        ("alice.github.io", "alice.github.io"),  # two people's pages on one service are two sites
        ("github.io", "github.io"),  # a suffix itself
        ("wiki.corp.internal", "wiki.corp.internal"),  # no suffix that the list knows
        ("paper-club.sketchbook.example", "paper-club.sketchbook.example"),
        ("localhost", "localhost"),
        ("192.168.1.7", "192.168.1.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("a.münchen.de", "xn--mnchen-3ya.de"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("a..b.com", "a..b.com"),
        ("ü" * 70 + ".de", "ü" * 70 + ".de"),  # no name that can be looked up
    ],
)
def test_the_domain_is_the_registered_one(host, domain):
    assert domains_of([host]) == [domain]


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=90)
    | st.from_regex(r"[a-z0-9\-.ü公١]{0,300}", fullmatch=True)
)
def test_whatever_a_page_calls_itself_has_a_domain(name):
    """Hosts are the page's to write: none raises, and a domain is the domain of itself."""
    host = host_of(f"https://{name}/a")
    if host is not None:
        (domain,) = domains_of([host])
        assert domains_of([domain]) == [domain]


def test_the_same_words_are_the_same_text_however_they_are_set():
    plain = group_keys_of(document("Draw a red wall.", "Then add a roof!"))
    assert plain.text == group_keys_of(document("# DRAW a red", "wall then\nadd — a roof")).text
    assert plain.text != group_keys_of(document("Draw a red wall.", "Then add a door!")).text
    assert plain.text != group_keys_of(document("Then add a roof!", "Draw a red wall.")).text


def test_vowel_signs_are_parts_of_words():
    """Without them two Hindi texts of the same consonants were one."""
    assert group_keys_of(document("हिंदी की किताब")).text != group_keys_of(document("हंद क कतब")).text


def test_a_document_without_words_is_no_copy():
    assert group_keys_of(document("!" + "a" * 64, "... !?")).text is None


def test_images_tie_by_their_bytes():
    one, two = "ab" * 32, "cd" * 32
    assert group_keys_of(document(f"!{one}", "text", f"!{two}", f"!{one}")).images == [
        0xABABABABABABABAB,
        0xCDCDCDCDCDCDCDCD,
    ]


def test_numbers_are_the_same_everywhere():
    """They decide the split of each row: another library, version or machine may not move them
    unseen."""
    ties = group_keys_of(document("Draw a red wall on the grass, then a brown roof on top of it."))
    assert ties.text == 10973298203478583324
