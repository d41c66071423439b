"""CSV and TSV, plain or gzipped -> records as lines of JSON (unroll), column -> text.

The first row names the columns. Quotes and line breaks inside them as RFC 4180 has them; the separator is
the one of `,` `;` tab `|` that the first row has most often (tab for .tsv), or the one in Excel's `sep=;`.
UTF-8, or UTF-16 with its mark. An empty cell is null. A cell that is a list or an object in JSON is that
value, since texts are all that the format has; so is a list as Python writes it (`['a.png']`), which is what
pandas stores.

A row whose number of cells is not the header's is lost (wrong_columns): a comma without quotes shifts all
cells after it. Where a quote is not closed, reading stops (truncated); in TSV it is text.

Chosen: csv of the standard library. pandas stops at the first wrong row or drops it without a report, and
guesses types (`007` becomes 7, `NA` becomes null). Memory: one record, at most MAX_LINE.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self, cast

from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.files import readable
from leafinstruct.ingest.tables.lines import EXPANSION, FREE, FREE_ITEMS, MAX_LINE
from leafinstruct.ingest.tables.unroll import lost_line

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
MAX_COLUMNS = 10_000
MAX_CELL = 1 << 20
"""Characters of a cell that is read as a list or an object."""
_SEPARATORS = ",;\t|"
_BYTE_ORDERS = (b"\xff\xfe", b"\xfe\xff")
_PACKED = b"\x1f\x8b"
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
_NOT_CLOSED = "unexpected end of data"


class _Lines:
    """The lines of a file, as csv.reader takes them, within the limits. used: characters of the current
    record."""

    def __init__(self, stream: BinaryIO) -> None:
        packed = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        is_packed = stream.read(2) == _PACKED
        stream.seek(0)
        opened = gzip.GzipFile(fileobj=stream) if is_packed else cast("io.BufferedReader", stream)
        wide = opened.peek(2)[:2] in _BYTE_ORDERS
        self._text = io.TextIOWrapper(
            cast("BinaryIO", opened),
            "utf-16" if wide else "utf-8-sig",
            "replace" if wide else "surrogateescape",
            newline="",
        )
        self._left = max(FREE, EXPANSION * packed) if is_packed else packed + FREE
        self.rows = max(FREE_ITEMS, packed)
        self.used = 0
        self._following: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the file open, which belongs to the caller."""
        self._text.detach()

    def __iter__(self) -> Iterator[str]:
        return self

    def following(self) -> str:
        """Return the next line, and keep it; empty at the end."""
        if self._following is None:
            self._following = next(self, "")
        return self._following

    def __next__(self) -> str:
        line, self._following = self._following, None
        if line is not None:
            if not line:
                raise StopIteration
            return line
        line = self._text.readline(MAX_LINE)
        self.used += len(line)
        self._left -= len(line)
        if self.used >= MAX_LINE or self._left < 0:
            raise LostError("too_large", "a record or a file that unpacks to too much; the rest is not read")
        if not line:
            raise StopIteration
        return line


def header(file: Path) -> tuple[str, ...]:
    """Return the names of a file's columns; nothing if it has none. Raises SourceError when it cannot be
    read."""
    with readable(file), file.open("rb") as stream:
        try:
            with _Lines(stream) as lines:
                return _begun(lines, file.name)[0]
        except (*_BROKEN, csv.Error, LostError, UnicodeError):
            return ()


def tabbed(stream: BinaryIO) -> Iterator[bytes]:
    """`records` of a .tsv."""
    return records(stream, ".tsv")


def records(stream: BinaryIO, name: str = ".csv") -> Generator[bytes, None, None]:
    """Yield the rows of an open file as JSON, or why one is lost: not_utf8, wrong_columns, broken_row.

    Raises LostError where reading stops: truncated, damaged, too_large, too_many_values, not_utf8.
    """
    limit = csv.field_size_limit(MAX_LINE)
    try:
        with _Lines(stream) as lines:
            yield from _records(lines, name)
    except _BROKEN as error:
        raise LostError("truncated", f"the stream ends early ({error})") from error
    except csv.Error as error:
        raise LostError("damaged", f"its first row cannot be read: {error}") from error
    except UnicodeError as error:
        raise LostError("not_utf8", f"neither UTF-8 nor UTF-16: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _records(lines: _Lines, name: str) -> Iterator[bytes]:
    names, separator = _begun(lines, name)
    for _ in range(lines.rows):
        lines.used = 0
        try:
            row = _row(lines, separator, len(names))
        except csv.Error as error:
            if str(error) == _NOT_CLOSED:
                raise LostError("truncated", "a quote that is not closed before the end") from error
            yield lost_line("broken_row", str(error))
            continue
        if row is None:
            return
        if row:
            yield _record(names, row)
    raise LostError("too_large", "more rows than the file has bytes; the rest is not read")


def _row(lines: _Lines, separator: str, width: int) -> list[str] | None:
    """Return the next row, None at the end. Many programs write TSV without quotes, so one that is not closed
    on its line is text, if the line and the next one have all columns."""
    first = next(lines, None)
    if first is None:
        return None
    if separator == "\t" and first.count('"') % 2 and first.count("\t") == width - 1:
        following = lines.following()
        if not following or following.count("\t") == width - 1:
            return first.rstrip("\r\n").split("\t")
    return next(csv.reader(_chained(first, lines), delimiter=separator, strict=True), [])


def _begun(lines: _Lines, name: str) -> tuple[tuple[str, ...], str]:
    """Read the header: the names of the columns, and the separator."""
    first = next(lines, "")
    stated = first.rstrip("\r\n")
    separator = ""
    if stated.lower().startswith("sep=") and len(stated) == 5:
        separator, first = stated[4], next(lines, "")
    if not separator:
        outside = "".join(first.split('"')[::2])
        separator = max(_SEPARATORS, key=outside.count)
        if name.lower().endswith((".tsv", ".tsv.gz")) and "\t" in outside:
            separator = "\t"
    row = next(csv.reader(_chained(first, lines), delimiter=separator, strict=True), [])
    if len(row) > MAX_COLUMNS:
        raise LostError("too_many_values", f"{len(row):,} columns; at most {MAX_COLUMNS:,} are read")
    names: list[str] = []
    taken: set[str] = set()
    for cell in map(str.strip, row):  # a second column of a name is `name.1`, as pandas has it
        count = 0
        while (unique := f"{cell}.{count}" if count else cell) in taken:
            count += 1
        names.append(unique)
        taken.add(unique)
    return tuple(names), separator


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def _record(names: Sequence[str], row: Sequence[str]) -> bytes:
    if len(row) != len(names) and (len(row) < len(names) or any(row[len(names) :])):
        return lost_line("wrong_columns", f"{len(row):,} cells, and {len(names):,} columns in the first row")
    record = {name: _value(cell) for name, cell in zip(names, row, strict=False)}
    try:
        return json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return lost_line("not_utf8", "the row is not UTF-8; save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        return lost_line("broken_row", str(error)[:100])


def _value(cell: str) -> object:
    """The value of a cell: a text, null, or the list or object that it contains."""
    if not cell.strip():
        return None
    if cell[0] not in "[{" or cell.rstrip()[-1] not in "]}" or len(cell) > MAX_CELL:
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        found = ast.literal_eval(cell) if cell.count("[") + cell.count("{") < 1_000 else cell
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell
    plain = isinstance(found, (list, dict)) and not any(isinstance(item, (bytes, set)) for item in found)
    return found if plain else cell
