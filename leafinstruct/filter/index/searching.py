"""Search the near hashes of a corpus (hamming.py) in worker processes, some hashes at a time.

    divide   (here)       all hashes in the order of their ranks -> files with a batch for each bucket
    compare  (processes)  one bucket of queries with the buckets that have better hashes, one after the other

A query needs better hashes only, so the first bucket is compared with itself and the last with all. Whether
one is near depends on no division, so the result is that of one table of all. At most HASHES_A_BUCKET hashes
are one table, searched in this process without files.

Memory: 160 bytes a hash of a bucket in each process. Cost: for n buckets n / 2 times the look-ups of one
table, but as many comparisons, of which a table with more than a million hashes has more than look-ups.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leafinstruct.filter.index.hamming import Ranks, has_better
from leafinstruct.images.near import RADIUS, Hashes
from leafinstruct.records.files.batches import Batches, written
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part
from leafinstruct.runtime.files import scratch

HASHES_A_BUCKET = 1 << 20
"""Hashes of one table. With more, look-ups in tables of 20 bits find several hashes each."""

_SCHEMA = pa.schema([*((f"word{number}", pa.uint64()) for number in range(4)), ("rank", pa.int32())])


def near_better(
    engine: Engine,
    folder: Path,
    queries: Hashes,
    own: Ranks,
    hashes: Hashes,
    rank: Ranks,
    radius: int = RADIUS,
) -> NDArray[np.bool_]:
    """As hamming.has_better, over buckets of hashes. folder: where files may lie meanwhile."""
    if len(hashes) <= HASHES_A_BUCKET:
        return has_better(queries, own, hashes, rank, radius)
    found = np.zeros(len(queries), bool)
    with scratch(folder, "near-images") as made:
        tables = len(_write(made / "hashes.arrow", hashes, rank))
        asked = _write(made / "queries.arrow", queries, own)
        parts = [Part(f"{number:05d}", (number, tables)) for number in range(len(asked))]
        for result in engine.map(partial(compare, made, radius), parts, Needs(what="comparing images")):
            number, bits = result.value
            rows = asked[number]
            found[rows] = np.unpackbits(np.frombuffer(bits, np.uint8), count=len(rows))
    return found


def compare(folder: Path, radius: int, part: Part) -> Found[tuple[int, bytes]]:
    """Task: search one bucket of queries in all tables. payload: its number, number of tables. Returns the
    number, and a bit for each query."""
    number, tables = part.payload
    queries, own = _read(folder / "queries.arrow", number)
    found = np.zeros(len(queries), bool)
    for table in range(tables):
        hashes, rank = _read(folder / "hashes.arrow", table)
        rest = np.flatnonzero(~found & (own > rank[0]))
        if not len(rest):
            break
        found[rest] = has_better(queries[rest], own[rest], hashes, rank, radius)
    return Found(counts={"images": len(queries)}, value=(number, np.packbits(found).tobytes()))


def _write(path: Path, hashes: Hashes, rank: Ranks) -> list[NDArray[np.int64]]:
    """Write hashes in the order of their ranks, a batch for each bucket. Returns the indices of each."""
    order = np.argsort(rank, kind="stable")
    buckets = [order[at : at + HASHES_A_BUCKET] for at in range(0, len(order), HASHES_A_BUCKET)]
    with written(path, _SCHEMA) as add:
        for rows in buckets:
            columns = [*hashes[rows].T, rank[rows]]
            add(pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=_SCHEMA))
    return buckets


def _read(path: Path, number: int) -> tuple[Hashes, Ranks]:
    *words, rank = (column.to_numpy() for column in Batches.opened(path, _SCHEMA)[number].columns)
    return np.stack(words, axis=1), rank
