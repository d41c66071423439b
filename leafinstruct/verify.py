"""`leaf verify`: compare the bytes on disk with every recorded digest, and list damaged files with a repair.

It does not change a run. Damaged entries of the shared caches are removed: no reader uses them, and a build
that is up to date reads no cache, so nothing else would remove them.

    ingest filter rewrite shard   reports, record, fingerprint, every part's files, files beside the shards;
                                  indexes of archives
    sketchbook hub                files that a build generated or downloaded
    push train                    shards of references; tokens, checkpoints, adapter
    .answers .fetched .codes      the shared caches, each with its own check
    an export                     its files and images

A run of an earlier version has no digests; all its files are reported as damaged.
Cost: 0.5 s of CPU per GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leafinstruct.errors import DamagedError
from leafinstruct.images.web import store
from leafinstruct.integrity import damaged_json, damages
from leafinstruct.llm import cache as answers
from leafinstruct.records import table
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.files import ALTERED, Damage, file_fault, load
from leafinstruct.train.data import codes

STAGES = ("ingest", "filter", "rewrite", "shard")
CACHES: tuple[tuple[str, Callable[[Path], Iterator[Damage]]], ...] = (
    (".answers", answers.verify),
    (".fetched", store.verify),
    (".codes", codes.verify),
)
"""Folders beside the run that runs share, and the function that checks each and removes damaged entries."""


@dataclass
class Checked:
    """Result: damages in the order of the files, and the number of files compared."""

    damages: list[Damage] = field(default_factory=list)
    files: int = 0


def verify(run: Path, build: str, engine: Engine) -> Checked:
    """Compare all files of a run's folder, or of an export's folder. build: the command that builds the
    run."""
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
        yield from (Damage(path, ALTERED, again) for path in names)
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
    """How to repair a damaged file. A build compares published files always, others only when it reads them,
    so those have to be deleted."""
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
    for path in sorted(out.path.glob("index/*/*.json")):
        if path.is_file() and ((found := load(path)) is None or found.get("file", path.name) != path.name):
            yield Damage(path, ALTERED, f"delete it; the next `{build}` that needs it makes it again")
    known = out.path / "sources.json"
    if load(known) is None and (known.is_file() or out.record is not None):
        yield Damage(
            known, ALTERED if known.is_file() else "it is missing", f"run `{build}`, which makes it again"
        )


def _images(out: Artifact, build: str) -> Iterator[Damage]:
    """Parts whose files are intact but lack images of their documents, because they belong to another
    part."""
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
            missing = wanted - {sha256 for (sha256,) in table.columns(images, "sha256")}
        except DamagedError:
            continue  # reported already
        if missing:
            yield Damage(
                images,
                f"it has {len(wanted) - len(missing):,} of {len(wanted):,} images of its part",
                f"delete it and run `{build}`",
            )


def _made(run: Path, build: str, engine: Engine, checked: Checked) -> Iterator[Damage]:
    from leafinstruct.ingest import made

    for record in sorted([*run.glob("sketchbook/*/complete.json"), *run.glob("hub/*/complete.json")]):
        if load(record) is None:
            yield Damage(record, ALTERED, f"run `{build}`, which makes it again")
        checked.files += sum(1 for path in record.parent.rglob("*") if path.is_file())
        for name, fault in made.damaged(record.parent, engine):
            yield Damage(record.parent / name, fault, f"delete it and run `{build}`, which makes it again")


def _push(run: Path, engine: Engine, checked: Checked) -> Iterator[Damage]:
    for out in (Artifact(run / "push"), Artifact(run / "push" / FOLDER)):
        checked.files += sum(1 for path in [*out.path.glob("*"), *out.files()] if path.is_file())
        for path, fault in damages(out, engine):
            yield Damage(path, fault, "run `leaf push`, which makes it again")


def _train(run: Path, checked: Checked) -> Iterator[Damage]:
    train = Artifact(run / "train")
    again = "run `leaf train`, which makes it again"
    for name in ("tokens", "tokens-validation"):
        rows = Artifact(train.path / name)
        yield from (Damage(path, ALTERED, again) for path in damaged_json(rows))
        yield from (Damage(path, fault, again) for part in rows.parts() for path, fault in rows.faults(part))
    yield from (Damage(path, ALTERED, "run `leaf train`") for path in damaged_json(train))
    recorded: list[tuple[Path, Mapping[str, Any] | None, str]] = [
        (path.parent, load(path), "run `leaf train`, which continues from the checkpoint before it")
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
            yield Damage(folder / "sums.json", ALTERED, repair)
        for name, sha256 in (sums or {}).items():
            if (fault := file_fault(folder / name, sha256)) is not None:
                yield Damage(folder / name, fault, repair)
    checked.files += sum(1 for path in train.path.rglob("*") if path.is_file())
