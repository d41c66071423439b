"""Where the documents come from: from a recipe's sources to files that readers read, and the reader of each
kind.

Readers read files and nothing else. What has no files gets some first, under the run: the embedded corpus is
drawn as genuine files of several formats, and the rows of a streamed dataset are kept as Parquet, since a
stream has no place that an image could be found at again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from leafinstruct.errors import RecipeError
from leafinstruct.ingest import made
from leafinstruct.ingest.config import (
    FileSource,
    HtmlSource,
    HubSource,
    IngestConfig,
    Mmc4Source,
    ObelicsSource,
    SketchbookSource,
    Source,
    WarcSource,
    YouCook2Source,
)
from leafinstruct.records.document import document_id
from leafinstruct.records.removals import NOTHING, Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact, digest, file_sha256, load, save
from leafinstruct.runtime.engine.base import Engine, Needs, Part
from leafinstruct.sketchbook.documents.page import Page
from leafinstruct.sketchbook.formats import write as sketchbook

SKETCHBOOK = 2
"""Raised when the embedded corpus is drawn otherwise for the same settings."""


@dataclass(frozen=True)
class IngestSettings:
    """config: the recipe's section; part_size: documents; limit: documents at most, spread over the sources,
    None for all; removed: what was taken out for good and is not read again."""

    config: IngestConfig
    part_size: int
    limit: int | None = None
    removed: Suppressed = NOTHING


def reader(kind: str) -> ModuleType:
    """The module that reads a kind of source, imported when it is first needed: pages load no video decoder.

    Each has LIBRARIES (whose versions can change what is read), root_of, plan and read.
    """
    return import_module(f"leafinstruct.ingest.readers.{kind}")


def prepare(settings: IngestSettings, out: Artifact, engine: Engine) -> None:
    """Make files of what is drawn or streamed: the ordinary readers read files only."""
    write_sketchbook(settings, out, engine)
    for source in settings.config.sources:
        if isinstance(source, HubSource) and source.repo is not None:
            most = min(source.rows or settings.limit, settings.limit) if settings.limit else source.rows
            reader("hub").spool(
                source.model_copy(update={"rows": most}), hub_root(source, out), engine, settings.removed
            )


def write_sketchbook(settings: IngestSettings, out: Artifact, engine: Engine) -> None:
    """Write the embedded corpus under the run, chunk by chunk; what stands is kept, another setting or list
    of removals starts over."""
    for source in settings.config.sources:
        if not isinstance(source, SketchbookSource):
            continue
        drawing = _drawing(source)
        root = sketchbook_root(source, out)
        mark, removed = root / made.MARK, Refused(source.name, settings.removed)
        wanted = {"settings": digest(asdict(drawing)), "code": SKETCHBOOK, **made.under(settings.removed)}
        if (load(mark) or {}).get("key") == digest(wanted):
            if odd := made.odd_sizes(root):
                _draw_again(drawing, root, odd, engine, removed)
            continue
        shutil.rmtree(root, ignore_errors=True)
        _draw_all(drawing, root, engine, removed)
        made.write_sums(root)
        save(mark, {"key": digest(wanted), **wanted})


def mend(settings: IngestSettings, out: Artifact, engine: Engine) -> list[str]:
    """Compare every byte of what was drawn or streamed, and make again what is damaged. Returns the names of
    those files."""
    found = []
    for source in settings.config.sources:
        root = made_root(source, out)
        odd = (
            [name for name, _ in made.damaged(root, engine)]
            if root is not None and (root / made.MARK).exists()
            else []
        )
        if odd and root is not None and isinstance(source, SketchbookSource):
            _draw_again(_drawing(source), root, odd, engine, Refused(source.name, settings.removed))
        elif odd and root is not None:
            (root / made.MARK).unlink()
            reader("hub").forget(
                root, [path.name for path in root.glob("rows-*")] if made.SUMS in odd else odd
            )
        found += [f"{source.name}/{name}" for name in odd]
    if found:
        prepare(settings, out, engine)
    return found


def emptied(config: IngestConfig, changes: Sequence[str]) -> tuple[str, ...]:
    """How the changes of ingest begin that are of files that a build made, where the list of removals
    changed: their records are emptied, or back."""
    removal = any(line.startswith("ingest.removed") for line in changes)
    made_here = (
        source.name
        for source in config.sources
        if isinstance(source, SketchbookSource) or getattr(source, "repo", None) is not None
    )
    return tuple(f"{name}/" for name in made_here) if removal else ()


def made_root(source: Source, out: Artifact) -> Path | None:
    """Where the files of a source lie that a build made; None for files of the user."""
    if isinstance(source, SketchbookSource):
        return sketchbook_root(source, out)
    return hub_root(source, out) if isinstance(source, HubSource) and source.repo is not None else None


@dataclass(frozen=True, slots=True)
class Refused:
    """Which documents of the embedded corpus a list takes out: those that show removed bytes too, since their
    text speaks of the image."""

    source: str
    removed: Suppressed

    def __call__(self, page: Page, file: str, locator: str) -> tuple[str, str] | None:
        """Kind and value of the entry; None for a document that stays."""
        if not self.removed.entries:
            return None
        identity, images = document_id(self.source, file, locator), page.images
        sha256 = (
            tuple(hashlib.sha256(image.data).hexdigest() for image in images) if self.removed.images else ()
        )
        entry = self.removed.match(
            Shown(identity, identity, page.url, sha256, tuple(map(page.image_url, images)))
        )
        return None if entry is None else (entry.kind, entry.value)


def _draw_all(drawing: sketchbook.Settings, root: Path, engine: Engine, removed: Refused) -> None:
    chunks = [Part(f"{index:05d}", chunk) for index, chunk in enumerate(sketchbook.chunks(drawing))]
    for _ in engine.map(partial(_draw, drawing, root, removed), chunks, Needs(what="drawing the Sketchbook")):
        pass
    sketchbook.collect_labels(drawing, root)


def _draw_again(
    drawing: sketchbook.Settings, root: Path, names: Sequence[str], engine: Engine, removed: Refused
) -> None:
    """Draw the corpus beside its place and take the damaged files from there: drawing gives the same
    bytes."""
    beside = root.with_name(f".{root.name}.again")
    shutil.rmtree(beside, ignore_errors=True)
    _draw_all(drawing, beside, engine, removed)
    if made.SUMS in names:  # then nothing says which of the others are whole
        names = [
            str(path.relative_to(beside))
            for path in beside.rglob("*")
            if path.is_file() and not _alike(path, root / path.relative_to(beside))
        ]
    for name in names:
        if (beside / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).replace(root / name)
    shutil.rmtree(beside)
    made.write_sums(root)


def _alike(one: Path, other: Path) -> bool:
    return other.is_file() and file_sha256(one) == file_sha256(other)


def sketchbook_root(source: SketchbookSource, out: Artifact) -> Path:
    return out.path.parent / "sketchbook" / source.name


def hub_root(source: HubSource, out: Artifact) -> Path:
    """Where the rows of a streamed dataset are kept as Parquet: a stream has no place that an image could be
    found at again."""
    return out.path.parent / "hub" / source.name


def _draw(drawing: sketchbook.Settings, root: Path, removed: Refused, part: Part) -> dict[str, Any]:
    sketchbook.write_chunk(drawing, part.payload, root, removed)
    return {"counts": {}}


def _drawing(source: SketchbookSource) -> sketchbook.Settings:
    try:
        return sketchbook.Settings(
            seed=source.seed,
            documents=source.documents,
            image_px=source.image_px,
            defects=tuple(sorted(source.defects.items())),
            videos=source.videos,
            topics=source.topics,
            formats=source.formats,
            layout=source.layout,
            scenery=source.scenery,
            style=source.style,
            held_out=source.held_out,
            lesson_steps=source.lesson_steps,
        )
    except ValueError as error:
        raise RecipeError(f"source {source.name}: {error}") from error


def file_sources(settings: IngestSettings, out: Artifact) -> Iterator[FileSource]:
    """The sources as files: the embedded corpus is several of them, under one name and root; a streamed one
    is the files of its rows."""
    for source in settings.config.sources:
        if isinstance(source, HubSource) and source.repo is not None:
            yield source.model_copy(
                update={"repo": None, "revision": None, "rows": None, "path": str(hub_root(source, out))}
            )
            continue
        if not isinstance(source, SketchbookSource):
            yield source
            continue
        root = sketchbook_root(source, out)
        if (root / "mmc4").is_dir():
            # its pages say so themselves
            yield Mmc4Source(name=source.name, path=str(root / "*" / "docs_*.jsonl"), license="CC0-1.0")
        if (root / "html").is_dir():
            yield HtmlSource(name=source.name, path=str(root))
        if (root / "warc").is_dir():
            yield WarcSource(name=source.name, path=str(root))
        if (root / "obelics").is_dir():
            yield ObelicsSource(name=source.name, path=str(root / "*" / "part-*.parquet"), license="CC0-1.0")
        if (root / "video").is_dir():
            yield YouCook2Source(
                name=source.name,
                path=str(root / "annotations.json"),
                videos=str(root / "video"),
                license="CC0-1.0",
            )


def roots(settings: IngestSettings, out: Artifact) -> dict[str, str]:
    """Source name -> the folder that its documents' files are relative to, itself relative to the artifact,
    so that a project can move."""
    here = out.path.resolve()
    return {
        source.name: os.path.relpath(reader(source.kind).root_of(source).resolve(), here)
        for source in file_sources(settings, out)
    }
