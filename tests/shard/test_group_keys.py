"""Keys that group two documents: registered domains, the same words, nearly the same words, images."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.records.url import domains_of, host_of
from leafinstruct.shard.group_keys import BANDS, group_keys_of


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


def words(count: int, seed: int) -> list[str]:
    source = random.Random(seed)
    return [f"w{source.randrange(4000)}" for _ in range(count)]


def shared(one: list[str], other: list[str]) -> int:
    """How many bands two texts share."""
    return len(
        {*group_keys_of(document(" ".join(one))).near_text}
        & {*group_keys_of(document(" ".join(other))).near_text}
    )


def test_the_same_words_are_the_same_text_however_they_are_set():
    plain = group_keys_of(document("Draw a red wall.", "Then add a roof!"))
    assert plain.text == group_keys_of(document("# DRAW a red", "wall then\nadd — a roof")).text
    assert plain.text != group_keys_of(document("Draw a red wall.", "Then add a door!")).text
    assert plain.text != group_keys_of(document("Then add a roof!", "Draw a red wall.")).text


def test_nearly_the_same_text_shares_a_band_and_another_none():
    """100 pairs each. A word changed in 375 leaves 0.97 of the runs alike: all are tied; ten changed, 0.77:
    most; of strangers, none."""
    found = {1: 0, 10: 0}
    for seed in range(100):
        text = words(375, seed)
        for changed in found:
            copy = list(text)
            for at in random.Random(seed).sample(range(375), changed):
                copy[at] = "another"
            found[changed] += shared(text, copy) > 0
        assert shared(text, words(375, 1000 + seed)) == 0
    assert found[1] == 100
    assert found[10] > 70


@pytest.mark.parametrize(
    "words",
    [
        ["Đầu", "tiên", "vo", "gạo", "ba", "lần", "rồi", "ngâm", "nước", "nửa", "giờ", "trước", "khi", "nấu"],
        [
            "먼저",
            "쌀을",
            "세",
            "번",
            "씻어",
            "물에",
            "삼십",
            "분",
            "동안",
            "담가",
            "둡니다",
            "그다음",
            "냄비에",
        ],
        [
            "ガスを",
            "デザイン",
            "バター",
            "ボウル",
            "ビール",
            "パンを",
            "ズボン",
            "ゲーム",
            "グラム",
            "ペンで",
        ],
    ],
)
def test_decomposed_words_are_the_same_words(words):
    assert shared(words, [unicodedata.normalize("NFD", word) for word in words]) == BANDS
    assert shared(["it's", *words], ["it’s", *words]) == BANDS  # noqa: RUF001 - the typographic apostrophe is meant


def test_signs_of_a_script_without_spaces_are_words():
    source = random.Random(5)
    text = "".join(chr(0x4E00 + source.randrange(3000)) for _ in range(200))
    assert shared([text], [text[:90] + "人" + text[91:]]) > 0
    assert group_keys_of(document(text)).text != group_keys_of(document(text[::-1])).text


def test_vowel_signs_are_parts_of_words():
    """Without them two Hindi texts of the same consonants were one."""
    assert group_keys_of(document("हिंदी की किताब")).text != group_keys_of(document("हंद क कतब")).text
    assert shared(["हिंदी", "की", "किताब", "पढ़ो", "आज"], ["हंद", "क", "कतब", "पढ", "आज"]) == 0


def test_short_texts_have_bands_and_no_text_has_no_tie():
    assert shared(["one", "two"], ["one", "two"]) == BANDS
    assert shared(["one", "two"], ["two", "one"]) == 0
    empty = group_keys_of(document("!" + "a" * 64, "... !?"))
    assert (empty.text, empty.near_text) == (None, [])


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
    assert ties.near_text[:2] == [10879927933244860101, 3230026730273898850]
