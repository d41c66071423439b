"""Write the preference rows of a dataset, a folder of shards beside those of rows, with SHA256SUMS of its
own.

    gather (processes)   what planning reads, and the worse rounds as rows (material.py)
    plan   (here)        from keys only (plan.py)
    write  (processes)   a bucket of shards (write.py), from the gathered rows of each part

The rejected answers are made of the rows of this dataset and no others, so a removed record is in no
preference row. Without `shard.preference` nothing is gathered and the folder is removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from leafinstruct.records import public, table
from leafinstruct.records.example import Example
from leafinstruct.records.files import batches
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.published_row import row_of
from leafinstruct.records.removals import Shown, Suppressed
from leafinstruct.records.shards import CHECKSUMS, split_of
from leafinstruct.records.text.genre import genre_of
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.engine.share import own
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.record import PreferenceFacts
from leafinstruct.shard import keys as keys_of
from leafinstruct.shard.buckets import buckets
from leafinstruct.shard.config import ShardConfig
from leafinstruct.shard.files import checksums, damaged_shards
from leafinstruct.shard.groups import group
from leafinstruct.shard.plan import assigned, shards
from leafinstruct.shard.preference import material
from leafinstruct.shard.preference.plan import PLACES, planned
from leafinstruct.shard.preference.write import write
from leafinstruct.shard.removed_examples import remaining

CODE = 1
"""Version, increased when the same rows give other preference rows than before."""
GATHERED = ("pairs", "losers")
"""Kinds of the files that are gathered, beside those of the stage."""
ALWAYS_APART = ("text", "near_text")
"""Keys of groups that never lend to each other, in addition to shard.group_by."""


@dataclass(frozen=True)
class PreferenceSettings:
    """What preference rows need of the stage's settings."""

    config: ShardConfig
    seed: int
    recipe: str
    suppressed: Suppressed


