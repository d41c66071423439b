"""Agreement of several annotators on one aspect: of judges, of samples of one judge, of people and judges.

    kappa      Cohen's of two, Fleiss' of more; a value is a category, so 4 and 5 disagree as much as 1 and 5
    weighted   mean over all pairs of Cohen's kappa with quadratic weights: near misses count less
    spearman   mean over all pairs of the rank correlation: the same order, though one is stricter?

Only items that all annotators have answered are counted in `kappa`; in the others each pair has its own. A
figure is None if it is undefined, as where somebody always gives the same value: then nothing is known, which
is not disagreement. Several figures, since each is blind to something: kappa to distances, rank correlation
to a shift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from leafinstruct.records.agreement.measures import cohen_kappa, fleiss_kappa, spearman


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one aspect. items: answered by all annotators. figures: rounded to 1e-4."""

    aspect: str
    annotators: tuple[str, ...]
    items: int
    kappa: float | None
    weighted: float | None
    spearman: float | None


def agreement(aspect: str, annotators: Sequence[str], answers: Iterable[Sequence[float | None]]) -> Agreement:
    """Compute the agreement of at least two annotators.

    answers: of each item, the value that each annotator gives it, None for no answer. Raises ValueError for
    fewer than two annotators."""
    if len(annotators) < 2:
        raise ValueError("agreement needs two annotators")
    given = list(answers)
    whole = [values for item in given if len(values := _given(item)) == len(annotators)]
    weighted: list[float | None] = []
    ranks: list[float | None] = []
    for one, two in combinations(range(len(annotators)), 2):
        both = [values for item in given if len(values := _given((item[one], item[two]))) == 2]
        if both:
            first, second = [values[0] for values in both], [values[1] for values in both]
            weighted.append(cohen_kappa(first, second, "quadratic"))
            ranks.append(spearman(first, second))
    kappa = None
    if whole and len(annotators) == 2:
        kappa = cohen_kappa([values[0] for values in whole], [values[1] for values in whole])
    elif whole:
        kappa = fleiss_kappa(whole)
    return Agreement(aspect, tuple(annotators), len(whole), _mean([kappa]), _mean(weighted), _mean(ranks))


def _given(item: Sequence[float | None]) -> list[float]:
    return [value for value in item if value is not None]


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of the figures that are defined, rounded; None if none is."""
    defined = _given(values)
    return round(fmean(defined), 4) if defined else None
