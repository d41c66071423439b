"""One stage's directory: parts, a report for each part, and `record.json`, written last.

    runs/<name>/<stage>/
        <kind>-<part>.parquet      data of one part
        report-<part>.json         key, counts, reasons and sha256 of that part's files: written after them, so a report means a whole part
        fingerprint.json           what the run in progress was started with
        record.json                fingerprint, totals, digests: its existence means that the stage is done

Every file appears by one rename, so a reader never sees half of one, and a kill at any moment leaves either a whole part or none.
A part stands when its report carries the key that the plan now asks for; everything else is made again. The directory is the only state:
no database, no manifest to get out of step (a manifest appended to by many writers was refused for that reason).
Cost: one small JSON file a part, read again at every start (about 0.1 ms each).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leafinstruct.errors import LeafInstructError, SourceError

Fingerprint = dict[str, Any]
Report = dict[str, Any]


def digest(value: object) -> str:
    """sha256 of the canonical JSON of a value, 16 hex digits: equal values, equal keys, on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it there when the block ends well; otherwise nothing appears.

    Raises SourceError (full disk, no permission) naming the file and the cure.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        cure = "free some space and run the same command again" if error.errno == 28 else "check the folder's permissions"
        raise SourceError(f"{path}: cannot write: {error.strerror or error}; what was finished is kept, {cure}") from error
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Artifact:
    """A stage's directory, and the artifact that the stage was made from (None for ingest)."""

    path: Path
    upstream: Artifact | None = None

    @property
    def stage(self) -> str:
        return self.path.name

    def file(self, kind: str, part: str, suffix: str = ".parquet") -> Path:
        return self.path / f"{kind}-{part}{suffix}"

    def report(self, part: str) -> Report | None:
        """A part's report, None while the part is not whole."""
        return _load(self.file("report", part, ".json"))

    def stands(self, part: str, key: str) -> bool:
        """Whether a part is whole, was made with this key and holds no failure: a stage that runs always tries failed units again."""
        report = self.report(part)
        return report is not None and report["key"] == key and not report.get("counts", {}).get("failed")

    def open(self, part: str) -> None:
        """Begin a part anew: from here until `commit` it has no report, so a kill never leaves an old report over new files."""
        self.file("report", part, ".json").unlink(missing_ok=True)

    def commit(self, part: str, key: str, report: Mapping[str, Any], files: Iterable[Path]) -> Report:
        """Write a part's report; its files are in place already. Their sha256 are what later stages depend on."""
        whole = {"part": part, "key": key, **report, "files": {path.name: file_sha256(path) for path in sorted(files)}}
        save(self.file("report", part, ".json"), whole)
        return whole

    def file_digest(self, kind: str, part: str) -> str:
        """sha256 of one of a whole part's files, as its report states it."""
        report = self.report(part)
        assert report is not None, f"{part} is not whole"
        return str(report["files"][self.file(kind, part).name])

    def parts(self) -> list[str]:
        """Names of the whole parts, sorted."""
        return sorted(path.name.removeprefix("report-").removesuffix(".json") for path in self.path.glob("report-*.json"))

    def reports(self) -> Iterator[Report]:
        for part in self.parts():
            report = self.report(part)
            if report is not None:
                yield report

    @property
    def record(self) -> dict[str, Any] | None:
        """What `finish` wrote, None while the stage is not done."""
        return _load(self.path / "record.json")

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What this directory was last built with, also when that build was cut short."""
        return _load(self.path / "fingerprint.json")

    def begin(self, fingerprint: Fingerprint) -> None:
        """Open the directory for a build: from here until `finish` there is no record."""
        (self.path / "record.json").unlink(missing_ok=True)
        save(self.path / "fingerprint.json", fingerprint)

    def keep_only(self, parts: Iterable[str]) -> None:
        """Remove every file of parts that the plan does not hold any more, and temporary files of killed writers."""
        gone = set(self.parts()) - set(parts)
        for path in [*self.path.glob("*-*.*")] if gone else []:
            if path.name.partition("-")[2].rpartition(".")[0] in gone:  # whole names: `edit` is no part of `picture-edit`
                path.unlink()
        for path in self.path.rglob(".*.tmp"):  # also below: indexes of archives, pictures of the card
            path.unlink()

    def totals(self) -> Totals:
        """Sum of the parts' reports."""
        return total(self.reports())

    def finish(self, fingerprint: Fingerprint, **facts: Any) -> dict[str, Any]:
        """Write `record.json`: the stage is done."""
        totals = self.totals()
        files = {name: sha for report in self.reports() for name, sha in report["files"].items()}
        record = {
            "stage": self.stage,
            "fingerprint": fingerprint,
            "parts": len(self.parts()),
            "counts": dict(sorted(totals.counts.items())),
            "reasons": dict(sorted(totals.reasons.items())),
            "picture_reasons": dict(sorted(totals.picture_reasons.items())),
            "output": digest(files),
            **facts,
        }
        save(self.path / "record.json", record)
        return record


@dataclass(frozen=True)
class Totals:
    """Counts (`documents`, `pictures`, ...) and reasons (rule or defect -> how many), summed over parts; seconds of all workers."""

    counts: Counter[str]
    reasons: Counter[str]
    picture_reasons: Counter[str]
    seconds: float


def total(reports: Iterable[Report]) -> Totals:
    sums = Totals(Counter(), Counter(), Counter(), 0.0)
    seconds = 0.0
    for report in reports:
        sums.counts.update(report.get("counts", {}))
        sums.reasons.update(report.get("reasons", {}))
        sums.picture_reasons.update(report.get("picture_reasons", {}))
        seconds += report.get("seconds", 0.0)
    return replace(sums, seconds=seconds)


def drift(old: object, new: object, path: str = "") -> list[str]:
    """What changed between two fingerprints, one line a leaf: `filter.rules[3].min 0.22 -> 0.25`."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [line for key in keys for line in drift(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))]
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [f"{path}: {len(old)} entries -> {len(new)}"]
        return [line for index, pair in enumerate(zip(old, new, strict=True)) for line in drift(*pair, f"{path}[{index}]")]
    return [] if old == new else [f"{path} {_short(old)} -> {_short(new)}"]


@contextmanager
def one_build(directory: Path, verb: str = "leaf build", cure: str = "give this recipe another name") -> Iterator[None]:
    """Hold the directory's lock; the operating system releases it when the process dies, however it dies.

    Raises LeafInstructError when another process holds it. verb, cure: what it does, and what else to do than wait.
    """
    with locked(directory / ".lock", 0, f"{directory}: another `{verb}` is running here; wait for it, or {cure}"):
        yield


@contextmanager
def locked(path: Path, seconds: float = 30, held: str | None = None) -> Iterator[None]:
    """Hold a lock file, waiting for whoever holds it: for what is read, changed and written back in a moment.

    Raises LeafInstructError after `seconds`, which says `held`, and SourceError where the file cannot be made.
    """
    lock = FileLock(path, timeout=seconds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LeafInstructError(held or f"{path}: held by another `leaf` for {seconds:g} s; try again when it is done") from error
    except OSError as error:
        raise SourceError(f"{path.parent}: cannot write here: {error.strerror}; choose another place with workdir:") from error
    try:
        yield
    finally:
        lock.release()


def save(path: Path, value: object) -> None:
    """Write JSON by one rename."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")


def _load(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):  # half a file is what a power cut may leave: as good as none
        return None
    return dict(value)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
