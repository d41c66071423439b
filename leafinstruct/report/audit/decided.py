"""What filter decided about every document of a run, and how near to the bounds of its rules.

    dropped_by   the rules that dropped a document, its reason first; empty for a kept one
    margins      rule -> smallest distance of its values to the bound, in the unit of the score

A document that lost too many images is dropped by `min_images`, or `min_words`; the rules that dropped these
images follow the reason, since they caused it. A document has no verdict, and is left out, if a failure ended
its decision, or if it was removed by request.

Rules come from the fingerprint of the built stage, not from the current recipe.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa

from leafinstruct.filter.materialize import REMOVED
from leafinstruct.records import table
from leafinstruct.records.document import UNDECIDED
from leafinstruct.records.rows import Drop
from leafinstruct.report.tables import of_names
from leafinstruct.runtime.artifact import Artifact

_MINIMA = ("min_images", "min_words")


@dataclass(frozen=True, slots=True)
class Decided:
    """One document as filter decided. See the module's docstring."""

    id: str
    part: str
    dropped_by: tuple[str, ...]
    margins: dict[str, float] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        return not self.dropped_by


@dataclass(frozen=True, slots=True)
class _Bound:
    """Bounds of a rule; infinite where it has none."""

    least: float
    most: float

    def margin(self, value: float) -> float:
        """Distance of a value to the bound: from 0 if it passes, below 0 if it fails."""
        return min(value - self.least, self.most - value)


def decided(filtered: Artifact) -> Iterator[Decided]:
    """Yield the documents with a verdict, by part. Memory: one part."""
    bounds = _bounds(filtered)
    for part in filtered.parts():
        found = {
            document: Decided(document, part, dropped_by)
            for kind in ("documents", "dropped")
            for document, drops in table.columns(filtered.file(kind, part), "id", "drops")
            if (dropped_by := _dropped_by([Drop(**drop) for drop in drops or ()], kind)) is not None
        }
        for document, name, value in _values(filtered, part, bounds):
            one = found.get(document)
            if one is None:
                continue
            margin = bounds[name].margin(value)
            # a passing value of a dropped document, or a failed image of a kept one, decided nothing
            if (margin >= 0) == one.kept and (one.kept or name in one.dropped_by):
                one.margins[name] = min(abs(margin), one.margins.get(name, math.inf))
        yield from found.values()


def rules_of(filtered: Artifact) -> list[str]:
    """Scores with a rule that the stage applied, in the order of the recipe."""
    return [*_bounds(filtered)]


def _bounds(filtered: Artifact) -> dict[str, _Bound]:
    fingerprint = filtered.fingerprint or {}
    section = cast("Mapping[str, Any]", fingerprint.get("filter", {}))
    active = set(cast("Sequence[str]", fingerprint.get("active_rules", ())))
    return {
        rule["score"]: _Bound(_or(rule.get("min"), -math.inf), _or(rule.get("max"), math.inf))
        for rule in section.get("rules", ())
        if rule["score"] in active
    }


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound


def _dropped_by(drops: Sequence[Drop], kind: str) -> tuple[str, ...] | None:
    """The rules that dropped a document, its reason first; None if it has no verdict. kind: its table."""
    if kind == "documents":  # its drops are those of images
        return ()
    # an image that dropped its document is listed twice, for the document and for the image
    whole = [
        drop
        for at, drop in enumerate(drops)
        if drop.position is None or drop.state in UNDECIDED or drop in drops[at + 1 :]
    ]
    if any(drop.state in UNDECIDED or drop.rule == REMOVED for drop in whole):
        return None
    reasons = [drop.reason for drop in whole]
    if any(drop.rule in _MINIMA for drop in whole):
        reasons += [drop.reason for drop in drops if drop.position is not None]
    return tuple(dict.fromkeys(reasons))


def _values(filtered: Artifact, part: str, bounds: Mapping[str, _Bound]) -> Iterator[tuple[str, str, float]]:
    """(document, score, value) of the scores with a rule."""
    columns = ("document_id", "name", "value")
    schema = pa.schema([table.SCORES.field(column) for column in columns])
    # at once: the file's batches are small, and filtering each takes several times as long
    whole = pa.Table.from_batches(table.batches(filtered.file("scores", part), columns), schema)
    for batch in whole.combine_chunks().to_batches():
        rows = of_names(batch, bounds)
        for document, name, value in zip(*(rows[column].to_pylist() for column in columns), strict=True):
            if value is not None and not math.isnan(value):
                yield document, name, value
