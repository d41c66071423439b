"""The passes of filter over one part: look and decide; asking.py has the one between them. They are
idempotent tasks of an engine; stage.py orders them.

Every pass repeats a document's decision from its cached scores. This takes microseconds, and "remaining" has
one definition: a pass works on exactly the documents that a later pass will find remaining.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leafinstruct.filter import materialize
from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision, Drop
from leafinstruct.filter.scores import alignment, coherence, duplicate, judge, references, text
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records import asked, table
from leafinstruct.records.document import UNDECIDED, Document, Image, Ref
from leafinstruct.records.example import Cell
from leafinstruct.records.frames import KeptFrames
from leafinstruct.records.table import Row
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.files import writing

CODE = 11
"""Increased when the same documents and settings give other scores or drops than before."""

INTERMEDIATE = ("fetches", "images", "embeddings", "keys", "duplicates", "judged", "asked")
"""Kinds of intermediate files. A part's report names those that existed when it was decided."""


def libraries(settings: FilterSettings) -> dict[str, str]:
    """Versions of the libraries that can change a score or a byte; those of CLIP only if it is used."""
    clip = () if settings.weights is None else ("clip-anytorch", "torch")
    return {name: version(name) for name in (*clip, "pillow", "pyarrow", "regex")}


@dataclass(frozen=True)
class FilterSettings:
    """What filter needs at run time.

    config: the recipe's section. rules: the active ones. weights: of the CLIP, None if the recipe needs no
    score of it. answers: folder of the answer cache. fetched: folder of images fetched from the web. removed:
    sha256 of images that were deleted by request.
    """

    config: FilterConfig
    rules: tuple[Rule, ...]
    llm: LlmConfig
    prompt: Prompt
    weights: alignment.Weights | None
    answers: Path
    fetched: Path
    removed: frozenset[str] = frozenset()

    @property
    def judge_model(self) -> str:
        """Name of the model, or of the written rules, that answers the judge's questions."""
        return judge.OFFLINE if self.llm.provider == "offline" else self.llm.known_as

    @property
    def shaping(self) -> dict[str, Any]:
        """The section without the settings of how fast and politely images are fetched, which change no
        result."""
        section = self.config.model_dump(mode="json")
        if self.config.images.fetch is not None:
            section["images"]["fetch"] = self.config.images.fetch.shaping
        return section


@dataclass(frozen=True)
class CachedScores:
    """Cached results of a part's documents; None if the pass has not run."""

    images: Mapping[str, Row] | None = None
    embeddings: Mapping[str, dict[int, Row]] | None = None
    duplicates: Mapping[str, Row] | None = None
    judged: Mapping[str, list[Cell]] | None = None


def decision_of(document: Document, settings: FilterSettings, cached: CachedScores) -> Decision:
    """Repeat a document's decision as far as its scores are cached."""
    decision = Decision(document, settings.config, settings.rules)
    decision.apply([text.language(document), *text.scores(document)])
    if decision.kept and cached.images is not None:
        rows = {image.position: cached.images[str(image.ref)] for image in document.images}
        if any(row["reason"].startswith(materialize.REMOVED) for row in rows.values()):
            detail = "it shows an image that was taken out for good"
            decision.drops.append(Drop(materialize.REMOVED, None, None, "ok", detail=detail))
        decision.with_images({position: materialize.facts(row) for position, row in rows.items()})
        decision.apply(
            [
                item
                for image in decision.document.images
                for item in materialize.cells(image, rows[image.position])
            ]
        )
    if decision.kept and settings.weights is not None and cached.embeddings is not None:
        matrix = cached.embeddings.get(document.id, {})
        # a model that was not trained on such images does not decide owners
        if not settings.weights.toy:
            decision.document = alignment.with_owners(decision.document, matrix)
        own = alignment.image_cells(decision.document, matrix, settings.weights.label)
        decision.apply(own)  # images first, since the document's aggregates count only kept images
        if decision.kept:
            share_above = settings.config.alignment.share_above
            decision.apply(_aggregates(decision.document, matrix, own, share_above, settings.weights.label))
    if decision.kept and cached.duplicates is not None:
        decision.apply(
            [*duplicate.within(decision.document), *duplicate.cells_of(cached.duplicates[document.id])]
        )
        if decision.kept:
            # after the last pass that drops images
            decision.apply(references.scores(decision.document))
    if decision.kept and cached.judged is not None:
        decision.apply(cached.judged[document.id])
    return decision


