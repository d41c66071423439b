"""Images written into a record as text: `data:` URLs (RFC 2397), and base64 without a header.

An image stays where it is: its reference is the range of the file that its text takes, in JSON between two
quotes. images/read decodes it. Names of files are not mistaken for base64, since only text that begins like
an image, in base64, is one.
"""

from __future__ import annotations

import re
from functools import cached_property

from leafinstruct.ingest.fields.reference import MIN_BASE64, Inside, LostError
from leafinstruct.ingest.tables.lines import Line
from leafinstruct.records.document import Ref

_LITERAL = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPES = {
    b"\\/": b"/",
    b"\\u003d": b"=",
    b"\\u002b": b"+",
    b"\\u002B": b"+",
    b"\\u003D": b"=",
    b"\\n": b"\n",
    b"\\r": b"\r",
}
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)


def in_list(value: str) -> Ref:  # noqa: ARG001 - see Inside
    """Raise LostError for an image inside a .json file, whose records have no ranges."""
    raise LostError("data_uri", "an image written into a .json list; write one record per line (.jsonl)")


def in_table(value: str) -> Ref:  # noqa: ARG001 - see Inside
    """Raise LostError for an image inside a CSV, whose cells have no ranges."""
    raise LostError("data_uri", "an image written into a cell; store the table as Parquet or JSONL")


def in_zip(value: str) -> Ref:  # noqa: ARG001 - see Inside
    """Raise LostError for an image inside a zip, whose lines have no ranges."""
    raise LostError("data_uri", "an image written into a zip; run `unzip` on the file")


def literals(file: str, name: str, line: Line) -> Inside:
    """Return where the embedded images of a line are. name: of its file, which states how it is packed."""
    if name.lower().endswith(".zip"):
        return in_zip
    return Literals(file, line.data or b"", line.offset, name.lower().endswith(".gz")).ref


class Literals:
    """The strings of one JSON text that may be images, with their places.

    data: the text. offset: of its first byte in the file. file: relative to the source's root. packed:
    whether the file is compressed as a whole; an offset is then one of the unpacked stream.
    """

    def __init__(self, file: str, data: bytes, offset: int, packed: bool = False) -> None:
        self._file, self._data, self._offset, self._packed = file, data, offset, packed

    def ref(self, value: str) -> Ref:
        """Return the reference of a string. Raises LostError: data_uri."""
        place = self._places.get(value)
        if place is None:
            raise LostError(
                "data_uri", "an image written with escapes that are not read, or inside another text"
            )
        start, length = place
        if self._packed:
            return Ref(self._file, self._offset, len(self._data), member=f"bytes={start},{length}")
        return Ref(self._file, self._offset + start, length)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for literal in _LITERAL.finditer(self._data):
            raw = literal[1]
            if raw[:5].lower() == b"data:" or len(raw) >= MIN_BASE64:
                if b"\\" in raw:
                    raw = _ESCAPE.sub(lambda sign: _ESCAPES.get(sign[0], sign[0]), raw)
                found.setdefault(raw.decode("utf-8", "replace"), (literal.start(1), len(literal[1])))
        return found
