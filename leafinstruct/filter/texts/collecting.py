"""Find the paragraphs of many pages of a host (hosts.py) over all parts, a bucket of hosts at a time.

    divide   (processes)  pages of some parts -> a file with a batch for each bucket
    count    (processes)  one bucket, of all these files -> its repeated paragraphs
    repeat   (processes)  one part and the repeated paragraphs of all buckets -> repeats-

A host is in one bucket, by its hash, so the result is that of one bucket for any number of them. A corpus of
fewer than PAGES_A_BUCKET pages is one bucket, which is counted in this process, without files.

Memory: 2 kB a page of a bucket in each process, and 24 bytes a repeated paragraph, of which a host has a few.
Files: about 250 bytes a page in a folder that is removed at the end and, after a kill, by the next run.
Chosen: files of some parts by bucket, over files of a bucket that all processes write to, which would need
locks, and over a file for each part and bucket, which would be parts x buckets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leafinstruct.filter.config import FilterConfig, HostParagraphs
from leafinstruct.filter.texts import hosts
from leafinstruct.records import edits as records
from leafinstruct.records import table
from leafinstruct.records.edits import ParagraphRow
from leafinstruct.records.files.batches import Batches, written
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, Task, TaskResult
from leafinstruct.runtime.files import scratch, writing

PAGES_A_BUCKET = 1 << 16
"""Pages that are counted together, 130 MB with 20 paragraphs a page."""


def collect(config: FilterConfig, out: Artifact, parts: Sequence[Part], engine: Engine) -> None:
    """Write repeats- of every part. A part whose repeats did not change keeps its file."""
    if config.host_paragraphs is None:
        for part in parts:
            _repeat(out, part.name, _one(hosts.REPEATED.empty_table()))
        return
    pages = sum(table.count(out.file("paragraphs", part.name)) for part in parts)
    buckets = -(-pages // PAGES_A_BUCKET)
    if buckets < 2:
        found = hosts.repeated([_pages(out, part.name) for part in parts], config.host_paragraphs)
        for part in parts:
            _repeat(out, part.name, found)
        return
    with scratch(out.path, "hosts") as folder:
        names = np.array_split(np.array([part.name for part in parts]), buckets)
        some = [Part(f"{at:05d}", (buckets, own.tolist())) for at, own in enumerate(names)]
        _run(engine, partial(divide, out, folder), some, "dividing pages by host")
        numbered = [Part(one.name, (at, buckets)) for at, one in enumerate(some)]
        _run(engine, partial(count, config.host_paragraphs, folder), numbered, "counting paragraphs of hosts")
        each = [Batches.opened(_file(folder, "repeated", at), hosts.REPEATED)[0] for at in range(buckets)]
        with written(folder / "repeated.arrow", hosts.REPEATED) as add:
            add(_one(pa.Table.from_batches(each).sort_by("key")))
        _run(engine, partial(repeat, out, folder), parts, "finding paragraphs of hosts")


def _run(engine: Engine, task: Task[TaskResult], parts: Sequence[Part], what: str) -> None:
    for _ in engine.map(task, parts, Needs(what=what)):
        pass


def divide(out: Artifact, folder: Path, part: Part) -> TaskResult:
    """Task: write the pages of some parts to one file, a batch for each bucket. payload: number of buckets,
    names of the parts."""
    buckets, names = part.payload
    pages = pa.Table.from_batches([_pages(out, name) for name in names], hosts.PAGES)
    bucket = pa.array(pages["host"].to_numpy() % np.uint64(buckets))
    with written(_file(folder, "pages", int(part.name)), hosts.PAGES) as add:
        for number in range(buckets):
            add(_one(pages.filter(pc.equal(bucket, number))))
    return TaskResult(counts={"documents": len(pages)})


def count(config: HostParagraphs, folder: Path, part: Part) -> TaskResult:
    """Task: find the repeated paragraphs of the hosts of one bucket. payload: its number, and that of all."""
    number, buckets = part.payload
    files = (_file(folder, "pages", at) for at in range(buckets))
    pages = [Batches.opened(file, hosts.PAGES)[number] for file in files]
    with written(_file(folder, "repeated", number), hosts.REPEATED) as add:
        add(hosts.repeated(pages, config))
    return TaskResult(counts={"documents": sum(map(len, pages))})


def repeat(out: Artifact, folder: Path, part: Part) -> TaskResult:
    """Task: write repeats- of a part."""
    _repeat(out, part.name, Batches.opened(folder / "repeated.arrow", hosts.REPEATED)[0])
    return TaskResult()


def _repeat(out: Artifact, part: str, found: pa.RecordBatch) -> None:
    rows = list(hosts.repeats(_rows(out, part), found)) if len(found) else []
    key = digest([asdict(row) for row in rows])
    if table.key_of(out.file("repeats", part)) != key:
        with writing(out.file("repeats", part)) as temporary:
            table.write(temporary, rows, records.REPEATS, key)


def _pages(out: Artifact, part: str) -> pa.RecordBatch:
    return hosts.pages_of(_rows(out, part))


def _rows(out: Artifact, part: str) -> Iterator[ParagraphRow]:
    return table.records(out.file("paragraphs", part), ParagraphRow)


def _file(folder: Path, kind: str, number: int) -> Path:
    return folder / f"{kind}-{number:05d}.arrow"


def _one(rows: pa.Table) -> pa.RecordBatch:
    """A table as one batch."""
    return pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in rows.columns], schema=rows.schema
    )
