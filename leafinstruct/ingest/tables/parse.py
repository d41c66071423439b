"""Parse a line of JSONL into an object, or give the reason why not. Shared by all readers of such lines.

JSON as Python reads it: of duplicate keys the last one is used, NaN is a number. Chosen: pydantic's parser,
in half the time, and the standard library for all that it refuses: lone surrogates, which crawled text
contains, a byte order mark, nesting of more than 200 levels, and every error, so that its sentence does not
change. Of what both read, the values are equal. Rejected: orjson, which reads integers of more than 64 bits
as floats. A value in Python takes up to thirty times its bytes (a line of 32 MB that is all `[],[],` took 835
MB and ten seconds), so a line with more than MAX_VALUES separators is not parsed.
"""

from __future__ import annotations

import json

from pydantic_core import from_json

from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.tables import lines
from leafinstruct.ingest.tables.lines import Line

MAX_VALUES = 1_000_000
"""Maximum commas and opening brackets of one line. A matrix of 500 images and 1,000 sentences has half as
many; prose has a comma every 60 characters."""


def parsed_line(line: Line) -> dict[str, object]:
    """Return the object on a line. Raises LostError: line_too_long, empty_line, too_many_values, not_utf8,
    broken_json, not_an_object."""
    if line.data is None:
        raise LostError("line_too_long", f"longer than {lines.MAX_LINE:,} bytes")
    if not line.data.strip():
        raise LostError("empty_line", "no record on this line")
    if len(line.data) > MAX_VALUES and (signs := _signs(line.data)) > MAX_VALUES:
        raise LostError("too_many_values", f"{signs:,} commas and brackets; at most {MAX_VALUES:,} are read")
    try:
        record = _value(line.data)
    except UnicodeDecodeError as error:
        raise LostError("not_utf8", f"byte {error.start} of the line: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise LostError("broken_json", str(error)) from error
    if not isinstance(record, dict):
        raise LostError("not_an_object", f"a {type(record).__name__}, not an object")
    return record


def _signs(data: bytes) -> int:
    return sum(data.count(sign) for sign in (b",", b"[", b"{"))


def _value(data: bytes) -> object:
    """Return the value of JSON. Raises what the standard library raises."""
    try:
        return from_json(data, cache_strings="keys")
    except ValueError:
        return json.loads(data.decode("utf-8-sig"))
