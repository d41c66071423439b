"""The own documents are what README.md says: complete, in their script, and without repetition."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import combinations

import pytest
from corpora import reading

from leafinstruct.records.text.words import sentences_of

SCRIPTS = {
    "latin": "LATIN",
    "cyrillic": "CYRILLIC",
    "arabic": "ARABIC",
    "hebrew": "HEBREW",
    "devanagari": "DEVANAGARI",
    "unspaced": "THAI|KHMER|LAO|MYANMAR",
    "chinese": "CJK",
    "japanese": "CJK|HIRAGANA|KATAKANA",
    "korean": "HANGUL",
}
"""Beginnings of the Unicode names of a group's letters."""

_MARKER = re.compile(r"^\s*(?:[-•]|[（(]?\w{1,2}[.)、）])\s*")  # noqa: RUF001 - marks of many scripts are meant

DEFECTS = ("repetition", "capitals", "links", "exclamations", "symbols")
each_group = pytest.mark.parametrize("group", reading.GROUPS)


def sentences(record):
    """Sentences of all texts but the headings, without list markers."""
    texts = [
        segment["text"]
        for segment in record["segments"]
        if segment["type"] == "text" and segment["kind"] != "heading"
    ]
    lines = [_MARKER.sub("", line) for text in texts for line in text.split("\n")]
    return [sentence for line in lines for sentence in sentences_of(line)]


def in_script(text, names):
    letters = [unicodedata.name(letter, "") for letter in text if letter.isalpha()]
    return sum(bool(re.match(names, name)) for name in letters) / max(len(letters), 1)


def shingles(record):
    text = "".join(sentences(record))
    return {text[start : start + 8] for start in range(len(text) - 7)}


@each_group
def test_a_group_has_sixty_documents_of_the_stated_shape(group):
    found = reading.records(group)
    assert len({record["id"] for record in found}) == len(found) == 60
    for record in found:
        kinds = Counter(segment["type"] for segment in record["segments"])
        assert 4 <= kinds["text"] <= 10, record["id"]
        assert 2 <= kinds["image"] <= 5, record["id"]
        assert record["genre"] in {"how_to", "story", "report"}


@each_group
def test_every_text_is_in_the_script_of_its_group(group):
    for record in reading.records(group):
        whole = "".join(segment.get("text", "") for segment in record["segments"])
        assert in_script(whole, SCRIPTS[group]) > 0.75, record["id"]  # the rest: product names and units
        assert in_script(whole, f"{SCRIPTS[group]}|IDEOGRAPHIC|LATIN") == 1, record["id"]


@each_group
def test_no_sentence_occurs_twice_in_a_document_or_in_two(group):
    # below: labels of sections ("You will need"), as sites repeat them
    shortest = 12 if group in {"chinese", "japanese", "korean"} else 20
    owner = {}
    for record in reading.records(group):
        own = Counter(sentences(record))
        assert max(own.values()) == 1, (record["id"], own.most_common(1))
        for sentence in own:
            if len(sentence) >= shortest:
                assert owner.setdefault(sentence, record["id"]) == record["id"], sentence


@each_group
def test_no_two_documents_are_near_duplicates(group):
    sets = [shingles(record) for record in reading.records(group)]
    assert max(len(one & other) / len(one | other) for one, other in combinations(sets, 2)) < 0.1


@each_group
def test_documents_keep_the_texts_in_order_and_own_their_images(group):
    for record, document in zip(reading.records(group), reading.documents(group), strict=True):
        assert [text.text for text in document.texts] == [
            segment["text"] for segment in record["segments"] if segment["type"] == "text"
        ]
        assert [image.alt for image in document.images] == [
            segment["alt"] for segment in record["segments"] if segment["type"] == "image"
        ]
        assert document.title == document.texts[0].text


@each_group
def test_the_spam_of_a_group_shows_each_defect_in_its_script(group):
    found = [record for record in reading.records("spam") if record["group"] == group]
    assert len(found) == 6
    wanted = set(DEFECTS) if group in {"latin", "cyrillic"} else set(DEFECTS) - {"capitals"}
    assert {record["defect"] for record in found} == wanted
    for record in found:
        whole = "".join(segment.get("text", "") for segment in record["segments"])
        assert in_script(re.sub(r"\S*\.example\.\S*", "", whole), SCRIPTS[group]) == 1, record["id"]
