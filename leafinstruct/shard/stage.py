"""shard: examples -> Parquet files of the published row with picture bytes embedded, and a dataset card.

    gather (processes)   one part's rows as an Arrow file (`rows-<part>.arrow`), memory-mapped later
    plan   (here)        over keys only: split and shard of every row
    write  (processes)   one shard: take its rows from all parts, sorted by hash, row group by row group

The rows lie once more on disk between gather and write, because a shard draws on every part: random access into memory-mapped Arrow costs a
page fault, into Parquet a whole row group. A shard's key is the digest of its rows' digests, so one added or removed row makes one shard anew.
The card also tells what was lost on the way, so those counts are fingerprinted too: when only they change, the card alone is written anew.

A part's keys mean whole rows and a shard's report means a whole shard: both are removed before, and written after, what they vouch for.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.artifact import Artifact, Fingerprint, digest, writing
from leafinstruct.engine.base import Engine, Needs, Part
from leafinstruct.errors import LeafInstructError
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records import public, table
from leafinstruct.records.example import Example
from leafinstruct.shard import card
from leafinstruct.shard.config import ShardConfig
from leafinstruct.shard.split import FEW_HOSTS, host_of, shard_count, split_of, unit

CODE = 1
"""Raised when the same examples give other shards than before."""

LIBRARIES = ("datasets", "pyarrow")

WINDOW = 1024
"""Rows that are looked up together while a shard is written: each part's file is opened at most once for that many."""

Place = tuple[str, int]
"""Where a row lies: its part, and its number in rows-<part>.arrow."""


@dataclass(frozen=True)
class ShardSettings:
    """recipe: `name@version`, written into every row; card: the card's template."""

    config: ShardConfig
    seed: int
    recipe: str
    card: Prompt


@dataclass(frozen=True, slots=True)
class Key:
    """What planning needs of one row. part, index: where it lies; bytes: of its pictures."""

    id: str
    task: str
    host: str | None
    document: str
    part: str
    index: int
    bytes: int
    digest: str


def fingerprint(settings: ShardSettings, inputs: Artifact, out: Artifact, engine: Engine) -> Fingerprint:  # noqa: ARG001 - every room's door
    """Config, seed, recipe's name, card, libraries that shape bytes, what rewrite made, and what the card tells of the stages before."""
    record = inputs.record
    assert record is not None, "rewrite is done"
    libraries = {name: version(name) for name in LIBRARIES}
    config = settings.config.model_dump(mode="json")
    return {
        "code": CODE,
        "shard": config,
        "seed": settings.seed,
        "recipe": settings.recipe,
        "card": settings.card.sha256,
        "libraries": libraries,
        "input": record["output"],
        "history": digest(card.history(inputs)),
    }


def run(settings: ShardSettings, inputs: Artifact, out: Artifact, engine: Engine) -> dict[str, Any]:
    """Write every shard that does not stand, then the card. Returns facts for the record. Raises LeafInstructError for no rows."""
    parts = [Part(name, _rows_key(settings, inputs, name)) for name in inputs.parts()]
    stale = [part for part in parts if _rows_key_of(out, part.name) != part.payload]
    for _ in engine.map(partial(gather, settings, inputs, out), stale, Needs(what="gathering")):
        pass
    _forget(out, {part.name for part in parts})
    keys = [key for part in parts for key in _keys(out, part.name)]
    if not keys:
        raise LeafInstructError("there is no example to shard; see `leaf status`")
    by_host = len({key.host for key in keys}) >= FEW_HOSTS
    shards = plan(settings, keys, by_host)
    out.keep_only([part.name for part in shards])
    for path in out.path.glob("*.parquet"):
        if path.name not in {f"{part.name}.parquet" for part in shards}:
            path.unlink()
    missing = [part for part in shards if not out.stands(part.name, part.payload[0])]
    for _ in engine.map(partial(write, settings, out), missing, Needs(what="writing shards")):
        pass
    facts: dict[str, Any] = {"split_by": "host" if by_host else "document", "schema": public.SCHEMA_VERSION}
    with writing(out.path / "README.md") as temporary:
        temporary.write_text(card.render(settings.card.text, settings.recipe, out, inputs, facts), encoding="utf-8")
    return facts


