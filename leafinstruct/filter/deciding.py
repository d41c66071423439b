"""Decide on the documents of a part with all cached scores, and report what was kept and dropped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from leafinstruct.filter.decision import Decision
from leafinstruct.filter.passes import INTERMEDIATE, cached_scores, decision_of
from leafinstruct.filter.scores import alignment
from leafinstruct.filter.scores.cell import ignored
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.records import asked, table
from leafinstruct.records.document import UNDECIDED
from leafinstruct.records.rows import Drop
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Needs, Part
from leafinstruct.runtime.engine.share import FILTERED, barrier, own, remaining
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.record import Failed
from leafinstruct.runtime.stage_report import StageReport


@dataclass(frozen=True, kw_only=True)
class FilterReport(StageReport):
    """Report of a part of filter. failed: documents that were dropped for a temporary reason."""

    failed: Sequence[Failed] = ()


def run(
    settings: FilterSettings,
    inputs: Artifact,
    out: Artifact,
    parts: Sequence[Part],
    engine: Engine,
    key_of: Callable[[Part], str],
) -> None:
    """Decide on the parts without a current report, and meet the other shares. key_of: of a part's report."""

    def keyed(part: Part) -> Part:
        return Part(part.name, key_of(part))

    def is_up_to_date(part: Part) -> bool:
        return out.is_up_to_date(part.name, part.payload)

    def is_made(part: Part) -> bool:
        return out.is_made(part.name, part.payload)

    wanted = [keyed(part) for part in own(engine, parts)]
    missing = remaining(engine, FILTERED, wanted, is_up_to_date, is_made)
    for _ in engine.map(partial(decide, settings, inputs, out), missing, Needs(what="deciding")):
        pass
    barrier(engine, FILTERED, (parts, lambda part: is_made(keyed(part))))


def decide(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> FilterReport:
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
            rows = (
                table.document_row(one.document, (*one.drops, *one.image_drops), one.edits) for one in some
            )
            table.write(temporary, rows, table.DECISIONS)
    files.append(out.file("scores", part.name))
    with writing(files[-1]) as temporary:
        cells = (
            table.score_row(decision.document.id, item) for decision in decisions for item in decision.cells
        )
        table.write(temporary, cells, table.SCORES)
    report = _report(settings, out, part, decisions)
    report = replace(report, seconds=time.perf_counter() - started)
    return out.commit(part.name, part.payload, report, files)


def _report(
    settings: FilterSettings, out: Artifact, part: Part, decisions: Sequence[Decision]
) -> FilterReport:
    """The part's report, without its time."""
    kept = [decision for decision in decisions if decision.kept]
    dropped = [decision for decision in decisions if not decision.kept]
    suspicious = sum(any(item.state == "suspicious" for item in one.cells) for one in decisions)
    reassigned = sum(map(alignment.is_matched, (image for one in kept for image in one.document.images)))
    path = out.file("asked", part.name) if settings.config.judge.enabled else None
    return FilterReport(
        counts={
            "documents": len(decisions),
            "kept": len(kept),
            "images": sum(len(decision.document.images) for decision in kept),
            "images_dropped": sum(len(decision.image_drops) for decision in kept),
            "failed": sum(_failed(decision) for decision in decisions),
            **({"suspicious": suspicious} if suspicious else {}),
            **({"reassigned": reassigned} if reassigned else {}),
        },
        reasons=Counter(decision.drops[0].reason for decision in dropped),
        image_reasons=Counter(drop.reason for decision in decisions for drop in decision.image_drops),
        edits=Counter(edit.reason for decision in kept for edit in decision.edits),
        languages={
            "kept": _languages(kept),
            "dropped": _languages(decision for decision in dropped if decision.drops[0].rule == "languages"),
            "unaligned": _languages(one for one in kept if "alignment" in ignored(one.cells)),
            "unpredicted": _languages(one for one in kept if set(ignored(one.cells)) - {"alignment"}),
        },
        undecoded={
            "documents": _undecoded(decision.drops[0] for decision in dropped),
            "images": _undecoded(drop for decision in decisions for drop in decision.image_drops),
        },
        failed=[
            {"id": decision.document.id, "rule": decision.drops[0].rule}
            for decision in dropped
            if _failed(decision)
        ],
        cost=asked.cost_of(path) if path else None,
        intermediate=[
            out.name(file) for kind in INTERMEDIATE if (file := out.file(kind, part.name)).exists()
        ],
        unanswered=asked.unanswered(path) if path else {},
    )


def _languages(decisions: Iterable[Decision]) -> Counter[str]:
    return Counter(decision.document.language or UNDETERMINED for decision in decisions)


def _undecoded(drops: Iterable[Drop]) -> Counter[str]:
    """Count the images that could not be read or decoded by the first word of the detail, their reason."""
    return Counter(
        drop.detail.partition(":")[0] or "unknown" for drop in drops if drop.reason == "image.decoded"
    )


def _failed(decision: Decision) -> bool:
    return any(item.state in UNDECIDED for item in decision.cells)
