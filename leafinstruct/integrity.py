"""Damaged files of a run: how they are found, and how `leaf build` repairs them.

    check_part   compare every file of a part: reports with their own sha256, tables with their seals, other
                 files with the report
    Mending      after a reader met a damaged file: check its whole stage, remove what is damaged, return to
                 that stage

A build compares only the files that it reads. `leaf verify` compares all.
Cost: 0.5 s of CPU per GB, in the engine's workers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from leafinstruct.errors import DamagedError, SourceError
from leafinstruct.records.files import checked
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, hashing
from leafinstruct.runtime.files import ALTERED, file_fault, load, remove
from leafinstruct.runtime.stage_report import StageReport

SEALED = (".parquet", ".arrow")
FEW = 3
"""Files that one line names."""


def damages(out: Artifact, engine: Engine) -> Iterator[tuple[Path, str]]:
    """Yield (file, fault) for every damaged file of a stage's parts, sorted by name."""
    parts = [Part(name, files) for name, files in sorted(_files(out).items())]
    paths = (out.path / name for part in parts for name in part.payload)
    size = sum(path.stat().st_size for path in paths if path.is_file())
    reports = list(
        hashing(engine, partial(check_part, out), parts, Needs(what=f"checking {out.stage}", unit="MB"), size)
    )
    yield from sorted((out.path / name, fault) for report in reports for name, fault in report.value)


def check_part(out: Artifact, part: Part) -> Found[list[tuple[str, str]]]:
    """Task: (name, fault) of every damaged file of a part. payload: names of the part's files, intermediate
    ones included."""
    found: dict[str, str] = {}
    size = 0
    report, own = out.report(part.name), out.name(out.file("report", part.name, ".json"))
    if report is None:
        report = StageReport()
        if own in part.payload:
            found[own] = ALTERED
    recorded = report.files
    named = {*part.payload, *recorded, *report.intermediate}
    for name in sorted(named - {own}):
        path = out.path / name
        size += path.stat().st_size if path.is_file() else 0
        fault = (
            file_fault(path, recorded[name])
            if name in recorded
            else checked.fault(path)
            if _is_sealed(path)
            else None
        )
        if fault is not None:
            found[name] = fault
    return Found(counts={"MB": -(-size // 1_000_000)}, value=sorted(found.items()))


class Mending:
    """Repairs of one build. notes: stage -> one clause per damaged file, for the line at the end of the
    build."""

    def __init__(self, chain: Mapping[str, Artifact], shared: bool = False) -> None:
        """shared: only the file that was met is removed, since others may be written by other processes."""
        self._chain, self._shared = chain, shared
        self._times: Counter[Path] = Counter()
        self.notes: defaultdict[str, list[str]] = defaultdict(list)

    def mend(self, error: DamagedError, engine: Engine) -> str:
        """Remove all damaged files of the stage that the error is about. Returns the stage to run again.

        Raises the error itself if its file belongs to no stage, and SourceError if the file was made again
        twice already: then the disk is at fault.
        """
        stage = next((stage for stage, out in self._chain.items() if out.is_of(error.path)), None)
        if stage is None:
            raise error
        found = {} if self._shared else dict(damages(self._chain[stage], engine))
        found |= {error.path: error.fault}
        for path, fault in sorted(found.items()):
            self._times[path] += 1
            if self._times[path] > 2:
                raise SourceError(
                    f"{path}: {fault}, although it was made again twice; check the disk"
                ) from error
            self.forget(stage, path)
            self.notes[stage].append(f"{path.name} ({fault})")
        return stage

    def forget(self, stage: str, path: Path) -> None:
        """Remove one file of a stage, so that the next build makes it again."""
        out = self._chain[stage]
        if path.name.startswith("report-"):
            remove(path)
            return
        (out.path / "record.json").unlink(missing_ok=True)
        import_module(f"leafinstruct.{stage}.stage").STAGE.forget(out, path)


def few(names: list[str]) -> str:
    """The first names, and the number of the others."""
    return "; ".join(names[:FEW]) + (f" and {len(names) - FEW:,} more" if len(names) > FEW else "")


def damaged_json(out: Artifact) -> list[Path]:
    """Reports, record and fingerprint of a stage whose own sha256 does not match."""
    reports = [out.file("report", part, ".json") for part in out.parts() if out.report(part) is None]
    return reports + [
        path
        for path in (out.path / "record.json", out.path / "fingerprint.json")
        if path.is_file() and load(path) is None
    ]


def _files(out: Artifact) -> dict[str, list[str]]:
    """Names of the files of each part."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for part in out.parts():
        found[part].append(out.name(out.file("report", part, ".json")))
    for path in [*sorted(out.path.glob("*")), *out.files()]:
        if _is_sealed(path) and path.stem not in found:  # a shard has its part's name
            found[path.stem.partition("-")[2]].append(out.name(path))
    return found


def _is_sealed(path: Path) -> bool:
    return path.suffix in SEALED and not path.name.startswith(".")