def gather(settings: ShardSettings, inputs: Artifact, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: a part's published rows as rows-<part>.arrow, and their keys as keys-<part>.json. payload: the key."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    started = time.perf_counter()
    out.file("keys", part.name, ".json").unlink(missing_ok=True)
    examples = [table.example_of(row) for row in table.read(inputs.file("examples", part.name))]
    wanted = {image.sha256 for example in examples for image in example.images}
    rows = table.read(inputs.upstream.file("pictures", part.name), ["sha256", "bytes"])
    data = {row["sha256"]: row["bytes"] for row in rows if row["sha256"] in wanted}
    schema, keys = public.schema(), []
    with (
        writing(out.file("rows", part.name, ".arrow")) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as file,
    ):
        for index, example in enumerate(examples):
            row = public.row_of(example, data, settings.recipe)
            file.write_batch(pa.RecordBatch.from_pylist([row], schema=schema))
            keys.append(_key(example, part.name, index, row))
    with writing(out.file("keys", part.name, ".json")) as temporary:
        temporary.write_text(json.dumps({"key": part.payload, "rows": keys}), encoding="utf-8")
    return {"counts": {"rows": len(examples)}, "seconds": time.perf_counter() - started}


def plan(settings: ShardSettings, keys: Sequence[Key], by_host: bool) -> list[Part]:
    """Every shard as a part: name `<task>.<split>-00000-of-00004`, payload (key, [(part, index of row), ...] in order)."""
    groups: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in keys:
        group = key.host if by_host and key.host is not None else key.document
        groups[key.task, split_of(settings.seed, group, settings.config.splits)].append(key)
    shards = []
    for (task, split), members in sorted(groups.items()):
        count = shard_count(sum(key.bytes for key in members), settings.config.max_bytes)
        ranges: list[list[tuple[float, Key]]] = [[] for _ in range(count)]
        for key in members:
            point = unit(settings.seed, f"shard\0{key.id}")
            ranges[int(point * count)].append((point, key))
        for number, content in enumerate(ranges):
            ordered = [key for _, key in sorted(content, key=lambda pair: (pair[0], pair[1].id))]
            name = f"{task}.{split}-{number:05d}-of-{count:05d}"
            identity = digest(
                [CODE, settings.config.row_group_bytes, [version(library) for library in LIBRARIES], [key.digest for key in ordered]]
            )
            shards.append(Part(name, (identity, [(key.part, key.index) for key in ordered])))
    return shards


def write(settings: ShardSettings, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: one shard, row groups of about `row_group_bytes`, at most one of them in memory."""
    started = time.perf_counter()
    identity, places = part.payload
    out.open(part.name)
    path = out.path / f"{part.name}.parquet"
    schema = public.schema()
    pictures = 0
    with (
        writing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", write_page_index=True, use_content_defined_chunking=True) as file,
    ):
        for group in _groups(_rows(out, places), settings.config.row_group_bytes):
            rows = pa.Table.from_batches(group, schema)
            pictures += sum(len(images) for images in rows.column("images"))
            file.write_table(rows, row_group_size=max(1, rows.num_rows))
    counts = Counter({"rows": len(places), "pictures": pictures, "bytes": path.stat().st_size})
    return out.commit(part.name, identity, {"counts": counts, "reasons": {}, "seconds": time.perf_counter() - started}, [path])


def _rows(out: Artifact, places: Sequence[Place]) -> Iterator[pa.RecordBatch]:
    """One batch a place, in order. A row's bytes are mapped, not read, and outlive the file, so one file is open at a time."""
    for start in range(0, len(places), WINDOW):
        window = places[start : start + WINDOW]
        found: dict[Place, pa.RecordBatch] = {}
        for name, members in groupby(sorted(window), key=lambda place: place[0]):
            with pa.memory_map(str(out.file("rows", name, ".arrow"))) as mapped, pa.ipc.open_file(mapped) as file:
                found.update({place: file.get_batch(place[1]) for place in members})
        yield from (found[place] for place in window)


def _groups(rows: Iterator[pa.RecordBatch], aim: int) -> Iterator[list[pa.RecordBatch]]:
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


def _key(example: Example, part: str, index: int, row: table.Row) -> dict[str, Any]:
    shown = {**row, "images": [info["sha256"] for info in row["image_info"]]}
    size = sum(len(image["bytes"]) for image in row["images"])
    host = host_of(example.url)
    return {
        "id": example.id,
        "task": example.task,
        "host": host,
        "document": example.document_id,
        "part": part,
        "index": index,
        "bytes": size,
        "digest": digest(shown),
    }


def _keys(out: Artifact, part: str) -> Iterator[Key]:
    for row in json.loads(out.file("keys", part, ".json").read_text(encoding="utf-8"))["rows"]:
        yield Key(**row)


def _rows_key(settings: ShardSettings, inputs: Artifact, part: str) -> str:
    return digest([CODE, [version(name) for name in LIBRARIES], settings.recipe, inputs.file_digest("examples", part)])


def _rows_key_of(out: Artifact, part: str) -> str | None:
    """The key of gathered rows; None while there are none, or only what a power cut left of them."""
    try:
        return str(json.loads(out.file("keys", part, ".json").read_text(encoding="utf-8"))["key"])
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def _forget(out: Artifact, parts: set[str]) -> None:
    """Remove gathered rows of parts that are gone, their keys first."""
    for kind, suffix in (("keys", ".json"), ("rows", ".arrow")):
        for path in out.path.glob(f"{kind}-*{suffix}"):
            if path.name.removeprefix(f"{kind}-").removesuffix(suffix) not in parts:
                path.unlink()


def shard_files(out: Artifact) -> list[Path]:
    """The published files, sorted by name."""
    return sorted(out.path.glob("*.parquet"))
