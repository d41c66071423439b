"""The cell of a computed value, as every family of scores makes it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from leafinstruct.records.example import Cell
from leafinstruct.records.text.language_names import named

_UNKNOWN = "the model does not know "


def cell(name: str, value: float, position: int | None = None, model: str | None = None) -> Cell:
    """A computed cell: rounded to 1e-4; NaN and infinities as null with state `not_scored`."""
    if not math.isfinite(value):
        return Cell(name, None, "not_scored", position, model, "cannot be computed for this document")
    return Cell(name, round(value, 4), "ok", position, model)


def of_unknown_language(name: str, language: str | None, position: int | None, model: str) -> Cell:
    """The cell of a document in a language that the model does not know. No rule is applied to it."""
    return Cell(name, None, "not_scored", position, model, f"{_UNKNOWN}{named(language)}")


def ignored(cells: Iterable[Cell]) -> list[str]:
    """Families with a cell of `of_unknown_language`."""
    return sorted({cell.name.partition(".")[0] for cell in cells if is_ignored(cell)})


def is_ignored(cell: Cell) -> bool:
    """Whether a cell is of `of_unknown_language`."""
    return cell.state == "not_scored" and cell.model is not None and cell.detail.startswith(_UNKNOWN)
