"""The cell of a computed value, as every family of scores makes it."""

from __future__ import annotations

import math

from leafinstruct.records.example import Cell


def cell(name: str, value: float, position: int | None = None, model: str | None = None) -> Cell:
    """A computed cell: rounded to 1e-4, NaN as null with state `not_scored`."""
    if math.isnan(value):
        return Cell(name, None, "not_scored", position, model, "cannot be computed for this document")
    return Cell(name, round(value, 4), "ok", position, model)
