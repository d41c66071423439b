"""The lineage of one record: every step from its place in the source to its rows in the shards.

    document, part, fate   the record, and its result (one of FATES)
    source                 name, file, locator, path on this machine, sha256 of the file, title, language,
                           language_confidence, page_url (where the page was found), url (canonical), license
    segments               as read; of an image also `found` (the file at its reference) and `fetch` (the log,
                           for an image on the web)
    scores                 every cell, in the order computed
    filter                 verdict, drops, edits (changes of texts, each with a `line` for people),
                           reassigned (a line for each image with another owner), rules (each with bound,
                           values, outcome), duplicates, judge (see answers.py), further_judges (the
                           questions to the others of several judges), single_answers (what each of them gave)
    rewrite                verdict, drops, asked: the first question, questions: all of them, each with its
                           example, round (0: the first) and purpose, rewrite or examine (see answers.py)
    examples               of each: id, task, turns, models, prompts, scores of the finished example, and its
                           `shard`: file, row, task, split; `preference`: its preference rows, each with id,
                           kind, what was changed, lender, scores, the rejected answer, file, row, split
    lent                   preference rows of other documents with an image or texts of this one
    cost                   requests, tokens and dollars of all questions (null: unknown)
    versions               of each stage: state, code, libraries, models, prompts and other settings

These are the keys of `leaf explain --json` under `record`; keys may be added, and keep their meaning. Only
one column of each table and the row groups with the record are read (records/files/lookup.py). Records that
ingest could not read have no id and no lineage: they are found by their place (`rejected`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from leafinstruct.filter.catalog import OF_EXAMPLES
from leafinstruct.filter.scores.alignment import changes_of_owners
from leafinstruct.filter.texts import editing
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.edits import Edit
from leafinstruct.records.example import Cell, Example
from leafinstruct.records.files.lookup import documents_where, one_of, rows_where, values_where
from leafinstruct.records.rows import Drop
from leafinstruct.records.shards import named, numbers
from leafinstruct.report import status
from leafinstruct.report.explain import answers, pairs
from leafinstruct.report.explain.find import Match, find
from leafinstruct.report.inspect import decision
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.store.path import root_at

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
        "unlisted": sum(sum(report.unlisted.values()) for report in stages["ingest"].reports()),
    }


def explain(stages: Mapping[str, Artifact], match: Match, kept_answers: Path) -> dict[str, Any]:
    """The lineage of one document. kept_answers: folder of the answer cache and its journal."""
    part = match.part
    read = _document(stages["ingest"], "documents", part, match.document)
    assert read is not None, "find() read this row"
    decided = _decided(read, stages["filter"], part)
    judged = answers.asked(stages["filter"], part, match.document, kept_answers)
    scores = _scores(stages["filter"], part, match.document)
    verdict = _verdict(stages["filter"], part, match.document, ("documents", "kept"), ("dropped", "dropped"))
    rewritten = _verdict(stages["rewrite"], part, match.document, ("dropped", "dropped"))
    own_pairs, lent = pairs.about(stages["shard"], match.document)
    examples = [
        {**_example(item, stages["shard"]), "preference": own_pairs.get(item.id, [])}
        for item in _examples(stages["rewrite"], part, match.document)
    ]
    asked = answers.rounds(stages["rewrite"], part, match.document, kept_answers)
    if examples:
        # drops of pieces of a long document that became no example
        rewritten = "kept", () if rewritten is None else rewritten[1]
    return {
        "document": match.document,
        "part": part,
        "fate": fates(stages, [match])[match.document],
        "source": _source(stages["ingest"], part, read),
        "segments": _segments(decided, stages["filter"], part),
        "scores": [_columns(cell, _CELL) for cell in scores],
        "filter": verdict
        and {
            **_of_stage(verdict),
            "edits": _edits(stages["filter"], part, read),
            "reassigned": changes_of_owners(read, decided.images),
            **decision.read_back(stages["filter"], part, match.document, scores, verdict[1]),
            "judge": next(iter(judged), None),
            "further_judges": judged[1:],
            "single_answers": _single_answers(stages["filter"], part, match.document),
        },
        "rewrite": rewritten
        and {**_of_stage(rewritten), "asked": asked[0] if asked else None, "questions": asked},
        "examples": examples,
        "lent": lent,
        "cost": answers.cost([*judged, *asked]),
        "versions": {name: _version(artifact) for name, artifact in stages.items()},
    }


def rejected(ingest: Artifact, wanted: str) -> list[dict[str, object]]:
    """Records at a place that ingest could not read, each with its part. wanted: a file, or `file locator`,
    as in the reports."""
    return [
        {"part": report.part, **item}
        for report in ingest.reports()
        for item in report.rejected
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


def _single_answers(filtered: Artifact, part: str, document: str) -> list[dict[str, object]]:
    """What each of several judges gave in each of its answers."""
    path = filtered.file("judged", part)
    names = ("judge", "sample", "name", "position", "value", "state", "detail")
    found = values_where(path, "document_id", one_of({document}), *names) if path.exists() else ()
    return [dict(zip(names, row, strict=True)) for row in found if row[0] is not None]


def _ids(paths: Sequence[Path], column: str, wanted: set[str]) -> set[str]:
    return (
        {found for path in paths for (found,) in values_where(path, column, one_of(wanted), column)}
        if wanted
        else set()
    )


def _document(artifact: Artifact, kind: str, part: str, document: str) -> Document | None:
    return next(documents_where(artifact.file(kind, part), "id", one_of({document})), None)


def _source(ingest: Artifact, part: str, document: Document) -> dict[str, object]:
    """Place of a document in its source, and the sha256 of the file."""
    root = cast("Mapping[str, str]", (ingest.fingerprint or {}).get("roots", {})).get(document.source)
    place = document.provenance
    report = ingest.report(part)
    hashed = report.sources if report is not None else {}
    return {
        "name": document.source,
        **asdict(place),
        "path": None if root is None else str((root_at(ingest.path.resolve(), root) / place.file).resolve()),
        "sha256": hashed.get(f"{document.source}/{place.file}"),
        "title": document.title,
        "language": document.language,
        "language_confidence": document.language_confidence,
        "page_url": document.page_url,
        "url": document.url,
        "license": document.license,
    }


def _decided(read: Document, filtered: Artifact, part: str) -> Document:
    """The document as read; images have the owners that filter assigned, if it did."""
    later = _document(filtered, "documents", part, read.id) or _document(filtered, "dropped", part, read.id)
    found = {image.position: image for image in (later or read).images}

    def decided(image: ImageRef) -> ImageRef:
        now = found.get(image.position, image)
        return replace(image, owner=now.owner, owner_found=now.owner_found)

    return replace(
        read, segments=tuple(decided(item) if isinstance(item, ImageRef) else item for item in read.segments)
    )


def _segments(document: Document, filtered: Artifact, part: str) -> list[dict[str, object]]:
    refs = {str(image.ref) for image in document.images}
    urls = {image.ref.url for image in document.images if image.ref.url is not None}
    names = ("state", "reason", "sha256", "width", "height", "format")
    images = {
        ref: dict(zip(names, values, strict=True))
        for ref, *values in values_where(filtered.file("images", part), "ref", one_of(refs), "ref", *names)
    }
    fetches = {log["url"]: log for _, log in rows_where(filtered.file("fetches", part), "url", one_of(urls))}
    return [_shown(segment, fetches, images) for segment in document.segments]


def _shown(
    segment: Segment, fetches: Mapping[str, table.Row], images: Mapping[str, table.Row]
) -> dict[str, object]:
    """A segment; of an image also the file at its reference, and the log of its fetch if it is on the web."""
    if isinstance(segment, Text):
        return _columns(segment, ("position", "kind", "time", "role", "text"))
    return {
        "position": segment.position,
        "kind": "image",
        "time": segment.time,
        "role": segment.role,
        "ref": str(segment.ref),
        **_columns(segment, ("alt", "url", "license", "owner", "owner_found")),
        "found": images.get(str(segment.ref)),
        "fetch": fetches.get(segment.ref.url or ""),
    }


def _columns(record: Segment | Cell | Drop, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}


_Verdict = tuple[str, Sequence[Drop]]
_CELL = ("name", "position", "value", "state", "model", "detail")
_DROP = ("rule", "position", "value", "threshold", "state", "detail")


def _of_stage(verdict: _Verdict) -> dict[str, object]:
    return {"verdict": verdict[0], "drops": [_columns(drop, _DROP) for drop in verdict[1]]}


def _verdict(artifact: Artifact, part: str, document: str, *kinds: tuple[str, str]) -> _Verdict | None:
    """The verdict of a stage and its drops. kinds: (table, verdict of the documents in it)."""
    for kind, verdict in kinds:
        # rewrite has a row for each lost piece of a document, and for each image that a model left out
        rows = list(values_where(artifact.file(kind, part), "id", one_of({document}), "drops"))
        if rows:
            return verdict, [Drop(**drop) for (drops,) in rows for drop in drops]
    return None


def _edits(filtered: Artifact, part: str, read: Document) -> list[dict[str, object]]:
    """Changes of the document's texts, each with a line for people."""
    found = (
        rows
        for kind in ("documents", "dropped")
        for (rows,) in values_where(filtered.file(kind, part), "id", one_of({read.id}), "edits")
    )
    edits = [Edit(**row) for row in next(found, ())]
    return [{**asdict(edit), "line": editing.line_of(edit, read)} for edit in edits]


