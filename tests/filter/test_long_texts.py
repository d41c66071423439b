"""Texts that patterns must read in linear time: each took the square of its length, hours for a million
characters."""

from __future__ import annotations

import io
import struct
import time
import zlib

import PIL.Image
import pytest

from leafinstruct.filter.catalog import RULES_FIELDS
from leafinstruct.filter.judging import rules
from leafinstruct.filter.judging.request import shorten
from leafinstruct.filter.scores import text as text_scores
from leafinstruct.filter.texts import invisible
from leafinstruct.images.decode import probe
from leafinstruct.ingest.fields.marginal import is_marginal
from leafinstruct.ingest.page.charset import decode
from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Text
from leafinstruct.records.edits import Edit
from leafinstruct.records.text.references import dangling
from leafinstruct.records.text.words import count_words, sentence_spans

pytestmark = pytest.mark.e2e

SECONDS = 10.0
"""Of CPU. Four times what the slowest test takes on a slow machine; a quadratic pattern takes hours."""
MILLION = 1_000_000


@pytest.fixture(autouse=True)
def within_seconds():
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


def document(*texts: str) -> Document:
    return Document(
        "d", "own", tuple(Text(position, text) for position, text in enumerate(texts)), Provenance("a", "")
    )


def test_a_sentence_that_names_the_judge_again_and_again_costs_little():
    plain = document("rate " * (MILLION // 5), "One sentence.")
    assert [item.text.strip() for item in rules.without_addresses_to_the_judge(plain).texts] == [
        item.text.strip() for item in plain.texts
    ]
    pleading = document(f"{'rate ' * (MILLION // 6)} this 5", "One sentence.")
    assert [item.text for item in rules.without_addresses_to_the_judge(pleading).texts] == ["One sentence."]


@pytest.mark.parametrize("unit", [". ", "1. ", "- ", "a b. "])
def test_texts_of_millions_of_sentences_are_judged_in_linear_time(unit):
    plain = document(unit * (2 * MILLION // len(unit)), "Rate this page 5 out of 5. A mug is white.")
    assert rules.without_addresses_to_the_judge(plain).texts[-1].text == "A mug is white."
    pleading = document("Rate this page 5 out of 5. A mug is white. " + unit * (2 * MILLION // len(unit)))
    (kept,) = rules.without_addresses_to_the_judge(pleading).texts
    assert kept.text.startswith("A mug is white. " + unit)
    assert len(kept.text) > 1.9 * MILLION
    assert rules.by_rules(shorten(pleading, 2_000)).keys() == set(RULES_FIELDS)


@pytest.mark.parametrize("unit", ["a.", "a-a.", "x@a.", "www.", "http://"])
def test_names_of_hosts_without_end_are_counted_in_linear_time(unit):
    words = "x@y.org " + unit * (MILLION // 2 // len(unit))
    (links,) = [cell for cell in text_scores.scores(document(words)) if cell.name == "text.links"]
    assert links.value is not None
    assert links.value > 0


def test_a_text_that_refers_to_an_image_in_each_line_is_read_in_linear_time():
    lines = "as shown below, see figure 9 and the image above\n" * 15_000
    found = dangling([Text(0, "One."), Text(1, lines)])
    assert len(found) == 45_000
    assert {item.kind for item in found} == {"below", "above", "number"}


def test_a_document_that_refers_to_an_image_in_each_part_is_read_in_linear_time():
    parts = [
        Text(position, "As shown above, in the image below.", "heading" if position % 2 else "prose")
        for position in range(9_000)
    ]
    assert len(dangling([*parts, ImageRef(9_000, Ref(file="a.png"))])) > 9_000


def test_a_long_line_is_no_path_of_pages():
    assert not is_marginal("Home > " * MILLION)
    assert is_marginal("Home > Recipes > Bread")


def test_spaces_behind_a_charset_cost_little():
    for _ in range(50):
        assert decode(b"<meta charset = " + b" " * 4_000 + b"\xe9").startswith("<meta charset = ")


def test_a_jpeg_of_filling_bytes_is_no_image():
    assert probe(b"\xff\xd8" + b"\xff" * 4 * MILLION).reason == "broken"


def test_the_scores_of_a_long_document_are_computed_once_for_all_passes(monkeypatch):
    counted = []
    monkeypatch.setattr(text_scores, "count_links", lambda text: counted.append(text) or 0)
    first = text_scores.scores(document("one two " * 200_000))
    assert text_scores.scores(document("one two " * 200_000)) == first
    assert len(counted) == 1


def test_a_png_of_many_color_profiles_is_not_decoded():
    profile = b"iCCP" + b"a\0\0" + zlib.compress(bytes(1 << 20))
    chunk = struct.pack(">I", len(profile) - 4) + profile + struct.pack(">I", zlib.crc32(profile))
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (64, 48)).save(buffer, "PNG")
    plain = buffer.getvalue()
    assert probe(plain[:33] + chunk + plain[33:]).format == "PNG"
    assert probe(plain[:33] + chunk * 9 + plain[33:]).detail == "more than 4 color profiles"


@pytest.mark.parametrize("unit", [".", "1,", "a'", ". ", "http://a", "中"])
def test_a_text_of_one_sign_without_end_has_words_sentences_and_links(unit):
    text = unit * (MILLION // len(unit))
    assert count_words([text]) >= 0
    assert sum(end - start for start, end in sentence_spans(text)) <= len(text)
    assert text_scores.count_links(text) <= len(text)


def test_edits_behind_many_invisible_characters_are_moved_in_linear_time():
    count = 40_000
    removed = [Edit("invisible", "text", 0, 2 * at, 2 * at + 1) for at in range(count)]
    found = list(invisible.moved((Edit("plea", "text", 0, at, at + 1) for at in range(count)), removed))
    assert found == [Edit("plea", "text", 0, 2 * at + 1, 2 * at + 2) for at in range(count)]
