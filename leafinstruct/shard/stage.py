"""The shard stage: examples -> Parquet files with images embedded, checksums and a dataset card.

    gather (processes)   write a part's rows (`rows-<part>.arrow`, memory-mapped later) and their keys for
                         planning (`keys-<part>.arrow`)
    plan   (here)        from keys only: group rows, assign every row to a split and a shard
    write  (processes)   a bucket of shards (buckets.py): read their rows from all parts, sorted by hash,
                         row group by row group

Rows are stored once more between gather and write, because a shard needs rows of every part: random access
into memory-mapped Arrow costs a page fault, into Parquet a whole row group. A shard's key is the digest of
its rows' digests, so one added or removed row rewrites one shard. The card also reports the losses of earlier
stages, so their counts are part of the fingerprint; if only they change, only the card is rewritten.

A row's bytes are compared when a shard is written; shards and the files beside them are compared in every
build, and damaged ones are made again.

A part's keys mean that its rows are complete, a shard's report that the shard is, SHA256SUMS that all are. So
each is removed before these files are written and written after them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.card.describe import describe, identity
from leafinstruct.errors import LeafInstructError
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records import public, table
from leafinstruct.records.example import Example
from leafinstruct.records.files import batches
from leafinstruct.records.preference.row import FOLDER, PUBLISHED
from leafinstruct.records.published_row import row_of
from leafinstruct.records.removals import NOTHING, Suppressed
from leafinstruct.records.shards import CHECKSUMS
from leafinstruct.records.url import host_of
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.engine.share import SHARDED, SPLITS, alone, barrier, once, own
from leafinstruct.runtime.files import file_fault, file_sha256, remove, writing
from leafinstruct.runtime.record import Fingerprint, StageFacts
from leafinstruct.runtime.stage import Stage
from leafinstruct.runtime.stage_report import StageReport
from leafinstruct.shard import keys as keys_of
from leafinstruct.shard.buckets import GatheredRows, buckets
from leafinstruct.shard.config import ShardConfig
from leafinstruct.shard.files import checksums, damaged_shards, row_groups
from leafinstruct.shard.group_keys import GroupKeys, group_keys_of
from leafinstruct.shard.plan import plan
from leafinstruct.shard.preference import run as preference
from leafinstruct.shard.preference.run import PreferenceSettings
from leafinstruct.shard.removed_examples import left_out, remaining

CODE = 10
"""Version, increased when the same examples give other shards than before."""

LIBRARIES = ("datasets", "pyarrow")
"""Libraries that a shard's bytes depend on."""

SPLITTING = ("publicsuffixlist",)
"""Libraries that the groups depend on."""

BESIDE = ("README.md", CHECKSUMS, "croissant.json", "build.json", "examples/*")
"""Files published beside the shards, with those of preference rows. The record has the sha256 of each."""

GONE = "shards that are gone:"
"""Prefix of the change that is not about a setting: a missing shard is written as it was."""


class _Recipe(Protocol):
    seed: int
    shard: ShardConfig

    @property
    def full_name(self) -> str: ...


class _Loaded(Protocol):
    """What shard reads of a loaded recipe."""

    @property
    def recipe(self) -> _Recipe: ...
    @property
    def removed(self) -> Suppressed: ...
    @property
    def resolved(self) -> Mapping[str, Any]: ...
    def template(self, folder: str, name: str) -> Prompt: ...


@dataclass(frozen=True)
class ShardSettings:
    """Settings of the stage. recipe: `name@version`, written into every row; card: the card's template;
    suppressed: the removal list; resolved: the recipe as build.json and the card publish it."""

    config: ShardConfig
    seed: int
    recipe: str
    card: Prompt
    suppressed: Suppressed = NOTHING
    resolved: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: _Loaded) -> Self:
        """The settings of a recipe."""
        recipe = loaded.recipe
        card = loaded.template("data_cards", recipe.shard.card)
        return cls(recipe.shard, recipe.seed, recipe.full_name, card, loaded.removed, loaded.resolved)


