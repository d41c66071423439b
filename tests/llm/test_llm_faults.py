"""Error answers: the wait that a server asks for, and its message."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.llm.faults.faults import Quote, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_the_wait_is_read_in_every_form_and_never_negative(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


def test_the_wait_may_be_a_date() -> None:
    wait = retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert wait == pytest.approx(60, abs=2)


@given(st.text())
def test_no_header_breaks_the_reader(text: str) -> None:
    wait = retry_after({"retry-after": text, "retry-after-ms": text})
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"error": {"message": "out of\n memory"}}, "out of memory"),
        ({"error": "no slot"}, "no slot"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"error": {"code": 7}}, '{"code": 7}'),
        (["what"], '["what"]'),
        ("", "(empty body)"),
        ("my key is sk-12345678!", "my key is [key]!"),
    ],
)
def test_a_servers_words_become_one_line_without_the_key(body: object, line: str) -> None:
    assert Quote("sk-12345678").line(body) == line


def test_a_dummy_key_mangles_no_words() -> None:
    """Local servers are given `ollama` for a key; a page about Ollama stays what it is."""
    assert Quote("ollama").scrub("about ollama") == "about ollama"


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
def test_any_body_becomes_a_short_line(body: object) -> None:
    line = Quote("").line({"error": body})
    assert 0 < len(line) <= 300
    assert "\n" not in line
