"""Parquet files and tars."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hostile.base import CASES, SOUND, Files, numbered


def table(columns: Mapping[str, Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def columns_of(**columns: Any) -> dict[str, Any]:
    count = len(next(iter(columns.values())))
    base = {
        "texts": pa.array([[SOUND]] * count, pa.list_(pa.string())),
        "images": pa.array([[None]] * count, pa.list_(pa.string())),
    }
    return {**base, **columns}


def obelics(name: str, columns: Callable[[], Mapping[str, Any]], **options: Any) -> None:
    CASES[f"obelics {name}"] = (
        "obelics",
        lambda: {"a.parquet": table(columns(), **options), "z.parquet": table(columns_of(x=[1]))},
        {},
    )


obelics("row groups by the 100,000", lambda: columns_of(x=[1] * 20_000), row_group_size=1)
obelics("10,000 columns", lambda: columns_of(x=[1], **{f"c{n}": [1] for n in range(20_000)}))
obelics("nested 200 deep", lambda: columns_of(x=[1], y=[_nested(100)]))
obelics(
    "a list of 10^7",
    lambda: columns_of(
        texts=pa.array([["a"] * 10_000_000]), images=pa.array([[None] * 10_000_000], pa.list_(pa.string()))
    ),
)
obelics(
    "lists of 10^6, 30 rows",
    lambda: columns_of(
        texts=pa.array([["a"] * 1_000_000] * 30),
        images=pa.array([[None] * 1_000_000] * 30, pa.list_(pa.string())),
    ),
)
obelics(
    "lists of nulls",
    lambda: columns_of(
        texts=pa.array([[None] * 1_000_000] * 60, pa.list_(pa.string())),
        images=pa.array([[None] * 1_000_000] * 60, pa.list_(pa.string())),
    ),
)
obelics(
    "a cell of 400 MB",
    lambda: columns_of(
        texts=pa.array([["a" * 400_000_000]]), images=pa.array([[None]], pa.list_(pa.string()))
    ),
)
obelics(
    "dictionary expansion",
    lambda: columns_of(
        texts=pa.array([["a" * 4_000_000] * 40] * 10),
        images=pa.array([[None] * 40] * 10, pa.list_(pa.string())),
    ),
)
obelics(
    "dictionary expansion, 200 rows",
    lambda: columns_of(
        texts=pa.array([["a" * 4_000_000]] * 400), images=pa.array([[None]] * 400, pa.list_(pa.string()))
    ),
)
obelics(
    "1,000,000 rows of nothing",
    lambda: {
        "texts": pa.nulls(1_000_000, pa.list_(pa.string())),
        "images": pa.nulls(1_000_000, pa.list_(pa.string())),
    },
)
obelics("metadata of 16 MB", lambda: columns_of(metadata=["[" + "{}," * 5_000_000 + "{}]"]))
obelics(
    "metadata of a wide number",
    lambda: columns_of(metadata=["[" + "9" * 4_000 + ("," + "9" * 4000) * 2_000 + "]"]),
)
obelics(
    "footer metadata",
    lambda: {
        "texts": pa.array([[SOUND]]),
        "images": pa.array([[None]], pa.list_(pa.string())),
        "x" * 3_000_000: [1],
    },
)
CASES["hub lists of 10^6"] = (
    "hub",
    lambda: {
        "a.parquet": table({"t": pa.array([["a"] * 1_000_000] * 20)}),
        "z.parquet": table({"t": pa.array([[SOUND]])}),
    },
    {"segments": [{"text": "t"}]},
)
CASES["hub text of placeholders"] = (
    "hub",
    lambda: {
        "a.jsonl": b"\n".join(
            [
                json.dumps({"t": "<image> " * 900_000, "i": []}).encode(),
                json.dumps({"t": SOUND, "i": []}).encode(),
            ]
        )
    },
    {"segments": [{"text": "t", "placeholders": {"<image>": "i"}}]},
)
CASES["hub text of near placeholders"] = (
    "hub",
    lambda: {
        "a.jsonl": b"\n".join(
            [
                json.dumps({"t": "[image 1] " * 700_000, "i": []}).encode(),
                json.dumps({"t": SOUND, "i": []}).encode(),
            ]
        )
    },
    {"segments": [{"text": "t"}]},
)
CASES["hub text of distinct near placeholders"] = (
    "hub",
    lambda: {
        "a.jsonl": b"\n".join(
            [
                json.dumps({"t": numbered(f"[{'a'}#_image 1] ", 300_000), "i": []}).encode(),
                json.dumps({"t": SOUND, "i": []}).encode(),
            ]
        )
    },
    {"segments": [{"text": "t"}]},
)
CASES["hub text of open brackets"] = (
    "hub",
    lambda: {
        "a.jsonl": b"\n".join(
            [json.dumps({"t": "[" * 7_000_000, "i": []}).encode(), json.dumps({"t": SOUND, "i": []}).encode()]
        )
    },
    {"segments": [{"text": "t"}]},
)
CASES["hub text of words in brackets"] = (
    "hub",
    lambda: {
        "a.jsonl": b"\n".join(
            [
                json.dumps({"t": "{{aaa aaa" * 700_000, "i": []}).encode(),
                json.dumps({"t": SOUND, "i": []}).encode(),
            ]
        )
    },
    {"segments": [{"text": "t"}]},
)


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def tar(name: str, make: Callable[[tarfile.TarFile], object], form: int = tarfile.PAX_FORMAT) -> None:
    def files() -> Files:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as out:
            _add(out, "a.txt", SOUND.encode())
            make(out)
            _add(out, "z.txt", SOUND.encode())
        return {"a.tar": buffer.getvalue()}

    CASES[f"tar {name}"] = ("hub", files, {"segments": [{"text": "txt"}]})


def _add(out: tarfile.TarFile, name: str, data: bytes, **pax: str) -> int:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(data), dict(pax)
    out.addfile(info, io.BytesIO(data))
    return info.size


tar(
    "pax header of 200,000 records",
    lambda out: _add(out, "b.txt", b"b", **{f"k{n}": "v" for n in range(200_000)}),
)
tar("pax header of 60 MB", lambda out: _add(out, "b.txt", b"b", comment="v" * 60_000_000))
tar(
    "200 pax headers of 1,000",
    lambda out: [_add(out, f"b{n}.txt", b"b", **{f"k{m}": "v" for m in range(1_000)}) for n in range(200)],
)
tar("pax size of 10^18", lambda out: _add(out, "b.txt", b"b", size=str(10**18)))
tar("pax size of 30,000 digits", lambda out: _add(out, "b.txt", b"b", size="9" * 4_000))
tar("pax size negative", lambda out: _add(out, "b.txt", b"b", size="-512"))
tar("GNU names of 8 MB", lambda out: _add(out, "b" * 8_000_000 + ".txt", b"b"), tarfile.GNU_FORMAT)
tar("200,000 members", lambda out: [_add(out, f"m{n}.txt", b"") for n in range(150_000)])
tar("200,000 members of a sample", lambda out: [_add(out, f"m.c{n}", b"") for n in range(150_000)])
tar("member of dots", lambda out: _add(out, "b" + "." * 2_000_000 + "txt", b"b"))
tar("member of slashes", lambda out: _add(out, "b/" * 1_000_000 + "c.txt", b"b"))


def _chained(kind: bytes, count: int) -> Files:
    """Headers that each announce another one: tarfile follows them recursively."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 4
    head = info.tobuf(tarfile.GNU_FORMAT) + b"abc\0".ljust(512, b"\0")
    sound = io.BytesIO()
    with tarfile.open(fileobj=sound, mode="w") as out:
        _add(out, "a.txt", SOUND.encode())
    first = sound.getvalue()[:1024]
    return {"a.tar": first + head * count + first + bytes(1024)}


CASES["tar 100,000 GNU names in a chain"] = (
    "hub",
    lambda: _chained(tarfile.GNUTYPE_LONGNAME, 100_000),
    {"segments": [{"text": "txt"}]},
)
CASES["tar 100,000 pax headers in a chain"] = (
    "hub",
    lambda: _chained(tarfile.XHDTYPE, 100_000),
    {"segments": [{"text": "txt"}]},
)


def _sparse() -> Files:
    info = tarfile.TarInfo("b.txt")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    body = (b"00000000001\0" * 2 * 21 + b"\1").ljust(512, b"\0") * 100_000
    return {"a.tar": bytes(head) + body + _chained(b"L", 0)["a.tar"]}


CASES["tar sparse map of 100,000 blocks"] = ("hub", _sparse, {"segments": [{"text": "txt"}]})
