"""Agreement of annotators, of judges and of scores, with intervals. All later figures of agreement come from
here.

    wilson(8, 10)                                 a share: 0.8, 95% interval 0.49 to 0.94
    weighted_share([True, False], [3.0, 1.5])     a share of a sample with unequal probabilities
    cohen_kappa(["keep", "drop"], ["keep", "keep"])         two annotators, beyond chance
    kappa_estimate(...)                           the same with an interval
    cohen_kappa([1, 4], [2, 4], weights="quadratic")        the same for grades: a near miss counts less
    fleiss_kappa([["keep", "keep", "drop"], ...])           three annotators or more
    spearman(grades, scores)                      the same order?
    auc(kept, dropped)                            does a score separate two groups?
    bootstrap(statistic, n)                       an interval where there is no formula

An interval is honest for few items only if it does not shrink to nothing when all of them agree. Therefore
shares and kappa have Wilson's interval and AUCs Newcombe's, in which 10 of 10 is 0.72 to 1. The bootstrap
would say 1 to 1; it serves figures without a formula, such as weighted kappa and Spearman, and states no
interval where all resamples are equal.

Kappa: (observed - expected agreement) / (1 - expected). It is undefined (None) if both annotators use a
single value, and misleading if one value is rare: show the raw share beside it.

Chosen: formulas of a few lines for kappa, since scipy has none, and statsmodels and scikit-learn would be new
dependencies of 60 MB for them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from operator import eq
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Of every interval that is shown."""
RESAMPLES = 2_000
"""Of a bootstrap: its limits then vary by about one hundredth of the width from seed to seed."""


@cache
def _quantile(confidence: float) -> float:
    """How many standard errors an interval extends to each side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


_Z = _quantile(CONFIDENCE)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval. value: None if it is undefined, the interval then is all that is
    possible. n: number of items that it was computed from."""

    value: float | None
    low: float
    high: float
    n: int

    def reversed(self) -> Estimate:
        """Of a share, that of the others: lost for kept."""
        value = None if self.value is None else 1 - self.value
        return Estimate(value, 1 - self.high, 1 - self.low, self.n)

    def text(self, digits: int = 2) -> str:
        """Format as "0.80 (0.49 to 0.94)"; limits may be negative."""
        value = "n/a" if self.value is None else f"{self.value:.{digits}f}"
        return f"{value} ({self.low:.{digits}f} to {self.high:.{digits}f})"

    def percent(self) -> str:
        """Format a share as "8 of 10, 80% (49-94%)", or "0 of 0"."""
        if self.value is None:
            return "0 of 0"
        interval = f"{100 * self.low:.0f}-{100 * self.high:.0f}%"
        return f"{round(self.value * self.n):,} of {self.n:,}, {self.value:.0%} ({interval})"


