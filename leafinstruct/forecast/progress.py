"""What a run has already done of a build: which stages are finished for this recipe, what their answers cost,
and which documents the filter kept.

Files of another recipe, or of an earlier version of a prompt, do not count: the build asks again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from leafinstruct.filter import stage as filtering
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.llm.tokens import Predicted
from leafinstruct.records import asked, table
from leafinstruct.rewrite import stage as rewriting
from leafinstruct.rewrite.asking import RewriteSettings
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine

Paid = dict[str, dict[str, Predicted]]
"""Step -> document -> what its questions cost. Steps: `judge NAME`, `rewrite`, `examine`."""


@dataclass(frozen=True, slots=True)
class Done:
    """paid: the answers so far. judged, rewritten: whether the stage is finished. kept: the documents that
    the filter kept, if it is."""

    paid: Paid = field(default_factory=dict)
    judged: bool = False
    rewritten: bool = False
    kept: frozenset[str] | None = None


def done(
    filters: FilterSettings, rewrites: RewriteSettings, stages: dict[str, Artifact], engine: Engine
) -> Done:
    """Read what the stages of a run have done. Nothing is written."""
    ingest, filtered, rewritten = (stages[name] for name in ("ingest", "filter", "rewrite"))
    if ingest.record is None:
        return Done()
    paid = answers(filtering.asked_now(filters, filtered), filters)
    if not _is_finished(filtered, filtering.fingerprint(filters, ingest, filtered, engine)):
        return Done(paid)
    kept = frozenset(
        str(name)
        for part in filtered.parts()
        for (name,) in table.columns(filtered.file("documents", part), "id")
    )
    paid |= answers(rewriting.asked_now(rewrites, filtered, rewritten), filters)
    finished = _is_finished(rewritten, rewriting.fingerprint(rewrites, filtered, rewritten, engine))
    return Done(paid, True, finished, kept)


def _is_finished(out: Artifact, fingerprint: object) -> bool:
    return out.record is not None and out.is_whole and out.record["fingerprint"] == fingerprint


def answers(files: Iterable[Path], filters: FilterSettings) -> Paid:
    """What the questions in some asked-* files cost. The judges are asked in their order, each for all of its
    samples."""
    names, samples = [judge.name for judge in filters.judges], filters.config.judge.samples
    found: Paid = {}
    for path in files:
        for one in asked.questions(path):
            step = one.purpose
            if step == "judge":
                step = f"judge {names[one.number // samples]}"
            of_step = found.setdefault(step, {})
            cost = Predicted(one.requests, one.input_tokens, one.output_tokens)
            of_step[one.document_id] = of_step.get(one.document_id, Predicted()) + cost
    return found
