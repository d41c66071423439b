"""How far the judges of a run agree, by aspect: for the record and the card.

Raters are the judges, each with the median of its samples; of one judge with several samples, the samples.
Only counts of equal answers are kept while the parts are read, so memory depends on the number of judges and
not of documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import cast

from leafinstruct.filter.judging.verdict import Aspect, median_of
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.records import table
from leafinstruct.records.agreement.raters import agreement
from leafinstruct.records.example import Cell
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.record import AgreementFacts

Given = tuple[float | None, ...]
"""What each rater gives one item; None for no value."""


def agreements(settings: FilterSettings, out: Artifact, parts: Sequence[Part]) -> list[AgreementFacts]:
    """The agreement on each aspect; none for one judge with one sample."""
    judges = [judge.name for judge in settings.judges]
    samples = [f"sample {number}" for number in range(1, settings.config.judge.samples + 1)]
    raters = judges if len(judges) > 1 else samples
    if settings.rule_based or len(raters) < 2:
        return []
    counted: dict[str, Counter[Given]] = {}
    for part in parts:
        for name, given in _items(out, part, raters, by_judge=len(judges) > 1):
            counted.setdefault(name, Counter())[given] += 1
    found = [
        asdict(agreement(name.partition(".")[2], raters, answers))
        for name, answers in sorted(counted.items())
    ]
    return [cast("AgreementFacts", {**one, "annotators": raters}) for one in found]


def _items(out: Artifact, part: Part, raters: Sequence[str], by_judge: bool) -> Iterator[tuple[str, Given]]:
    """Name of the score and what each rater gives, for every document and image of a part that was judged."""
    answers = table.single_answers(out.file("judged", part.name))
    for _, rows in groupby(answers, key=lambda row: row[0]):
        found: dict[Aspect, dict[str, list[Cell]]] = {}
        for _, judge, sample, cell in rows:
            rater = judge if by_judge else f"sample {sample}"
            found.setdefault((cell.name, cell.position), {}).setdefault(rater, []).append(cell)
        for (name, _), given in found.items():
            values = tuple(median_of(given[rater]).value if rater in given else None for rater in raters)
            if any(value is not None for value in values):
                yield name, values
