"""Documents, images and recipes made by hand for tests. Imported by name from test files through the tests
folder on sys.path."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image as Pil

from leafinstruct import pipeline
from leafinstruct.pipeline import Outcome
from leafinstruct.recipe import load as recipes
from leafinstruct.recipe.templates import packaged, read_questions
from leafinstruct.records import public
from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Text, document_id
from leafinstruct.records.published_row import PublishedRow, rows_in
from leafinstruct.records.text import language, owners
from leafinstruct.rewrite import worded
from leafinstruct.rewrite.config import TaskFamily
from leafinstruct.runtime.engine.base import Needs, Part, R, Task, TaskResult
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.runtime.files import load, save

ENGLISH = {"en": read_questions(packaged("questions") / "en.yaml")}
"""The packaged questions."""


def in_english(*families: TaskFamily) -> list[worded.Task]:
    """The families as they ask about documents in English."""
    return worded.tasks_in("en", families, ENGLISH)


def document(
    *parts: str, source: str = "made", file: str = "a.html", locator: str = "", url: str | None = None
) -> Document:
    """`!name` is an image name.png with sha256 `name`; `# x` a heading; `> x` a caption; `- x` a list item;
    everything else prose.

    A heading at the beginning is the title; owners and language are found as ingest finds them.
    """
    kinds = {"# ": "heading", "> ": "caption", "- ": "list"}
    segments = []
    for position, part in enumerate(parts):
        if part.startswith("!"):
            name = part[1:]
            segments.append(
                ImageRef(
                    position,
                    Ref(file=f"{name}.png"),
                    sha256=name,
                    width=64,
                    height=64,
                    format="PNG",
                    state="ok",
                )
            )
        else:
            kind = kinds.get(part[:2], "prose")
            segments.append(Text(position, part if kind == "prose" else part[2:], kind))
    title = parts[0][2:] if parts and parts[0].startswith("# ") else None
    read = Document(
        document_id(source, file, locator),
        source,
        tuple(segments),
        Provenance(file, locator),
        url,
        title=title,
    )
    return language.with_language(owners.infer(read))


def png(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (96, 64), dot: int = 0) -> bytes:
    """A small image with two colors, so that it is neither blank nor like its neighbor."""
    image = Pil.new("RGB", size, color)
    image.paste((20, 20, 120), (dot, 4, dot + 20, 40))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def mmc4(
    folder: Path, documents: dict[str, list[tuple[str, bytes | None]]], name: str = "docs.jsonl"
) -> Path:
    """An MMC4 source: url -> [(sentence, image of it or None), ...]."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (url, steps) in enumerate(documents.items()):
        infos = []
        for index, (_, data) in enumerate(steps):
            if data is None:
                continue
            image = f"{Path(name).stem}-{number}-{index}.png"
            (folder / "images" / image).write_bytes(data)
            infos.append({"image_name": image, "raw_url": f"{url}/{image}", "matched_text_index": index})
        lines.append(json.dumps({"url": url, "text_list": [text for text, _ in steps], "image_info": infos}))
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def recipe(folder: Path, **sections: object) -> Path:
    """recipe.yaml in a folder, named `t`, working there."""
    path = folder / "recipe.yaml"
    path.write_text(
        yaml.safe_dump({"name": "t", "workdir": ".", **sections}, sort_keys=False), encoding="utf-8"
    )
    return path


def unjudged(
    folder: Path,
    pages: dict[str, list[tuple[str, bytes | None]]],
    clip: str | None = None,
    **sections: object,
) -> Path:
    """recipe.yaml of an MMC4 source `own` of these pages under CC0-1.0, which no rule judges: those of 10
    words and 2 images stay. clip: a model."""
    mmc4(folder / "data", pages)
    source = {"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}
    passing = {"min_words": 10, "min_images": 2, "alignment": {"allow_toy": True, "model": clip}, "rules": []}
    return recipe(folder, ingest={"sources": [source]}, filter=passing, **sections)


class InlineEngine:
    """An engine that runs every part in this process, in order, and keeps all reports: what was read,
    embedded and asked can be counted."""

    workers = 1
    remote = False

    def __init__(self) -> None:
        self.reports: dict[str, list[TaskResult]] = {}
        self._local = LocalEngine(workers=1)

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        found = (
            list(self._local.map(task, parts, needs))
            if needs.kind == "io"
            else [cast("R", task(part)) for part in parts]
        )
        self.reports.setdefault(needs.what, []).extend(found)
        return iter(found)

    def total(self, what: str, count: str) -> int:
        return sum(report.counts.get(count, 0) for report in self.reports.get(what, []))


def build(path: Path, *changes: str, engine: InlineEngine | None = None, **options: Any) -> list[Outcome]:
    """Run a recipe in this process."""
    limit = options.pop("limit", None)
    return list(
        pipeline.build(
            recipes.load(path, changes, limit), engine or InlineEngine(), lambda *_: None, **options
        )
    )


def messages(*turns: tuple[str, list[str | bytes]]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """`messages` of a published row, and its images in order. turns: role and parts, of which bytes are
    images."""
    message = [
        {
            "role": role,
            "content": [
                {"type": "text", "text": p} if isinstance(p, str) else {"type": "image", "text": None}
                for p in parts
            ],
        }
        for role, parts in turns
    ]
    return message, [part for _, parts in turns for part in parts if isinstance(part, bytes)]


def published(row: dict[str, Any]) -> PublishedRow:
    """A published row as it is read from a shard with the columns of a dictionary."""
    schema = pa.schema([field for field in public.schema() if field.name in row])
    (found,) = rows_in(pa.RecordBatch.from_pylist([row], schema=schema))
    return found


def rows(folder: Path) -> list[dict[str, Any]]:
    """All published rows of a shard, or of the shards in a folder."""
    paths = sorted(folder.glob("*.parquet")) if folder.is_dir() else [folder]
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def shard_sums(folder: Path) -> dict[str, str]:
    """sha256 of every published file."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.parquet"))
    }


def put_beside(shards: Path, name: str, data: bytes) -> None:
    """Write a file beside finished shards as if the build had written it: its sha256 is in the record."""
    record = load(shards / "record.json")
    assert record is not None
    (shards / name).parent.mkdir(exist_ok=True)
    (shards / name).write_bytes(data)
    save(
        shards / "record.json",
        {**record, "beside": {**record["beside"], name: hashlib.sha256(data).hexdigest()}},
    )
