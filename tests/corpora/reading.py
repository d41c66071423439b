"""The corpora of this folder as documents: what README.md describes, one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Segment, Text
from leafinstruct.records.text import owners

FOLDER = Path(__file__).parent / "scripts"
GROUPS = ("latin", "cyrillic", "arabic", "hebrew", "devanagari", "unspaced", "chinese", "japanese", "korean")


def records(name: str) -> list[dict[str, Any]]:
    """All lines of one file: a group, or `spam`."""
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def document(record: dict[str, Any], name: str) -> Document:
    """One record as ingest would give it, with images that count as materialized; its id, language and defect
    stay in the record."""
    segments: list[Segment] = []
    for position, found in enumerate(record["segments"]):
        if found["type"] == "image":
            file = f"{record['id']}-{position}.png"
            segments.append(
                ImageRef(
                    position,
                    Ref(file=file),
                    found["alt"],
                    sha256=file,
                    width=64,
                    height=64,
                    format="PNG",
                    state="ok",
                )
            )
        else:
            segments.append(Text(position, found["text"], found["kind"]))
    place = Provenance(f"{name}.jsonl", record["id"])
    return owners.infer(Document(record["id"], "corpora", tuple(segments), place, title=record["title"]))


def documents(name: str) -> list[Document]:
    """The documents of one group, or of `spam`, in the order of the file."""
    return [document(record, name) for record in records(name)]