def _scores(filtered: Artifact, part: str, document: str) -> list[Cell]:
    path, names = filtered.file("scores", part), Cell.__slots__
    return [Cell(*values) for values in values_where(path, "document_id", one_of({document}), *names)]


def _examples(rewrite: Artifact, part: str, document: str) -> list[Example]:
    rows = rows_where(rewrite.file("examples", part), "document_id", one_of({document}))
    return [table.example_of(row) for _, row in rows]


def _example(example: Example, shards: Artifact) -> dict[str, object]:
    turns = [
        {
            "role": turn.role,
            "parts": [item if isinstance(item, str) else f"[image {item.position}]" for item in turn.parts],
        }
        for turn in example.turns
    ]
    used = {
        kind: [{"name": name, "identity": identity} for name, identity in pairs]
        for kind, pairs in (("models", example.models), ("prompts", example.prompts))
    }
    shard = _shard(shards, example.id, example.task)
    scores = [
        _columns(cell, _CELL)
        for cell in example.scores
        if cell.name in OF_EXAMPLES or cell.name.startswith("rewrite.")
    ]
    return {"id": example.id, "task": example.task, **used, "turns": turns, "scores": scores, "shard": shard}


def _shard(shards: Artifact, example: str, task: str) -> dict[str, object] | None:
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


def _version(artifact: Artifact) -> dict[str, object]:
    """State and settings of a stage, from its fingerprint and record."""
    record, fingerprint = artifact.record or {}, artifact.fingerprint or {}
    own = {name: value for name, value in fingerprint.items() if name not in _NOT_SHOWN}
    return {
        "state": status.state(artifact),
        **own,
        **{name: record[name] for name in ("models", "prompts") if name in record},
    }
