"""One stage's directory: parts, a report for each part, and `record.json`, written last.

    runs/<name>/<stage>/
        <kind>-<part>.parquet      data of one part
        report-<part>.json         key, counts, reasons and sha256 of that part's files: written after them, so a report means a whole part
        fingerprint.json           what the run in progress was started with
        record.json                fingerprint, totals, digests: its existence means that the stage is done

Every file appears by one rename, so a reader never sees half of one, and a kill at any moment leaves either a
whole part or none. A part stands when its report carries the key that the plan now asks for; everything else
is made again. The directory is the only state: no database, no manifest to get out of step (a manifest
appended to by many writers was refused for that reason).

Every digest that is written here is compared where the bytes are read. Each JSON file ends with the sha256 of
its own bytes, and one that does not match counts as none; a report holds the sha256 of its part's files,
which `checked` compares. What does not match raises DamagedError, and `leaf build` makes it again
(integrity.py). Times of change play no part in this: a bit that flips on a disk moves none.
Cost: one small JSON file a part, read again at every start (about 0.1 ms each); 0.5 s of CPU a GB that is
compared.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leafinstruct.errors import DamagedError, DriftError, LeafInstructError, SourceError
from leafinstruct.runtime.damage import refuse_folder, remove

FORMAT = 2
"""Version of the file names, columns and report keys of a stage's directory. Directories of 0.1.0's
development have none and are not read."""

Fingerprint = dict[str, Any]
Report = dict[str, Any]


def digest(value: object) -> str:
    """sha256 of the canonical JSON of a value, 16 hex digits: equal values, equal keys, on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def version(library: str) -> str:
    """The installed version of a library, for keys. Reading it takes some milliseconds, and the key of every
    part holds several."""
    return metadata.version(library)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it there when the block ends well; otherwise nothing
    appears.

    Raises SourceError (full disk, no permission) naming the file and the hint.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        refuse_folder(path)
        hint = (
            "free some space and run the same command again"
            if error.errno == 28
            else "check the folder's permissions"
        )
        raise SourceError(
            f"{path}: cannot write: {error.strerror or error}; what was finished is kept, {hint}"
        ) from error
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
        """A part's report, None while the part is not whole, or where it is another part's."""
        found = load(self.file("report", part, ".json"))
        return found if found is not None and found.get("part") == part else None

    def is_up_to_date(self, part: str, key: str) -> bool:
        """Whether a part is whole, was made with this key and holds no failure: a stage that runs always
        tries failed units again.

        Its files must be there; their bytes are compared by who reads them.
        """
        report = self.report(part)
        made = report is not None and report["key"] == key and not report.get("counts", {}).get("failed")
        return (
            made
            and report is not None
            and all(
                (self.path / name).is_file() for name in [*report["files"], *report.get("intermediate", ())]
            )
        )

    def refused(self) -> list[str]:
        """Whole parts with questions that a language model refused or gave no readable answer to. They stand
        until somebody wants another try; what only failed is tried again anyway."""
        return [
            report["part"]
            for report in self.reports()
            if set(report.get("unanswered", ())) - {"failed", "declined"}
        ]

    def open(self, part: str) -> None:
        """Begin a part anew: from here until `commit` it has no report, so a kill never leaves an old report
        over new files."""
        remove(self.file("report", part, ".json"))

    def commit(self, part: str, key: str, report: Mapping[str, Any], files: Iterable[Path]) -> Report:
        """Write a part's report; its files are in place already. Their sha256 are what later stages depend
        on."""
        whole = {
            "part": part,
            "key": key,
            **report,
            "files": {path.name: file_sha256(path) for path in sorted(files)},
        }
        save(self.file("report", part, ".json"), whole)
        return whole

    def checked(self, kind: str, part: str) -> Path:
        """One of a whole part's files, its bytes compared with the report. Raises DamagedError where they
        differ, or the report is damaged."""
        path = self.file(kind, part)
        report = self.report(part)
        if report is None or path.name not in report["files"]:
            raise DamagedError.of(
                self.file("report", part, ".json"), "its bytes are not those that were recorded"
            )
        if (fault := file_fault(path, report["files"][path.name])) is not None:
            raise DamagedError.of(path, fault)
        return path

    def file_digest(self, kind: str, part: str) -> str:
        """sha256 of one of a whole part's files, as its report states it."""
        report = self.report(part)
        if report is None:
            raise DamagedError.of(
                self.file("report", part, ".json"), "its bytes are not those that were recorded"
            )
        return str(report["files"][self.file(kind, part).name])

    def parts(self) -> list[str]:
        """Names of the whole parts, sorted."""
        return sorted(
            path.name.removeprefix("report-").removesuffix(".json")
            for path in self.path.glob("report-*.json")
        )

    def reports(self) -> Iterator[Report]:
        for part in self.parts():
            report = self.report(part)
            if report is not None:
                yield report

    @property
    def record(self) -> dict[str, Any] | None:
        """What `finish` wrote, None while the stage is not done. Raises DriftError when another version of
        leafinstruct wrote it."""
        return self._of_this_format("record.json")

    @property
    def is_whole(self) -> bool:
        """Whether the stage is done and no report of a part was lost, added or changed since; of the parts'
        files, whether they are there."""
        record, reports = self.record, list(self.reports())
        if (
            record is None
            or not record["parts"] == len(reports) == len(self.parts())
            or record["output"] != _output(reports)
        ):
            return False
        return all(
            (self.path / name).is_file()
            for report in reports
            for name in [*report["files"], *report.get("intermediate", ())]
        )

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What this directory was last built with, also when that build was cut short. Raises DriftError as
        `record` does."""
        found = self._of_this_format("fingerprint.json")
        return None if found is None else {name: value for name, value in found.items() if name != "format"}

    def _of_this_format(self, name: str) -> dict[str, Any] | None:
        found = load(self.path / name)
        if found is not None and found.get("format") != FORMAT:
            raise DriftError(
                f"{self.path}: was made by another version of leafinstruct, which names columns and "
                "counts differently; "
                "make it again with --rebuild (answers of a language model are kept)"
            )
        return found

    def begin(self, fingerprint: Fingerprint) -> None:
        """Open the directory for a build: from here until `finish` there is no record."""
        (self.path / "record.json").unlink(missing_ok=True)
        self.save_fingerprint(fingerprint)

    def save_fingerprint(self, fingerprint: Fingerprint) -> None:
        """Write `fingerprint.json` again, from a record that holds it."""
        save(self.path / "fingerprint.json", {**fingerprint, "format": FORMAT})

    def keep_only(self, parts: Iterable[str]) -> None:
        """Remove every file of parts that the plan does not hold any more, and temporary files of killed
        writers."""
        gone = set(self.parts()) - set(parts)
        for path in [*self.path.glob("*-*.*")] if gone else []:
            # whole names: `edit` is no part of `image-edit`
            if path.name.partition("-")[2].rpartition(".")[0] in gone:
                path.unlink()
        for path in self.path.rglob(".*.tmp"):  # also below: indexes of archives, images of the card
            path.unlink()

    def totals(self) -> Totals:
        """Sum of the parts' reports."""
        return total(self.reports())

    def finish(self, fingerprint: Fingerprint, **facts: Any) -> dict[str, Any]:
        """Write `record.json`: the stage is done."""
        totals = self.totals()
        record = {
            "format": FORMAT,
            "stage": self.stage,
            "fingerprint": fingerprint,
            "parts": len(self.parts()),
            "counts": dict(sorted(totals.counts.items())),
            "reasons": dict(sorted(totals.reasons.items())),
            "image_reasons": dict(sorted(totals.image_reasons.items())),
            "output": _output(self.reports()),
            **facts,
        }
        save(self.path / "record.json", record)
        return record

    def faults(self, part: str) -> Iterator[tuple[Path, str]]:
        """(file, fault) of those files of a whole part whose bytes are not what its report states."""
        for name, sha256 in ((self.report(part) or {}).get("files", {})).items():
            if (fault := file_fault(self.path / name, sha256)) is not None:
                yield self.path / name, fault

    def discard(self, path: Path) -> None:
        """Make a part miss: remove the report first, then one of its files, so that a kill in between leaves
        no report over nothing."""
        self.open(path.stem.partition("-")[2])
        remove(path)


