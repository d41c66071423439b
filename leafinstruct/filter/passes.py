"""The passes of filter over one part: look and decide; asking.py holds the one in between. Tasks of an
engine, each idempotent; stage.py orders them.

A document's decision is replayed from its evidence in every pass. Replaying costs microseconds and keeps one
definition of "alive": a pass works exactly on the documents that a later pass will find alive.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from leafinstruct.filter import materialize
from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision, Drop
from leafinstruct.filter.scores import alignment, coherence, duplicate, judge, references, text
from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records import asked, table
from leafinstruct.records.document import NO_VERDICT, Document, Image, Ref
from leafinstruct.records.example import Cell
from leafinstruct.records.frames import Kept
from leafinstruct.records.table import Row
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.runtime.artifact import Artifact, digest, version, writing
from leafinstruct.runtime.engine.base import Part

CODE = 11
"""Raised when the same documents and settings give other scores or verdicts than before."""

INTERMEDIATE = ("fetches", "images", "embeddings", "keys", "duplicates", "judged", "asked")
"""Kinds of files that hold evidence; a part's report names those that were there when it was decided."""


def libraries(settings: FilterSettings) -> dict[str, str]:
    """Versions that can move a score or a byte; those of CLIP only where it is used."""
    clip = () if settings.weights is None else ("clip-anytorch", "torch")
    return {name: version(name) for name in (*clip, "pillow", "pyarrow", "regex")}


@dataclass(frozen=True)
class FilterSettings:
    """config: the recipe's section; rules: those that hold in this recipe; weights: of the CLIP, None where
    the recipe asks for no score of it; answers: folder of the answer cache; fetched: folder of what was
    fetched from the web; removed: sha256 of images that were taken out for good."""

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
        """Name of whoever answers the judge's questions."""
        return judge.OFFLINE if self.llm.provider == "offline" else self.llm.known_as

    @property
    def shaping(self) -> dict[str, Any]:
        """The section without what only says how fast and politely images are fetched."""
        section = self.config.model_dump(mode="json")
        if self.config.images.fetch is not None:
            section["images"]["fetch"] = self.config.images.fetch.shaping
        return section


@dataclass(frozen=True)
class CachedScores:
    """What is known of a part's documents so far; None means that the pass has not run."""

    images: Mapping[str, Row] | None = None
    embeddings: Mapping[str, dict[int, Row]] | None = None
    duplicates: Mapping[str, Row] | None = None
    judged: Mapping[str, list[Cell]] | None = None


def decision_of(document: Document, settings: FilterSettings, cached: CachedScores) -> Decision:
    """A document's decision as far as the evidence reaches."""
    decision = Decision(document, settings.config, settings.rules)
    decision.weigh([language_cell(document), *text.scores(document)])
    if decision.kept and cached.images is not None:
        rows = {image.position: cached.images[str(image.ref)] for image in document.images}
        if any(row["reason"].startswith(materialize.REMOVED) for row in rows.values()):
            decision.verdicts.append(
                Drop(
                    materialize.REMOVED,
                    None,
                    None,
                    "ok",
                    detail="it shows an image that was taken out for good",
                )
            )
        decision.with_images({position: materialize.facts(row) for position, row in rows.items()})
        decision.weigh(
            [
                item
                for image in decision.document.images
                for item in materialize.cells(image, rows[image.position])
            ]
        )
    if decision.kept and settings.weights is not None and cached.embeddings is not None:
        matrix = cached.embeddings.get(document.id, {})
        # a model that does not know these images has no say in what belongs to what
        if not settings.weights.toy:
            decision.document = alignment.with_owners(decision.document, matrix)
        own = alignment.image_cells(decision.document, matrix, settings.weights.label)
        decision.weigh(own)  # images first: the document's aggregates count kept ones only
        if decision.kept:
            decision.weigh(
                _aggregates(
                    decision.document,
                    matrix,
                    own,
                    settings.config.alignment.share_above,
                    settings.weights.label,
                )
            )
    if decision.kept and cached.duplicates is not None:
        decision.weigh(
            [*duplicate.within(decision.document), *duplicate.cells_of(cached.duplicates[document.id])]
        )
        if decision.kept:
            # the document has lost all the images that it will lose
            decision.weigh(references.scores(decision.document))
    if decision.kept and cached.judged is not None:
        decision.weigh(cached.judged[document.id])
    return decision


