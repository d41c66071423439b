"""`leaf verify`: every digest that a run records, compared with the bytes on disk. It lists what is damaged
and what to do.

It changes nothing of a run. Damaged entries of the caches that runs share are dropped: no reader takes them,
and a build that is up to date reads no cache, so nothing else would.

    ingest filter rewrite shard   reports, record, fingerprint, every part's files, what lies beside the shards; indexes of archives
    sketchbook hub                files that a build drew or streamed
    push train                    shards of references; tokens, checkpoints, adapter
    .answers .fetched .codes      what runs share, by the checks of those caches
    an export                     its files and images, where the folder is one

A run whose digests were never written (by an earlier version) is all damage: there is nothing to compare
with. Cost: 0.5 s of CPU a GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leafinstruct.errors import DamagedError
from leafinstruct.images.web import store
from leafinstruct.integrity import NO_JSON, damaged_json, damages
from leafinstruct.llm import cache as answers
from leafinstruct.records import table
from leafinstruct.runtime.artifact import Artifact, file_fault, load
from leafinstruct.runtime.damage import Damage
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.train.data import codes

STAGES = ("ingest", "filter", "rewrite", "shard")
CACHES: tuple[tuple[str, Callable[[Path], Iterator[Damage]]], ...] = (
    (".answers", answers.verify),
    (".fetched", store.verify),
    (".codes", codes.verify),
)
"""Folders beside the run that runs share, and what checks each and drops what is damaged in it."""


@dataclass
class Checked:
    """What was found: damages in the order of the files, and how many files were compared."""

    damages: list[Damage] = field(default_factory=list)
    files: int = 0


def verify(run: Path, build: str, engine: Engine) -> Checked:
    """Compare everything of a run's folder, or of an export's. build: the command that builds the run."""
    checked = Checked()
    if "export" in (Artifact(run).fingerprint or (Artifact(run).record or {}).get("fingerprint", {})):
        from leafinstruct.export.run import faults

        checked.files = sum(1 for path in run.rglob("*") if path.is_file())
        checked.damages = [
            Damage(path, fault, "run the same `leaf export` again, which makes it again")
            for path, fault in faults(run)
        ]
        return checked
    for found in (
        _stages(run, build, engine, checked),
        _made(run, build, engine, checked),
        _push(run, engine, checked),
        _train(run, checked),
    ):
        checked.damages += found
    for folder, check in CACHES:
        if (run.parent / folder).is_dir():
            checked.damages += check(run.parent / folder)
    return checked


def _stages(run: Path, build: str, engine: Engine, checked: Checked) -> Iterator[Damage]:
    for stage in STAGES:
        out = Artifact(run / stage)
        if not out.path.is_dir():
            continue
        again = f"run `{build}`, which makes it again"
        checked.files += sum(1 for path in out.path.rglob("*") if path.is_file())
        names = damaged_json(out)
        yield from (Damage(path, NO_JSON, again) for path in names)
        if out.record is not None and not (out.path / "fingerprint.json").is_file():
            yield Damage(out.path / "fingerprint.json", "it is missing", again)
        found = dict(damages(out, engine))
        for path, fault in found.items():
            if path not in names:
                yield Damage(path, fault, _repair(stage, path, again, build))
        if out.record is not None and not names and not found and not out.is_whole:
            yield Damage(out.path / "record.json", "it was written for other parts than there are", again)
        yield from (
            _beside(out, again) if stage == "shard" else _indexes(out, build) if stage == "ingest" else ()
        )
        if stage == "filter":
            yield from _images(out, build)


def _repair(stage: str, path: Path, again: str, build: str) -> str:
    """A build compares published files, and others when it reads them; so one that it has no reason to read
    is made to miss."""
    if stage == "shard" and path.suffix == ".parquet":
        return again
    if path.name.startswith("frames-"):
        return "delete it: the frames are read from the videos"
    return f"delete it and run `{build}`, which makes it again"


def _beside(out: Artifact, again: str) -> Iterator[Damage]:
    for name, sha256 in (out.record or {}).get("beside", {}).items():
        if (fault := file_fault(out.path / name, sha256)) is not None:
            yield Damage(out.path / name, fault, again)


def _indexes(out: Artifact, build: str) -> Iterator[Damage]:
    for path in sorted(out.path.glob("index/*.json")):
        if path.is_file() and ((found := load(path)) is None or found.get("file", path.name) != path.name):
            yield Damage(path, NO_JSON, f"delete it; the next `{build}` that needs it makes it again")
    known = out.path / "sources.json"
    if load(known) is None and (known.is_file() or out.record is not None):
        yield Damage(
            known, NO_JSON if known.is_file() else "it is missing", f"run `{build}`, which makes it again"
        )


def _images(out: Artifact, build: str) -> Iterator[Damage]:
    """Parts whose images are another part's: every file is whole, and the image that a document names is not
    there."""
    for part in out.parts():
        documents, images = out.file("documents", part), out.file("images", part)
        if table.key_of(documents) is None or table.key_of(images) is None:
            continue
        try:
            wanted = {
                image.sha256
                for document in table.documents(documents)
                for image in document.images
                if image.sha256
            }
            lacking = wanted - {row["sha256"] for row in table.read(images, ["sha256"])}
        except DamagedError:
            continue  # listed already
        if lacking:
            yield Damage(
                images,
                f"it holds {len(wanted) - len(lacking):,} of {len(wanted):,} images of its part",
                f"delete it and run `{build}`",
            )


def _made(run: Path, build: str, engine: Engine, checked: Checked) -> Iterator[Damage]:
    from leafinstruct.ingest import made

    for mark in sorted([*run.glob("sketchbook/*/complete.json"), *run.glob("hub/*/complete.json")]):
        if load(mark) is None:
            yield Damage(mark, NO_JSON, f"run `{build}`, which makes it again")
        checked.files += sum(1 for path in mark.parent.rglob("*") if path.is_file())
        for name, fault in made.damaged(mark.parent, engine):
            yield Damage(mark.parent / name, fault, f"delete it and run `{build}`, which makes it again")


def _push(run: Path, engine: Engine, checked: Checked) -> Iterator[Damage]:
    out = Artifact(run / "push")
    checked.files += len(list(out.path.glob("*")))
    for path, fault in damages(out, engine):
        yield Damage(path, fault, "run `leaf push`, which makes it again")


def _train(run: Path, checked: Checked) -> Iterator[Damage]:
    train = Artifact(run / "train")
    again = "run `leaf train`, which makes it again"
    for name in ("tokens", "tokens-validation"):
        rows = Artifact(train.path / name)
        yield from (Damage(path, NO_JSON, again) for path in damaged_json(rows))
        yield from (Damage(path, fault, again) for part in rows.parts() for path, fault in rows.faults(part))
    yield from (Damage(path, NO_JSON, "run `leaf train`") for path in damaged_json(train))
    recorded: list[tuple[Path, Mapping[str, Any] | None, str]] = [
        (path.parent, load(path), "run `leaf train`, which goes on from the checkpoint before it")
        for path in train.path.glob("checkpoint-*/sums.json")
    ]
    recorded.append(
        (
            train.path / "adapter",
            (train.record or {}).get("adapter", {}),
            "run `leaf train`, which saves it again from the last checkpoint",
        )
    )
    for folder, sums, repair in recorded:
        if sums is None:
            yield Damage(folder / "sums.json", NO_JSON, repair)
        for name, sha256 in (sums or {}).items():
            if (fault := file_fault(folder / name, sha256)) is not None:
                yield Damage(folder / name, fault, repair)
    checked.files += sum(1 for path in train.path.rglob("*") if path.is_file())
