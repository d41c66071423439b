"""Agreement of several annotators on one aspect: of judges, of samples of one judge, of people and judges.

    kappa      Cohen's of two, Fleiss' of more; a value is a category, so 4 and 5 disagree as much as 1 and 5
    weighted   mean over all pairs of Cohen's kappa with quadratic weights: near misses count less
    spearman   mean over all pairs of the rank correlation: the same order, though one is stricter?

Only items that all annotators have answered are counted in `kappa`; in the others each pair has its own. A
figure is None if it is undefined, as where somebody always gives the same value: then nothing is known, which
is not disagreement. Several figures, since each is blind to something: kappa to distances, rank correlation
to a shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


def agreement(
    aspect: str, annotators: Sequence[str], answers: Mapping[tuple[float | None, ...], int]
) -> Agreement:
    """Compute the agreement of at least two annotators.

    answers: the values that the annotators give an item, None for no answer -> number of such items. Raises
    ValueError for fewer than two annotators."""
    if len(annotators) < 2:
        raise ValueError("agreement needs two annotators")
    whole = {item: count for item, count in answers.items() if None not in item}
    weighted: list[float | None] = []
    ranks: list[float | None] = []
    for one, two in combinations(range(len(annotators)), 2):
        both = Counter[tuple[float, float]]()
        for item, count in answers.items():
            if (first := item[one]) is not None and (second := item[two]) is not None:
                both[first, second] += count
        if both:
            firsts, seconds = zip(*both, strict=True)
            counts = list(both.values())
            weighted.append(cohen_kappa(firsts, seconds, "quadratic", counts=counts))
            ranks.append(spearman(firsts, seconds, counts))
    kappa, counts = None, list(whole.values())
    if whole and len(annotators) == 2:
        firsts, seconds = zip(*whole, strict=True)
        kappa = cohen_kappa(firsts, seconds, counts=counts)
    elif whole:
        kappa = fleiss_kappa(list(whole), counts)
    items = sum(counts)
    return Agreement(aspect, tuple(annotators), items, _mean([kappa]), _mean(weighted), _mean(ranks))


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of the figures that are defined, rounded; None if none is."""
    defined = [value for value in values if value is not None]
    return round(fmean(defined), 4) if defined else None