def _output(reports: Iterable[Report]) -> str:
    return digest({name: sha for report in reports for name, sha in report["files"].items()})


@dataclass(frozen=True)
class Totals:
    """Counts (`documents`, `images`, ...) and reasons (rule or defect -> how many), summed over parts;
    seconds of all workers."""

    counts: Counter[str]
    reasons: Counter[str]
    image_reasons: Counter[str]
    seconds: float


def total(reports: Iterable[Report]) -> Totals:
    sums = Totals(Counter(), Counter(), Counter(), 0.0)
    seconds = 0.0
    for report in reports:
        sums.counts.update(report.get("counts", {}))
        sums.reasons.update(report.get("reasons", {}))
        sums.image_reasons.update(report.get("image_reasons", {}))
        seconds += report.get("seconds", 0.0)
    return replace(sums, seconds=seconds)


def drift(old: object, new: object, path: str = "") -> list[str]:
    """What changed between two fingerprints, one line a leaf: `filter.rules[3].min 0.22 -> 0.25`."""
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


@contextmanager
def one_build(
    directory: Path, verb: str = "leaf build", hint: str = "give this recipe another name"
) -> Iterator[None]:
    """Hold the directory's lock; the operating system releases it when the process dies, however it dies.

    Raises LeafInstructError when another process holds it. verb, hint: what it does, and what else to do than
    wait.
    """
    with locked(
        directory / ".lock", 0, f"{directory}: another `{verb}` is running here; wait for it, or {hint}"
    ):
        yield


