"""One big JSON document -> the lines of its records, written once beside the other indexes. Memory is bounded by one record.

A list of records in a .json file of some hundred megabytes has no lines to count or to enter at. It is streamed once, when it is planned, and its
records are written as JSONL into the cache, named after the file's path, size and time, so that a changed file is unrolled anew. What cannot be
read on (cut, damaged, nested too deep) ends it: all whole records before it stay, and the last line says so.

Chosen: ijson, with its C parser where the platform has it: 24 MB of conversations a second here; json.load holds the whole file as objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ijson

from leafinstruct.artifact import writing
from leafinstruct.errors import SourceError

VERSION = 1
MAX_DEPTH = 64
DAMAGE = "leafinstruct.damage"
"""Key of the last line of a file that could not be read to its end: {DAMAGE: [reason, sentence]}."""


def unrolled(file: Path, cache: Path, records: Callable[[Path], Iterator[Any]], kind: str) -> Path:
    """The file's records as JSONL, made now or before. records: streams them, and may raise ijson.JSONError. kind: of records, part of the name.

    Raises SourceError when the disk refuses the file.
    """
    try:
        stat = file.stat()
        key = f"{kind}\0{VERSION}\0{file}\0{stat.st_size}\0{stat.st_mtime_ns}"
        made = cache / f"unrolled-{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:24]}.jsonl"
        if not made.exists():
            with writing(made) as temporary, temporary.open("w", encoding="utf-8") as out:
                for record in _until_damage(records(file)):
                    out.write(json.dumps(record, default=_number) + "\n")
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror or error}; check the file and its permissions") from error
    return made


def items(file: Path, prefix: str) -> Iterator[Any]:
    """Values below a place of the document (`item` for those of the outer list). Raises ijson.JSONError for what is no JSON, or too deep."""
    with file.open("rb") as stream:
        yield from ijson.items(ijson.parse(_bounded(ijson.basic_parse(stream, use_float=True))), prefix)


def pairs(file: Path, prefix: str) -> Iterator[tuple[str, Any]]:
    """Keys and values of an object below a place. Raises ijson.JSONError."""
    with file.open("rb") as stream:
        yield from ijson.kvitems(ijson.parse(_bounded(ijson.basic_parse(stream, use_float=True))), prefix)


def _bounded(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Events of the parser, until they lead deeper than any record does: names of places grow with depth, and building values recurses."""
    depth = 0
    for event in events:
        depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event[0], 0)
        if depth > MAX_DEPTH:
            raise ijson.JSONError(f"nested deeper than {MAX_DEPTH} levels")
        yield event


def _until_damage(records: Iterator[Any]) -> Iterator[Any]:
    count = 0
    try:
        for record in records:
            yield record
            count += 1
    except ijson.IncompleteJSONError as error:  # ijson's C parser raises it for every fault
        cut = any(word in _said(error).lower() for word in ("premature", "incomplete"))
        yield {DAMAGE: ["truncated" if cut else "damaged", f"not JSON, or cut, after record {count}: {_said(error)}"]}
    except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
        yield {DAMAGE: ["damaged", f"not JSON after record {count}: {_said(error)}"]}


def _said(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return " ".join((text.decode(errors="replace") if isinstance(text, bytes) else str(text)).split())[:100]


def _number(value: object) -> float:
    assert isinstance(value, Decimal), "ijson gives JSON's own values, and decimals"
    return float(value)