def language_cell(document: Document) -> Cell:
    """The confidence that ingest had in the document's language."""
    name, share = "document.language_confidence", document.language_confidence
    return (
        Cell(name, share)
        if share is not None
        else Cell(name, None, "not_scored", detail="the language is undetermined")
    )


def look(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: text scores, images of living documents, embeddings if the recipe asks for them; writes images-,
    embeddings-, keys-.

    payload: key of keys-. Embeddings of a recipe that no longer asks for them are kept: they were dear, and
    are used again when it does.
    """
    started = time.perf_counter()
    # first, so that a kill never leaves old keys over new evidence
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
    # what failed is tried again whenever filter runs
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
    """Task: replay all decisions with all evidence; writes documents-, dropped-, scores- and the part's
    report. payload: the part's key."""
    started = time.perf_counter()
    out.open(part.name)
    cached = cached_scores(settings, out, part, judged=settings.config.judge.enabled)
    decisions = [
        decision_of(document, settings, cached)
        for document in table.documents(inputs.checked("documents", part.name))
    ]
    kept, dropped = (
        [decision for decision in decisions if decision.kept],
        [decision for decision in decisions if not decision.kept],
    )
    tables: tuple[tuple[str, Iterable[Row], Any], ...] = (
        (
            "documents",
            (table.document_row(decision.document, decision.drop_rows()) for decision in kept),
            table.VERDICTS,
        ),
        (
            "dropped",
            (table.document_row(decision.document, decision.drop_rows()) for decision in dropped),
            table.VERDICTS,
        ),
        (
            "scores",
            (
                {"document_id": decision.document.id, **table.cell_row(item)}
                for decision in decisions
                for item in decision.cells
            ),
            table.SCORES,
        ),
    )
    for kind, rows, schema in tables:
        with writing(out.file(kind, part.name)) as temporary:
            table.write(temporary, rows, schema)
    report = {
        "counts": {
            "documents": len(decisions),
            "kept": len(kept),
            "images": sum(len(decision.document.images) for decision in kept),
            "images_dropped": sum(len(decision.image_drops) for decision in kept),
            "failed": sum(_failed(decision) for decision in decisions),
        },
        "reasons": Counter(decision.verdicts[0].reason for decision in dropped),
        "languages": {
            "kept": _languages(kept),
            "dropped": _languages(
                decision for decision in dropped if decision.verdicts[0].rule == "languages"
            ),
        },
        "image_reasons": Counter(drop.rule for decision in decisions for drop in decision.image_drops),
        "failed": [
            {"id": decision.document.id, "rule": decision.verdicts[0].rule}
            for decision in dropped
            if _failed(decision)
        ],
        "cost": asked.cost_of(out.file("asked", part.name)) if settings.config.judge.enabled else None,
        "intermediate": [path.name for kind in INTERMEDIATE if (path := out.file(kind, part.name)).exists()],
        "unanswered": asked.unanswered(out.file("asked", part.name)) if settings.config.judge.enabled else {},
        "seconds": time.perf_counter() - started,
    }
    return out.commit(part.name, part.payload, report, [out.file(kind, part.name) for kind, _, _ in tables])


def cached_scores(settings: FilterSettings, out: Artifact, part: Part, judged: bool) -> CachedScores:
    """All evidence of a part that its files hold and the recipe asks for; image bytes are not read."""
    cells: dict[str, list[Cell]] = {}
    if judged:
        cells = {row["document_id"]: [] for row in table.read(out.file("judged", part.name), ["document_id"])}
        for row in table.read(out.file("judged", part.name)):
            cells[row["document_id"]].append(table.cell_of(row))
    return CachedScores(
        images=_image_facts(out, part),
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


def _image_facts(out: Artifact, part: Part) -> dict[str, Row]:
    return {row["ref"]: row for row in table.read_without_bytes(out.file("images", part.name))}


def images_key(settings: FilterSettings, inputs: Artifact, part: Part) -> str:
    """What shapes the rows of images-."""
    return digest(
        [
            CODE,
            inputs.file_digest("documents", part.name),
            settings.config.images.max_pixels,
            version("pillow"),
        ]
    )


def embeddings_key(settings: FilterSettings, weights: alignment.Weights, inputs: Artifact, part: Part) -> str:
    """What shapes the rows of embeddings-."""
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
    # the roots lead out of it by `..`, which a symbolic link would send elsewhere
    root = inputs.path.resolve()
    wanted: list[tuple[Ref, Path]] = [
        (image.ref, root / record["roots"][document.source])
        for document in remaining
        for image in document.images
    ]
    frames = Kept(inputs.file("frames", part.name))
    counts["frames_damaged"] += frames.damaged
    fetched = materialize.Fetched(out.file("fetches", part.name), settings.fetched, frames)
    path = out.file("images", part.name)
    key = images_key(settings, inputs, part)
    standing = path if table.key_of(path) == key else path.with_name("none")
    before = materialize.seen(path)
    counts["images_damaged"] += materialize.is_damaged(path)
    with writing(path) as temporary:
        rows = materialize.materialize(
            wanted, standing, settings.config.images.max_pixels, counts, fetched, settings.removed
        )
        table.write(temporary, rows, table.IMAGES, key)
    facts = _image_facts(out, part)
    counts["rotted"] += materialize.rotted(before, facts)
    return facts


def _embed(
    settings: FilterSettings,
    weights: alignment.Weights,
    inputs: Artifact,
    out: Artifact,
    part: Part,
    remaining: Sequence[tuple[Document, Sequence[Image]]],
    counts: Counter[str],
) -> None:
    """Write embeddings-: rows that stand for these weights, documents and image bytes are kept, missing ones
    computed."""
    path = out.file("embeddings", part.name)
    key = embeddings_key(settings, weights, inputs, part)
    current = {
        (document.id, image.position): image.sha256 for document, images in remaining for image in images
    }
    standing = list(table.read(path)) if table.key_of(path) == key else []
    standing = [
        row
        for row in standing
        if current.get((row["document_id"], row["position"]), row["sha256"]) == row["sha256"]
    ]
    have = {(row["document_id"], row["position"]) for row in standing}
    missing = [
        (document, [image for image in images if (document.id, image.position) not in have])
        for document, images in remaining
    ]
    missing = [(document, images) for document, images in missing if images]
    names = sorted({image.sha256 or "" for _, images in missing for image in images})
    rows: list[Row] = []
    if missing:
        model = alignment.load(weights, settings.config.alignment.batch_size)
        order: dict[str, None] = {}
        rows = list(alignment.embed(model, missing, order, _decoded(out, part, set(names), order, settings)))
        counts["images_embedded"] += len(order)
    with writing(path) as temporary:
        table.write(temporary, [*standing, *rows], table.EMBEDDINGS, key)


def _decoded(
    out: Artifact, part: Part, names: set[str], order: dict[str, None], settings: FilterSettings
) -> Iterator[Pil.Image]:
    """The named images of a part, decoded one at a time in the order of its file; `order` is filled with
    their names on the way."""
    for row in table.read(out.file("images", part.name), ["sha256", "bytes"]):
        if row["sha256"] in names and row["sha256"] not in order:
            image = decode(row["bytes"], alignment.DECODE_PX, settings.config.images.max_pixels)
            assert not isinstance(image, Undecodable), "it was decoded when it was materialized"
            order[row["sha256"]] = None
            yield image


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
    return any(item.state in NO_VERDICT for item in decision.cells)
