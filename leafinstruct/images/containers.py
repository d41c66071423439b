"""Read an image from a cell of a Parquet file: `row=17,column=images,item=2`.

A cell has no range on disk: its page is compressed together with its neighbors'. The images of a part are
requested in the order of their rows, so a cursor keeps its position and reads on in small batches of the one
column: a pass over N images decodes the column once, not once an image. A process keeps CURSORS of them, one
for each image column of a table. Another file, a changed file or an earlier row opens a new one. Memory of
each: a page of the column and a batch of BATCH cells, fewer if they could be large. A cell above MAX_ROW is
not decoded (unpacking). The writer decides how large a page is: `datasets` writes a hundred images a row
group, but 400 MB of images in a row group make pages of 200 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.images.embedded import from_text
from leafinstruct.images.unpacking import MAX_ROW, PAGE, batches, unpacked
from leafinstruct.images.unreadable import MAX_BYTES, Unreadable
from leafinstruct.runtime.store.path import openable

BATCH = 8
CURSORS = 4
"""Columns that are read side by side; a page of each is in memory."""
_LIST_LEVELS = frozenset({"list", "element", "item", "array", "bag", "array_element"})
"""Names that Parquet writers give to the levels of a list."""
_MEMBER = re.compile(r"row=(\d{1,18}),column=(.+?)(?:,item=(\d{1,9}))?")


def member(row: int, column: str, item: int | None) -> str:
    """Return the name of a cell in a reference. column: dots lead into structs, also through a list of
    them; item: index in a cell that contains a list."""
    return f"row={row},column={column}" + ("" if item is None else f",item={item}")


def cell(path: Path, name: str) -> bytes | Unreadable:
    """Return the bytes in a cell. Reasons: missing_cell, not_an_image_value, too_large, truncated. Raises
    OSError if the disk fails."""
    found = _MEMBER.fullmatch(name)
    if found is None:
        return Unreadable("missing_cell", f"{name[:100]} names no cell")
    row, column, item = int(found[1]), found[2], None if found[3] is None else int(found[3])
    stat = path.stat()
    try:
        value = _cursor(path, stat.st_size, stat.st_mtime_ns, column).at(row)
    except _TooLargeError:
        return Unreadable(
            "too_large", f"{name[:100]} of {path.name} is in a cell of more than {MAX_ROW:,} bytes"
        )
    except (KeyError, IndexError, StopIteration):
        return Unreadable("missing_cell", f"{path.name} has no {name[:100]}")
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk; Arrow's have no number
            raise
        return Unreadable("truncated", f"{path.name}: {' '.join(str(error).split())[:100]}")
    if item is not None:
        if not isinstance(value, list) or item >= len(value):
            return Unreadable("missing_cell", f"{path.name} has no {name[:100]}")
        value = value[item]
    data = (value.get("bytes") or value.get("path")) if isinstance(value, dict) else value
    if isinstance(data, str) and (text := from_text(data.encode("utf-8", "replace"))) is not None:
        data = text
    if not isinstance(data, bytes):
        content = (
            "a path without bytes" if isinstance(value, dict) and value.get("path") else type(data).__name__
        )
        return Unreadable("not_an_image_value", f"{name[:100]} of {path.name} holds {content}")
    return (
        Unreadable("too_large", f"{name[:100]}: more than {MAX_BYTES:,} bytes")
        if len(data) > MAX_BYTES
        else data
    )


@lru_cache(maxsize=CURSORS)
def _cursor(path: Path, size: int, changed: int, column: str) -> _Cursor:  # noqa: ARG001 - size and time are part of the key
    return _Cursor(path, column)


class _TooLargeError(Exception):
    """A cell unpacks to more than MAX_ROW."""


class _Cursor:
    """One column of one file, read forward."""

    def __init__(self, path: Path, column: str) -> None:
        self._path = path
        self._file = pq.ParquetFile(openable(path), pre_buffer=False, buffer_size=PAGE)
        leaves = [self._file.schema.column(index).path for index in range(len(self._file.schema))]
        # a column may have dots in its own name
        tops = [name for name in self._file.schema_arrow.names if f"{column}.".startswith(f"{name}.")]
        top = max(tops, key=len, default="")
        self._steps = [top, *filter(None, column[len(top) + 1 :].split("."))]
        self._leaves = [
            leaf
            for leaf in leaves
            if f"{leaf}.".startswith(f"{top}.")
            and _passes([top, *filter(None, leaf[len(top) + 1 :].split("."))], self._steps)
        ]
        if not tops or not self._leaves:
            raise KeyError(column)
        rows = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._starts = [sum(rows[:group]) for group in range(len(rows) + 1)]
        self._group, self._first, self._cells = -1, 0, pa.array([])
        self._values: list[Any] | None = []
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def at(self, row: int) -> Any:
        """Return the value in a row. Raises IndexError if the file has no such row."""
        group = next(
            (at for at in range(len(self._starts) - 1) if self._starts[at] <= row < self._starts[at + 1]),
            None,
        )
        if group is None:
            raise IndexError(row)
        if group != self._group or row < self._first:
            self._group, self._first, self._cells, self._values = group, self._starts[group], pa.array([]), []
            self._batches = batches(self._path, self._file, group, self._leaves, BATCH)
        while row >= self._first + len(self._cells):
            self._first += len(self._cells)
            self._cells = next(self._batches).column(0)
            self._values = self._cells.to_pylist() if unpacked(self._cells) <= MAX_ROW else None
        if self._values is not None:
            return self._inside(self._values[row - self._first])
        cell = self._cells.slice(row - self._first, 1)
        if unpacked(cell) > MAX_ROW:
            raise _TooLargeError
        return self._inside(cell.to_pylist()[0])

    def _inside(self, value: Any) -> Any:
        for step in self._steps[1:]:
            if isinstance(value, list):
                value = [item.get(step) if isinstance(item, dict) else None for item in value]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value


def _passes(leaf: list[str], steps: list[str]) -> bool:
    """Whether a leaf column's path begins with the steps, ignoring the levels that Parquet inserts for
    lists."""
    place = 0
    for step in leaf:
        if place < len(steps) and step == steps[place]:
            place += 1
        elif place == len(steps):
            return True
        elif step not in _LIST_LEVELS:
            return False
    return place == len(steps)