def wilson(count: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """Share `count / n` with Wilson's score interval (Wilson 1927; Newcombe 1998, method 3). Nothing is known
    of 0 of 0: None, 0 to 1. Raises ValueError unless 0 <= count <= n."""
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share")
    if n == 0:
        return Estimate(None, 0.0, 1.0, 0)
    return Estimate(count / n, *_score_interval(count / n, n, confidence), n)


def weighted_share(values: Sequence[float], weights: Sequence[float]) -> Estimate:
    """Share of a population of which the items are a sample with unequal probabilities; n: number of items.

    values: of each item whether it counts, 1 or 0, or the part of its annotators who say so. weights: in
    proportion to 1 / the probability of the item to be chosen, above 0. Interval: Wilson's for Kish's
    effective number of items, (sum of weights)^2 / sum of squares (Kish 1965), which equal weights leave at
    n. It ignores that strata, a finite population and several annotators make a sample more precise, so it
    is rather too wide. Nothing is known of no items. Raises ValueError for other values and weights.
    """
    if len(values) != len(weights) or not all(weight > 0 for weight in weights):
        raise ValueError("every item needs a weight above 0")
    if not all(0 <= value <= 1 for value in values):
        raise ValueError("values must be between 0 and 1")
    if not values:
        return Estimate(None, 0.0, 1.0, 0)
    total = math.fsum(weights)
    share = math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / total
    share = 1.0 if min(values) == 1 else share  # rounding would miss it
    effective = total * total / math.fsum(weight * weight for weight in weights)
    return Estimate(share, *_score_interval(share, effective), len(values))


def _score_interval(share: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Limits of Wilson's interval of a share of n items."""
    z = _quantile(confidence)
    spread = z * z / n
    center = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    # the limits at 0 and 1 are exactly 0 and 1; rounding would miss them
    return 0.0 if share == 0 else max(0.0, center - half), 1.0 if share == 1 else min(1.0, center + half)


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    weights: Literal["linear", "quadratic"] | None = None,
    order: Sequence[Hashable] | None = None,
    counts: Sequence[int] | None = None,
) -> float | None:
    """Cohen's kappa of two annotators (Cohen 1960), or weighted (Cohen 1968), in [-1, 1].

    first, second: the answers to the same questions. counts: how many questions have each pair of answers, by
    default one. weights: how a disagreement grows with the distance of
    two values; needs `order`, all values from least to most, or numbers. The distance of numbers is their
    difference, of others in `order` their number of steps. Returns None if it is undefined. Raises ValueError
    for different lengths, no answers, and values that have no order.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} answers: two equal numbers above 0 are needed")
    values = list(dict.fromkeys([*(order or ()), *first, *second]))
    index = {value: at for at, value in enumerate(values)}
    table = np.zeros((len(values), len(values)))
    for one, other, count in zip(first, second, counts or repeat(1, len(first)), strict=True):
        table[index[one], index[other]] += count
    table /= table.sum()
    cost = _costs(values, weights, order)
    expected = float((cost * np.outer(table.sum(axis=1), table.sum(axis=0))).sum())
    return None if expected == 0 else 1 - float((cost * table).sum()) / expected


def kappa_estimate(first: Sequence[Hashable], second: Sequence[Hashable]) -> Estimate:
    """Cohen's kappa with an interval: Wilson's limits of the observed agreement, with the expected agreement
    as it is. So it is the score interval to Cohen's standard error (1960), and keeps a width where all
    answers agree; a bootstrap would have none. Undefined: -1 to 1. Raises ValueError as `cohen_kappa`."""
    value, n = cohen_kappa(first, second), len(first)
    if value is None:
        return Estimate(None, -1.0, 1.0, n)
    one, other = Counter(first), Counter(second)
    expected = sum(one[answer] * other[answer] for answer in one) / n**2
    observed = wilson(sum(map(eq, first, second)), n)
    low, high = ((share - expected) / (1 - expected) for share in (observed.low, observed.high))
    return Estimate(value, low, high, n)


def _costs(
    values: Sequence[Hashable], weights: str | None, order: Sequence[Hashable] | None
) -> NDArray[np.float64]:
    """Cost of each pair of values, (k, k)."""
    if weights is None:
        return 1 - np.eye(len(values))
    if order is not None:
        if len(values) > len(order):
            raise ValueError(f"{values[len(order)]!r} is not in the order {list(order)}")
        scale = np.arange(len(values), dtype=np.float64)
    elif all(isinstance(value, int | float) for value in values):
        scale = np.array(values, dtype=np.float64)
    else:
        raise ValueError("weighted kappa of values that are no numbers needs their order")
    distance = np.abs(scale[:, None] - scale[None, :])
    return distance if weights == "linear" else distance**2


def fleiss_kappa(answers: Sequence[Sequence[Hashable]], counts: Sequence[int] | None = None) -> float | None:
    """Fleiss' kappa (Fleiss 1971) of two or more annotators, who need not be the same ones for each item.

    answers: of each item, as many for each. counts: how many items have these answers, by default one.
    Returns None if all answers are equal. Raises ValueError for no items, different numbers of answers, or
    fewer than two.
    """
    raters = len(answers[0]) if answers else 0
    if raters < 2 or any(len(item) != raters for item in answers):
        raise ValueError("every item needs the same number of answers, at least two")
    totals, agreeing, items = Counter[Hashable](), 0, 0
    for item, weight in zip(answers, counts or repeat(1, len(answers)), strict=True):
        items += weight
        for answer, count in Counter(item).items():
            totals[answer] += weight * count
            agreeing += weight * count * (count - 1)
    if len(totals) == 1:
        return None
    observed = agreeing / (items * raters * (raters - 1))
    expected = sum((count / totals.total()) ** 2 for count in totals.values())
    return (observed - expected) / (1 - expected)


def spearman(
    first: Sequence[float], second: Sequence[float], counts: Sequence[int] | None = None
) -> float | None:
    """Spearman's rank correlation, ties by mean ranks. Returns None for fewer than 2 pairs or a constant
    side.

    counts: how many times each pair occurs, by default once. They are why scipy.stats.spearmanr is not used,
    which takes each pair by itself: the grades of a run are millions of a few pairs."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    weights = np.ones(len(first)) if counts is None else np.asarray(counts, np.float64)
    one, other = (_ranks(np.asarray(side, np.float64), weights) for side in (first, second))
    return float(
        (weights * one * other).sum() / np.sqrt((weights * one**2).sum() * (weights * other**2).sum())
    )


def _ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean rank of each value minus the mean of all ranks, (n,)."""
    _, place = np.unique(values, return_inverse=True)
    sizes = np.bincount(place, weights)
    ranks: NDArray[np.float64] = (np.cumsum(sizes) - sizes / 2)[place]
    ranks -= weights.sum() / 2
    return ranks


def auc(high: Sequence[float], low: Sequence[float]) -> Estimate:
    """Probability that a value of `high` is above one of `low`, ties half: area under the ROC curve.

    Interval: Newcombe 2006, method 5, which takes the variance of Hanley and McNeil (1982) at the limits and
    not at the estimate, as Wilson's does; so it has a width at 0 and 1 too. n: all values. Nothing is known
    if one side is empty.
    """
    n = len(high) + len(low)
    if not (high and low):
        return Estimate(None, 0.0, 1.0, n)
    ordered = np.sort(np.asarray(low, dtype=np.float64))
    values = np.asarray(high, dtype=np.float64)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    area = float(below.sum()) / (2 * len(high) * len(low))
    pairs = len(high) * len(low)
    return Estimate(area, 1 - _limit(1 - area, n, pairs), _limit(area, n, pairs), n)


def _limit(area: float, n: int, pairs: int) -> float:
    """The upper limit: the largest area from which `area` is at most _Z standard errors away. By bisection,
    to 1e-12."""
    near, far = area, 1.0
    for _ in range(40):
        middle = (near + far) / 2
        skew = (1 - middle) / (2 - middle) + middle / (1 + middle)
        variance = middle * (1 - middle) * (1 + (n / 2 - 1) * skew) / pairs
        if middle - area <= _Z * math.sqrt(variance):
            near = middle
        else:
            far = middle
    return (near + far) / 2


def bootstrap(statistic: Callable[[NDArray[np.int64]], float | None], n: int, seed: int = 0) -> Estimate:
    """A figure of n items with its percentile bootstrap interval (Efron 1979).

    statistic: gets the indices of items, (n,), some of them repeated, and returns the figure of these items.
    Resamples where it is undefined are left out. The interval is -1 to 1, the range of kappa and Spearman, if
    they are more than half, or if all resamples are equal, which says nothing about other items. Raises
    ValueError for no items.
    """
    if n < 1:
        raise ValueError("no items")
    value = statistic(np.arange(n))
    random = np.random.default_rng(seed)
    found = [statistic(random.integers(n, size=n)) for _ in range(RESAMPLES)] if value is not None else []
    defined = [one for one in found if one is not None]
    if len(defined) <= len(found) / 2 or min(defined) == max(defined):
        return Estimate(value, -1.0, 1.0, n)
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high), n)