def fingerprint(settings: ShardSettings, inputs: Artifact, out: Artifact, engine: Engine) -> Fingerprint:  # noqa: ARG001 - the interface of every stage
    """Config, seed, recipe's name, card, libraries, the digest of rewrite's output, and what the card reports
    about earlier stages."""
    record = inputs.record
    assert record is not None, "rewrite is done"
    libraries = {name: version(name) for name in (*LIBRARIES, *SPLITTING, "regex")}
    config = settings.config.model_dump(mode="json")
    return {
        "code": CODE,
        "shard": config,
        "seed": settings.seed,
        "recipe": settings.recipe,
        "card": settings.card.sha256,
        "libraries": libraries,
        "input": record["output"],
        "near_text": digest(near_groups(inputs).sort_by("document").to_pylist()),
        "history": identity(settings.resolved, inputs),
        **({"suppressed": removed} if (removed := settings.suppressed.identity) else {}),
    }


def run(settings: ShardSettings, inputs: Artifact, out: Artifact, engine: Engine) -> StageFacts:
    """Write every shard that is not up to date, then card and checksums. Returns facts for the record. Raises
    LeafInstructError if there are no rows."""
    removed = left_out(settings.suppressed, inputs, engine)
    parts = list(_parts(settings, inputs, removed))
    pairs = PreferenceSettings(settings.config, settings.seed, settings.recipe, settings.suppressed)
    mine = own(engine, parts)
    stale = [part for part in mine if not _is_gathered(out, part)]
    for _ in engine.map(partial(gather, settings, inputs, out), stale, Needs(what="gathering")):
        pass
    preference.gather_all(pairs, inputs, out, mine, engine)
    answers = partial(preference.is_gathered, pairs, inputs, out)
    barrier(engine, SPLITS, (parts, lambda part: _is_gathered(out, part) and answers(part)))
    keys = keys_of.read(out, [part.name for part in parts])
    count = sum(map(len, removed.values()))
    if not any(len(rows) for rows in keys.values()):
        why = f": {count:,} are on the removal list" if count else ""
        raise LeafInstructError(f"there is no example to shard{why}; see `leaf status`")
    shaping = [CODE, settings.config.row_group_bytes, [version(library) for library in LIBRARIES]]
    near = near_groups(inputs)
    shards, split = plan(settings.config, settings.seed, keys, near, shaping)
    chosen = preference.plan_all(pairs, out, keys, near, shaping)
    once(
        engine,
        SPLITS,
        lambda: [(part.name, part.payload[0]) for part in [*shards, *chosen.shards]],
        lambda: True,
        lambda: _clear(settings.config, out, parts, shards, chosen),
    )
    ours = own(engine, shards)
    for path in damaged_shards(out, [part.name for part in ours], engine):
        forget(out, path)

    def is_written(part: Part) -> bool:
        return out.is_up_to_date(part.name, part.payload[0])

    missing = [part for part in ours if not is_written(part)]
    some = buckets(missing, len(parts), engine.workers)
    for _ in engine.map(partial(write, settings, out), some, Needs(what="writing shards")):
        pass
    preference.write_all(pairs, out, chosen, len(parts), engine)
    barrier(engine, SHARDED, (shards, is_written), (chosen.shards, partial(preference.is_written, out)))
    facts: StageFacts = {**split, "schema": public.SCHEMA_VERSION}
    with alone(engine):
        if (made := preference.finish(pairs, out, chosen)) is not None:
            facts["preference"] = made
        if count:
            facts["suppressed"] = count
        describe(settings.recipe, settings.card.text, settings.resolved, out, inputs, facts, engine)
        with writing(out.path / CHECKSUMS) as temporary:
            temporary.write_text(checksums(out), encoding="utf-8")
        return {**facts, "beside": _hashed(out)}


