"""Checks of an example over texts that are made to break them."""

# ruff: noqa: RUF001 - digits of other scripts are meant

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from making import document

from leafinstruct.records.example import Turn
from leafinstruct.rewrite.checks.asks import REQUEST
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.checks.faithful import faithful
from leafinstruct.rewrite.checks.finding import refusal
from leafinstruct.rewrite.checks.numbers import numbers_in
from leafinstruct.rewrite.checks.run import check
from leafinstruct.rewrite.config import GUIDE
from leafinstruct.rewrite.worded import Task

TASK = Task(GUIDE, None, by_model=True)


@pytest.mark.parametrize("word", ["now ", "hi ", "and, ", "- "])
def test_polite_words_without_a_request_take_no_exponential_time(word):
    started = time.process_time()
    assert REQUEST.search(word * 18 + "zzz") is None
    assert time.process_time() - started < 0.2  # 1.6 s before, and twice as long for each further word


@pytest.mark.parametrize("zero", ["0", "٠", "０", "\U0001ccf0", "\U0001e4f0", "\U00010d40"])
def test_digits_of_every_script_are_read_also_of_newer_ones_than_python_knows(zero):
    written = "".join(chr(ord(zero) + digit) for digit in (4, 0, 7))
    (number,) = numbers_in(f"take {written} cups", "en")
    assert number.readings == {"407"}


@pytest.mark.parametrize(
    "said",
    [
        "rewrite.kept is ..., at least ... is required: so it is",
        "rewrite.kept is 1.2.3, at least 0.2 is required: so it is",
        "rewrite.other is 1, at least 2 is required: so it is",
    ],
)
def test_a_reason_that_quotes_something_like_a_refusal_is_none(said):
    assert refusal(f"no valid answer after 2 repairs: {said!r} is too long") is None


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("kites.example.org", True),
        ("example.org", True),
        ("https://kites.example.org/plans", True),
        ("info@example.org", False),
        ("ample.org", False),
        ("kites.example.org/plan", False),
    ],
)
def test_an_address_is_known_as_a_whole(written, known):
    page = document("# A kite", "The plans are at https://kites.example.org/plans for all.", "!a")
    turns = (Turn("user", ("How do I build it?",)), Turn("assistant", (f"See {written} for all.",)))
    value, detail = faithful(page, TASK, turns)
    assert (value == 1.0) is known, detail


@pytest.mark.parametrize("text", ["", "\ud7ff\U0010ffff", "\0", "1" * 5_000, "½" * 99, "〇" * 99, "“" * 99])
def test_no_text_breaks_a_check(text):
    page = replace(document("# A kite", "Fold it.", "!a"), title=text or None)
    check(page, TASK, (Turn("user", (text,)), Turn("assistant", (text, *page.images))), Checks())
