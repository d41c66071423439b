"""One stage's directory: parts, a report for each part, and `record.json`, written last.

    runs/<name>/<stage>/
        <kind>/<xx>/<kind>-<part>.parquet   data of one part
        report/<xx>/report-<part>.json      key, counts, reasons and sha256 of that part's files; written
                                            after them, so a report means a whole part
        fingerprint.json                    settings of the build in progress
        record.json                         fingerprint, totals, digests; written last: the stage is done

<xx> is the first two hex digits of the sha256 of the part's name. Listing, creating and copying get slow in
folders of very many files, on shared disks above all: 200,000 parts (100 million documents) are at most 1,000
files a folder. Rejected: folders by the number of a part (names are digests, without a number), and deeper
ones (65,536 folders a kind, for a run of any size).

Every file appears by one rename, so no reader sees half a file, and a kill leaves either a whole part or
none. A part is up to date if its report has the key that the plan asks for now; all others are made again.
The directory is the only state. Rejected: a database, or a manifest that many writers append to, because it
can disagree with the files.

Digests are compared where the bytes are read. Each JSON file ends with the sha256 of its own bytes; a file
that does not match is treated as missing. A report has the sha256 of its part's files, which `checked`
compares. A mismatch raises DamagedError, and `leaf build` makes the file again (integrity.py). Modification
times are not used: a bit that flips on a disk does not change them.
Cost: one small JSON file per part, read at every start (about 0.1 ms each); 0.5 s of CPU per GB compared.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TypeVar, cast

from leafinstruct.errors import DamagedError, DriftError
from leafinstruct.runtime.files import ALTERED, file_fault, file_sha256, load, remove, save
from leafinstruct.runtime.record import Fingerprint, Record, StageFacts
from leafinstruct.runtime.stage_report import StageReport, Totals, total

FORMAT = 4
"""Version of the file names, columns and report keys of a stage's directory. Directories from before 0.1.0
have none and are not read."""

Report = TypeVar("Report", bound=StageReport)


def digest(value: object) -> str:
    """The first 16 hex digits of the sha256 of a value's canonical JSON. Equal on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def version(library: str) -> str:
    """The installed version of a library, for keys. Cached, because reading it takes milliseconds and the key
    of every part has several."""
    return metadata.version(library)


STAGES = ("ingest", "filter", "rewrite", "shard")
"""The stages of a run, in order. Each has a directory of this name."""


