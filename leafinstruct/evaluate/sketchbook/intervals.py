"""Means of a few seeds with what they are worth: 95% intervals by Student's t, which at n = 3 are 4.3
standard errors wide on each side and not 2.

    mean +- t(n - 1) * s / sqrt(n)        s: standard deviation with n - 1

A difference between two methods is taken seed by seed (paired), because a seed moves both. Refused: bootstrap
over three numbers.
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
"""The 0.975 quantile for 1, 2 ... 19 degrees of freedom; scipy is no dependency for nineteen numbers."""


@dataclass(frozen=True, slots=True)
class Interval:
    """half: of the 95% interval; None for one number alone."""

    mean: float
    half: float | None
    n: int

    @property
    def excludes_zero(self) -> bool:
        return self.half is not None and abs(self.mean) > self.half

    def text(self, scale: float = 1.0, digits: int = 1) -> str:
        """As "12.3 ± 4.5"."""
        told = f"{self.mean * scale:.{digits}f}"
        return told if self.half is None else f"{told} ± {self.half * scale:.{digits}f}"


def interval(values: Sequence[float]) -> Interval:
    """Of at least one and at most twenty numbers. Raises ValueError otherwise."""
    n = len(values)
    if not 1 <= n <= len(T) + 1:
        raise ValueError(f"{n} numbers; an interval is of 1 to {len(T) + 1}")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, None, 1)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(mean, T[n - 2] * spread / math.sqrt(n), n)


def paired(mine: Mapping[int, float], other: Mapping[int, float]) -> Interval | None:
    """Mean of mine minus other over the seeds that both have; None for none. Keys are seeds."""
    both = sorted(mine.keys() & other.keys())
    return interval([mine[seed] - other[seed] for seed in both]) if both else None
