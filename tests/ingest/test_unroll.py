"""A big JSON document as lines: every element as it is written, whatever the size of what is read at once; a
cut keeps what was whole before it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leafinstruct.errors import SourceError
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.tables import lines, unroll
from leafinstruct.ingest.tables.lines import Damage
from leafinstruct.ingest.tables.unroll import members, record_of, unrolled

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text('a"\\[]{},:\n ä\ud800', max_size=8),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
)
WINDOWS = st.sampled_from([1, 2, 7, 64, unroll.WINDOW])


def found(data: bytes, window: int = unroll.WINDOW) -> tuple[list[tuple[str, bytes]], str]:
    """(list's name, element) in order, and the reason where they break off."""
    pieces = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unroll, "WINDOW", window)
        try:
            for piece in members(io.BytesIO(data)):
                pieces.append(piece)
        except LostError as lost:
            return pieces, lost.reason
    return pieces, ""


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 0, 2]), st.booleans(), WINDOWS)
def test_the_elements_of_a_list_are_those_that_json_reads(values, indent, ascii_only, window):
    data = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    pieces, reason = found(data, window)
    assert reason == ""
    assert [json.loads(element.decode(errors="surrogatepass")) for _, element in pieces] == values
    assert not any(name or b"\n" in element for name, element in pieces)


@given(st.dictionaries(st.sampled_from(["images", "info", "annotations", "x"]), VALUES), WINDOWS)
def test_the_lists_of_an_object_come_with_their_names_and_all_else_is_passed_over(values, window):
    pieces, reason = found(json.dumps(values).encode(), window)
    assert reason == ""
    expected = [(name, value) for name, items in values.items() if isinstance(items, list) for value in items]
    assert [(name, json.loads(element)) for name, element in pieces] == expected


@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(0, 200), WINDOWS)
@example([["]"]], 4, 1)
def test_a_cut_keeps_the_elements_before_it(values, cut, window):
    data = json.dumps(values).encode()
    whole, _ = found(data, window)
    pieces, reason = found(data[: min(cut, len(data) - 1)], window)
    assert reason == "truncated"
    assert pieces == whole[: len(pieces)]


@pytest.mark.parametrize(
    ("data", "elements", "reason"),
    [
        (b"[]", [], ""),
        (b"{}", [], ""),
        (b"\xef\xbb\xbf [1, 2]\n", [b"1", b"2"], ""),
        (b"[1, 2,]", [b"1", b"2"], ""),
        (b'[1, oops, {"a": NaN}]', [b"1", b"oops", b'{"a": NaN}'], ""),
        (b"[1, {2]", [b"1"], "truncated"),
        (b"[1, 2}", [b"1"], "damaged"),
        (b'{"a": 1]', [], "damaged"),
        (b"", [], "truncated"),
        (b"  ", [], "truncated"),
        (b'{"a": 1}\n{"a": 2}', [], "damaged"),
        (b"[1] more", [b"1"], "damaged"),
        (b"words [1]", [], "damaged"),
        ("[1]".encode("utf-16"), [], "damaged"),
        (b"[1, " + b"[" * 100_000, [b"1"], "truncated"),
    ],
)
def test_odd_and_broken_documents(data, elements, reason):
    pieces, why = found(data)
    assert ([element for _, element in pieces], why) == (elements, reason)


@pytest.mark.parametrize(
    "record", [b'"' + b"x" * 500 + b'"', b"[" + b"1," * 250 + b"1]", b"[" * 125 + b"]" * 125]
)
def test_a_record_without_end_ends_the_file(record, monkeypatch):
    monkeypatch.setattr(unroll, "MAX_LINE", 300)
    monkeypatch.setattr(unroll, "MAX_BRACKETS", 200)
    pieces, reason = found(b"[1, " + record + b", 2]", window=50)
    assert ([element for _, element in pieces], reason) == ([b"1"], "too_large")


def test_what_is_passed_over_may_be_of_any_length(monkeypatch):
    monkeypatch.setattr(unroll, "MAX_LINE", 300)
    monkeypatch.setattr(unroll, "MAX_BRACKETS", 200)
    data = b'{"info": {"a": [' + b"[],{}," * 1000 + b'1]}, "images": [1]}'
    assert found(data, window=50) == ([("images", b"1")], "")


def records(path: Path, cache: Path) -> Iterator[Any]:
    made = unrolled(path, cache, lambda stream: (element for _, element in members(stream)), "test")
    for line in lines.read(made, 0, lines.count(made, cache), cache):
        assert not isinstance(line, Damage)
        try:
            yield record_of(line)
        except LostError as lost:
            yield lost.reason


def test_a_file_is_unrolled_once_and_anew_when_it_changes(tmp_path):
    path, cache = tmp_path / "a.json", tmp_path / "cache"
    path.write_text('[{"a": 1}]')
    os.utime(path, ns=(0, 0))
    assert list(records(path, cache)) == [{"a": 1}]
    made = sorted(cache.rglob("*"))
    os.utime(path, ns=(9, 9))
    assert list(records(path, cache)) == [{"a": 1}]
    assert sorted(cache.rglob("*")) == made, "other times, the same content"
    path.write_text('[{"a": 2}]')
    os.utime(path, ns=(9, 9))
    assert list(records(path, cache)) == [{"a": 2}], "the same size and times, another content"


def test_no_record_can_imitate_the_end_of_a_cut_document(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[ ["truncated", "no"], {"a": 1}, {"a": 5')
    assert list(records(path, tmp_path / "cache")) == ["not_an_object", {"a": 1}, "truncated"]


def test_a_failure_leaves_nothing_behind(tmp_path):
    path, cache = tmp_path / "a.json", tmp_path / "cache"
    path.write_text("[1, 2]")

    def failing(_: object) -> Iterator[bytes]:
        yield b"1"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        unrolled(path, cache, failing, "test")
    assert list(cache.iterdir()) == []
    with pytest.raises(SourceError, match=r"missing\.json: cannot be read: No such file"):
        unrolled(tmp_path / "missing.json", cache, failing, "test")
    with pytest.raises(SourceError, match=r"cache: cannot be read: Is a directory"):
        unrolled(cache, cache, failing, "test")


CHILD = """
import sys
from pathlib import Path
from leafinstruct.ingest.tables.unroll import members, unrolled
def peak(): return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
unrolled(Path(sys.argv[1]), Path(sys.argv[2]), lambda stream: (element for _, element in members(stream)), "test")
print(peak() - before)
"""  # noqa: E501


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the peak of memory from Linux's /proc"
)
def test_memory_is_that_of_a_record_and_not_of_the_file(tmp_path):
    path = tmp_path / "a.json"
    record = json.dumps({"conversations": [{"from": "human", "value": "word " * 200}]})
    path.write_text("[" + ",\n".join([record] * 30_000) + "]")
    assert path.stat().st_size > 30_000_000
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 10_000, "kB"
