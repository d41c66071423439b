"""Write the records of one large JSON document as lines, once, into the cache. Memory is bounded by one
record.

A list of records in a .json file of some hundred megabytes has no lines to count or to start reading at. It
is read once, during planning, and its records are written unchanged, one per line, to a file named after the
source file's name, size and sha256, so that a changed file is unrolled again. Only quotes and
brackets are examined, to find where a record ends. Content is parsed later, by parse, like any line of JSONL.
So a record that is not valid JSON (a byte that is no UTF-8, a number of five thousand digits) is lost alone,
and NaN, which Python writes, is a number. Where a record has no end (a cut, a quote that is never closed) or
is too long (MAX_LINE, MAX_BRACKETS), reading stops: all complete records before it are kept, and the last
line gives the reason.

Chosen: this scan, about 50 MB/s on one core here including writing. ijson, even with its C parser, stops at
the first NaN, takes minutes for one string of 200 MB, which it reads again from its start for each piece, and
is no faster once its depth is bounded. json.load needs the whole file in memory, and ten times that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.files import readable
from leafinstruct.ingest.index import place
from leafinstruct.ingest.tables.lines import MAX_LINE, Line
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.runtime.files import writing

VERSION = 2
"""Increase when the same file gives other lines than before."""
WINDOW = 1 << 20
"""Bytes read at a time; for a longer record as many again as are in memory."""
MAX_BRACKETS = 1_000_000
"""Maximum brackets of one record, about a second of scanning; a document has at most ten thousand pieces."""
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+", re.DOTALL)
_TO_SIGN = re.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb")*+", re.DOTALL)
"""Match everything up to the next bracket (or comma); stop at a quote whose string is not closed. Neither
scans a place twice."""
_NAME = re.compile(rb'"([^"\\]{1,100})"\s*:\s*\Z')
_END = b" "
"""Prefix of the line that states where a document ends early. Records are stripped, so none begins with
it."""


def unrolled(file: Path, cache: Path, records: Callable[[BinaryIO], Iterator[bytes]], kind: str) -> Path:
    """Return the file of the records as lines, created now or before; `record_of` reads them.

    records: yields their bytes, without line breaks, from the open file; it may raise LostError where the
    file ends early. kind: of records, part of the name. Raises SourceError when the file cannot be read or
    the lines cannot be written.
    """
    with readable(file):
        made = cache / f"unrolled-{place(cache, file, kind, VERSION).stem}.jsonl"
        if not made.exists():
            with file.open("rb") as stream, writing(made) as temporary, temporary.open("wb") as out:
                out.writelines(line + b"\n" for line in _to_the_end(records(stream)))
    return made


def lost_line(reason: str, detail: str) -> bytes:
    """Return the line of a record that is lost, or of the place where the document ends early."""
    return _END + json.dumps([reason, detail]).encode()


def record_of(line: Line) -> dict[str, object]:
    """Return the record on a line of an unrolled file. Raises LostError: those of parsed_line; truncated or
    damaged where the document ends early."""
    if line.data is not None and line.data.startswith(_END):
        raise LostError(*json.loads(line.data))
    return parsed_line(line)


def members(stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield the elements of a document's lists, unparsed, each with its list's name: "" for one outer list,
    the key in an outer object.

    Other content of an object is skipped. Raises LostError where the structure ends: truncated, damaged.
    """
    window = _Window(stream)
    if window.opened() == b"[":
        yield from (("", element) for element in _elements(window))
    else:
        yield from _lists(window)
    window.close()


class _Window:
    """The bytes in memory: `begin` is the start of the current piece, `at` the position of the scan."""

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
        """Move `at` to the next bracket outside of strings, or comma, and return it. Raises LostError when
        there is none."""
        pattern = _TO_SIGN if commas else _TO_BRACKET
        while True:
            found = pattern.match(self._data, self.at)
            assert found is not None, "the pattern matches nothing, too"
            self.at = found.end()
            sign = self._data[self.at : self.at + 1]
            if sign not in (b"", b'"'):
                return sign
            self._read()

    def take(self, in_piece: bool = True) -> None:
        """Move past the sign; in_piece: whether it belongs to the piece."""
        self.at += 1
        if not in_piece:
            self.begin = self.at

    def opened(self) -> bytes:
        """Take and return the bracket that the document begins with. Raises LostError when it begins with
        something else."""
        sign = self.sign()
        if self.piece not in (b"", b"\xef\xbb\xbf") or sign not in b"[{":
            raise LostError("damaged", "the file does not begin with a bracket, as JSON in UTF-8 does")
        self.take(in_piece=False)
        return sign

    def close(self) -> None:
        """Raise LostError when something follows the document."""
        if (self._data[self.at :] + self._stream.read(WINDOW)).strip():
            raise LostError(
                "damaged",
                f"text follows the document's end at byte {self._offset + self.at:,}; name a file of "
                "lines .jsonl",
            )

    def _read(self) -> None:
        size = len(self._data) - self.begin
        if size > MAX_LINE:
            raise LostError(
                "too_large",
                f"from byte {self._offset + self.begin:,} no record ends within {MAX_LINE:,} bytes",
            )
        more = self._stream.read(max(WINDOW, min(size, MAX_LINE - size)))
        if not more:
            raise LostError("truncated", f"the document is cut at byte {self._offset + len(self._data):,}")
        self._data, self._offset = self._data[self.begin :] + more, self._offset + self.begin
        self.at, self.begin = self.at - self.begin, 0


def _elements(window: _Window) -> Iterator[bytes]:
    """Yield the elements of the list whose opening bracket was taken; take its closing bracket."""
    while True:
        sign = window.sign(commas=True)
        if sign in b"[{":
            window.take()
            _skip(window, in_piece=True)
            continue
        if sign == b"}":
            raise LostError("damaged", "a list is closed as an object")
        if element := window.piece:
            yield element.replace(b"\n", b"\r")  # both are white space in JSON, but only one ends a line
        window.take(in_piece=False)
        if sign == b"]":
            return


def _lists(window: _Window) -> Iterator[tuple[str, bytes]]:
    """Yield the elements of the lists in the object whose opening bracket was taken."""
    while (sign := window.sign()) != b"}":
        name = _NAME.search(window.piece[-200:])
        window.take(in_piece=False)
        if sign == b"]":
            raise LostError("damaged", "an object is closed as a list")
        if sign == b"[" and name is not None:
            yield from ((name[1].decode(errors="replace"), element) for element in _elements(window))
        else:
            _skip(window, in_piece=False)
    window.take()


def _skip(window: _Window, in_piece: bool) -> None:
    """Move past the bracket that closes the one taken last. Raises LostError at a record of too many
    brackets."""
    depth = brackets = 1
    while depth:
        depth += 1 if window.sign() in b"[{" else -1
        brackets += in_piece
        if brackets > MAX_BRACKETS:
            raise LostError(
                "too_large", f"a record of more than {MAX_BRACKETS:,} brackets; the rest is not read"
            )
        window.take(in_piece)


def _to_the_end(records: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from records
    except LostError as lost:
        yield lost_line(lost.reason, lost.detail)
