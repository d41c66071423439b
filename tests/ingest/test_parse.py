"""Lines of JSONL: what the fast parser reads is what the standard library reads, value for value."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.tables import parse
from leafinstruct.ingest.tables.lines import Line
from leafinstruct.ingest.tables.parse import parsed_line

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(st.characters(codec=None), max_size=12),  # lone surrogates included
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def read(data: bytes) -> str:
    """What a line becomes: the value's repr, in which NaN equals NaN and 1 is not 1.0; or reason and
    sentence."""
    try:
        return repr(parsed_line(Line(0, 0, "line=1", 0, data)))
    except LostError as lost:
        return f"{lost.reason}: {lost.detail}"


def stated(data: bytes) -> str:
    """The same by the standard library alone."""
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return f"not_utf8: byte {error.start} of the line: {error.reason}"
    except (ValueError, RecursionError) as error:
        return f"broken_json: {error}"
    return (
        repr(value) if isinstance(value, dict) else f"not_an_object: a {type(value).__name__}, not an object"
    )


@given(OBJECTS, st.booleans())
def test_objects_are_what_the_standard_library_reads(record: dict[str, object], escaped: bool) -> None:
    data = json.dumps(record, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert read(data) == stated(data)


@given(
    OBJECTS,
    st.lists(st.tuples(st.integers(0), st.sampled_from(b'"\\[]{},:0-.eE+uNI \xff\xc3\x00\t')), max_size=4),
)
def test_damaged_lines_have_the_same_value_or_the_same_reason(
    record: dict[str, object], damage: list[tuple[int, int]]
) -> None:
    data = bytearray(json.dumps(record).encode())
    for place, byte in damage:
        data[place % len(data)] = byte
    assert read(bytes(data)) == stated(bytes(data))


@given(st.from_regex(rb"\A-?[0-9]{1,25}(?:\.[0-9]{1,25})?(?:[eE][+-]?[0-9]{1,3})?\Z"))
@example(b"-0")
@example(b"1e999")
@example(b"9007199254740993.0")
@example(b"18446744073709551616")
def test_numbers_are_equal_to_the_last_bit(number: bytes) -> None:
    data = b'{"a": ' + number + b"}"
    assert read(data) == stated(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "{'a': 3, 'b': 2}"),
        (b'\xef\xbb\xbf{"a": "\\ud800"}', r"{'a': '\ud800'}"),
        (b'{"a": [NaN, -Infinity, -0, -0.0]}', "{'a': [nan, -inf, 0, -0.0]}"),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", f"{{'a': {'[' * 300 + ']' * 300}}}"),
        (b'{"a": "\xed\xa0\x80"}', "not_utf8: byte 7 of the line: invalid continuation byte"),
        (b'{"a": 1,}', "broken_json: "),
    ],
)
def test_what_only_the_standard_library_reads(data: bytes, expected: str) -> None:
    assert read(data).startswith(expected)
    assert read(data) == stated(data)


def test_a_line_with_too_many_values_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_VALUES", 6)
    assert read(b'{"a":"longer than six, but with few signs"}').startswith("{'a'")
    assert read(b'{"a":[1,2,3,4,5,6]}') == "too_many_values: 7 commas and brackets; at most 6 are read"
