"""Cleaning of strings: what it keeps and removes, for every character of Unicode."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.ingest.fields.reference import LostError, safe_name
from leafinstruct.ingest.fields.text import lines, one_line, prose

REMOVED = {chr(code) for code in (*range(9), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0))} | {
    *"\ufeff\ufffe\uffff"
}
BLANK = "\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"
"""White space that breaks no line of a document."""


def cleaned(text: str) -> str:
    """The definition, character by character."""
    kept = "".join(character for character in text if character not in REMOVED)
    return "".join("\ufffd" if unicodedata.category(each) == "Cs" else each for each in kept)


def in_one_line(text: str) -> str:
    return " ".join(cleaned(text).split())


def in_lines(text: str) -> str:
    spaced = "".join(" " if character in BLANK else character for character in text)
    rows = cleaned(spaced.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return "\n".join(row.rstrip() for row in rows).strip("\n")


@pytest.mark.parametrize("form", ["{}", "a{}b", " {}a ", "{0}{0} b{0}"])
def test_every_character_is_kept_replaced_or_removed_as_defined(form):
    characters = [chr(code) for code in range(sys.maxunicode + 1) if code < 0x3100 or code % 97 == 0]
    wrong = [
        hex(ord(character))
        for character in (*characters, "\ud800", "\udfff", "\ufeff", "\ufffe", "\uffff")
        if one_line(form.format(character)) != in_one_line(form.format(character))
        or lines(form.format(character)) != in_lines(form.format(character))
    ]
    assert not wrong


@given(st.text(st.sampled_from(" ab\n\r\t\x00\x85\xa0\u2028\u3000\ud800é"), max_size=20))
def test_any_text_is_cleaned_as_defined(text):
    assert one_line(text) == in_one_line(text)
    assert lines(text) == in_lines(text)


@given(
    st.lists(st.text(st.sampled_from(" ab\n\r\t\x00\x85\xa0\u2028\u3000\ud800é"), max_size=12), max_size=5)
)
def test_sentences_are_cleaned_alone_and_together_alike(texts):
    assert prose(texts) == [in_lines(text) if "\n" in text.strip() else in_one_line(text) for text in texts]


@given(st.text(st.sampled_from("ab0._-/\\: \n\x00\x7fé"), max_size=8))
def test_a_safe_name_is_the_path_that_it_names(name):
    unsafe = not PurePosixPath(name).parts or name.startswith("/") or ".." in name.split("/")
    if unsafe or ":" in name.partition("/")[0] or not {"\\", "\n", "\x00", "\x7f"}.isdisjoint(name):
        with pytest.raises(LostError, match="unsafe_path"):
            safe_name(name)
    else:
        assert safe_name(name) == PurePosixPath(name).as_posix()
