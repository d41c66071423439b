"""The passes of filter over one part that look at it; asking.py and deciding.py have those that follow.
They are idempotent tasks of an engine; stage.py orders them.

Every pass repeats a document's decision from its cached scores. This takes microseconds, and "remaining" has
one definition: a pass works on exactly the documents that a later pass will find remaining.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leafinstruct.filter import materialize
from leafinstruct.filter.catalog import versions
from leafinstruct.filter.config import AlignmentConfig, Backend
from leafinstruct.filter.decision import Decision
from leafinstruct.filter.embedders import embedder
from leafinstruct.filter.embedders.weights import Weights
from leafinstruct.filter.embedding import embed, embeddings_of
from leafinstruct.filter.extending import extend, extensions_of
from leafinstruct.filter.index import image as image_index
from leafinstruct.filter.judging import verdict
from leafinstruct.filter.predictors import predicting
from leafinstruct.filter.predictors.predicting import predict, predictions_of
from leafinstruct.filter.scores import (
    alignment,
    coherence,
    duplicate,
    markup,
    references,
    sequence,
    text,
    toxicity,
)
from leafinstruct.filter.scores.cell import is_ignored
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.filter.texts import scan
from leafinstruct.filter.texts.editing import edited
from leafinstruct.records import table
from leafinstruct.records.document import Document, Ref
from leafinstruct.records.edits import Edit
from leafinstruct.records.example import Cell
from leafinstruct.records.frames import KeptFrames
from leafinstruct.records.rows import Drop, DuplicateRow, EmbeddingRow, ImageRow
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Part, TaskResult, joined
from leafinstruct.runtime.engine.device import assigned
from leafinstruct.runtime.files import writing

CODE = 18
"""Increased when the same documents, scores and settings give other drops or tables than before. Scores have
versions of their own (catalog.py)."""

LIBRARIES: Mapping[Backend, tuple[str, ...]] = {
    "clip": ("clip-anytorch",),
    "open_clip": ("open_clip_torch", "timm"),
    "transformers": ("transformers",),
}
"""Libraries of a backend whose versions can change a vector."""

INTERMEDIATE = (
    "findings",
    "paragraphs",
    "repeats",
    "fetches",
    "images",
    "extensions",
    "predictions",
    "embeddings",
    "keys",
    "duplicates",
    "judged",
    "asked",
)
"""Kinds of intermediate files. A part's report names those that existed when it was decided."""


def libraries(settings: FilterSettings) -> dict[str, str]:
    """Versions of the libraries that can change a score or a byte; those of a model only if it is used."""
    always = ("ftfy", "pillow", "pyarrow", "regex", "scipy", "zxing-cpp")
    return _of_models(settings.models) | {name: version(name) for name in always}


def _of_models(models: Iterable[Weights]) -> dict[str, str]:
    """Versions of the libraries of models, and of the one that decodes their images."""
    return {name: version(name) for one in models for name in (*LIBRARIES[one.backend], "torch", "pillow")}


@dataclass(frozen=True)
class CachedScores:
    """Cached results of a part's documents; None if the pass has not run. findings: None where the documents
    are searched again, so that nothing is known of other pages."""

    findings: Mapping[str, Sequence[Edit]] | None = None
    images: Mapping[str, ImageRow] | None = None
    extensions: Mapping[str, list[Cell]] | None = None
    predictions: Mapping[str, list[Cell]] | None = None
    embeddings: Mapping[str, dict[int, EmbeddingRow]] | None = None
    duplicates: Mapping[str, DuplicateRow] | None = None
    judged: Mapping[str, list[Cell]] | None = None