@dataclass(frozen=True)
class Chosen:
    """The preference rows of a dataset. shards: none if the recipe wants none; counts: see plan.planned."""

    shards: tuple[Part, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def folder_of(out: Artifact) -> Artifact:
    """The artifact of the preference rows of a shard stage."""
    return Artifact(out.path / FOLDER, shared=out.shared)


def gather_all(
    settings: PreferenceSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> None:
    """Gather what planning reads of these parts, whose rows are gathered."""
    if not settings.config.preference:
        return
    wanted = [_keyed(settings, inputs, out, part) for part in parts]
    stale = [part for part in wanted if not _is_gathered(out, part)]
    for _ in engine.map(partial(gather, settings, inputs, out), stale, Needs(what="gathering answers")):
        pass


def is_gathered(settings: PreferenceSettings, inputs: Artifact, out: Artifact, part: Part) -> bool:
    """Whether `gather_all` is done with a part whose rows are gathered."""
    return not settings.config.preference or _is_gathered(out, _keyed(settings, inputs, out, part))


def plan_all(
    settings: PreferenceSettings, out: Artifact, keys: Mapping[str, pa.Table], near: pa.Table, shaping: object
) -> Chosen:
    """Choose the preference rows, from everything that was gathered.

    keys: of each part, see plan.plan; near: of keys.NEAR. shaping: what a shard's bytes depend on besides its
    rows.
    """
    config = settings.config
    if not config.preference:
        return Chosen()
    rows, groups, _ = assigned(config, settings.seed, keys, near)
    found = keys_of.read(out, list(keys), "pairs")
    labels = group(pa.concat_tables(keys.values()), near, sorted({*groups.group_by, *ALWAYS_APART})).label
    made, counts = planned(settings.seed, config.preference, rows, pa.concat_tables(found.values()), labels)
    wanted = shards(config, made, [CODE, shaping], PLACES.names, "{split}") if len(made) else ()
    return Chosen(tuple(wanted), counts)


def write_all(
    settings: PreferenceSettings, out: Artifact, chosen: Chosen, parts: int, engine: Engine
) -> None:
    """Write the shards that are not up to date. parts: number of gathered parts."""
    folder, wanted = folder_of(out), own(engine, chosen.shards)
    for path in damaged_shards(folder, [part.name for part in wanted], engine):
        folder.open(path.stem)
        path.unlink(missing_ok=True)
    missing = [part for part in wanted if not is_written(out, part)]
    task = partial(write, settings.config.row_group_bytes, out, folder)
    some = buckets(missing, parts, engine.workers)
    for _ in engine.map(task, some, Needs(what="writing preference rows")):
        pass


def is_written(out: Artifact, part: Part) -> bool:
    """Whether a shard of preference rows is up to date."""
    return folder_of(out).is_up_to_date(part.name, part.payload[0])


def finish(settings: PreferenceSettings, out: Artifact, chosen: Chosen) -> PreferenceFacts | None:
    """Write SHA256SUMS. Returns facts for the record; None if the recipe wants no preference rows."""
    if not settings.config.preference:
        return None
    folder = folder_of(out)
    with writing(folder.path / CHECKSUMS) as temporary:
        temporary.write_text(checksums(folder), encoding="utf-8")
    return _facts(folder, chosen.counts)


def files_of(out: Artifact) -> dict[str, str]:
    """The published files of the preference rows except SHA256SUMS: name, relative to the stage's folder, ->
    sha256 in their reports."""
    folder = folder_of(out)
    return {
        f"{FOLDER}/{name}": sha256 for report in folder.reports() for name, sha256 in report.files.items()
    }


def gather(settings: PreferenceSettings, inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task: write losers-<part>.arrow and pairs-<part>.arrow. payload: the key."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    material.file_of(out, "pairs", part.name).unlink(missing_ok=True)
    examples = remaining(settings.suppressed, inputs, part.name)
    losers = _losers(settings, inputs, part.name)
    paired = [
        (loser, material.is_pair(example, loser)) if (loser := losers.get(example.id)) else (None, False)
        for example in examples
    ]
    kept = [loser for loser, is_pair in paired if loser is not None and is_pair]
    digests = iter(_write_losers(settings, inputs, out, part.name, kept))
    used = {example.document_id for example in examples}
    ordered = {
        document.id: genre_of(document) != "report"
        for document in table.documents(inputs.upstream.checked("documents", part.name))
        if document.id in used
    }
    hashes = dict(table.columns(inputs.upstream.file("images", part.name), "sha256", "hash"))
    found: list[material.Material] = []
    count = 0
    for example, (loser, is_pair) in zip(examples, paired, strict=True):
        place = count if is_pair else material.NO_LOSER if loser is None else material.OTHER_QUESTION
        sha = next(digests) if is_pair else None
        found.append(material.material_of(example, ordered[example.document_id], hashes, place, sha))
        count += is_pair
    path = material.file_of(out, "pairs", part.name)
    keys_of.write(path, part.payload, found, material.SCHEMA)
    return TaskResult(counts={"rows": len(examples)})


def _losers(settings: PreferenceSettings, inputs: Artifact, part: str) -> dict[str, Example]:
    """The examples of worse rounds by id, without those on the list of removals."""
    if "round" not in settings.config.preference or _rejected(inputs, part) is None:
        return {}
    return {
        example.id: example
        for example in table.examples(inputs.checked("rejected", part))
        if settings.suppressed.match(Shown.of_example(example)) is None
    }


def _write_losers(
    settings: PreferenceSettings, inputs: Artifact, out: Artifact, part: str, losers: Sequence[Example]
) -> Iterator[str]:
    """Write the worse rounds of a part as rows. Yields the digest of each."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    wanted = {image.sha256 or "" for example in losers for image in example.images}
    data = table.images(inputs.upstream.file("images", part), wanted)
    schema, digests = public.schema(), []
    with batches.written(material.file_of(out, "losers", part), schema) as add:
        for example in losers:
            row = row_of(example, data, settings.recipe)
            add(pa.RecordBatch.from_pylist([row], schema=schema))
            digests.append(digest({**row, "images": [image.sha256 for image in example.images]}))
    return iter(digests)


def _is_gathered(out: Artifact, part: Part) -> bool:
    path = material.file_of(out, "pairs", part.name)
    return keys_of.key_of(path) == part.payload and material.file_of(out, "losers", part.name).is_file()


def _keyed(settings: PreferenceSettings, inputs: Artifact, out: Artifact, part: Part) -> Part:
    """A part with the key of its material."""
    rows = keys_of.read(out, [part.name])[part.name]
    return Part(part.name, _key(settings, inputs, part.name, rows))


def _key(settings: PreferenceSettings, inputs: Artifact, part: str, rows: pa.Table) -> str:
    """Digest of everything that the material of a part depends on. Of the list of removals only what it
    removes here: the rows that are left, and the worse rounds."""
    assert inputs.upstream is not None, "rewrite was made from filter"
    return digest(
        [
            CODE,
            settings.recipe,
            [version(name) for name in ("datasets", "pyarrow", "regex")],
            "round" in settings.config.preference,
            rows["id"].to_pylist(),
            sorted(_losers(settings, inputs, part)) if settings.suppressed.entries else None,
            inputs.file_digest("examples", part),
            _rejected(inputs, part) if "round" in settings.config.preference else None,
            inputs.upstream.file_digest("documents", part),
            table.key_of(inputs.upstream.file("images", part)),
        ]
    )


def _rejected(inputs: Artifact, part: str) -> str | None:
    """The recorded sha256 of the worse rounds of a part; None without an examiner."""
    report = inputs.report(part)
    return None if report is None else report.files.get(inputs.name(inputs.file("rejected", part)))


def clear(config: ShardConfig, out: Artifact, chosen: Chosen) -> None:
    """Remove shards that are no longer in the plan, and the checksums in any case. Without
    `shard.preference` the folder is removed."""
    folder, wanted = folder_of(out), {shard.name for shard in chosen.shards}
    if not config.preference:
        shutil.rmtree(folder.path, ignore_errors=True)
        return
    folder.path.mkdir(exist_ok=True)
    (folder.path / CHECKSUMS).unlink(missing_ok=True)
    folder.keep_only(wanted)
    for path in folder.path.glob("*.parquet"):
        if path.stem not in wanted:
            path.unlink(missing_ok=True)


def _facts(folder: Artifact, counts: Mapping[str, int]) -> PreferenceFacts:
    splits: dict[str, dict[str, int]] = {}
    for report in folder.reports():
        path = folder.path / f"{report.part}.parquet"
        split = splits.setdefault(split_of(path), {"rows": 0, "images": 0, "bytes": 0, "plain_bytes": 0})
        for name in ("rows", "images", "bytes"):
            split[name] += report.counts[name]
        split["plain_bytes"] += public.open_shard(path, public.PREFERENCE).plain_bytes
    of_kind = {
        name: count for name, count in sorted(counts.items()) if name not in ("without", "other_question")
    }
    return {
        "kinds": of_kind,
        "splits": splits,
        "without": counts["without"],
        "other_question": counts["other_question"],
    }
