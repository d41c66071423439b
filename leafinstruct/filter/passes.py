"""The passes of filter over one part: look and decide; asking.py holds the one in between. Tasks of an engine, each idempotent; stage.py orders them.

A document's trial is replayed from its evidence in every pass. Replaying costs microseconds and keeps one definition of "alive": a pass
works exactly on the documents that a later pass will find alive.
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

from leafinstruct.filter import materialize as materialise
from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Drop, Trial
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

CODE = 10
"""Raised when the same documents and settings give other scores or verdicts than before."""

EVIDENCE = ("fetches", "pictures", "embeddings", "keys", "duplicates", "judged", "asked")
"""Kinds of files that hold evidence; a part's report names those that were there when it was decided."""


def libraries(settings: FilterSettings) -> dict[str, str]:
    """Versions that can move a score or a byte; those of CLIP only where it is used."""
    clip = () if settings.weights is None else ("clip-anytorch", "torch")
    return {name: version(name) for name in (*clip, "pillow", "pyarrow", "regex")}


@dataclass(frozen=True)
class FilterSettings:
    """config: the recipe's section; rules: those that hold in this recipe; weights: of the CLIP, None where the recipe asks for no score of it;
    answers: folder of the answer cache; fetched: folder of what was fetched from the web; removed: sha256 of images that were taken out for good."""

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
        """The section without what only says how fast and politely pictures are fetched."""
        section = self.config.model_dump(mode="json")
        if self.config.pictures.fetch is not None:
            section["pictures"]["fetch"] = self.config.pictures.fetch.shaping
        return section


@dataclass(frozen=True)
class Evidence:
    """What is known of a part's documents so far; None means that the pass has not run."""

    pictures: Mapping[str, Row] | None = None
    embeddings: Mapping[str, dict[int, Row]] | None = None
    duplicates: Mapping[str, Row] | None = None
    judged: Mapping[str, list[Cell]] | None = None


def trial_of(document: Document, settings: FilterSettings, evidence: Evidence) -> Trial:
    """A document's trial as far as the evidence reaches."""
    trial = Trial(document, settings.config, settings.rules)
    trial.weigh([language_cell(document), *text.scores(document)])
    if trial.alive and evidence.pictures is not None:
        rows = {image.position: evidence.pictures[str(image.ref)] for image in document.images}
        if any(row["reason"].startswith(materialise.REMOVED) for row in rows.values()):
            trial.verdicts.append(Drop(materialise.REMOVED, None, None, "ok", detail="it shows an image that was taken out for good"))
        trial.with_pictures({position: materialise.facts(row) for position, row in rows.items()})
        trial.weigh([item for image in trial.document.images for item in materialise.cells(image, rows[image.position])])
    if trial.alive and settings.weights is not None and evidence.embeddings is not None:
        matrix = evidence.embeddings.get(document.id, {})
        if not settings.weights.toy:  # a model that does not know these images has no say in what belongs to what
            trial.document = alignment.with_owners(trial.document, matrix)
        own = alignment.image_cells(trial.document, matrix, settings.weights.label)
        trial.weigh(own)  # pictures first: the document's aggregates count kept ones only
        if trial.alive:
            trial.weigh(_aggregates(trial.document, matrix, own, settings.config.alignment.share_above, settings.weights.label))
    if trial.alive and evidence.duplicates is not None:
        trial.weigh([*duplicate.within(trial.document), *duplicate.cells_of(evidence.duplicates[document.id])])
        if trial.alive:
            trial.weigh(references.scores(trial.document))  # the document has lost all the images that it will lose
    if trial.alive and evidence.judged is not None:
        trial.weigh(evidence.judged[document.id])
    return trial


def language_cell(document: Document) -> Cell:
    """The confidence that ingest had in the document's language."""
    name, share = "document.language_confidence", document.language_confidence
    return Cell(name, share) if share is not None else Cell(name, None, "not_scored", detail="the language is undetermined")