def decision_of(document: Document, settings: FilterSettings, cached: CachedScores) -> Decision:
    """Repeat a document's decision as far as its scores are cached. document: as ingest wrote it."""
    found = scan.findings(document) if cached.findings is None else cached.findings.get(document.id, ())
    document, edits = edited(document, scan.edits_for(found, settings.config))
    decision = Decision(document, settings.config, settings.rules, edits=edits)
    decision.apply_licenses()
    of_text = [*text.scores(document), *toxicity.scores(document), *scan.cells(found)]
    decision.apply([*text.languages(document), *of_text])
    decision.apply(markup.scores(decision.document))
    if decision.kept and cached.images is not None:
        rows = {image.position: cached.images[str(image.ref)] for image in document.images}
        if any(row.reason.startswith(materialize.REMOVED) for row in rows.values()):
            detail = "it shows an image that was taken out for good"
            decision.drops.append(Drop(materialize.REMOVED, None, None, "ok", detail=detail))
        decision.document = materialize.with_facts(decision.document, cached.images)
        decision.apply(
            [
                item
                for image in decision.document.images
                for item in materialize.cells(image, rows[image.position])
            ]
        )
        if decision.kept:  # of the images that are left
            thumbnails = {position: row.thumbnail for position, row in rows.items()}
            decision.apply(sequence.scores(decision.document, thumbnails))
    if decision.kept and cached.extensions is not None:
        _apply_by_level(decision, cached.extensions[document.id])
    if decision.kept and cached.predictions is not None:
        cells = cached.predictions.get(document.id, [])
        decision.cells += [item for item in cells if is_ignored(item)]  # no rule is applied to them
        _apply_by_level(decision, [item for item in cells if not is_ignored(item)])
    if decision.kept and settings.weights is not None and cached.embeddings is not None:
        _align(decision, settings.weights, cached.embeddings.get(document.id, {}), settings.config.alignment)
    if decision.kept and cached.duplicates is not None:
        within = [
            *duplicate.within(decision.document),
            *duplicate.near_within(decision.document, hashes(decision.document, cached.images)),
        ]
        decision.apply([*within, *duplicate.cells_of(cached.duplicates[document.id])])
        if decision.kept:
            # after all passes that drop images but the judge, which costs more
            decision.apply(references.scores(decision.document))
    if decision.kept and cached.judged is not None:
        _apply_verdict(decision, cached.judged[document.id])
    return decision


def _apply_by_level(decision: Decision, cells: Sequence[Cell]) -> None:
    """Apply scores of the images that are left, then those of the document."""
    shown = {image.position for image in decision.document.images}
    decision.apply([item for item in cells if item.position in shown])
    decision.apply([item for item in cells if item.position is None])


def _apply_verdict(decision: Decision, cells: Sequence[Cell]) -> None:
    """Apply the judge's scores of images, then those of the document with the means of the images left.
    Without a verdict the document is dropped first, and not for having no images. References to images are
    counted again if images were dropped."""
    of_images = [cell for cell in cells if cell.position is not None]
    whole = [cell for cell in cells if cell.position is None]
    if whole and whole[0].name.startswith("rules."):
        decision.apply(whole)
        return
    if not any(cell.value is not None for cell in whole):
        decision.apply(verdict.with_means(decision.document, cells))
        decision.apply(of_images)
        return
    before = len(decision.document.images)
    decision.apply(of_images)
    decision.apply(verdict.with_means(decision.document, cells))
    if decision.kept and len(decision.document.images) < before:
        decision.cells = [cell for cell in decision.cells if not cell.name.startswith("reference.")]
        decision.apply(references.scores(decision.document))


def _align(
    decision: Decision, weights: Weights, matrix: Mapping[int, EmbeddingRow], section: AlignmentConfig
) -> None:
    """Apply alignment and coherence. matrix: position -> row of the document's images.

    Without the language of a document the cosines with its texts mean nothing: its alignment is `not_scored`,
    no rule is applied to it, and its owners stay as ingest inferred them. Coherence compares only images.
    """
    known, reassign, share_above = (
        weights.knows(decision.document.language),
        section.reassign,
        section.share_above,
    )
    # a model that was not trained on such images does not decide owners
    if known and not weights.toy:
        decision.document = alignment.with_owners(decision.document, matrix)
        if reassign is not None and decision.document.source in (
            reassign.sources or (decision.document.source,)
        ):
            decision.document = alignment.reassigned(decision.document, matrix, reassign.stated)
    if known or any(row.fault for row in matrix.values()):
        own = alignment.image_cells(decision.document, matrix, weights.label)
        decision.apply(own)  # images first, since the document's aggregates count only kept images
    else:
        own = alignment.unknown_language(decision.document, share_above is not None, weights.label)
        decision.cells += own
    if not decision.kept:
        return
    # (n, d)
    vectors = np.asarray(
        [matrix[image.position].vector for image in decision.document.images] or np.zeros((0, 1)), np.float32
    )
    aggregates = alignment.document_cells(decision.document, matrix, own, share_above, weights.label)
    decision.apply([*(aggregates if known else ()), *coherence.scores(vectors, weights.label)])


