"""The funnel: how many documents and pictures each stage was given and kept, and what each rule removed.

Read from the records and the parts' reports, never from memory, so it says the same after a kill, from another process, a week later.

A stage's state comes from the records alone, without the recipe: whether a changed recipe makes a stage run again is the pipeline's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leafinstruct.artifact import Artifact

STATES = {
    "done": "done",
    "stale": "stale, its input has changed since or is not done",
    "unfinished": "unfinished, cut short or running now",
    "missing": "missing",
}
"""The states, as a person is told of them."""


def status(stages: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """One entry a stage: state (one of STATES), parts, counts, reasons, unreadable records, worker seconds, where it lies."""
    return [_entry(stage, artifact) for stage, artifact in stages.items()]


def _entry(stage: str, artifact: Artifact) -> dict[str, Any]:
    totals = artifact.totals()
    return {
        "stage": stage,
        "state": state(artifact),
        "parts": len(artifact.parts()),
        "counts": dict(sorted(totals.counts.items())),
        "reasons": dict(totals.reasons.most_common()),
        "picture_reasons": dict(totals.picture_reasons.most_common()),
        "rejected": [item for report in artifact.reports() for item in report.get("rejected", ())],
        "worker_seconds": round(totals.seconds, 2),
        "path": str(artifact.path),
    }


def state(artifact: Artifact) -> str:
    """One of STATES. Reads the records of the stage and of all above it."""
    record, upstream = artifact.record, artifact.upstream
    if record is None:
        return "unfinished" if artifact.fingerprint or artifact.parts() else "missing"
    if upstream is None:
        return "done"
    above = upstream.record
    current = above is not None and above["output"] == record["fingerprint"]["input"] and state(upstream) == "done"
    return "done" if current else "stale"


def unfinished(entries: list[dict[str, Any]], again: str) -> list[str]:
    """A line for each stage that is not done, then the command (`again`) that makes them; nothing when all are."""
    lines = [f"{entry['stage']}: {STATES[entry['state']]}" for entry in entries if entry["state"] != "done"]
    return [*lines, f"next: {again}"] if lines else []


def rows(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The funnel as lines: what, documents, pictures; losses are indented under the stage that took them."""
    by_stage = {entry["stage"]: entry for entry in entries}
    lines: list[tuple[str, str, str]] = []
    for stage, label, documents, pictures in (
        ("ingest", "read", "documents", "pictures"),
        ("filter", "kept", "kept", "pictures"),
        ("rewrite", "examples", "examples", "pictures"),
        ("shard", "in shards", "rows", "pictures"),
    ):
        entry = by_stage[stage]
        if entry["state"] == "missing":
            continue
        sign = "+" if stage == "ingest" else "-"
        for reason, count in entry["reasons"].items():
            what = f"unreadable: {reason}" if stage == "ingest" else f"dropped by {reason}"
            lines.append((f"  {what}", f"{sign if stage != 'ingest' else ''}{count:,}", ""))
        for reason, count in entry["picture_reasons"].items():
            what = f"pieces lost: {reason}" if stage == "ingest" else f"pictures dropped by {reason}"
            lines.append((f"  {what}", "", f"{'' if stage == 'ingest' else '-'}{count:,}"))
        counts = entry["counts"]
        lines.append((label, f"{counts.get(documents, 0):,}", f"{counts.get(pictures, 0):,}"))
    return lines
