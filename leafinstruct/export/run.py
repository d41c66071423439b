"""`leaf export`: write shards as a folder in the format of another tool.

    DIR/README.md
        train.json | train.jsonl | train-000000.tar ...
        images/             except for tar shards
        dataset_info.json   for LLaMA-Factory
        left-out.jsonl      rows that the format cannot represent, with reasons; only if there are some
        fingerprint.json    identifies the export, so that another export does not overwrite it
        record.json         counts, reasons and files; written LAST: without it the export is incomplete
        .parts/             during the export: completed shards, so that a killed export continues

Every file appears by one rename. The same shards give the same bytes. Memory: one batch of rows
(records.shards).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypedDict, cast

from leafinstruct.errors import DriftError, SourceError
from leafinstruct.export import source
from leafinstruct.export.catalog import extensions
from leafinstruct.export.format import Format
from leafinstruct.export.packing import json_line, packing, put_together, write_json
from leafinstruct.export.readme import readme
from leafinstruct.export.row import COLUMNS, Lost, Sample, sample_of
from leafinstruct.export.source import Shard
from leafinstruct.records import shards
from leafinstruct.records.escaping import ESCAPED
from leafinstruct.runtime.artifact import FORMAT, Artifact, digest, drift
from leafinstruct.runtime.files import file_fault, file_sha256, load, save, writing
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.locks import one_build
from leafinstruct.runtime.record import Fingerprint
from leafinstruct.runtime.stage_report import StageReport

CODE = 5
"""Increased when the same shards give other files."""
TAR_BYTES = 512 << 20
ORIGINS = ("recipe", "source", "license")

OnRows = Callable[[int, int], None]
"""Called with (rows done, all rows)."""


@dataclass(frozen=True, kw_only=True)
class ExportReport(StageReport):
    """Report of one shard. origins: one of ORIGINS -> name -> rows. packed: its files, joined later."""

    origins: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    packed: Sequence[str] = ()


class ExportRecord(TypedDict):
    """record.json of an export. splits: split -> its files. files: each file but images -> sha256."""

    format: int
    export: str
    dataset: str
    counts: dict[str, int]
    reasons: dict[str, int]
    splits: dict[str, list[str]]
    files: dict[str, str]
    fingerprint: Fingerprint | None


@dataclass(frozen=True, slots=True)
class Exported:
    """Result of an export. up_to_date: nothing was written. answers: how the reader treats images in
    answers."""

    record: ExportRecord
    up_to_date: bool
    answers: str


def export(
    data: str,
    form: Format,
    out: Path,
    runs: Path,
    split: str | None = None,
    task: str | None = None,
    tar_bytes: int = TAR_BYTES,
    rebuild: bool = False,
    on_rows: OnRows | None = None,
) -> Exported:
    """Write an export, or continue one.

    data: `run:NAME`, `hub:ORG/NAME`, a folder, a shard or a glob. split, task: export only these.
    tar_bytes: maximum size of a tar shard. Raises SourceError (no such shards, a folder with other files, no
    row left), SchemaError, DriftError (the folder holds another export).
    """
    chosen = source.chosen(data, runs, split, task)
    _refuse_foreign(out)
    dataset = source.name(data, chosen[0].path)
    hashes = {item.path: file_sha256(item.path) for item in chosen}
    for path, sha256 in hashes.items():
        shards.check(path, sha256)
    fingerprint: Fingerprint = {
        "export": form.name,
        "code": CODE,
        "escaping": ESCAPED,
        "dataset": dataset,
        "split": split,
        "task": task,
        "shards": {path.name: sha256 for path, sha256 in hashes.items()},
        **({"tar_bytes": tar_bytes} if form.packing == "tar" else {}),
        **({"package": str(extension)} if (extension := extensions().get(form.name)) else {}),
    }
    with one_build(out, "leaf export", "give another --out"):
        whole = Artifact(out)
        parts = Artifact(out / ".parts")
        if rebuild or _made_from(whole) not in ({}, fingerprint):
            _replace(whole, fingerprint, rebuild)
        elif (finished := _record(whole)) is not None and not list(faults(out)):
            shutil.rmtree(parts.path, ignore_errors=True)  # if the export was killed after writing its record
            return Exported(finished, True, form.answers)
        whole.begin(fingerprint)
        _write_parts(form, out, parts, chosen, digest(fingerprint), tar_bytes, on_rows)
        record = _finish(form, whole, parts, chosen, dataset)
        shutil.rmtree(parts.path)
        return Exported(record, False, form.answers)


def faults(out: Path) -> Iterator[tuple[Path, str]]:
    """Compare the files of a finished export with their checksums. Yields (file, fault); images are compared
    with their names."""
    record = _record(Artifact(out))
    for name, sha256 in record["files"].items() if record else ():
        if (fault := file_fault(out / name, sha256)) is not None:
            yield out / name, fault
    images = [path for path in sorted((out / "images").glob("*/*")) if not path.name.startswith(".")]
    for path in images:
        if (fault := file_fault(path, path.stem)) is not None:
            yield path, fault
    if len(images) < (wanted := record["counts"].get("image_files", 0) if record else 0):
        yield out / "images", f"it contains {len(images):,} of {wanted:,} files"


def _record(whole: Artifact) -> ExportRecord | None:
    """The record of a finished export. Raises DriftError if another version of leafinstruct wrote it."""
    return cast("ExportRecord | None", whole.in_this_format("record.json"))


def _refuse_foreign(out: Path) -> None:
    """Raise SourceError for a file, and for a folder that is not empty and not an export."""
    if out.exists() and not out.is_dir():
        raise SourceError(f"--out {out}: is a file; give a new folder")
    if (
        out.is_dir()
        and any(path.name != ".lock" for path in out.iterdir())
        and "export" not in _made_from(Artifact(out))
    ):
        raise SourceError(f"--out {out}: contains files that are not of an export; give a new folder")


def _made_from(whole: Artifact) -> Fingerprint:
    """The fingerprint of an export of any format; if its file is damaged, the copy in the record."""
    found = (
        load(whole.path / "fingerprint.json")
        or (load(whole.path / "record.json") or {}).get("fingerprint")
        or {}
    )
    return {name: value for name, value in found.items() if name != "format"}


def _replace(whole: Artifact, fingerprint: Fingerprint, rebuild: bool) -> None:
    """Remove the files of an earlier export, record first, and nothing else. Raises DriftError unless
    `rebuild`."""
    old = _made_from(whole)
    if not rebuild:
        changes = "; ".join(drift(old, fingerprint)[:3])
        raise DriftError(
            f"--out {whole.path}: contains another export ({changes}); give another folder, or --rebuild to "
            "replace it"
        )
    written = (load(whole.path / "record.json") or {}).get("files", {})
    (whole.path / "record.json").unlink(missing_ok=True)
    before = cast("Mapping[str, str]", old.get("shards", {}))
    splits = {name[1] for name in (shards.named(Path(shard)) for shard in before) if name is not None}
    wanted = [
        "README.md",
        "dataset_info.json",
        "left-out.jsonl",
        *(name for name in written if Path(name).name == name),
        *(f"{split}{end}" for split in splits for end in (".json", ".jsonl")),
    ]
    for path in [whole.path / name for name in wanted] + [
        path for split in splits for path in whole.path.glob(f"{split}-??????.tar")
    ]:
        path.unlink(missing_ok=True)
    for folder in ("images", ".parts"):
        shutil.rmtree(whole.path / folder, ignore_errors=True)


def _write_parts(
    form: Format,
    out: Path,
    parts: Artifact,
    chosen: Sequence[Shard],
    key: str,
    tar_bytes: int,
    on_rows: OnRows | None,
) -> None:
    rows = {shard.part: shards.opened(shard.path, COLUMNS).rows for shard in chosen}
    done, total = 0, sum(rows.values())
    # temporary files of killed writers
    for path in (*parts.path.rglob(".*.tmp"), *out.glob(".*.[0-9]*.tmp"), *(out / "images").glob("*/.*.tmp")):
        path.unlink()
    for shard in chosen:
        if not _is_up_to_date(parts, shard.part, key):
            _write_part(
                form, out, parts, shard, key, tar_bytes, partial(_report_progress, on_rows, done, total)
            )
        done += rows[shard.part]
        _report_progress(on_rows, done, total, 0)


def _report_progress(on_rows: OnRows | None, before: int, total: int, number: int) -> None:
    if on_rows is not None:
        on_rows(before + number, total)


def _is_up_to_date(parts: Artifact, part: str, key: str) -> bool:
    """Whether a part is complete, and none of its files was moved to its final name."""
    report = parts.report(part)
    return report is not None and report.key == key and not list(parts.faults(part))


def _write_part(
    form: Format,
    out: Path,
    parts: Artifact,
    shard: Shard,
    key: str,
    tar_bytes: int,
    on_row: Callable[[int], None],
) -> None:
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    origins: dict[str, Counter[str]] = {what: Counter() for what in ORIGINS}
    left = parts.file("left", shard.part, ".jsonl")
    parts.open(shard.part)
    with (
        packing(form, out, parts, shard.part, tar_bytes) as packer,
        writing(left) as temporary,
        temporary.open("wb") as lost,
    ):
        for number, row in enumerate(shards.rows(shard.path, COLUMNS)):
            sample = _accepted(form, sample_of(row))
            fault = sample if isinstance(sample, Lost) else packer.add(sample)
            if fault is None:
                assert isinstance(sample, Sample)
                counts += _counts(sample)
                for what, name in _origin(sample).items():
                    origins[what][name] += 1
            else:
                reasons[fault.reason] += 1
                place = {"id": row.id, "shard": shard.path.name, "row": number}
                lost.write(json_line({**place, "reason": fault.reason, "detail": fault.detail}))
            on_row(number + 1)
    packed = [parts.name(path) for path in packer.files]
    parts.commit(
        shard.part,
        key,
        ExportReport(counts=counts, reasons=reasons, origins=origins, packed=packed),
        [*packer.files, left],
    )


def _accepted(form: Format, sample: Sample | Lost) -> Sample | Lost:
    """The sample, unless the format's reader would misread or reject it."""
    if isinstance(sample, Lost):
        return sample
    texts = [part for turn in sample.turns for part in turn.parts if isinstance(part, str)]
    if found := next((mark for mark in form.placeholders if any(mark in text for text in texts)), None):
        return Lost("placeholder_in_text", f"a text contains {found!r}, which {form.title} interprets")
    if (fault := form.fault(sample)) is None:
        return sample
    return Lost(fault, f"{form.title} does not accept such a conversation")