def _hashed(out: Artifact) -> dict[str, str]:
    """The sha256 of each file beside the shards; those of preference rows are in their reports."""
    known = preference.files_of(out)
    names = [path.relative_to(out.path).as_posix() for path in files_beside(out)]
    return {name: known.get(name) or file_sha256(out.path / name) for name in names}


def near_groups(inputs: Artifact) -> pa.Table:
    """The groups of near-duplicate texts that filter found, a table of keys.NEAR."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    return keys_of.near_groups(inputs.upstream, inputs.parts())


def moved(out: Artifact, engine: Engine) -> tuple[str, ...]:  # noqa: ARG001 - the interface of every stage
    """Shards with a report but without a file, because it was deleted or moved, as a change of the stage."""
    gone = [name for name in out.parts() if not (out.path / f"{name}.parquet").exists()]
    return (f"{GONE} {', '.join(gone[:3])}{' and more' if len(gone) > 3 else ''}",) if gone else ()


def files_beside(out: Artifact) -> list[Path]:
    """The existing files beside the shards that are published with them."""
    return [
        path for pattern in (*BESIDE, *PUBLISHED) for path in sorted(out.path.glob(pattern)) if path.is_file()
    ]


def damaged(out: Artifact, engine: Engine) -> list[str]:
    """Names of the damaged published files of a finished stage. Reads every shard, of a share its own."""
    beside = (out.record or {}).get("beside", {})
    here = {path.relative_to(out.path).as_posix() for path in files_beside(out)}
    pairs, known = preference.folder_of(out), preference.files_of(out)
    odd = [
        name
        for name in sorted({*beside, *here})
        if name not in beside
        or (beside[name] != known[name] if name in known else file_fault(out.path / name, beside[name]))
    ]
    odd += [f"{FOLDER}/{path.name}" for path in damaged_shards(pairs, _own(pairs, engine), engine)]
    return [path.name for path in damaged_shards(out, _own(out, engine), engine)] + odd


def _own(out: Artifact, engine: Engine) -> list[str]:
    """The shards that this process compares."""
    return [part.name for part in own(engine, [Part(name) for name in out.parts()])]


def forget(out: Artifact, path: Path) -> None:
    """Remove a damaged file so that it is made again: a shard, or the gathered rows and keys of a part."""
    kind, _, part = path.stem.partition("-")
    if path.suffix == ".arrow":
        for name in preference.GATHERED if kind in preference.GATHERED else ("keys", "rows"):
            out.file(name, part, ".arrow").unlink(missing_ok=True)
    else:
        (preference.folder_of(out) if path.parent.name == FOLDER else out).open(path.stem)
        remove(path)


def gather(settings: ShardSettings, inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task: write a part's published rows to rows-<part>.arrow and their keys to keys-<part>.arrow. payload:
    the key."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    keys_of.file_of(out, part.name).unlink(missing_ok=True)
    here = remaining(settings.suppressed, inputs, part.name)
    used = {example.document_id for example in here}
    wanted = {image.sha256 or "" for example in here for image in example.images}
    data = table.images(inputs.upstream.file("images", part.name), wanted)
    grouping = {
        item.id: group_keys_of(item)
        for item in table.documents(inputs.upstream.checked("documents", part.name))
        if item.id in used
    }
    schema, keys = public.schema(), []
    with batches.written(out.file("rows", part.name, ".arrow"), schema) as add:
        for example in here:
            row = row_of(example, data, settings.recipe)
            add(pa.RecordBatch.from_pylist([row], schema=schema))
            keys.append(_key(example, row, data, grouping[example.document_id]))
    keys_of.write(keys_of.file_of(out, part.name), part.payload, keys)
    return TaskResult(counts={"rows": len(here)})


def write(settings: ShardSettings, out: Artifact, part: Part) -> TaskResult:
    """Task: write the shards of a bucket, one after the other. payload: of buckets.buckets."""
    rows = GatheredRows(out, "rows", public.schema())
    totals: Counter[str] = Counter()
    for shard in part.payload:
        if not out.is_up_to_date(shard.name, shard.payload[0]):  # an engine may run a task again
            totals.update(_write(settings, out, rows, shard).counts)
    return TaskResult(counts=totals)


def _write(settings: ShardSettings, out: Artifact, rows: GatheredRows, shard: Part) -> StageReport:
    """Write one shard in row groups of about `row_group_bytes`, with one of them in memory."""
    started = time.perf_counter()
    identity, places = shard.payload
    out.open(shard.name)
    path = out.path / f"{shard.name}.parquet"
    schema = public.schema()
    images = 0
    with writing(path) as temporary, pq.ParquetWriter(temporary, schema, **public.WRITER) as file:
        wanted = zip(places["part"].to_pylist(), places["index"].to_pylist(), strict=True)
        for group in row_groups((rows[place] for place in wanted), settings.config.row_group_bytes):
            whole = pa.Table.from_batches(group, schema)
            images += sum(len(of_row) for of_row in whole.column("images"))
            file.write_table(whole, row_group_size=max(1, whole.num_rows))
    counts = Counter({"rows": len(places), "images": images, "bytes": path.stat().st_size})
    report = StageReport(counts=counts, seconds=time.perf_counter() - started)
    return out.commit(shard.name, identity, report, [path])


def _key(
    example: Example, row: table.Row, data: Mapping[str, bytes], group_keys: GroupKeys
) -> keys_of.KeyRow:
    """A row of keys.SCHEMA. row: the published row. data: sha256 -> bytes of its images."""
    names = [image.sha256 or "" for image in example.images]
    texts = (part for turn in example.turns for part in turn.parts if isinstance(part, str))
    return {
        "id": example.id,
        "task": example.task,
        "document": example.document_id,
        "host": host_of(example.page_url or example.url),
        "bytes": sum(len(data[name]) for name in names) + sum(len(text.encode()) for text in texts),
        "digest": digest({**row, "images": names}),
        "text": group_keys.text,
        "images": group_keys.images,
    }


def _is_gathered(out: Artifact, part: Part) -> bool:
    return (
        keys_of.key_of(keys_of.file_of(out, part.name)) == part.payload
        and out.file("rows", part.name, ".arrow").is_file()
    )


def _parts(settings: ShardSettings, inputs: Artifact, removed: Mapping[str, list[str]]) -> Iterator[Part]:
    """Yield the parts to gather, with a key of everything that their rows depend on as payload. removed: see
    `left_out`."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    shaping = [CODE, [version(name) for name in LIBRARIES], settings.recipe]
    for name in inputs.parts():
        made_from = [inputs.file_digest("examples", name), inputs.upstream.file_digest("documents", name)]
        taken = [removed[name]] if name in removed else []
        yield Part(name, digest([*shaping, *made_from, *taken]))


def _clear(
    config: ShardConfig,
    out: Artifact,
    parts: Iterable[Part],
    shards: Sequence[Part],
    chosen: preference.Chosen,
) -> None:
    """Remove shards and gathered rows that are no longer in the plan, and the checksums in any case."""
    preference.clear(config, out, chosen)
    (out.path / CHECKSUMS).unlink(missing_ok=True)
    out.keep_only([shard.name for shard in shards])
    kinds = ("keys", "rows", *(preference.GATHERED if config.preference else ()))
    wanted = {out.path / f"{shard.name}.parquet" for shard in shards}
    wanted |= {out.file(kind, part.name, ".arrow") for kind in kinds for part in parts}
    here = [path for kind in ("keys", "rows", *preference.GATHERED) for path in out.files(kind)]
    for path in [*out.path.glob("*.parquet"), *here]:
        if path not in wanted:
            path.unlink(missing_ok=True)


STAGE = Stage(
    settings=ShardSettings.of,
    fingerprint=fingerprint,
    run=run,
    moved=moved,
    tolerated=lambda *_: (GONE,),
    damaged=damaged,
    forget=forget,
)
