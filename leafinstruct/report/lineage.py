"""The lineage of one record: every step from its place in the source to its place in a shard.

Works from the id of a document or of an example, for kept and dropped records alike. It scans the parts of the run, reading only the id
column of each: about 1 ms for 1,000 documents. What ingest could not read has no id: it is found by its place (`rejected`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leafinstruct.artifact import Artifact
from leafinstruct.records import table


def explain(stages: Mapping[str, Artifact], wanted: str) -> dict[str, Any] | None:
    """Everything known of a record, None when no part holds it. wanted: id of a document or an example."""
    found = _find(stages["ingest"], "documents", wanted)
    example = None
    if found is None:
        example = _find(stages["rewrite"], "examples", wanted)
        found = _find(stages["ingest"], "documents", example[1]["document_id"]) if example else None
    if found is None:
        return None
    part, row = found
    document = table.document_of(row)
    example = example or _find(stages["rewrite"], "examples", document.id, "document_id")
    refs = {table.image_ref(segment) for segment in row["segments"] if segment["type"] == "image"}
    fetches = _by(stages["filter"].file("fetches", part), "url", refs)
    pictures = _by(stages["filter"].file("pictures", part), "ref", refs)
    return {
        "document": document.id,
        "source": {"name": document.source, "url": document.url, "license": document.license, **asdict(document.provenance)},
        "part": part,
        "segments": [_shown(segment, fetches, pictures) for segment in row["segments"]],
        "filter": _verdict(stages["filter"], part, document.id),
        "scores": _scores(stages["filter"], part, document.id),
        "rewrite": _rewritten(stages["rewrite"], part, document.id, example[1] if example else None),
        "shard": _shard(stages["shard"], example[1]["id"]) if example else None,
    }


def rejected(ingest: Artifact, wanted: str) -> list[dict[str, Any]]:
    """What ingest could not read at a place, each entry with its part. wanted: a file, or `file locator`, both as the reports give them."""
    return [
        {"part": report["part"], **item}
        for report in ingest.reports()
        for item in report.get("rejected", ())
        if wanted in (item["file"], f"{item['file']} {item['locator']}")
    ]


def _find(artifact: Artifact, kind: str, wanted: str, column: str = "id") -> tuple[str, table.Row] | None:
    for part in artifact.parts():
        path = artifact.file(kind, part)
        if not path.exists():
            continue
        for index, row in enumerate(table.read(path, [column])):
            if row[column] == wanted:
                return part, next(item for at, item in enumerate(table.read(path)) if at == index)
    return None


def _in_part(path: Path, document: str, column: str = "id") -> Iterator[table.Row]:
    if path.exists():
        yield from (row for row in table.read(path) if row[column] == document)


def _by(path: Path, column: str, wanted: set[str]) -> dict[str, table.Row]:
    """The wanted rows of a part's table by a column, without the bytes of pictures; none where the table is not there."""
    if not path.exists():
        return {}
    return {row[column]: row for row in table.read_without_bytes(path) if row[column] in wanted}


def _shown(segment: table.Row, fetches: Mapping[str, table.Row], pictures: Mapping[str, table.Row]) -> dict[str, Any]:
    """A segment; of a picture also what was found at its reference, and for one on the web the log of its fetch."""
    own = {name: segment[name] for name in ("position", "kind", "time", "role")}
    if segment["type"] == "text":
        return {**own, "text": segment["text"]}
    ref = table.image_ref(segment)
    found = pictures.get(ref)
    return {
        **own,
        "kind": "picture",
        "ref": ref,
        **{name: segment[name] for name in ("alt", "url", "license")},
        "found": None if found is None else {name: found[name] for name in ("state", "reason", "sha256", "width", "height", "format")},
        "fetch": fetches.get(segment["ref"]["url"] or ""),
    }


def _verdict(artifact: Artifact, part: str, document: str) -> dict[str, Any] | None:
    for kind, verdict in (("documents", "kept"), ("dropped", "dropped")):
        for row in _in_part(artifact.file(kind, part), document):
            return {"verdict": verdict, "drops": row["drops"]}
    return None


def _scores(artifact: Artifact, part: str, document: str) -> list[dict[str, Any]]:
    return [
        {name: row[name] for name in row if name != "document_id"}
        for row in _in_part(artifact.file("scores", part), document, "document_id")
    ]


def _rewritten(artifact: Artifact, part: str, document: str, example: table.Row | None) -> dict[str, Any] | None:
    if example is not None:
        turns = [
            {
                "role": turn["role"],
                "parts": [item["text"] if item["type"] == "text" else f"[picture {item['position']}]" for item in turn["parts"]],
            }
            for turn in example["turns"]
        ]
        return {
            "example": example["id"],
            "task": example["task"],
            "turns": turns,
            "models": example["models"],
            "prompts": example["prompts"],
        }
    for row in _in_part(artifact.file("dropped", part), document):
        return {"example": None, "drops": row["drops"]}
    return None


def _shard(artifact: Artifact, example: str) -> dict[str, Any] | None:
    for path in sorted(artifact.path.glob("*.parquet")):
        for index, row in enumerate(table.read(path, ["id"])):
            if row["id"] == example:
                return {"file": path.name, "row": index}
    return None
