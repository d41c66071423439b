"""What a calibration reads of a run: scores of the labeled items, drops, and counts over all items.

Three scans of Arrow batches: ids and positions of ingest, scores, drops. Only labeled items keep their
scores; of the whole run, only items that fail a rule are in memory (about 200 bytes each). Counts over all
scores are a scan of their own, once the bounds are known. Cost: 1.2 and 4 million scores a
CPU second.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate.calibration.curve import Side
from leafinstruct.evaluate.verdicts import Item
from leafinstruct.filter.config import TOY_MODEL, Rule
from leafinstruct.filter.score import Level
from leafinstruct.records import table
from leafinstruct.records.example import Cell
from leafinstruct.report import tables
from leafinstruct.report.run import Run

Failures = dict[Item, set[str]]
"""Item -> scores and reasons (min_images, languages) that drop it."""


ROWS = 65_536
"""Rows of a batch of scores, about 5 MB."""


@dataclass(frozen=True)
class RunRules:
    """The rules that a run was filtered with. active: those that applied. clip: the CLIP that a rule has to
    name."""

    all: tuple[Rule, ...]
    active: tuple[Rule, ...]
    clip: str


@dataclass
class Scores:
    """cells: score -> labeled item -> its cell. models: score -> its model. levels: score -> whether
    it is of documents or images. failing: of the whole run, the items that fail a rule by their score."""

    cells: dict[str, dict[Item, Cell]] = field(default_factory=lambda: defaultdict(dict))
    models: dict[str, str | None] = field(default_factory=dict)
    levels: dict[str, Level] = field(default_factory=dict)
    failing: Failures = field(default_factory=lambda: defaultdict(set))


def rules_of(run: Run) -> RunRules:
    """Raises LeafInstructError if filter is not done, or if the package of a rule's score is gone."""
    stage = run.stages["filter"]
    record, fingerprint = stage.record, stage.fingerprint
    if record is None or fingerprint is None:
        raise LeafInstructError(f"{stage.path}: filter is not done, so nothing is scored; run: {run.again}")
    section: Any = fingerprint["filter"]
    names: Any = fingerprint["active_rules"]
    try:
        rules = tuple(Rule.model_validate(rule) for rule in section["rules"])
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise LeafInstructError(
            f"{stage.path}: a rule of the run is not known here: {reason}; install the package that declares "
            "its score, or build the run again"
        ) from error
    active = tuple(rule for rule in rules if rule.score in names)
    return RunRules(rules, active, section["alignment"]["model"] or TOY_MODEL)


def known_items(run: Run, items: Collection[Item]) -> set[Item]:
    """Those of the items that ingest read: documents by id, images by id and position."""
    wanted = pa.array(sorted({identity for identity, _ in items}), pa.string())
    ingest, found = run.stages["ingest"], set[Item]()
    columns = ["id", "segments"] if any(position is not None for _, position in items) else ["id"]
    for part in ingest.parts():
        for batch in table.batches(ingest.file("documents", part), columns):
            some = batch.filter(pc.is_in(batch.column("id"), wanted))
            found.update((identity, None) for identity in some.column("id").to_pylist())
            if len(columns) > 1:
                found.update(_images(some))
    return found & set(items)


def _images(documents: pa.RecordBatch) -> Iterator[Item]:
    pairs = zip(documents.column("id").to_pylist(), documents.column("segments").to_pylist(), strict=True)
    return (
        (identity, segment["position"])
        for identity, segments in pairs
        for segment in segments
        if segment["type"] == "image"
    )


def read_scores(run: Run, items: Collection[Item], rules: Sequence[Rule]) -> Scores:
    """Read the scores of the labeled items, and which items of the run fail a rule."""
    found = Scores()
    wanted = pa.array(sorted({identity for identity, _ in items}), pa.string())
    for batch in _scores(run, tables.schema("scores").names):
        for rule in rules:
            for item in _items(batch.filter(_fails(batch, rule))):
                found.failing[item].add(rule.score)
        some = batch.filter(pc.is_in(batch.column("document_id"), wanted))
        columns = (some.column(name).to_pylist() for name in ("name", "value", "state", "model"))
        for item, name, value, state, model in zip(_items(some), *columns, strict=True):
            found.models[name] = model
            found.levels[name] = "document" if item[1] is None else "image"
            if item in items:
                found.cells[name][item] = Cell(name, value, state, item[1], model)
    return found


