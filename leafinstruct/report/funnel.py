"""The funnel: how many documents and pictures each stage was given and kept, and what each rule removed.

Read from the records and the parts' reports, never from memory, so it says the same after a kill, from another process, a week later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leafinstruct.artifact import Artifact


def status(stages: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """One entry a stage: state (`done`, `unfinished`, `missing`), parts, counts, reasons, unreadable records, worker seconds, where it lies."""
    return [_entry(stage, artifact) for stage, artifact in stages.items()]


def _entry(stage: str, artifact: Artifact) -> dict[str, Any]:
    totals = artifact.totals()
    done = artifact.record is not None
    parts = len(artifact.parts())
    return {
        "stage": stage,
        "state": "done" if done else "unfinished" if parts or artifact.fingerprint else "missing",
        "parts": parts,
        "counts": dict(sorted(totals.counts.items())),
        "reasons": dict(totals.reasons.most_common()),
        "picture_reasons": dict(totals.picture_reasons.most_common()),
        "rejected": [item for report in artifact.reports() for item in report.get("rejected", ())],
        "worker_seconds": round(totals.seconds, 2),
        "path": str(artifact.path),
    }


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
            lines.append((f"  pictures dropped by {reason}", "", f"-{count:,}"))
        counts = entry["counts"]
        lines.append((label, f"{counts.get(documents, 0):,}", f"{counts.get(pictures, 0):,}"))
    return lines