@contextmanager
def locked(path: Path, seconds: float = 30, held: str | None = None) -> Iterator[None]:
    """Hold a lock file, waiting for whoever holds it: for what is read, changed and written back in a moment.

    Raises LeafInstructError after `seconds`, which says `held`, and SourceError where the file cannot be
    made.
    """
    lock = FileLock(path, timeout=seconds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LeafInstructError(
            held or f"{path}: held by another `leaf` for {seconds:g} s; try again when it is done"
        ) from error
    except OSError as error:
        raise SourceError(
            f"{path.parent}: cannot write here: {error.strerror}; choose another place with workdir:"
        ) from error
    try:
        yield
    finally:
        lock.release()


_SEAL = re.compile(rb',?\n "sha256": "([0-9a-f]{64})"\n}\n')


def save(path: Path, value: Mapping[str, Any], indent: int | None = 1) -> None:
    """Write a JSON object by one rename. Its last entry, `sha256`, is that of all bytes before it, for
    `load`. indent: None for large ones."""
    separators = None if indent else (",", ":")
    text = (
        json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=str)
        .removesuffix("}")
        .rstrip()
        .encode()
    )
    comma = b"," if value else b""
    with writing(path) as temporary:
        temporary.write_bytes(
            text + comma + b'\n "sha256": "%s"\n}\n' % hashlib.sha256(text).hexdigest().encode()
        )


def load(path: Path) -> dict[str, Any] | None:
    """What `save` wrote, without `sha256`; None where there is none, or its bytes are not those that were
    written: as good as none."""
    try:
        data = path.read_bytes() if path.is_file() else b""  # a pipe would be waited for
    except OSError:
        return None
    seal = _SEAL.search(data, max(0, len(data) - 128))
    if (
        seal is None
        or seal.end() != len(data)
        or hashlib.sha256(data[: seal.start()]).hexdigest().encode() != seal[1]
    ):
        return None
    value: dict[str, Any] = json.loads(data)
    del value["sha256"]
    return value


def file_fault(path: Path, sha256: str) -> str | None:
    """What is wrong with a file of which the sha256 was recorded, as a clause; None where nothing is."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return "it is no file" if os.path.lexists(path) else "it is missing"
        return None if file_sha256(path) == sha256 else "its sha256 is not the recorded one"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
