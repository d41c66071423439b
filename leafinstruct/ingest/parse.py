"""A line of JSONL -> an object, or the reason why not. For every reader of such lines.

JSON as Python reads it: of duplicate keys the last one counts, NaN is a number. Chosen: the standard library; orjson refuses lone surrogates,
which crawled text holds, and parsing is not where the time goes.
"""

from __future__ import annotations

import json
from typing import Any

from leafinstruct.ingest import lines
from leafinstruct.ingest.lines import Line
from leafinstruct.ingest.reference import LostError


def parsed_line(line: Line) -> dict[str, Any]:
    """The object on a line. Raises LostError: line_too_long, empty_line, not_utf8, broken_json, not_an_object."""
    if line.data is None:
        raise LostError("line_too_long", f"longer than {lines.MAX_LINE:,} bytes")
    if not line.data.strip():
        raise LostError("empty_line", "no record on this line")
    try:
        record = json.loads(line.data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise LostError("not_utf8", f"byte {error.start} of the line: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise LostError("broken_json", str(error)) from error
    if not isinstance(record, dict):
        raise LostError("not_an_object", f"a {type(record).__name__}, not an object")
    return record