def look(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task: text scores, images of remaining documents, scores of installed packages and of models, and
    embeddings, if the recipe needs them. Writes images-, extensions-, predictions-, embeddings-, keys-.

    part.payload: key of keys-. Embeddings of a recipe that no longer needs them are kept: they are expensive,
    and are used again if it does.
    """
    gathered = gather(settings, inputs, out, part)
    return joined(gathered, run_models(settings, inputs, out, part))


def gather(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task, the first half of `look`, which needs no model: writes images- and extensions-."""
    # first, so that an interruption never leaves old keys beside new results
    out.file("keys", part.name).unlink(missing_ok=True)
    counts: Counter[str] = Counter()
    documents = list(table.documents(inputs.checked("documents", part.name)))
    cached = CachedScores(scan.found_in(out, part))
    remaining = [document for document in documents if decision_of(document, settings, cached).kept]
    images = _materialize(settings, inputs, out, part, remaining, counts)
    if settings.extensions:
        kept = _decided(remaining, settings, replace(cached, images=images))
        pairs = [(materialize.with_facts(document, images), left.images) for document, left in kept]
        extend(settings.extensions, settings.config.images.max_pixels, inputs, out, part, pairs, counts)
    repaired = materialize.repaired(counts)
    return TaskResult(repaired=repaired, counts={"documents": len(documents), **counts})


def run_models(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task, the second half of `look`, in the process of a device if a model has one: writes predictions-,
    embeddings- and keys-. It reads what `gather` wrote."""
    counts: Counter[str] = Counter()
    images = materialize.rows_without_bytes(out.file("images", part.name))
    extensions = _extensions_of(settings, out, part) if settings.extensions else None
    cached = CachedScores(scan.found_in(out, part), images, extensions)
    documents = list(table.documents(inputs.checked("documents", part.name)))
    # documents that the text rules dropped have no images
    kept = _decided(documents, settings, cached)
    max_pixels = settings.config.images.max_pixels
    if settings.predictors:
        pairs = [(document, left.images) for document, left in kept]
        key = predictions_key(settings, inputs, part)
        predict(settings.predictors, max_pixels, key, out, part, pairs, counts, assigned())
        cached = replace(cached, predictions=predictions_of(out, part, settings.predictors))
        kept = _decided(_named(documents, kept), settings, cached)
    if settings.weights is not None:
        pairs = [(document, left.images) for document, left in kept]
        key = embeddings_key(settings, settings.weights, inputs, part)
        batch_size = settings.config.alignment.batch_size
        embed(settings.weights, batch_size, max_pixels, key, out, part, pairs, counts, assigned())
        cached = replace(cached, embeddings=embeddings_of(out, part))
        kept = _decided(_named(documents, kept), settings, cached)
    seen = digest([(ref, row.sha256, row.stamp) for ref, row in sorted(images.items())])
    unscored = counts["embeddings_failed"] + counts["predictions_failed"]
    failed = unscored + sum(row.state == "failed" for row in images.values())
    key = table.with_failures(f"{part.payload} {seen}", failed)
    with writing(out.file("keys", part.name)) as temporary:
        rows = (duplicate.key_row(left, hashes(left, images)) for _, left in kept)
        table.write(temporary, rows, table.KEYS, key)
    return TaskResult(counts=counts)


def _decided(
    documents: Iterable[Document], settings: FilterSettings, cached: CachedScores
) -> list[tuple[Document, Document]]:
    """The documents that remain so far, with edited texts and as the rules left them.

    documents: as ingest wrote them.
    """
    decisions = (decision_of(document, settings, cached) for document in documents)
    return [(decision.read, decision.document) for decision in decisions if decision.kept]


def _named(documents: Iterable[Document], kept: Sequence[tuple[Document, Document]]) -> Iterator[Document]:
    """Those of the documents, as ingest wrote them, that are kept."""
    names = {document.id for document, _ in kept}
    return (document for document in documents if document.id in names)


def hashes(document: Document, rows: Mapping[str, ImageRow] | None) -> dict[int, str | None]:
    """The hashes of a document's images by position. rows: reference -> row of its image."""
    return {image.position: rows[str(image.ref)].hash for image in document.images} if rows else {}


def cached_scores(settings: FilterSettings, out: Artifact, part: Part, judged: bool) -> CachedScores:
    """Read the cached scores of a part that the recipe needs. Image bytes are not read."""
    cells: dict[str, list[Cell]] = {}
    if judged:
        for document, item in table.verdicts(out.file("judged", part.name)):
            cells.setdefault(document, []).append(item)
    return CachedScores(
        findings=scan.found_in(out, part),
        images=materialize.rows_without_bytes(out.file("images", part.name)),
        extensions=_extensions_of(settings, out, part) if settings.extensions else None,
        predictions=predictions_of(out, part, settings.predictors) if settings.predictors else None,
        embeddings=None if settings.weights is None else embeddings_of(out, part),
        duplicates={
            row.document_id: row for row in table.records(out.file("duplicates", part.name), DuplicateRow)
        },
        judged=cells if judged else None,
    )


def _extensions_of(settings: FilterSettings, out: Artifact, part: Part) -> dict[str, list[Cell]]:
    return extensions_of(out.file("extensions", part.name), settings.extensions)


def images_key(settings: FilterSettings, inputs: Artifact, part: Part) -> str:
    """What determines the rows of images-: a digest for what was read, and one for what was measured."""
    read = [
        CODE,
        inputs.file_digest("documents", part.name),
        settings.config.images.max_pixels,
        version("pillow"),
    ]
    measured = [
        image_index.CODE,
        versions(lambda score: score.family in ("image", "sequence")),
        version("scipy"),
        version("zxing-cpp"),
    ]
    return f"{digest(read)} {digest(measured)}"


def embeddings_key(settings: FilterSettings, weights: Weights, inputs: Artifact, part: Part) -> str:
    """Digest of what determines the rows of embeddings-: no score, since alignment and coherence are
    computed from them."""
    return digest(
        [
            embedder.CODE,
            inputs.file_digest("documents", part.name),
            weights.identity,
            weights.languages,
            settings.config.alignment.batch_size,
            _of_models([weights]),
        ]
    )


def predictions_key(settings: FilterSettings, inputs: Artifact, part: Part) -> str:
    """What determines the rows of predictions-."""
    pixels = settings.config.images.max_pixels
    versions_of = _of_models(predictor.weights for predictor in settings.predictors)
    return predicting.key_of(settings.predictors, pixels, versions_of, inputs, part)


def _materialize(
    settings: FilterSettings,
    inputs: Artifact,
    out: Artifact,
    part: Part,
    remaining: Sequence[Document],
    counts: Counter[str],
) -> dict[str, ImageRow]:
    """Write images- and return its rows without the bytes."""
    roots = materialize.roots_of(inputs)
    wanted: list[tuple[Ref, Path]] = [
        (image.ref, roots[document.source]) for document in remaining for image in document.images
    ]
    frames = KeptFrames(inputs.file("frames", part.name))
    counts["frames_damaged"] += frames.damaged
    sources = materialize.source_files(inputs)
    fetched = materialize.Fetched(out.file("fetches", part.name), settings.fetched, frames, sources)
    path = out.file("images", part.name)
    key = images_key(settings, inputs, part)
    existing = path if materialize.is_read(path, key) else path.with_name("none")
    measured = table.key_of(path) == key
    counts["images_damaged"] += materialize.is_damaged(path)
    with writing(path) as temporary:
        rows = materialize.materialize(
            wanted, existing, settings.config.images.max_pixels, counts, fetched, settings.removed, measured
        )
        table.write(temporary, rows, table.IMAGES, key)
    found = materialize.rows_without_bytes(path)
    root, files = roots[part.name.rpartition("-")[0]], {row.file for row in found.values() if row.file}
    materialize.remember(out, part.name, root, files)
    return found
