"""Means of a few seeds with 95% intervals by Student's t, which at n = 3 extend 4.3 standard errors on each
side, not 2.

    mean +- t(n - 1) * s / sqrt(n)        s: standard deviation with n - 1

A difference between two methods is computed seed by seed (paired), because a seed affects both. Refused:
bootstrap over three numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

T = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
)
"""The 0.975 quantile for 1, 2 ... 19 degrees of freedom; nineteen numbers do not justify scipy."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of n numbers. half: half of the 95% interval's width, None for a single number."""

    mean: float
    half: float | None
    n: int

    @property
    def excludes_zero(self) -> bool:
        return self.half is not None and abs(self.mean) > self.half

    def text(self, scale: float = 1.0, digits: int = 1) -> str:
        """Format as "12.3 ± 4.5"."""
        mean = f"{self.mean * scale:.{digits}f}"
        return mean if self.half is None else f"{mean} ± {self.half * scale:.{digits}f}"


def interval(values: Sequence[float]) -> Interval:
    """Return mean and interval of 1 to 20 numbers. Raises ValueError for other counts."""
    n = len(values)
    if not 1 <= n <= len(T) + 1:
        raise ValueError(f"got {n} numbers; an interval needs 1 to {len(T) + 1}")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, None, 1)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(mean, T[n - 2] * spread / math.sqrt(n), n)


def paired(mine: Mapping[int, float], other: Mapping[int, float]) -> Interval | None:
    """Return the interval of mine minus other over the seeds (keys) that both have; None if there are
    none."""
    both = sorted(mine.keys() & other.keys())
    return interval([mine[seed] - other[seed] for seed in both]) if both else None
