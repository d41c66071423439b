"""`leaf inspect`: a dataset as one HTML page with its funnel, scores with adjustable bounds, and records.

It is an offline page (report/offline_page.py): text of records is data, never markup, and only the page's
script, the chart library and the style sheet are allowed.

    assets/inspect.html   the shell
    assets/*.css, *.js    style; replay (decisions under other bounds), charts, gallery, inspect; not bundled

Chosen: Plotly, from the file in the plotly package. It works under this policy (measured with Chromium 150:
no violation, first chart of 20,000 values after 0.13 s; 4.8 MB), and its lines can be dragged. Bokeh is
smaller (1.3 MB) but styles every element inline: 1,442 violations for one chart. Plotly does so once, for
maps, unless an element with a certain id exists: `_STYLED` finds this id. Chosen: plain replacement over
Jinja2, since the shell has no logic and only the run's name is inserted as text.

Cost: about 1.1 ms of CPU per image (thumbnails.py) and 0.8 ms per document, by parts (parts.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from leafinstruct.errors import LeafInstructError
from leafinstruct.report import offline_page, status
from leafinstruct.report.inspect.gather import Gathered, gather, scores_of
from leafinstruct.report.inspect.thumbnails import Thumbnails, stored, thumbnails
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.stage_report import StageReport, Totals, total

RECORDS = 5_000
"""Default number of documents of a page."""
IMAGE_BYTES = 20_000_000
"""Maximum size of all images of a page, before base64 adds a third."""

_ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("replay.js", "charts.js", "gallery.js", "inspect.js")
_STYLED = re.compile(r'getElementById\("([0-9a-f]{64})"\)')
_LABELS = (
    ("ingest", "read", "documents", "images"),
    ("filter", "kept by filter", "kept", "images"),
    ("rewrite", "examples", "examples", "images"),
    ("shard", "in shards", "rows", "images"),
)

OnProgress = Callable[[str, int, int], None]
"""Called with (step, parts done, all parts)."""


@dataclass(frozen=True)
class Inspected:
    """Counts of a page: shown records, documents of the run, images; size in bytes."""

    records: int
    documents: int
    images: int
    size: int


def inspect(
    stages: Mapping[str, Artifact],
    out: Path,
    limit: int,
    on_progress: OnProgress,
    engine: Engine | None = None,
) -> Inspected:
    """Write the page of a run. The same run gives the same bytes.

    limit: maximum number of documents. engine: runs a large run in several processes; None for this process.
    Raises LeafInstructError if the run has no documents, SourceError if `out` cannot be written or a table is
    damaged.
    """
    name = stages["ingest"].path.parent.name
    found = gather(stages, limit, lambda done, parts: on_progress("reading", done, parts), engine)
    if not found.records:
        raise LeafInstructError(
            f"{stages['ingest'].path.parent}: contains no documents yet; run `leaf build`, and see `leaf "
            "status`"
        )
    small = thumbnails(
        partial(stored, stages["filter"]),
        found.wanted,
        IMAGE_BYTES,
        lambda done, parts: on_progress("shrinking images", done, parts),
        engine,
    )
    text = _page(name, _meta(name, stages, found, small), found.records, small)
    data = text.encode("utf-8", "replace")
    with last_write(), writing(out) as temporary:
        temporary.write_bytes(data)
    return Inspected(
        len(found.records), found.documents, sum(item is not None for item in small.data), len(data)
    )


def _page(name: str, meta: Mapping[str, Any], records: list[dict[str, Any]], small: Thumbnails) -> str:
    from plotly.offline import get_plotlyjs

    library = get_plotlyjs()
    return offline_page.page(
        _ASSETS / "inspect.html",
        f"{name}: dataset inspection",
        [_ASSETS / "inspect.css"],
        [_ASSETS / file for file in _SCRIPTS],
        {"meta": meta, "data": records},
        small.data,
        library,
        "".join(f'<i id="{name}" hidden></i>' for name in dict.fromkeys(_STYLED.findall(library))),
    )


def _meta(name: str, stages: Mapping[str, Artifact], found: Gathered, small: Thumbnails) -> dict[str, object]:
    """Data of the page that is not about a single record."""
    settings = (stages["filter"].record or {}).get("fingerprint") or stages["filter"].fingerprint or {}
    section = cast("Mapping[str, Any]", settings.get("filter", {}))
    active, scores = (
        set(cast("Sequence[str]", settings.get("active_rules", ()))),
        scores_of(stages["filter"], stages["rewrite"]),
    )
    steps = _funnel(stages)
    return {
        "name": name,
        "funnel": steps,
        "sources": sorted({source for step in steps for source in step["sources"]}),
        "outcomes": _outcomes(steps),
        "notes": _notes(stages, found, small),
        "scores": {
            level: [
                {"name": score, "meaning": meaning, "model": found.models.get(score)}
                for score, meaning in scores[declared].items()
            ]
            for level, declared in (("own", "document"), ("image", "image"))
        },
        "rules": [
            _rule(rule, "image" if rule["score"] in scores["image"] else "own")
            for rule in section.get("rules", ())
            if rule["score"] in active & (scores["image"].keys() | scores["document"].keys())
        ],
        "minima": {"images": section.get("min_images", 0), "words": section.get("min_words", 0)},
        "share_above": section.get("alignment", {}).get("share_above"),
        "images": {"group": offline_page.GROUP},
    }


def _rule(rule: Mapping[str, Any], level: str) -> dict[str, object]:
    return {
        "score": rule["score"],
        "level": level,
        "min": rule["min"],
        "max": rule["max"],
        "drop": rule["drop"] or "image",
    }


def _notes(stages: Mapping[str, Artifact], found: Gathered, small: Thumbnails) -> list[str]:
    """Notes at the top of the page: unfinished stages, samples, toy scores, omitted images and text."""
    entries = status.entries(stages)
    notes = [
        f"{entry['stage']} is {status.STATES[entry['state']]}."
        for entry in entries
        if entry["state"] != "done"
    ]
    if len(found.records) < found.documents:
        notes.append(
            f"This page shows {len(found.records):,} of {found.documents:,} documents, sampled by a hash of "
            "their ids. The funnel counts all documents; scores and records are those of the sample."
        )
    if (stages["filter"].record or {}).get("toy"):
        notes.append(
            "Alignment was scored by a tiny model that recognizes only sketchbook images; its scores for "
            "these documents are meaningless."
        )
    if small.left_out:
        notes.append(
            f"{small.left_out:,} of {found.images:,} images are left out to keep this file small. Use "
            "--records N to show fewer records with all images."
        )
    if found.cut:
        notes.append(f"The text of {found.cut:,} records is cut to {found.allowance:,} bytes each.")
    return notes


def _funnel(stages: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """The funnel: for each stage that has begun, what it kept and what each reason dropped, total and by
    source."""
    steps = []
    for stage, label, documents, images in _LABELS:
        artifact = stages[stage]
        if status.state(artifact) == "missing":
            continue
        totals, by_source = artifact.totals(), _by_source(artifact)
        losses = [
            {"reason": reason, "of": of, "count": count, "sources": _counted(reason, by)}
            for of, counts, by in (
                ("documents", totals.reasons, {name: one.reasons for name, one in by_source.items()}),
                (
                    "images",
                    totals.image_reasons,
                    {name: one.image_reasons for name, one in by_source.items()},
                ),
                ("texts", totals.edits, {name: one.edits for name, one in by_source.items()}),
            )
            for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]
        kept = (
            {} if stage == "shard" else _counted(documents, {n: one.counts for n, one in by_source.items()})
        )
        steps.append(
            {
                "stage": stage,
                "label": label,
                "documents": totals.counts[documents],
                "images": totals.counts[images],
                "losses": losses,
                "sources": kept,
            }
        )
    return steps


def _by_source(artifact: Artifact) -> dict[str, Totals]:
    """Sums of the parts of each source. The name of a part is its source and a hash."""
    found: dict[str, list[StageReport]] = {}
    for report in artifact.reports():
        found.setdefault(report.part.rpartition("-")[0], []).append(report)
    return {source: total(reports) for source, reports in sorted(found.items())}


def _counted(name: str, by_source: Mapping[str, Counter[str]]) -> dict[str, int]:
    return {source: counts[name] for source, counts in by_source.items() if counts[name]}


def _outcomes(steps: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Outcome -> source -> documents. Outcomes: kept, a reason of filter or rewrite, or undecided."""
    by_stage = {step["stage"]: step for step in steps}
    last = next((by_stage[stage] for stage in ("rewrite", "filter") if stage in by_stage), None)
    found: dict[str, dict[str, int]] = {"kept": last["sources"] if last else {}}
    for stage in ("filter", "rewrite"):
        for loss in by_stage[stage]["losses"] if stage in by_stage else ():
            if loss["of"] == "documents":
                found[loss["reason"]] = loss["sources"]
    read = by_stage["ingest"]["sources"] if "ingest" in by_stage else {}
    rest = {
        source: count - sum(counts.get(source, 0) for counts in found.values())
        for source, count in read.items()
    }
    if any(count > 0 for count in rest.values()):
        found["undecided"] = {source: max(0, count) for source, count in rest.items()}
    return found
