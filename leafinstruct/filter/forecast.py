"""What judging takes, for `leaf build --dry-run`: which documents are judged, and what a question takes.

Without calibration the rules on texts decide which documents remain. With it the passes of a build run over
the sample in a temporary folder, so that rules on images, alignment and duplicates count too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from leafinstruct.errors import LeafInstructError
from leafinstruct.filter import stage
from leafinstruct.filter.judging import asking
from leafinstruct.filter.passes import CachedScores, decision_of
from leafinstruct.filter.scoring import write_documents
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.llm.tokens import Predicted, predict
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine

ENTRY = 35
"""Assumed tokens of one reason with its score."""
_BESIDES = 6  # entries of a verdict that are not about an image


def predicted(settings: FilterSettings, document: Document) -> Predicted:
    """What one judge is asked about a document, all samples together."""
    config = settings.config.judge
    fetched = settings.config.images.fetch is not None
    shown = sum(
        image.sha256 is not None or image.ref.file is not None or fetched
        for image in document.images[: config.max_images]
    )
    request = asking.question(document, {}, config, settings.prompt)
    return predict(request, shown, config.image_px, ENTRY * (_BESIDES + shown)).times(config.samples)


def passing(settings: FilterSettings, documents: Iterable[Document]) -> list[Document]:
    """The documents that pass the rules on texts, as a judge would read them."""
    decisions = (decision_of(document, settings, CachedScores()) for document in documents)
    return [decision.document for decision in decisions if decision.kept]


def unjudged(settings: FilterSettings) -> FilterSettings:
    """The settings for a sample, without the judges and their rules. Rules on `contamination.*` need the
    whole reference and are left out."""
    judge = settings.config.judge.model_copy(update={"enabled": False})
    if settings.rule_based:
        judge = settings.config.judge
    absent = {"contamination"} | (set() if settings.rule_based else {"judge"})
    return replace(
        settings,
        config=settings.config.model_copy(update={"judge": judge, "reference": ()}),
        rules=tuple(rule for rule in settings.rules if rule.declared.family not in absent),
        references=(),
    )


def direct(settings: FilterSettings) -> FilterSettings:
    """The settings to ask about a sample: as a build asks, but never in a batch, which may take a day."""
    config, none = settings.config, {"batch": None}
    judges = [one.model_copy(update=none) if one.batch else one for one in config.judge.judges]
    judge = config.judge.model_copy(update={"judges": judges})
    return replace(
        settings,
        config=config.model_copy(update={"judge": judge, "reference": ()}),
        llm=settings.llm.model_copy(update=none),
        rules=tuple(rule for rule in settings.rules if rule.declared.family != "contamination"),
        references=(),
    )


def kept(
    settings: FilterSettings,
    documents: Sequence[Document],
    roots: Mapping[str, Path],
    stages: Mapping[str, Artifact],
    engine: Engine,
) -> list[Document]:
    """Run the stage over some documents, in the artifacts of a temporary run. Returns what is kept, none if
    the rules drop every document.

    roots: source -> folder of its files. Raises LeafInstructError as the stage does.
    """
    ingest, out = stages["ingest"], stages["filter"]
    if not write_documents(ingest, documents, roots):
        return []
    fingerprint = stage.fingerprint(settings, ingest, out, engine)
    out.begin(fingerprint)
    try:
        out.finish(fingerprint, stage.run(settings, ingest, out, engine))
    except LeafInstructError:
        decided = len(out.parts()) == len(ingest.parts())
        if not decided or out.totals().counts["kept"]:
            raise
        return []
    return [
        document for part in out.parts() for document, _ in table.decisions(out.checked("documents", part))
    ]