@dataclass(frozen=True)
class Artifact:
    """A stage's directory, and the artifact that it is made from (None for ingest). shared: other processes
    write parts of it at the same time (engine/share.py)."""

    path: Path
    upstream: Artifact | None = None
    shared: bool = False

    @property
    def stage(self) -> str:
        return self.path.name

    def file(self, kind: str, part: str, suffix: str = ".parquet") -> Path:
        """The path of one file of a part."""
        return self.path / kind / _folder(part) / f"{kind}-{part}{suffix}"

    def files(self, kind: str = "*") -> list[Path]:
        """The files of all parts, whole or not, sorted by name. kind: only these, e.g. "scores"."""
        found = self.path.glob(f"{kind}/??/*-*")
        return sorted(
            (path for path in found if path.name.startswith(f"{path.parent.parent.name}-")),
            key=lambda path: path.name,
        )

    def name(self, path: Path) -> str:
        """A file's name in reports: its path in the stage's directory."""
        return path.relative_to(self.path).as_posix()

    def is_of(self, path: Path) -> bool:
        """Whether a file is one of this stage: of a part, or directly in the directory."""
        kind, _, part = path.stem.partition("-")
        return path.parent == self.path or path == self.file(kind, part, path.suffix)

    def report(self, part: str) -> StageReport | None:
        """A part's report; None if the part is not whole, or the file has another part's report."""
        return self.report_as(StageReport, part)

    def report_as(self, kind: type[Report], part: str) -> Report | None:
        """A part's report with the fields that one stage adds."""
        found = load(self.file("report", part, ".json"))
        return kind.of(found) if found is not None and found.get("part") == part else None

    def is_up_to_date(self, part: str, key: str) -> bool:
        """Whether a part was made with this key and its files exist. A part with failed items is never up to
        date, so a stage that runs retries them. The bytes of the files are compared by their readers.
        """
        report = self.report(part)
        return report is not None and not report.counts.get("failed") and self._is_made(report, key)

    def is_made(self, part: str, key: str) -> bool:
        """Whether a part was made with this key and its files exist, with or without failed items."""
        report = self.report(part)
        return report is not None and self._is_made(report, key)

    def _is_made(self, report: StageReport, key: str) -> bool:
        return report.key == key and self._has_files(report)

    def _has_files(self, report: StageReport) -> bool:
        return all((self.path / name).is_file() for name in [*report.files, *report.intermediate])

    def refused(self) -> list[str]:
        """Parts with questions that a language model refused or gave no readable answer to. They stay up to
        date until `--retry-refused`; failed items are retried anyway."""
        return [report.part for report in self.reports() if set(report.unanswered) - {"failed", "declined"}]

    def open(self, part: str) -> None:
        """Begin a part: delete its report, so that a kill before `commit` leaves no old report with new
        files."""
        remove(self.file("report", part, ".json"))

    def commit(self, part: str, key: str, report: Report, files: Iterable[Path]) -> Report:
        """Write a part's report, after its files. Later stages depend on the sha256 of the files in it."""
        sums = {self.name(path): file_sha256(path) for path in sorted(files)}
        whole = replace(report, part=part, key=key, files=sums)
        save(self.file("report", part, ".json"), whole.written)
        return whole

    def checked(self, kind: str, part: str) -> Path:
        """One file of a part, after comparing its bytes with the report. Raises DamagedError if they differ
        or the report is damaged."""
        path = self.file(kind, part)
        report = self.report(part)
        if report is None or self.name(path) not in report.files:
            raise DamagedError.of(self.file("report", part, ".json"), ALTERED)
        if (fault := file_fault(path, report.files[self.name(path)])) is not None:
            raise DamagedError.of(path, fault)
        return path

    def file_digest(self, kind: str, part: str) -> str:
        """The recorded sha256 of one file of a part."""
        report = self.report(part)
        if report is None:
            raise DamagedError.of(self.file("report", part, ".json"), ALTERED)
        return report.files[self.name(self.file(kind, part))]

    def parts(self) -> list[str]:
        """Names of the whole parts, sorted."""
        names = (path.name.removeprefix("report-") for path in self.files("report"))
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def reports(self) -> Iterator[StageReport]:
        """The reports of the whole parts, sorted by name."""
        return self.reports_as(StageReport)

    def reports_as(self, kind: type[Report]) -> Iterator[Report]:
        """The reports of the whole parts with the fields that one stage adds."""
        return (report for part in self.parts() if (report := self.report_as(kind, part)) is not None)

    @property
    def record(self) -> Record | None:
        """What `finish` wrote; None while the stage is not done. Raises DriftError if another version of
        leafinstruct wrote it."""
        return cast("Record | None", self.in_this_format("record.json"))

    @property
    def is_whole(self) -> bool:
        """Whether the stage is done, no report was lost, added or changed since, and all files exist."""
        record, reports = self.record, list(self.reports())
        if (
            record is None
            or not record["parts"] == len(reports) == len(self.parts())
            or record["output"] != _output(reports)
        ):
            return False
        return all(map(self._has_files, reports))

    @property
    def fingerprint(self) -> Fingerprint | None:
        """The settings of the last build, even if it was interrupted. Raises DriftError as `record` does."""
        found = self.in_this_format("fingerprint.json")
        return None if found is None else {name: value for name, value in found.items() if name != "format"}

    def in_this_format(self, name: str) -> dict[str, object] | None:
        """A JSON file of the directory. Raises DriftError if another version of leafinstruct wrote it."""
        found = load(self.path / name)
        if found is not None and found.get("format") != FORMAT:
            raise DriftError(
                f"{self.path}: was made by another version of leafinstruct, whose columns and counts have "
                "other names; rebuild it with --rebuild (answers of a language model are kept)"
            )
        return found

    def begin(self, fingerprint: Fingerprint) -> None:
        """Start a build: delete the record until `finish`."""
        (self.path / "record.json").unlink(missing_ok=True)
        self.save_fingerprint(fingerprint)

    def save_fingerprint(self, fingerprint: Fingerprint) -> None:
        """Write `fingerprint.json`."""
        save(self.path / "fingerprint.json", {**fingerprint, "format": FORMAT})

    def keep_only(self, parts: Iterable[str]) -> None:
        """Remove the files of parts that are no longer in the plan, and temporary files of killed writers.
        Those of a shared artifact stay, since their writers may be running."""
        gone = set(self.parts()) - set(parts)
        for path in self.files() if gone else []:
            # compare whole names: `edit` is not `image-edit`
            if path.name.partition("-")[2].rpartition(".")[0] in gone:
                path.unlink(missing_ok=True)
        if self.shared:
            return
        # subfolders too: indexes of archives, images of the card
        for path in list(self.path.rglob(".*.tmp")):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def totals(self) -> Totals:
        """Sum of the parts' reports."""
        return total(self.reports())

    def finish(
        self, fingerprint: Fingerprint, facts: StageFacts | None = None, seconds: float | None = None
    ) -> Record:
        """Write `record.json`: the stage is done. seconds: of the build, None where they are not measured."""
        totals = self.totals()
        totalled = {
            "format": FORMAT,
            "stage": self.stage,
            "fingerprint": fingerprint,
            "parts": len(self.parts()),
            "counts": dict(sorted(totals.counts.items())),
            "reasons": dict(sorted(totals.reasons.items())),
            "image_reasons": dict(sorted(totals.image_reasons.items())),
            **({"edits": dict(sorted(totals.edits.items()))} if totals.edits else {}),
            "output": _output(self.reports()),
        }
        took = {} if seconds is None else {"seconds": seconds}
        record = cast("Record", {**totalled, **(facts or {}), **took})
        save(self.path / "record.json", record)
        return record

    def faults(self, part: str) -> Iterator[tuple[Path, str]]:
        """Yield (file, fault) for every file of a part that differs from its report."""
        report = self.report(part)
        for name, sha256 in report.files.items() if report is not None else ():
            if (fault := file_fault(self.path / name, sha256)) is not None:
                yield self.path / name, fault

    def discard(self, path: Path) -> None:
        """Remove a part: its report first, then one of its files, so that a kill in between leaves no report
        without files."""
        self.open(path.stem.partition("-")[2])
        remove(path)


def _folder(part: str) -> str:
    return hashlib.sha256(part.encode(errors="surrogateescape")).hexdigest()[:2]


def chain(run: Path, shared: bool = False) -> dict[str, Artifact]:
    """The directory of each stage of a run, linked to the one that it is made from. run: `runs/<name>`."""
    stages: dict[str, Artifact] = {}
    upstream = None
    for stage in STAGES:
        upstream = stages[stage] = Artifact(run / stage, upstream, shared)
    return stages


def _output(reports: Iterable[StageReport]) -> str:
    return digest({name: sha for report in reports for name, sha in report.files.items()})


def drift(old: object, new: object, path: str = "") -> list[str]:
    """The differences of two fingerprints, one line per value: `filter.rules[3].min 0.22 -> 0.25`."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [
            line
            for key in keys
            for line in drift(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [f"{path}: {len(old)} entries -> {len(new)}"]
        return [
            line
            for index, pair in enumerate(zip(old, new, strict=True))
            for line in drift(*pair, f"{path}[{index}]")
        ]
    return [] if old == new else [f"{path} {_short(old)} -> {_short(new)}"]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
