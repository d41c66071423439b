"""A search for a text or bytes in every file below a folder, in every form that leaf writes: JSON in JSON,
base64, gzip, Parquet, Arrow."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def holding(folder: Path, needle: str | bytes) -> list[str]:
    """Files below a folder that hold it, relative to that."""
    return sorted(
        {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and _holds(path, needle)
        }
    )


def _holds(path: Path, needle: str | bytes) -> bool:
    forms = set(_forms(needle))
    return any(form in data for data in _contents(path) for form in forms)


def _forms(needle: str | bytes) -> Iterator[bytes]:
    if isinstance(needle, bytes):
        yield needle
        middle = needle[len(needle) // 4 :][: 3 * (len(needle) // 8)]
        # base64 of a piece, at each of the places that it may have in a group of three
        for shift in range(3):
            yield base64.b64encode(bytes(shift) + middle)[4:-4]
        return
    plain, escaped = json.dumps(needle, ensure_ascii=False)[1:-1], json.dumps(needle)[1:-1]
    for text in (
        needle,
        html.escape(needle),
        plain,
        escaped,
        json.dumps(plain)[1:-1],
        json.dumps(escaped)[1:-1],
    ):
        yield text.encode()
        yield text.encode("utf-16-le")
    yield base64.b64encode(b"___" + needle.encode())[4:-4]


def _contents(path: Path) -> Iterator[bytes]:
    """What a file holds, unpacked. Raises ValueError for a damaged one: it may hold anything."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == data[-4:] == b"PAR1":
        yield from _values(pq.read_table(io.BytesIO(data)).to_pylist())
    if data[:6] == b"ARROW1":
        with pa.ipc.open_file(io.BytesIO(data)) as file:
            yield from _values(file.read_all().to_pylist())


def _values(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        yield value.encode(errors="surrogatepass")
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _values(each)
    elif isinstance(value, list):
        for each in value:
            yield from _values(each)