def look(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: text scores, images of remaining documents, and embeddings if the recipe needs them. Writes
    images-, embeddings-, keys-.

    part.payload: key of keys-. Embeddings of a recipe that no longer needs them are kept: they are expensive,
    and are used again if it does.
    """
    started = time.perf_counter()
    # first, so that an interruption never leaves old keys beside new results
    out.file("keys", part.name).unlink(missing_ok=True)
    counts: Counter[str] = Counter()
    documents = list(table.documents(inputs.checked("documents", part.name)))
    remaining = [document for document in documents if decision_of(document, settings, CachedScores()).kept]
    images = _materialize(settings, inputs, out, part, remaining, counts)
    decisions = [decision_of(document, settings, CachedScores(images=images)) for document in remaining]
    pairs = [
        (document, decision.document.images)
        for document, decision in zip(remaining, decisions, strict=True)
        if decision.kept
    ]
    cached = CachedScores(images=images)
    if settings.weights is not None:
        _embed(settings, settings.weights, inputs, out, part, pairs, counts)
        cached = CachedScores(images=images, embeddings=embeddings_of(out, part))
        decisions = [decision_of(document, settings, cached) for document in remaining]
    seen = digest([(ref, row["sha256"], row["stamp"]) for ref, row in sorted(images.items())])
    # without a key, failed images are read again by the next run
    key = "" if counts["images_failed"] else f"{part.payload} {seen}"
    with writing(out.file("keys", part.name)) as temporary:
        table.write(
            temporary,
            (duplicate.key_row(decision.document) for decision in decisions if decision.kept),
            table.KEYS,
            key,
        )
    return {
        "repaired": materialize.repaired(counts),
        "counts": {"documents": len(documents), **counts},
        "seconds": time.perf_counter() - started,
    }


def decide(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: repeat all decisions with all cached scores. Writes documents-, dropped-, scores- and the part's
    report. part.payload: the part's key."""
    started = time.perf_counter()
    out.open(part.name)
    cached = cached_scores(settings, out, part, judged=settings.config.judge.enabled)
    decisions = [
        decision_of(document, settings, cached)
        for document in table.documents(inputs.checked("documents", part.name))
    ]
    kept = [decision for decision in decisions if decision.kept]
    dropped = [decision for decision in decisions if not decision.kept]
    files = []
    for kind, some in (("documents", kept), ("dropped", dropped)):
        files.append(out.file(kind, part.name))
        with writing(files[-1]) as temporary:
            rows = (table.document_row(decision.document, decision.drop_rows()) for decision in some)
            table.write(temporary, rows, table.DECISIONS)
    files.append(out.file("scores", part.name))
    with writing(files[-1]) as temporary:
        cells = (
            {"document_id": decision.document.id, **table.cell_row(item)}
            for decision in decisions
            for item in decision.cells
        )
        table.write(temporary, cells, table.SCORES)
    report = {**_counted(decisions, kept, dropped), **_answers(settings, out, part)}
    report["seconds"] = time.perf_counter() - started
    return out.commit(part.name, part.payload, report, files)


def _counted(
    decisions: Sequence[Decision], kept: Sequence[Decision], dropped: Sequence[Decision]
) -> dict[str, object]:
    """The counts of a part's report."""
    return {
        "counts": {
            "documents": len(decisions),
            "kept": len(kept),
            "images": sum(len(decision.document.images) for decision in kept),
            "images_dropped": sum(len(decision.image_drops) for decision in kept),
            "failed": sum(_failed(decision) for decision in decisions),
        },
        "reasons": Counter(decision.drops[0].reason for decision in dropped),
        "languages": {
            "kept": _languages(kept),
            "dropped": _languages(decision for decision in dropped if decision.drops[0].rule == "languages"),
        },
        "image_reasons": Counter(drop.rule for decision in decisions for drop in decision.image_drops),
        "failed": [
            {"id": decision.document.id, "rule": decision.drops[0].rule}
            for decision in dropped
            if _failed(decision)
        ],
    }


def _answers(settings: FilterSettings, out: Artifact, part: Part) -> dict[str, object]:
    """The judge's costs and unanswered questions, and the intermediate files, in a part's report."""
    path = out.file("asked", part.name) if settings.config.judge.enabled else None
    return {
        "cost": asked.cost_of(path) if path else None,
        "intermediate": [file.name for kind in INTERMEDIATE if (file := out.file(kind, part.name)).exists()],
        "unanswered": asked.unanswered(path) if path else {},
    }


def cached_scores(settings: FilterSettings, out: Artifact, part: Part, judged: bool) -> CachedScores:
    """Read the cached scores of a part that the recipe needs. Image bytes are not read."""
    cells: dict[str, list[Cell]] = {}
    if judged:
        cells = {row["document_id"]: [] for row in table.read(out.file("judged", part.name), ["document_id"])}
        for row in table.read(out.file("judged", part.name)):
            cells[row["document_id"]].append(table.cell_of(row))
    return CachedScores(
        images=materialize.rows_without_bytes(out.file("images", part.name)),
        embeddings=None if settings.weights is None else embeddings_of(out, part),
        duplicates={row["document_id"]: row for row in table.read(out.file("duplicates", part.name))},
        judged=cells if judged else None,
    )


def embeddings_of(out: Artifact, part: Part) -> dict[str, dict[int, Row]]:
    """document id -> position -> row of its image."""
    found: dict[str, dict[int, Row]] = {}
    for row in table.read(out.file("embeddings", part.name)):
        found.setdefault(row["document_id"], {})[row["position"]] = row
    return found


def images_key(settings: FilterSettings, inputs: Artifact, part: Part) -> str:
    """Digest of what determines the rows of images-."""
    return digest(
        [
            CODE,
            inputs.file_digest("documents", part.name),
            settings.config.images.max_pixels,
            version("pillow"),
        ]
    )


def embeddings_key(settings: FilterSettings, weights: alignment.Weights, inputs: Artifact, part: Part) -> str:
    """Digest of what determines the rows of embeddings-."""
    return digest(
        [
            CODE,
            inputs.file_digest("documents", part.name),
            weights.identity,
            settings.config.alignment.batch_size,
            libraries(settings),
        ]
    )


def _materialize(
    settings: FilterSettings,
    inputs: Artifact,
    out: Artifact,
    part: Part,
    remaining: Sequence[Document],
    counts: Counter[str],
) -> dict[str, Row]:
    """Write images- and return its rows without the bytes."""
    record = inputs.record
    assert record is not None, "ingest is done"
    # roots are relative and start with `..`, which leads elsewhere if a symbolic link is not resolved
    root = inputs.path.resolve()
    wanted: list[tuple[Ref, Path]] = [
        (image.ref, root / record["roots"][document.source])
        for document in remaining
        for image in document.images
    ]
    frames = KeptFrames(inputs.file("frames", part.name))
    counts["frames_damaged"] += frames.damaged
    fetched = materialize.Fetched(out.file("fetches", part.name), settings.fetched, frames)
    path = out.file("images", part.name)
    key = images_key(settings, inputs, part)
    existing = path if table.key_of(path) == key else path.with_name("none")
    before = materialize.seen(path)
    counts["images_damaged"] += materialize.is_damaged(path)
    with writing(path) as temporary:
        rows = materialize.materialize(
            wanted, existing, settings.config.images.max_pixels, counts, fetched, settings.removed
        )
        table.write(temporary, rows, table.IMAGES, key)
    found = materialize.rows_without_bytes(path)
    counts["rotted"] += materialize.rotted(before, found)
    return found


def _embed(
    settings: FilterSettings,
    weights: alignment.Weights,
    inputs: Artifact,
    out: Artifact,
    part: Part,
    remaining: Sequence[tuple[Document, Sequence[Image]]],
    counts: Counter[str],
) -> None:
    """Write embeddings-. Rows for these weights, documents and image bytes are kept, missing ones are
    computed."""
    path = out.file("embeddings", part.name)
    key = embeddings_key(settings, weights, inputs, part)
    current = {
        (document.id, image.position): image.sha256 for document, images in remaining for image in images
    }
    rows = [
        row
        for row in (table.read(path) if table.key_of(path) == key else ())
        if current.get((row["document_id"], row["position"]), row["sha256"]) == row["sha256"]
    ]
    embedded = {(row["document_id"], row["position"]) for row in rows}
    missing = [
        (document, [image for image in images if (document.id, image.position) not in embedded])
        for document, images in remaining
    ]
    missing = [(document, images) for document, images in missing if images]
    if missing:
        model = alignment.load(weights, settings.config.alignment.batch_size)
        names = {image.sha256 or "" for _, images in missing for image in images}
        order: dict[str, None] = {}
        images = materialize.decoded(
            out.file("images", part.name),
            names,
            order,
            alignment.DECODE_PX,
            settings.config.images.max_pixels,
        )
        rows += alignment.embed(model, missing, order, images)
        counts["images_embedded"] += len(order)
    with writing(path) as temporary:
        table.write(temporary, rows, table.EMBEDDINGS, key)


def _aggregates(
    document: Document, matrix: dict[int, Row], own: Sequence[Cell], share_above: float | None, model: str
) -> list[Cell]:
    # (n, d)
    vectors = np.asarray(
        [matrix[image.position]["vector"] for image in document.images] or np.zeros((0, 1)), np.float32
    )
    return [
        *alignment.document_cells(document, matrix, own, share_above, model),
        *coherence.scores(vectors, model),
    ]


def _languages(decisions: Iterable[Decision]) -> Counter[str]:
    return Counter(decision.document.language or UNDETERMINED for decision in decisions)


def _failed(decision: Decision) -> bool:
    return any(item.state in UNDECIDED for item in decision.cells)