def _scores(run: Run, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The scores in batches of about ROWS rows; files have 512 a batch, which take several times as long."""
    group: list[pa.RecordBatch] = []
    for batch in tables.batches(run.stages, "scores", run.again, columns):
        group.append(batch)
        if len(group) * group[0].num_rows >= ROWS:
            yield from pa.Table.from_batches(group).combine_chunks().to_batches()
            group = []
    if group:
        yield from pa.Table.from_batches(group).combine_chunks().to_batches()


def _items(batch: pa.RecordBatch) -> list[Item]:
    ids, positions = batch.column("document_id").to_pylist(), batch.column("position").to_pylist()
    return list(zip(ids, positions, strict=True))


def _fails(scores: pa.RecordBatch, rule: Rule) -> pa.Array:
    """Which rows fail a rule, as filter/decision.py defines it: null and NaN fail, not applicable passes."""
    value, nan = scores.column("value"), pc.fill_null(pc.is_nan(scores.column("value")), True)
    outside = nan
    if rule.min is not None:
        outside = pc.or_(outside, pc.fill_null(pc.less(value, rule.min), True))
    if rule.max is not None:
        outside = pc.or_(outside, pc.fill_null(pc.greater(value, rule.max), True))
    applies = pc.not_equal(scores.column("state"), "not_applicable")
    return pc.and_(pc.and_(pc.equal(scores.column("name"), rule.score), applies), outside)


def read_drops(run: Run) -> Failures:
    """What filter dropped: item -> rules and reasons. Images of a dropped document are not items of their
    own."""
    found: Failures = defaultdict(set)
    columns = ["stage", "document_id", "scope", "rule", "position"]
    for batch in tables.batches(run.stages, "drops", run.again, columns):
        for stage, identity, scope, rule, position in zip(
            *(batch.column(name).to_pylist() for name in columns), strict=True
        ):
            if stage == "filter":
                found[identity, position if scope == "image" else None].add(rule)
    return found


def kept_of_run(
    run: Run, bounds: Mapping[str, Mapping[Side, Sequence[float]]]
) -> dict[tuple[str, Side, float], float]:
    """Share of all scored items of the run that each bound on each score keeps."""
    above: dict[str, Counter[int]] = defaultdict(Counter)
    below: dict[str, Counter[int]] = defaultdict(Counter)
    edges = {
        name: {side: np.unique(given) for side, given in sides.items()} for name, sides in bounds.items()
    }
    for batch in _scores(run, ["name", "value"]):
        usable = batch.filter(pc.is_valid(batch.column("value")))
        for name in pc.unique(usable.column("name")).to_pylist():
            if name in edges:
                values = usable.filter(pc.equal(usable.column("name"), name)).column("value").to_numpy()
                _count(above[name], np.searchsorted(edges[name]["min"], values, "right"))
                _count(below[name], np.searchsorted(edges[name]["max"], values, "left"))
    shares: dict[tuple[str, Side, float], float] = {}
    for name, sides in edges.items():
        total = max(above[name].total(), 1)
        for at, bound in enumerate(sides["min"].tolist()):  # kept: at least at + 1 bounds are not above it
            shares[name, "min", bound] = sum(n for count, n in above[name].items() if count > at) / total
        for at, bound in enumerate(sides["max"].tolist()):  # kept: at most `at` bounds are below it
            shares[name, "max", bound] = sum(n for count, n in below[name].items() if count <= at) / total
    return shares


def _count(counter: Counter[int], indices: Any) -> None:
    values, counts = np.unique(indices, return_counts=True)
    counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
