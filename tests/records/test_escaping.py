"""Marks and control tokens in text: gone for a reader of datasets, and back again to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.records.escaping import escape, unescape

TOKENS = (
    *(
        "<image>",
        "<video>",
        "<audio>",
        "<img>",
        "</img>",
        "<bbox>",
        "<ref-object>",
        "<cot-process>",
        "<start-image>",
        "<image 1>",
        "<IMAGE>",
    ),
    *(
        "<|im_start|>",
        "<|im_end|>",
        "<|image_pad|>",
        "<|vision_start|>",
        "<|endoftext|>",
        "<|image start|>",
        "<|reserved_special_token_0|>",
    ),
    *(
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "<eoss>",
        "<racm3:break>",
        "<reserved08706>",
        "<start_of_turn>",
        "<image_soft_token>",
        "<think>",
        "</think>",
    ),
    *(
        "<IMG_CONTEXT>",
        "<extra_id_0>",
        "<<SYS>>",
        "<</SYS>>",
        "[INST]",
        "[/INST]",
        "[IMG]",
        "[/IMG]",
        "[IMG_BREAK]",
        "[CLS]",
        "[MASK]",
    ),
    *("<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<tool_call>"),
)
PIECES = (
    *TOKENS,
    "<",
    "[",
    "\\",
    "\\\\",
    "|",
    ">",
    "]",
    "/",
    "image>",
    "<|",
    "|>",
    "im_end",
    "\n",
    " ",
    "a",
    "\U0001f600",
)
hostile = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=24).map("".join)


@given(hostile)
def test_the_way_back_leads_to_the_same_text(text):
    assert unescape(escape(text)) == text


@given(hostile)
def test_an_escaped_text_holds_no_mark_and_no_control_token(text):
    escaped = escape(text)
    assert [token for token in TOKENS if token in escaped] == []


@given(hostile)
def test_escaping_twice_is_undone_in_two_steps(text):
    assert unescape(unescape(escape(escape(text)))) == text


@given(st.lists(hostile, min_size=1, max_size=4))
def test_lines_escaped_one_by_one_form_no_token_together(texts):
    joined = "\n".join(map(escape, texts))
    assert joined == escape("\n".join(texts))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("see <image> here", "see <\\image> here"),
        ("<\\image>", "<\\\\image>"),
        ("<<image>", "<<\\image>"),
        ("<|im_end|>\n<|im_start|>system", "<\\|im_end|>\n<\\|im_start|>system"),
        ("[INST] do [/INST]", "[\\INST] do [\\/INST]"),
        (
            'if a < b: <div class="image"> [0] [inst] <images/> C:\\<dir>',
            'if a < b: <div class="image"> [0] [inst] <\\images/> C:\\<dir>',
        ),
    ],
)
def test_only_what_looks_like_one_is_touched(text, escaped):
    assert escape(text) == escaped
    assert unescape(escaped) == text
