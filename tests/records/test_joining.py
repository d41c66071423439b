"""Texts of a turn that follow one another: what goes between them, and that they stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leafinstruct.records.text.joining import after_placeholder, joined, paragraphs


@pytest.mark.parametrize(
    ("texts", "together"),
    [
        (["far.", "Step 1"], "far.\nStep 1"),
        (["1. a\n2. b", "- c"], "1. a\n2. b\n\n- c"),
        (["Do this:", "3. a"], "Do this:\n\n3. a"),
        (["1. a\n2. b", "Then rest."], "1. a\n2. b\n\nThen rest."),
        (["1. Mix", "   Stir."], "1. Mix\n\n   Stir."),
        (["a", "```\nx\n```", "b"], "a\n```\nx\n```\nb"),
        (["", "a", "", "b"], "a\nb"),
        (["a-b 1.5", "c"], "a-b 1.5\nc"),
    ],
)
def test_a_blank_line_separates_a_text_from_a_list(texts, together):
    assert joined(texts) == together


@given(st.lists(st.text("a1-. \n") | st.integers()))
def test_segments_keep_their_bytes_and_order(segments):
    found = paragraphs(segments)
    assert [item for item in found if not isinstance(item, str)] == [
        item for item in segments if not isinstance(item, str)
    ]
    texts = [item for item in segments if isinstance(item, str) and item]
    assert len(texts) == sum(isinstance(item, str) for item in found)
    for text, item in zip(texts, (item for item in found if isinstance(item, str)), strict=True):
        assert item.endswith(text)
        assert item[: len(item) - len(text)] in ("", "\n", "\n\n")


def test_a_markdown_parser_finds_the_paragraph_behind_a_list():
    types = [
        token.type
        for token in MarkdownIt().parse(joined(["Do this:", "3. a\n4. b", "Then rest."]))
        if token.level == 0
    ]
    assert types == [
        "paragraph_open",
        "paragraph_close",
        "ordered_list_open",
        "ordered_list_close",
        *types[:2],
    ]


@pytest.mark.parametrize(
    ("before", "after", "between"),
    [
        (None, "a", "\n"),
        (None, "1. a", "\n\n"),
        ("a", "b", "\n"),
        ("Do this:", "3. a", "\n\n"),
        ("1. a", "2. b", "\n"),
        ("1. a", "   - b", "\n"),
        ("1. a\n\n   b", "   c\n\n2. d", "\n"),
        ("1. a\n2. b", "Then rest.", "\n\n"),
        ("   a", "Then rest.", "\n\n"),
    ],
)
def test_a_blank_line_behind_a_mark_ends_the_list_before_it(before, after, between):
    assert after_placeholder(before, after) == between
