"""Distribution of a score: quantiles of any number of values in bounded memory.

Values are rounded to three significant digits and counted, as in HDR histograms: at most 1,800 counts per
decade. Quantiles are exact to 0.5% of their value; minimum, maximum and the counts within bounds are exact.
Chosen over sketches (t-digest, KLL), whose result depends on the order of merges, while sums of counts do not
depend on order or number of workers. Cost: about 0.1 microseconds a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DIGITS = 3
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Bounds = tuple[float | None, float | None]
"""Smallest and largest value that passes, inclusive; None: no bound."""


@dataclass
class Distribution:
    """Counts of one score.

    values: rounded value -> count. states: state -> count over all cells; `ok` cells have a value.
    passed: bounds -> number of cells within them.
    """

    of_images: bool = False
    values: Counter[float] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    passed: Counter[Bounds] = field(default_factory=Counter)
    least: float | None = None
    most: float | None = None

    def add(self, values: NDArray[np.float64], bounds: Sequence[Bounds] = ()) -> None:
        """Count values of cells whose state is ok, shape (n,). NaN is not counted and fails every bound."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return
        found, counts = np.unique(rounded(finite), return_counts=True)
        self.values.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        self._reach(float(finite.min()), float(finite.max()))
        for low, high in bounds:
            inside = (finite >= (-np.inf if low is None else low)) & (
                finite <= (np.inf if high is None else high)
            )
            self.passed[low, high] += int(inside.sum())

    def merge(self, other: Distribution) -> None:
        """Add the counts of another part."""
        self.of_images |= other.of_images
        self.values.update(other.values)
        self.states.update(other.states)
        self.passed.update(other.passed)
        if other.least is not None and other.most is not None:
            self._reach(other.least, other.most)

    def quantiles(self) -> dict[str, float]:
        """Quantiles by `5%`, `25%`, ...: the smallest value that at least this share of the values does not
        exceed. Empty if there are no values."""
        if not self.values:
            return {}
        ordered = sorted(self.values.items())
        reached = np.cumsum([count for _, count in ordered])
        places = [int(np.searchsorted(reached, share * reached[-1])) for share in QUANTILES]
        return {f"{share:.0%}": ordered[place][0] for share, place in zip(QUANTILES, places, strict=True)}

    def summary(self) -> dict[str, object]:
        """Entry for build.json and the card."""
        return {
            "cells": dict(sorted(self.states.items())),
            "least": self.least,
            **self.quantiles(),
            "most": self.most,
        }

    def _reach(self, least: float, most: float) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round finite values to DIGITS significant digits. -0.0 becomes 0.0."""
    size = np.abs(values)
    power = np.where(size > 0, np.floor(np.log10(np.where(size > 0, size, 1.0))), 0.0)
    scale = 10.0 ** (DIGITS - 1 - power)
    return np.round(values * scale) / scale + 0.0


def merged(parts: Iterable[Mapping[str, Distribution]]) -> dict[str, Distribution]:
    """Sum the counts of parts, sorted by score name. Each part is released after it is added."""
    whole: dict[str, Distribution] = {}
    for part in parts:
        for name, found in part.items():
            whole.setdefault(name, Distribution()).merge(found)
    return dict(sorted(whole.items()))