def _counts(sample: Sample) -> Counter[str]:
    return Counter(
        rows=1, images=len(sample.images), answer_images=sample.answered, escaped_texts=sample.escaped
    )


def _origin(sample: Sample) -> dict[str, str]:
    row = sample.row
    return {"recipe": row.provenance.recipe or "", "source": row.source, "license": row.license or ""}


def _finish(
    form: Format, whole: Artifact, parts: Artifact, chosen: Sequence[Shard], dataset: str
) -> ExportRecord:
    """Join the parts, write the other files, and then the record. Raises SourceError if no row is left."""
    out, totals = whole.path, parts.totals()
    if not totals.counts["rows"]:
        why = (
            ", ".join(f"{reason} {number:,}" for reason, number in sorted(totals.reasons.items()))
            or "the shards are empty"
        )
        hint = "; `leaf hydrate` fetches the images" if "no_bytes" in totals.reasons else ""
        raise SourceError(f"--out {out}: no row of {dataset} can be exported: {why}{hint}")
    counts = {name: totals.counts[name] for name in ("rows", "images", "answer_images", "escaped_texts")}
    if form.packing != "tar":
        counts["image_files"] = sum(
            1 for path in (out / "images").glob("*/*") if not path.name.startswith(".")
        )
    origins = {what: _sum(parts, chosen, what) for what in ORIGINS}
    files = {}
    for split in dict.fromkeys(shard.split for shard in chosen):
        reports = [_reported(parts, shard) for shard in chosen if shard.split == split]
        packed = [parts.path / name for report in reports for name in report.packed]
        if any(report.counts.get("rows") for report in reports):
            files[split] = put_together(form, out, split, packed)
    beside = form.beside(dataset, files)
    for name, value in beside.items():
        write_json(out / name, value)
    left = _left(out, parts, chosen) if totals.reasons else []
    with writing(out / "README.md") as temporary:
        temporary.write_text(readme(form, dataset, files, counts, origins, totals.reasons), encoding="utf-8")
    names = [name for listed in files.values() for name in listed]
    record: ExportRecord = {
        "format": FORMAT,
        "export": form.name,
        "dataset": dataset,
        "counts": counts,
        "reasons": dict(sorted(totals.reasons.items())),
        "splits": files,
        "files": {name: file_sha256(out / name) for name in sorted([*names, *beside, *left, "README.md"])},
        "fingerprint": whole.fingerprint,
    }
    with last_write():
        save(out / "record.json", record)
    return record


def _sum(parts: Artifact, chosen: Sequence[Shard], what: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for shard in chosen:
        found.update(_reported(parts, shard).origins[what])
    return found


def _reported(parts: Artifact, shard: Shard) -> ExportReport:
    report = parts.report_as(ExportReport, shard.part)
    assert report is not None, "every chosen shard was written"
    return report


def _left(out: Path, parts: Artifact, chosen: Sequence[Shard]) -> list[str]:
    """Write left-out.jsonl: the rows that were left out, with reasons. Returns its name."""
    with writing(out / "left-out.jsonl") as temporary, temporary.open("wb") as joined:
        for shard in chosen:
            joined.write(parts.file("left", shard.part, ".jsonl").read_bytes())
    return ["left-out.jsonl"]
