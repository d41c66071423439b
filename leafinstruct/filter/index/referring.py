"""Sketch the documents of `filter.reference` for the check of contamination.

The pipeline reads the sources of the reference as ingest does, into `reference/ingest` beside the stages.
Their documents are no input of filter, so they are never published. Here each part becomes a file
`reference-<part>` with a row of table.KEYS for each document; images are read and hashed, but not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from leafinstruct.filter import materialize
from leafinstruct.filter.catalog import versions
from leafinstruct.filter.index import image as image_index
from leafinstruct.filter.scores import duplicate
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.records import table
from leafinstruct.records.frames import KeptFrames
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.files import writing


def artifact_of(out: Artifact) -> Artifact:
    """The artifact of the reference. out: that of filter."""
    return Artifact(out.path.parent / "reference" / "ingest")


def identity(settings: FilterSettings, out: Artifact) -> str | None:
    """Digest of the texts and image files of the reference; None without a reference. Reads its documents and
    hashes each image file."""
    if not settings.references:
        return None
    reference = artifact_of(out)
    return digest([_key(settings, reference, part) for part in reference.parts()])


def sketches(settings: FilterSettings, out: Artifact, engine: Engine) -> dict[str, Path]:
    """Sketch the parts of the reference that are missing or changed. Returns part -> file, empty without a
    reference."""
    names = artifact_of(out).parts() if settings.references else []
    files = {name: out.file("reference", name) for name in names}
    for path in out.files("reference"):
        if path not in files.values():
            path.unlink()
    parts = [Part(name, _key(settings, artifact_of(out), name)) for name in names]
    missing = [part for part in parts if table.key_of(files[part.name]) != part.payload]
    for _ in engine.map(partial(sketch, settings, out), missing, Needs(what="reading the reference")):
        pass
    return files


def sketch(settings: FilterSettings, out: Artifact, part: Part) -> TaskResult:
    """Task: write the sketches of a part of the reference. part.payload: their key."""
    reference = artifact_of(out)
    documents = list(table.documents(reference.checked("documents", part.name)))
    roots = materialize.roots_of(reference)
    wanted = [(image.ref, roots[page.source]) for page in documents for image in page.images]
    frames = KeptFrames(reference.file("frames", part.name))
    sources = materialize.source_files(reference)
    fetched = materialize.Fetched(out.file("fetches", "none"), settings.fetched, frames, sources)
    rows = dict(materialize.hashed(wanted, settings.config.images.max_pixels, fetched))
    with writing(out.file("reference", part.name)) as temporary:
        keys = (
            duplicate.key_row(
                materialize.with_facts(page, rows),
                {image.position: rows[str(image.ref)].hash for image in page.images},
            )
            for page in documents
        )
        table.write(temporary, keys, table.KEYS, part.payload)
    return TaskResult(counts={"documents": len(documents)})


def _key(settings: FilterSettings, reference: Artifact, part: str) -> str:
    roots, sources = materialize.roots_of(reference), materialize.source_files(reference)
    stamps: Sequence[str] = [
        materialize.stamp(image.ref, roots[page.source], sources)
        for page in table.documents(reference.file("documents", part))
        for image in page.images
    ]
    scores = versions(lambda score: score.family in ("duplicate", "contamination"))
    pixels = settings.config.images.max_pixels
    return digest([reference.file_digest("documents", part), stamps, pixels, image_index.CODE, scores])
