"""Scores of text: each is a definition, and each test a case that another definition would fail."""

import math

from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.filter import text


def values(*parts: str) -> dict[str, float | None]:
    return {cell.name: cell.value for cell in text.scores(document(*parts))}


def test_words_count_white_space_tokens_and_two_thirds_of_cjk_characters():
    assert text.count_words(["one two", "three"]) == 3
    assert text.count_words(["画一个红色的房子"]) == 5  # 8 characters / 1.5
    assert text.count_words(["hello 世界世"]) == 3


def test_repetition_is_the_share_of_words_in_runs_seen_before():
    assert text.repetition(["a", "b", "c", "d", "e", "f", "g", "h"]) == 0.0
    assert text.repetition(["a", "b", "c", "d", "e", "a", "b", "c", "d", "e"]) == 0.5
    assert text.repetition(["a", "b", "c", "d"]) == 0.0


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=5, max_size=30))
def test_saying_it_all_twice_repeats_at_least_half(words):
    assert text.repetition(words * 2) >= 0.5


def test_capitals_symbols_links_and_exclamations_are_rates():
    found = values("BUY NOW! Visit www.shop.example and https://a.example now!")
    assert found["text.links"] == round(100 * 2 / 7, 4)
    assert found["text.exclamations"] == round(100 * 2 / 7, 4)
    assert text.capital_share("AAbb") == 0.5
    assert text.capital_share("漢字") == 0.0
    assert text.symbol_share("ab¤¤") == 0.5


def test_code_is_no_spam():
    from dataclasses import replace

    page = document("# Title", "printf('%d' && ~x ^ y);")
    code = replace(page, segments=(page.segments[0], replace(page.segments[1], kind="code")))
    assert {cell.name: cell.value for cell in text.scores(code)}["text.symbols"] == 0.0


def test_a_document_without_words_has_no_rates_and_says_so():
    cells = {cell.name: cell for cell in text.scores(document("!a"))}
    assert cells["text.words"].value == 0.0
    assert cells["text.links"].value is None
    assert cells["text.links"].state == "not_scored"


@given(st.text(max_size=200))
def test_no_text_breaks_a_score(content):
    for cell in text.scores(document(content)):
        assert cell.value is None or math.isfinite(cell.value)


def test_list_markers_are_neither_words_nor_symbols():
    marked = values("- 1. Cut the red apple.\n   - Peel it.\n\n     Now.\n10. Bake it for 2. hours")
    assert marked == values("- Cut the red apple.\nPeel it.\nNow.\nBake it for 2. hours")
    assert marked["text.words"] == 12
    assert text.count_words(["-", "2.", "- 1. a", "a - b"]) == 4
