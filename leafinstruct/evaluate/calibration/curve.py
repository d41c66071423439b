"""A score against people's verdicts: what each bound on it would keep, and which bound to suggest.

    precision    of what the bound keeps, the share that people keep
    recall       of what people keep, the share that the bound keeps; 1 - recall is lost
    caught       of what people drop, the share that the bound drops
    right        of what the bound drops, the share that people drop
    kept         of the labeled items, the share that the bound keeps

Suggested is, of the bounds that lose at most `max_lost` of what people keep, the one with the most right
minus wrong drops; of equal ones the loosest. It must be better than dropping at random: the lower limit of
`right` has to be above the share that people drop, at a confidence that is corrected for the number of
curves that were tried (Bonferroni), since the best of 40 useless scores looks good by chance. With fewer than
MIN_KEPT or MIN_DROPPED labels no bound is suggested: of 20 kept items none lost still allows 16% lost.

The bound is chosen and measured with the same labels, so on other documents it is a little worse than its
figures say. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.score import Level
from leafinstruct.records.agreement.measures import CONFIDENCE, Estimate, wilson

Side = Literal["min", "max"]
SIDES: tuple[Side, ...] = ("min", "max")

MIN_KEPT, MIN_DROPPED = 20, 10
"""Minimum labels of each verdict, with a value of the score, for a suggestion."""
MAX_BOUNDS = 1000
"""Maximum bounds of a curve. Of more different values, every n-th gap is one."""


@dataclass(frozen=True, slots=True)
class Point:
    """One bound. of_run: share of all scored items of the run that it keeps, None before they are counted."""

    bound: float
    precision: Estimate
    recall: Estimate
    caught: Estimate
    right: Estimate
    kept: Estimate
    of_run: float | None = None

    @property
    def rightly(self) -> int:
        """Number of labeled items that it drops and people drop too."""
        return round((self.right.value or 0) * self.right.n)

    @property
    def net(self) -> int:
        """Right minus wrong drops."""
        return 2 * self.rightly - self.right.n


@dataclass(frozen=True, slots=True)
class Advice:
    """A suggested bound, or the reason why there is none."""

    side: Side
    point: Point | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """One score against the verdicts on its level.

    keep, drop: labels with a value. auc: probability that an item that people keep has a higher value than
    one that they drop. others: state -> labeled items without a value; `not_scored` was dropped before.
    before: the bounds of the run's rule. curves, advice: of each side.
    """

    score: str
    level: Level
    model: str | None
    keep: int
    drop: int
    auc: Estimate
    others: Mapping[str, int]
    before: Mapping[Side, float | None]
    curves: Mapping[Side, Sequence[Point]]
    advice: Mapping[Side, Advice]


def curve(values: Sequence[float], keep: Sequence[bool], side: Side) -> list[Point]:
    """The bounds between different values, from the loosest to the tightest. values: finite. keep: people's
    verdicts, parallel. A bound keeps what is at least (min) or at most (max) as large."""
    given, verdict = np.asarray(values, np.float64), np.asarray(keep, bool)
    distinct = np.unique(given)
    gaps = np.arange(1, len(distinct))
    if len(gaps) > MAX_BOUNDS:
        gaps = np.unique(np.linspace(1, len(distinct) - 1, MAX_BOUNDS).astype(int))
    bounds = [_between(float(distinct[at - 1]), float(distinct[at]), side) for at in gaps]
    return [_point(given, verdict, bound, side) for bound in (bounds if side == "min" else bounds[::-1])]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many points of a curve, evenly, with the first and the last."""
    if len(points) <= most:
        return list(points)
    return [points[at] for at in np.linspace(0, len(points) - 1, most).astype(int)]


def _between(low: float, high: float, side: Side) -> float:
    """A short number that separates two values, in the middle half between them. Of neighboring integers one
    of them, since a bound keeps what equals it."""
    if low.is_integer() and high - low == 1:
        return high if side == "min" else low
    margin = (high - low) / 4
    for digits in range(-6, 17):
        near = round((low + high) / 2, digits)
        if low + margin <= near <= high - margin:
            return near
    return high if side == "min" else low


def _point(values: NDArray[np.float64], keep: NDArray[np.bool_], bound: float, side: Side) -> Point:
    passing = values >= bound if side == "min" else values <= bound
    both, kept, wanted = int((passing & keep).sum()), int(passing.sum()), int(keep.sum())
    unwanted, n = len(values) - wanted, len(values)
    gone = unwanted - (kept - both)
    return Point(
        bound,
        wilson(both, kept),
        wilson(both, wanted),
        wilson(gone, unwanted),
        wilson(gone, n - kept),
        wilson(kept, n),
    )


def better_than_chance(rightly: int, drops: int, chance: float, tried: int) -> bool:
    """Whether drops are right more often than drops at random. chance: share of all that people drop. tried:
    number of curves of which the best ones are shown."""
    return wilson(rightly, drops, 1 - (1 - CONFIDENCE) / max(tried, 1)).low > chance


def advise(
    points: Sequence[Point], side: Side, wanted: int, unwanted: int, max_lost: float, tried: int
) -> Advice:
    """Choose a bound of a curve. wanted, unwanted: numbers of labels of each verdict."""
    if wanted < MIN_KEPT or unwanted < MIN_DROPPED:
        few = f"{wanted} labels keep and {unwanted} drop; a suggestion needs {MIN_KEPT} and {MIN_DROPPED}"
        return Advice(side, None, few)
    allowed = [point for point in points if 1 - (point.recall.value or 0) <= max_lost + 1e-12]
    best = max(allowed, key=lambda point: point.net, default=None)
    if best is None or best.net <= 0:
        return Advice(side, None, f"every bound loses more than {max_lost:.0%}, or more than it catches")
    chance = unwanted / (wanted + unwanted)
    if not better_than_chance(best.rightly, best.right.n, chance, tried):
        return Advice(
            side,
            None,
            f"the best drops {best.right.percent()} rightly, which may be chance after {tried} tries",
        )
    return Advice(side, best)