def look(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: text scores, pictures of living documents, embeddings if the recipe asks for them; writes pictures-, embeddings-, keys-.

    payload: key of keys-. Embeddings of a recipe that no longer asks for them are kept: they were dear, and are used again when it does.
    """
    started = time.perf_counter()
    out.file("keys", part.name).unlink(missing_ok=True)  # first, so that a kill never leaves old keys over new evidence
    counts: Counter[str] = Counter()
    documents = list(table.documents(inputs.checked("documents", part.name)))
    living = [document for document in documents if trial_of(document, settings, Evidence()).alive]
    pictures = _materialise(settings, inputs, out, part, living, counts)
    trials = [trial_of(document, settings, Evidence(pictures=pictures)) for document in living]
    pairs = [(document, trial.document.images) for document, trial in zip(living, trials, strict=True) if trial.alive]
    evidence = Evidence(pictures=pictures)
    if settings.weights is not None:
        _embed(settings, settings.weights, inputs, out, part, pairs, counts)
        evidence = Evidence(pictures=pictures, embeddings=embeddings_of(out, part))
        trials = [trial_of(document, settings, evidence) for document in living]
    seen = digest([(ref, row["sha256"], row["stamp"]) for ref, row in sorted(pictures.items())])
    key = "" if counts["pictures_failed"] else f"{part.payload} {seen}"  # what failed is tried again whenever filter runs
    with writing(out.file("keys", part.name)) as temporary:
        table.write(temporary, (duplicate.key_row(trial.document) for trial in trials if trial.alive), table.KEYS, key)
    return {
        "repaired": materialise.repaired(counts),
        "counts": {"documents": len(documents), **counts},
        "seconds": time.perf_counter() - started,
    }


def decide(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> dict[str, Any]:
    """Task: replay all trials with all evidence; writes documents-, dropped-, scores- and the part's report. payload: the part's key."""
    started = time.perf_counter()
    out.open(part.name)
    evidence = evidence_of(settings, out, part, judged=settings.config.judge.enabled)
    trials = [trial_of(document, settings, evidence) for document in table.documents(inputs.checked("documents", part.name))]
    kept, dropped = [trial for trial in trials if trial.alive], [trial for trial in trials if not trial.alive]
    tables: tuple[tuple[str, Iterable[Row], Any], ...] = (
        ("documents", (table.document_row(trial.document, trial.drop_rows()) for trial in kept), table.VERDICTS),
        ("dropped", (table.document_row(trial.document, trial.drop_rows()) for trial in dropped), table.VERDICTS),
        ("scores", ({"document_id": trial.document.id, **table.cell_row(item)} for trial in trials for item in trial.cells), table.SCORES),
    )
    for kind, rows, schema in tables:
        with writing(out.file(kind, part.name)) as temporary:
            table.write(temporary, rows, schema)
    report = {
        "counts": {
            "documents": len(trials),
            "kept": len(kept),
            "pictures": sum(len(trial.document.images) for trial in kept),
            "pictures_dropped": sum(len(trial.image_drops) for trial in kept),
            "failed": sum(_failed(trial) for trial in trials),
        },
        "reasons": Counter(trial.verdicts[0].reason for trial in dropped),
        "languages": {
            "kept": _languages(kept),
            "dropped": _languages(trial for trial in dropped if trial.verdicts[0].rule == "languages"),
        },
        "picture_reasons": Counter(drop.rule for trial in trials for drop in trial.image_drops),
        "failed": [{"id": trial.document.id, "rule": trial.verdicts[0].rule} for trial in dropped if _failed(trial)],
        "cost": asked.cost_of(out.file("asked", part.name)) if settings.config.judge.enabled else None,
        "evidence": [path.name for kind in EVIDENCE if (path := out.file(kind, part.name)).exists()],
        "unanswered": asked.unanswered(out.file("asked", part.name)) if settings.config.judge.enabled else {},
        "seconds": time.perf_counter() - started,
    }
    return out.commit(part.name, part.payload, report, [out.file(kind, part.name) for kind, _, _ in tables])


def evidence_of(settings: FilterSettings, out: Artifact, part: Part, judged: bool) -> Evidence:
    """All evidence of a part that its files hold and the recipe asks for; picture bytes are not read."""
    cells: dict[str, list[Cell]] = {}
    if judged:
        cells = {row["document_id"]: [] for row in table.read(out.file("judged", part.name), ["document_id"])}
        for row in table.read(out.file("judged", part.name)):
            cells[row["document_id"]].append(table.cell_of(row))
    return Evidence(
        pictures=_picture_facts(out, part),
        embeddings=None if settings.weights is None else embeddings_of(out, part),
        duplicates={row["document_id"]: row for row in table.read(out.file("duplicates", part.name))},
        judged=cells if judged else None,
    )


def embeddings_of(out: Artifact, part: Part) -> dict[str, dict[int, Row]]:
    """document id -> position -> row of its picture."""
    found: dict[str, dict[int, Row]] = {}
    for row in table.read(out.file("embeddings", part.name)):
        found.setdefault(row["document_id"], {})[row["position"]] = row
    return found


def _picture_facts(out: Artifact, part: Part) -> dict[str, Row]:
    return {row["ref"]: row for row in table.read_without_bytes(out.file("pictures", part.name))}


def pictures_key(settings: FilterSettings, inputs: Artifact, part: Part) -> str:
    """What shapes the rows of pictures-."""
    return digest([CODE, inputs.file_digest("documents", part.name), settings.config.pictures.max_pixels, version("pillow")])


def embeddings_key(settings: FilterSettings, weights: alignment.Weights, inputs: Artifact, part: Part) -> str:
    """What shapes the rows of embeddings-."""
    return digest(
        [CODE, inputs.file_digest("documents", part.name), weights.identity, settings.config.alignment.batch_size, libraries(settings)]
    )


def _materialise(
    settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part, living: Sequence[Document], counts: Counter[str]
) -> dict[str, Row]:
    """Write pictures- and return its rows without the bytes."""
    record = inputs.record
    assert record is not None, "ingest is done"
    root = inputs.path.resolve()  # the roots lead out of it by `..`, which a symbolic link would send elsewhere
    wanted: list[tuple[Ref, Path]] = [
        (image.ref, root / record["roots"][document.source]) for document in living for image in document.images
    ]
    frames = Kept(inputs.file("frames", part.name))
    counts["frames_damaged"] += frames.damaged
    fetched = materialise.Fetched(out.file("fetches", part.name), settings.fetched, frames)
    path = out.file("pictures", part.name)
    key = pictures_key(settings, inputs, part)
    standing = path if table.key_of(path) == key else path.with_name("none")
    before = materialise.seen(path)
    counts["pictures_damaged"] += materialise.is_damaged(path)
    with writing(path) as temporary:
        rows = materialise.materialise(wanted, standing, settings.config.pictures.max_pixels, counts, fetched, settings.removed)
        table.write(temporary, rows, table.PICTURES, key)
    facts = _picture_facts(out, part)
    counts["rotted"] += materialise.rotted(before, facts)
    return facts


def _embed(
    settings: FilterSettings,
    weights: alignment.Weights,
    inputs: Artifact,
    out: Artifact,
    part: Part,
    living: Sequence[tuple[Document, Sequence[Image]]],
    counts: Counter[str],
) -> None:
    """Write embeddings-: rows that stand for these weights, documents and picture bytes are kept, missing ones computed."""
    path = out.file("embeddings", part.name)
    key = embeddings_key(settings, weights, inputs, part)
    current = {(document.id, image.position): image.sha256 for document, images in living for image in images}
    standing = list(table.read(path)) if table.key_of(path) == key else []
    standing = [row for row in standing if current.get((row["document_id"], row["position"]), row["sha256"]) == row["sha256"]]
    have = {(row["document_id"], row["position"]) for row in standing}
    missing = [(document, [image for image in images if (document.id, image.position) not in have]) for document, images in living]
    missing = [(document, images) for document, images in missing if images]
    names = sorted({image.sha256 or "" for _, images in missing for image in images})
    rows: list[Row] = []
    if missing:
        model = alignment.load(weights, settings.config.alignment.batch_size)
        order: dict[str, None] = {}
        rows = list(alignment.embed(model, missing, order, _decoded(out, part, set(names), order, settings)))
        counts["pictures_embedded"] += len(order)
    with writing(path) as temporary:
        table.write(temporary, [*standing, *rows], table.EMBEDDINGS, key)


def _decoded(out: Artifact, part: Part, names: set[str], order: dict[str, None], settings: FilterSettings) -> Iterator[Pil.Image]:
    """The named pictures of a part, decoded one at a time in the order of its file; `order` is filled with their names on the way."""
    for row in table.read(out.file("pictures", part.name), ["sha256", "bytes"]):
        if row["sha256"] in names and row["sha256"] not in order:
            picture = decode(row["bytes"], alignment.DECODE_PX, settings.config.pictures.max_pixels)
            assert not isinstance(picture, Undecodable), "it was decoded when it was materialised"
            order[row["sha256"]] = None
            yield picture


def _aggregates(document: Document, matrix: dict[int, Row], own: Sequence[Cell], share_above: float | None, model: str) -> list[Cell]:
    vectors = np.asarray([matrix[image.position]["vector"] for image in document.images] or np.zeros((0, 1)), np.float32)  # (n, d)
    return [*alignment.document_cells(document, matrix, own, share_above, model), *coherence.scores(vectors, model)]


def _languages(trials: Iterable[Trial]) -> Counter[str]:
    return Counter(trial.document.language or UNDETERMINED for trial in trials)


def _failed(trial: Trial) -> bool:
    return any(item.state in NO_VERDICT for item in trial.cells)
