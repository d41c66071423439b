"""The lineage of one record: every step from its place in the source to its rows in the shards.

    document, part, fate   the record, and its result (one of FATES)
    source                 name, file, locator, path on this machine, sha256 of the file, title, language,
                           language_confidence, page_url (where the page was found), url (canonical), license
    segments               as read; of an image also `found` (the file at its reference) and `fetch` (the log,
                           for an image on the web)
    scores                 every cell, in the order computed
    filter                 verdict, drops, rules (each with bound, values, outcome), duplicates, judge (see
                           answers.py)
    rewrite                verdict, drops, asked (see answers.py)
    examples               of each: id, task, turns, models, prompts, and its `shard`: file, row, task, split
    cost                   requests, tokens and dollars of both questions (null: unknown)
    versions               of each stage: state, code, libraries, models, prompts and other settings

These are the keys of `leaf explain --json` under `record`; keys may be added, and keep their meaning. Only
one column of each table and the row groups with the record are read (records/files/lookup.py). Records that
ingest could not read have no id and no lineage: they are found by their place (`rejected`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leafinstruct.records import table
from leafinstruct.records.files.lookup import one_of, rows_where
from leafinstruct.records.shards import named, numbers
from leafinstruct.report import status
from leafinstruct.report.explain import answers
from leafinstruct.report.explain.find import Match, find
from leafinstruct.report.inspect import decision
from leafinstruct.runtime.artifact import Artifact

FATES = {
    "sharded": "in a shard",
    "dropped_by_filter": "dropped by filter",
    "dropped_by_rewrite": "dropped by rewrite",
    "read": "read, not filtered yet",
    "kept": "kept, not rewritten yet",
    "rewritten": "an example, not in a shard yet",
    "removed": "removed by request",
}
"""Possible results of a record -> message."""

_NOT_SHOWN = frozenset({"files", "input", "parts", "history", "filter"})
"""Keys of a fingerprint that are left out: digests without a meaning of their own, and rules, which are in
`filter`."""


def look(stages: Mapping[str, Artifact], wanted: str, kept_answers: Path) -> dict[str, Any]:
    """The answer of `leaf explain`.

    matches: all documents that match, with their fates. record: the lineage if there is exactly one, else
    None. rejected: records at this place that ingest could not read. unlisted: number of losses that ingest
    counted without their place. kept_answers: folder of the answer cache and its journal.
    """
    found = find(stages, wanted)
    record = explain(stages, found[0], kept_answers) if len(found) == 1 else None
    ends = fates(stages, found) if record is None else {record["document"]: record["fate"]}
    return {
        "wanted": wanted,
        "matches": [{**asdict(match), "fate": ends[match.document]} for match in found],
        "record": record,
        "rejected": rejected(stages["ingest"], wanted),
        "unlisted": sum(sum(report.get("unlisted", {}).values()) for report in stages["ingest"].reports()),
    }


def explain(stages: Mapping[str, Artifact], match: Match, kept_answers: Path) -> dict[str, Any]:
    """The lineage of one document. kept_answers: folder of the answer cache and its journal."""
    part = match.part
    row = _row(stages["ingest"], "documents", part, match.document)
    assert row is not None, "find() read this row"
    judged = answers.asked(stages["filter"], part, match.document, kept_answers)
    scores = _scores(stages["filter"], part, match.document)
    verdict = _verdict(stages["filter"], part, match.document, ("documents", "kept"), ("dropped", "dropped"))
    rewritten = _verdict(stages["rewrite"], part, match.document, ("dropped", "dropped"))
    examples = [
        _example(item, stages["shard"]) for item in _examples(stages["rewrite"], part, match.document)
    ]
    asked = answers.asked(stages["rewrite"], part, match.document, kept_answers)
    if examples:
        # drops of pieces of a long document that became no example
        rewritten = {"verdict": "kept", "drops": (rewritten or {}).get("drops", [])}
    return {
        "document": match.document,
        "part": part,
        "fate": fates(stages, [match])[match.document],
        "source": _source(stages["ingest"], part, table.document_of(row)),
        "segments": _segments(_decided(row, stages["filter"], part), stages["filter"], part),
        "scores": scores,
        "filter": verdict
        and {
            **verdict,
            **decision.read_back(stages["filter"], part, match.document, scores, verdict["drops"]),
            "judge": judged,
        },
        "rewrite": rewritten and {**rewritten, "asked": asked},
        "examples": examples,
        "cost": answers.cost([judged, asked]),
        "versions": {name: _version(artifact) for name, artifact in stages.items()},
    }


def rejected(ingest: Artifact, wanted: str) -> list[dict[str, Any]]:
    """Records at a place that ingest could not read, each with its part. wanted: a file, or `file locator`,
    as in the reports."""
    return [
        {"part": report["part"], **item}
        for report in ingest.reports()
        for item in report.get("rejected", ())
        if wanted in (item["file"], f"{item['file']} {item['locator']}")
    ]


def fates(stages: Mapping[str, Artifact], found: Sequence[Match]) -> dict[str, str]:
    """Document -> one of FATES. Reads only columns of ids, so that thousands of records cost one scan.

    A finished shard stage leaves out only removed examples (shard/removed_examples.py).
    """
    by_part: dict[str, set[str]] = {}
    for match in found:
        by_part.setdefault(match.part, set()).add(match.document)
    shards = sorted(stages["shard"].path.glob("*.parquet"))
    wanted = {match.document for match in found}
    steps = {
        "sharded": {value for path in shards for _, value in numbers(path, "document_id", wanted)}
        if wanted
        else set()
    }
    example = "removed" if status.state(stages["shard"]) == "done" else "rewritten"
    for fate, stage, kind, column in (
        (example, "rewrite", "examples", "document_id"),
        ("dropped_by_rewrite", "rewrite", "dropped", "id"),
        ("kept", "filter", "documents", "id"),
        ("dropped_by_filter", "filter", "dropped", "id"),
    ):
        steps[fate] = {
            id_
            for part, ids in by_part.items()
            for id_ in _ids([stages[stage].file(kind, part)], column, ids)
        }
    return {
        document: next((fate for fate, ids in steps.items() if document in ids), "read")
        for document in wanted
    }


def _ids(paths: Sequence[Path], column: str, wanted: set[str]) -> set[str]:
    return (
        {row[column] for path in paths for _, row in rows_where(path, column, one_of(wanted), [column])}
        if wanted
        else set()
    )


def _row(artifact: Artifact, kind: str, part: str, document: str) -> table.Row | None:
    return next((row for _, row in rows_where(artifact.file(kind, part), "id", one_of({document}))), None)


def _source(ingest: Artifact, part: str, document: Any) -> dict[str, Any]:
    """Place of a document in its source, and the sha256 of the file."""
    root = (ingest.fingerprint or {}).get("roots", {}).get(document.source)
    place = document.provenance
    hashed = (ingest.report(part) or {}).get("sources", {})
    return {
        "name": document.source,
        **asdict(place),
        "path": None if root is None else str((ingest.path.resolve() / root / place.file).resolve()),
        "sha256": hashed.get(f"{document.source}/{place.file}"),
        "title": document.title,
        "language": document.language,
        "language_confidence": document.language_confidence,
        "page_url": document.page_url,
        "url": document.url,
        "license": document.license,
    }


def _decided(row: table.Row, filtered: Artifact, part: str) -> table.Row:
    """The document as read; images have the owners that filter assigned, if it did."""
    later = _row(filtered, "documents", part, row["id"]) or _row(filtered, "dropped", part, row["id"]) or row
    found = {
        item["position"]: {name: item[name] for name in ("owner", "owner_found")}
        for item in later["segments"]
    }
    return {**row, "segments": [{**item, **found.get(item["position"], {})} for item in row["segments"]]}


def _segments(row: table.Row, filtered: Artifact, part: str) -> list[dict[str, Any]]:
    shown = [segment for segment in row["segments"] if segment["type"] == "image"]
    refs = {table.image_ref(segment) for segment in shown}
    urls = {segment["ref"]["url"] for segment in shown} - {None}
    images = {
        found["ref"]: found for _, found in rows_where(filtered.file("images", part), "ref", one_of(refs))
    }
    fetches = {log["url"]: log for _, log in rows_where(filtered.file("fetches", part), "url", one_of(urls))}
    return [_shown(segment, fetches, images) for segment in row["segments"]]


def _shown(
    segment: table.Row, fetches: Mapping[str, table.Row], images: Mapping[str, table.Row]
) -> dict[str, Any]:
    """A segment; of an image also the file at its reference, and the log of its fetch if it is on the web."""
    own = {name: segment[name] for name in ("position", "kind", "time", "role")}
    if segment["type"] == "text":
        return {**own, "text": segment["text"]}
    ref = table.image_ref(segment)
    found = images.get(ref)
    return {
        **own,
        "kind": "image",
        "ref": ref,
        **{name: segment[name] for name in ("alt", "url", "license", "owner", "owner_found")},
        "found": None
        if found is None
        else {name: found[name] for name in ("state", "reason", "sha256", "width", "height", "format")},
        "fetch": fetches.get(segment["ref"]["url"] or ""),
    }


def _verdict(artifact: Artifact, part: str, document: str, *kinds: tuple[str, str]) -> dict[str, Any] | None:
    """The verdict of a stage and its drops. kinds: (table, verdict of the documents in it)."""
    for kind, verdict in kinds:
        for _, row in rows_where(artifact.file(kind, part), "id", one_of({document}), ["drops"]):
            return {"verdict": verdict, "drops": row["drops"]}
    return None


def _scores(filtered: Artifact, part: str, document: str) -> list[dict[str, Any]]:
    rows = rows_where(filtered.file("scores", part), "document_id", one_of({document}))
    return [{name: row[name] for name in row if name != "document_id"} for _, row in rows]


def _examples(rewrite: Artifact, part: str, document: str) -> list[table.Row]:
    return [row for _, row in rows_where(rewrite.file("examples", part), "document_id", one_of({document}))]


def _example(example: table.Row, shards: Artifact) -> dict[str, Any]:
    turns = [
        {
            "role": turn["role"],
            "parts": [
                item["text"] if item["type"] == "text" else f"[image {item['position']}]"
                for item in turn["parts"]
            ],
        }
        for turn in example["turns"]
    ]
    own = {name: example[name] for name in ("id", "task", "models", "prompts")}
    return {**own, "turns": turns, "shard": _shard(shards, example["id"], example["task"])}


def _shard(shards: Artifact, example: str, task: str) -> dict[str, Any] | None:
    """The place of an example in the shards. Only files of its task are opened."""
    for path in sorted(shards.path.glob("*.parquet")):
        place = named(path)
        for number, _ in numbers(path, "id", {example}) if place and place[0] == task else ():
            return {
                "file": path.name,
                "path": str(path),
                "row": number,
                "task": task,
                "split": place and place[1],
            }
    return None


def _version(artifact: Artifact) -> dict[str, Any]:
    """State and settings of a stage, from its fingerprint and record."""
    record, fingerprint = artifact.record or {}, artifact.fingerprint or {}
    own = {name: value for name, value in fingerprint.items() if name not in _NOT_SHOWN}
    return {
        "state": status.state(artifact),
        **own,
        **{name: record[name] for name in ("models", "prompts") if name in record},
    }
