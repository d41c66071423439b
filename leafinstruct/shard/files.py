"""Files of the shard stage: group rows to be written, compare shards with their reports.

For the shards of rows and for those of preference rows (shard/preference), each in a folder of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, hashing
from leafinstruct.runtime.files import file_fault


def checksums(out: Artifact) -> str:
    """The content of SHA256SUMS, from the shards' reports, whose hashes were computed from the bytes on
    disk."""
    files = sorted((name, sha256) for report in out.reports() for name, sha256 in report.files.items())
    return "".join(f"{sha256}  {name}\n" for name, sha256 in files)


def damaged_shards(out: Artifact, names: Iterable[str], engine: Engine) -> list[Path]:
    """The damaged shards among those that have a report. out: the artifact of the shards."""
    parts = [Part(name) for name in sorted({*names} & {*out.parts()})]
    size = sum(path.stat().st_size for path in out.path.glob("*.parquet") if path.is_file())
    reports = hashing(engine, partial(compare, out), parts, Needs(what="checking shards", unit="MB"), size)
    return sorted(out.path / report.value for report in reports if report.value)


def compare(out: Artifact, part: Part) -> Found[str]:
    """Task: compare a shard with its report. Returns its file name, empty if it matches."""
    report, path = out.report(part.name), out.path / f"{part.name}.parquet"
    is_whole = report is not None and file_fault(path, report.files[path.name]) is None
    size = path.stat().st_size // 1_000_000 if is_whole else 0
    return Found(counts={"MB": size}, value="" if is_whole else path.name)


def row_groups(rows: Iterator[pa.RecordBatch], aim: int) -> Iterator[list[pa.RecordBatch]]:
    """Gather rows to row groups of about `aim` bytes in memory."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        group.append(batch)
        size += batch.nbytes
        if size >= aim:
            yield group
            group, size = [], 0
    if group:
        yield group
