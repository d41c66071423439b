"""One big JSON document -> the lines of its records, written once beside the other indexes. Memory is bounded
by one record.

A list of records in a .json file of some hundred megabytes has no lines to count or to enter at. It is read
once, when it is planned, and its records are written as they stand, one a line, into the cache: named after
the file's path, size and time, so that a changed file is unrolled anew. Only quotes and brackets are looked
at, to find where a record ends. What it says is parsed later, by parse, like any line of JSONL; so a record
that is no JSON (a byte that is no UTF-8, a number of five thousand digits) costs itself alone, and NaN, which
Python writes, is a number. What has no bound to find (a cut, a quote that nothing closes) or no end (more
than MAX_LINE, or MAX_BRACKETS) ends it: all whole records before it stay, and the last line says so.

Chosen: this scan, about 50 MB/s on one core here with the writing. ijson, even with its C parser, ends the
file at the first NaN, takes minutes for one string of 200 MB, which it reads again from its start for each
piece, and is no faster once its depth is bounded. json.load needs the whole file in memory, and ten times
that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from leafinstruct.errors import SourceError
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.tables.lines import MAX_LINE, Line
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.runtime.artifact import writing

VERSION = 2
"""Raised when the same file gives other lines than before."""
WINDOW = 1 << 20
"""Bytes read at a time; as many again as are held, where a record is longer."""
MAX_BRACKETS = 1_000_000
"""Of one record, which is about a second of looking; the pieces of a document are at most ten thousand."""
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+", re.DOTALL)
_TO_SIGN = re.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb")*+", re.DOTALL)
"""Past everything that is no bracket (or comma); stops at a quote whose string is not closed. Neither scans a
place twice."""
_NAME = re.compile(rb'"([^"\\]{1,100})"\s*:\s*\Z')
_END = b" "
"""What the line begins with that tells where a document breaks off. No record does: those are stripped."""


def unrolled(file: Path, cache: Path, records: Callable[[BinaryIO], Iterator[bytes]], kind: str) -> Path:
    """The file's records as lines, made now or before; `record_of` reads them. records: their bytes, without
    line breaks, from the open file; it may raise LostError where the file breaks off. kind: of records, part
    of the name.

    Raises SourceError when the file cannot be read or the disk refuses the lines.
    """
    try:
        stat = file.stat()
        key = f"{kind}\0{VERSION}\0{file}\0{stat.st_size}\0{stat.st_mtime_ns}"
        made = (
            cache / f"unrolled-{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:24]}.jsonl"
        )
        if not made.exists():
            with file.open("rb") as stream, writing(made) as temporary, temporary.open("wb") as out:
                out.writelines(line + b"\n" for line in _to_the_end(records(stream)))
    except OSError as error:
        raise SourceError(
            f"{file}: cannot be read: {error.strerror or error}; check the file and its permissions"
        ) from error
    return made


def record_of(line: Line) -> dict[str, Any]:
    """The record on a line of an unrolled file. Raises LostError: those of parsed_line; truncated or damaged
    where the document breaks off."""
    if line.data is not None and line.data.startswith(_END):
        raise LostError(*json.loads(line.data))
    return parsed_line(line)


def members(stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """The elements of a document's lists as they are written, each with its list's name: "" for one outer
    list, the key in an outer object.

    What else an object holds is passed over. Raises LostError where bounds end: truncated, damaged.
    """
    window = _Window(stream)
    if window.opened() == b"[":
        yield from (("", element) for element in _elements(window))
    else:
        yield from _lists(window)
    window.close()


class _Window:
    """The bytes that are held: from `begin`, where the piece at hand begins, over `at`, up to which it was
    looked at, to what is read so far."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._data = b""
        self._offset = 0
        self.begin = 0
        self.at = 0

    @property
    def piece(self) -> bytes:
        return self._data[self.begin : self.at].strip()

    def sign(self, commas: bool = False) -> bytes:
        """The next bracket outside of strings, or comma; `at` stands on it. Raises LostError when there is
        none."""
        pattern = _TO_SIGN if commas else _TO_BRACKET
        while True:
            found = pattern.match(self._data, self.at)
            assert found is not None, "the pattern matches nothing, too"
            self.at = found.end()
            sign = self._data[self.at : self.at + 1]
            if sign not in (b"", b'"'):
                return sign
            self._read()

    def take(self, held: bool = True) -> None:
        """Go on behind the sign; held: whether it belongs to the piece."""
        self.at += 1
        if not held:
            self.begin = self.at

    def opened(self) -> bytes:
        """The bracket that the document begins with, taken. Raises LostError when it begins with something
        else."""
        sign = self.sign()
        if self.piece not in (b"", b"\xef\xbb\xbf") or sign not in b"[{":
            raise LostError("damaged", "the file does not begin with a bracket, as JSON in UTF-8 does")
        self.take(held=False)
        return sign

    def close(self) -> None:
        """Raises LostError when something follows the document."""
        if (self._data[self.at :] + self._stream.read(WINDOW)).strip():
            raise LostError(
                "damaged",
                f"text follows the document's end at byte {self._offset + self.at:,}; a file of "
                "lines is called .jsonl",
            )

    def _read(self) -> None:
        held = len(self._data) - self.begin
        if held > MAX_LINE:
            raise LostError(
                "too_large",
                f"from byte {self._offset + self.begin:,} no record ends within {MAX_LINE:,} bytes",
            )
        more = self._stream.read(max(WINDOW, min(held, MAX_LINE - held)))
        if not more:
            raise LostError("truncated", f"the document is cut at byte {self._offset + len(self._data):,}")
        self._data, self._offset = self._data[self.begin :] + more, self._offset + self.begin
        self.at, self.begin = self.at - self.begin, 0


def _elements(window: _Window) -> Iterator[bytes]:
    """Elements of the list whose bracket was taken; its last one is taken, too."""
    while True:
        sign = window.sign(commas=True)
        if sign in b"[{":
            window.take()
            _pass(window, held=True)
            continue
        if sign == b"}":
            raise LostError("damaged", "a list is closed as an object")
        if element := window.piece:
            yield element.replace(b"\n", b"\r")  # a space to JSON, like the other, and no end of a line
        window.take(held=False)
        if sign == b"]":
            return


def _lists(window: _Window) -> Iterator[tuple[str, bytes]]:
    """Elements of the lists in the object whose bracket was taken."""
    while (sign := window.sign()) != b"}":
        name = _NAME.search(window.piece[-200:])
        window.take(held=False)
        if sign == b"]":
            raise LostError("damaged", "an object is closed as a list")
        if sign == b"[" and name is not None:
            yield from ((name[1].decode(errors="replace"), element) for element in _elements(window))
        else:
            _pass(window, held=False)
    window.take()


def _pass(window: _Window, held: bool) -> None:
    """Go behind the bracket that closes the one taken last. Raises LostError at a record that is all
    brackets."""
    depth = brackets = 1
    while depth:
        depth += 1 if window.sign() in b"[{" else -1
        brackets += held
        if brackets > MAX_BRACKETS:
            raise LostError(
                "too_large", f"a record of more than {MAX_BRACKETS:,} brackets; what follows is not read"
            )
        window.take(held)


def _to_the_end(records: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from records
    except LostError as lost:
        yield _END + json.dumps([lost.reason, lost.detail]).encode()
