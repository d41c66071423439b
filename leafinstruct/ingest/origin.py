"""From a recipe's sources to files that readers can read.

Readers only read files. Other sources become files under the run first: the embedded corpus is drawn as
genuine files of several formats, and the rows of a streamed dataset are kept as Parquet, because an image of
a stream could not be found again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol, Self

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
from leafinstruct.ingest.readers.base import reader
from leafinstruct.records.document import document_id
from leafinstruct.records.removals import NOTHING, Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.files import file_sha256, load, save
from leafinstruct.runtime.store.path import relative_root
from leafinstruct.sketchbook.documents.page import Page
from leafinstruct.sketchbook.formats import write as sketchbook

SKETCHBOOK = 5
"""Increase when the embedded corpus is drawn differently for the same settings."""


class _Recipe(Protocol):
    ingest: IngestConfig
    part_size: int


class _Loaded(Protocol):
    """What ingest reads of a loaded recipe."""

    limit: int | None

    @property
    def recipe(self) -> _Recipe: ...
    @property
    def removed(self) -> Suppressed: ...


@dataclass(frozen=True)
class IngestSettings:
    """What the stage needs at run time.

    config: the recipe's section. part_size: documents per part. limit: maximum number of documents, spread
    over the sources; None for all. removed: what was removed permanently and must not be read again.
    """

    config: IngestConfig
    part_size: int
    limit: int | None = None
    removed: Suppressed = NOTHING

    @classmethod
    def of(cls, loaded: _Loaded) -> Self:
        """The settings of a recipe."""
        return cls(loaded.recipe.ingest, loaded.recipe.part_size, loaded.limit, loaded.removed.purged)


def hub_stream() -> ModuleType:
    """Return the module that stores datasets of the Hub, imported on first use."""
    return import_module("leafinstruct.ingest.tables.hub_stream")


def prepare(settings: IngestSettings, out: Artifact, engine: Engine) -> None:
    """Write the files of drawn and streamed sources."""
    write_sketchbook(settings, out, engine)
    for source in settings.config.sources:
        if isinstance(source, HubSource) and source.repo:
            most = min(source.rows or settings.limit, settings.limit) if settings.limit else source.rows
            hub_stream().spool(
                source.model_copy(update={"rows": most}), hub_root(source, out), engine, settings.removed
            )


def write_sketchbook(settings: IngestSettings, out: Artifact, engine: Engine) -> None:
    """Write the embedded corpus under the run, chunk by chunk. Complete files are kept; other settings or
    another list of removals start over."""
    for source in settings.config.sources:
        if not isinstance(source, SketchbookSource):
            continue
        drawing = _drawing(source)
        root = sketchbook_root(source, out)
        complete, removed = root / made.COMPLETE, RemovedPages(source.name, settings.removed)
        wanted = {
            "settings": digest(asdict(drawing)),
            "code": SKETCHBOOK,
            **made.removal_entry(settings.removed),
        }
        if (load(complete) or {}).get("key") == digest(wanted):
            if damaged := made.wrong_sizes(root):
                _draw_again(drawing, root, damaged, engine, removed)
            continue
        shutil.rmtree(root, ignore_errors=True)
        _draw_all(drawing, root, engine, removed)
        made.write_sums(root)
        save(complete, {"key": digest(wanted), **wanted})


def mend(settings: IngestSettings, out: Artifact, engine: Engine) -> list[str]:
    """Compare every byte of what was drawn or streamed, and create damaged files again. Returns the names of
    those files."""
    found = []
    for source in settings.config.sources:
        root = made_root(source, out)
        damaged = (
            [name for name, _ in made.damaged(root, engine)]
            if root is not None and (root / made.COMPLETE).exists()
            else []
        )
        if damaged and root is not None and isinstance(source, SketchbookSource):
            _draw_again(_drawing(source), root, damaged, engine, RemovedPages(source.name, settings.removed))
        elif damaged and root is not None:
            (root / made.COMPLETE).unlink()
            hub_stream().discard(
                root, [path.name for path in root.glob("rows-*")] if made.SUMS in damaged else damaged
            )
        found += [f"{source.name}/{name}" for name in damaged]
    if found:
        prepare(settings, out, engine)
    return found


def emptied(settings: IngestSettings, changes: Sequence[str]) -> tuple[str, ...]:
    """Return the prefixes of ingest's changed files that a change of the removal list explains: the records
    of created files were emptied or restored."""
    removal = any(line.startswith("ingest.removed") for line in changes)
    made_here = (
        source.name
        for source in settings.config.sources
        if isinstance(source, SketchbookSource) or getattr(source, "repo", None) is not None
    )
    return tuple(f"{name}/" for name in made_here) if removal else ()


def made_root(source: Source, out: Artifact) -> Path | None:
    """Return the folder of the files that a build created for a source; None for files of the user."""
    if isinstance(source, SketchbookSource):
        return sketchbook_root(source, out)
    return hub_root(source, out) if isinstance(source, HubSource) and source.repo else None


@dataclass(frozen=True, slots=True)
class RemovedPages:
    """Decide which documents of the embedded corpus a list removes. Documents that show a removed image are
    removed too, since their text describes the image."""

    source: str
    removed: Suppressed

    def __call__(self, page: Page, file: str, locator: str) -> tuple[str, str] | None:
        """Return kind and value of the matching entry; None for a document that stays."""
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


def _draw_all(drawing: sketchbook.Settings, root: Path, engine: Engine, removed: RemovedPages) -> None:
    chunks = [Part(f"{index:05d}", chunk) for index, chunk in enumerate(sketchbook.chunks(drawing))]
    for _ in engine.map(partial(_draw, drawing, root, removed), chunks, Needs(what="drawing the Sketchbook")):
        pass
    sketchbook.collect_labels(drawing, root)


def _draw_again(
    drawing: sketchbook.Settings, root: Path, names: Sequence[str], engine: Engine, removed: RemovedPages
) -> None:
    """Draw the corpus into a second folder and take the damaged files from there: drawing gives the same
    bytes."""
    beside = root.with_name(f".{root.name}.again")
    shutil.rmtree(beside, ignore_errors=True)
    _draw_all(drawing, beside, engine, removed)
    if made.SUMS in names:  # then it is unknown which of the others are intact
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
    """Return the folder where the rows of a streamed dataset are kept as Parquet."""
    return out.path.parent / "hub" / source.name


def _draw(drawing: sketchbook.Settings, root: Path, removed: RemovedPages, part: Part) -> TaskResult:
    sketchbook.write_chunk(drawing, part.payload, root, removed)
    return TaskResult()


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
    """Yield the sources as file sources: the embedded corpus is several of them, with one name and root; a
    streamed dataset is the files of its rows."""
    for source in settings.config.sources:
        if isinstance(source, HubSource) and source.repo:
            yield source.model_copy(
                update={"repo": None, "revision": None, "rows": None, "path": str(hub_root(source, out))}
            )
            continue
        if isinstance(source, FileSource):
            yield source
            continue
        assert isinstance(source, SketchbookSource)
        root = sketchbook_root(source, out)
        if (root / "mmc4").is_dir():
            # HTML and WARC pages state their license themselves
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
    """Return source name -> the folder that its file names are relative to. The folder is relative to the
    artifact, so that a project can move, or a URL."""
    here = out.path.resolve()
    return {
        source.name: relative_root(reader(source.kind).root_of(source), here)
        for source in file_sources(settings, out)
    }
