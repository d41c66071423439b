"""Which files of a working directory's runs hold what is taken out, in the order in which they are deleted.

    exports, push/, inspect page, tokens and samples of training, shards and what describes them
    parts of shard, rewrite and filter, whose reports go first, so that a kill leaves nothing that looks whole
    rows of streamed datasets, which are emptied in place of being deleted: other rows keep their numbers
    parts of ingest LAST: they say what is meant, so a purge that was killed finds it again

Whole parts are deleted and not cut: `leaf build` makes them again without what is taken out, from cached answers and fetched images. Exports, push/
and tokens are made from shards of any run by one command each, so they go as soon as a shard may have held something.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.artifact import Artifact, writing
from leafinstruct.purge.find import STAGES, Found
from leafinstruct.purge.quotes import Quotes

DESCRIBING = ("SHA256SUMS", "README.md", "croissant.json", "build.json", "examples")
"""Of shards, made with them."""
_TRAINING = ("tokens", "tokens-validation", "samples")
_TEXT = (".json", ".jsonl", ".html", ".md", ".txt", ".log", ".csv", ".yaml")
_OWN = ("complete.json", "started.json")
_ROW = "row="


def planned(workdir: Path, folders: list[Path], found: Found) -> tuple[list[Path], list[Path]]:
    """Files and folders to delete: all but those of ingest, and those of ingest."""
    affected = [run for run in folders if found.parts[run] or found.shards[run]]
    first: list[Path] = [path for run in folders for path in run.rglob(".*.tmp")]
    last: list[Path] = []
    if affected:
        first += _exports(workdir, affected)
        first += [run / "train" / name for run in folders for name in _TRAINING]
    for run in affected:
        first += [run / "push", *run.glob("*.html")]
        first += [run / stage / name for stage in reversed(STAGES) for name in ("record.json", "fingerprint.json")]
        first += [run / "shard" / name for name in DESCRIBING]
        for shard in sorted(found.shards[run]):
            first += [run / "shard" / f"report-{shard}.json", run / "shard" / f"{shard}.parquet"]
        for stage in ("shard", "rewrite", "filter"):
            first += _of_parts(run / stage, found.parts[run])
        last += _of_parts(run / "ingest", found.parts[run])
    planned_so_far = {*first, *last}
    first += [path for run in folders for path in _quoting(run, found.quotes, planned_so_far)]
    return [path for path in dict.fromkeys(first) if path.exists()], [path for path in dict.fromkeys(last) if path.exists()]


def delete(paths: Iterable[Path]) -> None:
    """Delete files and folders, in order. Raises OSError."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def streamed(run: Path, places: Iterable[tuple[str, str, str]]) -> Iterator[tuple[Path, list[int]]]:
    """Tables of streamed datasets under a run, and the numbers of the rows that are meant."""
    rows: dict[Path, set[int]] = {}
    for source, file, locator in places:
        path = run / "hub" / source / file
        if locator.startswith(_ROW) and path.is_file():
            rows.setdefault(path, set()).add(int(locator.removeprefix(_ROW)))
    for path, numbers in sorted(rows.items()):
        yield path, sorted(numbers)


def empty(path: Path, numbers: list[int]) -> None:
    """Write a table again with null in every column of these rows, by one rename. Raises SourceError."""
    with pq.ParquetFile(path) as file, writing(path) as temporary:
        schema, at, gone = file.schema_arrow, 0, set(numbers)
        with pq.ParquetWriter(temporary, schema, compression="zstd") as target:
            for group in range(file.num_row_groups):
                read = file.read_row_group(group)
                stays = pa.array([at + index not in gone for index in range(len(read))])
                places = pa.array([index if stay else None for index, stay in enumerate(stays.to_pylist())], pa.int64())
                target.write_table(read.take(places).cast(schema))
                at += len(read)


def _of_parts(stage: Path, parts: set[str]) -> list[Path]:
    """Files of some parts of one stage, reports first."""
    found = [path for path in stage.glob("*-*.*") if path.name.partition("-")[2].rpartition(".")[0] in parts]
    return sorted(found, key=lambda path: (not path.name.startswith("report-"), path.name))


def _exports(workdir: Path, affected: list[Path]) -> list[Path]:
    """Exports below the working directory, but for those that were made of the present shards of runs that hold nothing that is meant."""
    clean = {
        sha256
        for run in workdir.glob("[!.]*")
        if run.is_dir() and run not in affected
        for report in Artifact(run / "shard").reports()
        for sha256 in report["files"].values()
    }
    folders = [path.parent for path in workdir.rglob("fingerprint.json") if path.parent.name not in STAGES]
    return [folder for folder in folders if not set(_exported(folder)) <= clean]


def _exported(folder: Path) -> list[str]:
    """sha256 of the shards that an export was made of; none for a folder that is no export."""
    fingerprint = Artifact(folder).fingerprint or {}
    shards = fingerprint.get("shards")
    return list(shards.values()) if "export" in fingerprint and isinstance(shards, dict) else []


def _quoting(run: Path, quotes: Quotes, planned_so_far: set[Path]) -> Iterator[Path]:
    """Other files of text under a run that quote what is taken out: reports, indexes, pages."""
    for path in sorted(run.rglob("*")):
        inside = path.relative_to(run).parts
        if inside[0] in ("sketchbook", "hub") or path.suffix not in _TEXT or not path.is_file() or path.name in _OWN:
            continue
        if not any(each in planned_so_far for each in (path, *path.parents)) and _quotes(path, quotes):
            yield path


def _quotes(path: Path, quotes: Quotes) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".json":
        try:
            return quotes.within(json.loads(text))
        except (ValueError, RecursionError):
            return quotes.hit(text)
    return any(map(quotes.hit, text.splitlines()))
