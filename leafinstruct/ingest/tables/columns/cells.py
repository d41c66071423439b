"""Read the cells of a row: values at dotted names, and the images of a column with the facts in other
columns. Pure but for `refer`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.tables.columns.config import ImageColumn
from leafinstruct.ingest.tables.columns.placeholders import NUMBER, numbered
from leafinstruct.records.document import ImageRef, Ref
from leafinstruct.records.license import named

Refer = Callable[[object, str, int | None], tuple[Ref, str | None]]
"""(value, column, index in its list) -> reference and web URL of an image. Raises LostError."""


def value_of(row: Mapping[str, Any], name: str) -> Any:
    """Return the value at a dotted name, a list of values where a step leads through a list; None where a
    step is missing. A key may have dots itself: the longest one that a row has is used."""
    if name in row:
        return row[name]
    return _inside(row, name) if "." in name else None


def _inside(value: Any, name: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [_inside(item, name) if isinstance(item, Mapping) else None for item in value]
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    head, dot = name, len(name)
    while (dot := name.rfind(".", 0, dot)) > 0:
        head = name[:dot]
        if head in value:
            return _inside(value[head], name[dot + 1 :])
    return None


def columns_named(row: Mapping[str, Any], name: str) -> list[str]:
    """Return the columns of a row that a name means: itself, or those that match its {n}."""
    if NUMBER not in name:
        return [name]
    if found := numbered(name, row):
        return found
    steps = name.split(".")
    at = next(index for index, step in enumerate(steps) if NUMBER in step)
    holder = value_of(row, ".".join(steps[:at])) if at else row
    inner = numbered(steps[at], holder) if isinstance(holder, Mapping) else []
    return [".".join([*steps[:at], column, *steps[at + 1 :]]) for column in inner]


def numbered_entry(entry: ImageColumn, name: str, column: str) -> ImageColumn:
    """Return the entry for one column of an entry whose name has {n}."""
    if NUMBER not in name:
        return entry.model_copy(update={"image": column})
    before, _, after = name.partition(NUMBER)
    number = column[len(before) : len(column) - len(after)]
    beside = {
        key: value.replace(NUMBER, number)
        for key in ("alt", "url", "license", "time")
        if (value := getattr(entry, key))
    }
    return entry.model_copy(update={"image": column, **beside})


def images(
    entry: ImageColumn, row: Mapping[str, Any], refer: Refer, lost: list[LostError]
) -> Iterator[tuple[str, int, ImageRef | None]]:
    """Yield (column, index, image) of a column, or of all columns that match its {n}; None where an index has
    no image. A conversation discards the losses: its placeholders are counted."""
    for column in columns_named(row, entry.image):
        yield from (
            (column, index, image)
            for index, image in enumerate(
                one_column(numbered_entry(entry, entry.image, column), row, refer, lost)
            )
        )


def one_column(
    entry: ImageColumn, row: Mapping[str, Any], refer: Refer, lost: list[LostError]
) -> Iterator[ImageRef | None]:
    value = value_of(row, entry.image)
    many = isinstance(value, (list, tuple))
    for index, item in enumerate(value if many else [value]):
        if item is None:
            yield None
            continue
        alt, stated_url, license_ = (
            _text_beside(row, name, index if many else None) for name in (entry.alt, entry.url, entry.license)
        )
        time = _beside(row, entry.time, index if many else None)
        try:
            ref, url = refer(item, entry.image, index if many else None)
        except LostError as piece:
            lost.append(LostError(piece.reason, f"{entry.image}: {piece.detail}"))
            yield None
        else:
            yield ImageRef(0, ref, alt, web(stated_url) or url, named(license_) or None, time=_seconds(time))


def _beside(row: Mapping[str, Any], name: str | None, index: int | None) -> Any:
    """Return another column's value for an image. index: the image's place in a list, None for a single
    image."""
    value = value_of(row, name) if name else None
    if isinstance(value, (list, tuple)):
        return value[index] if index is not None and index < len(value) else None
    return value if index is None else None


def _text_beside(row: Mapping[str, Any], name: str | None, index: int | None) -> str:
    value = _beside(row, name, index)
    return one_line(value) if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    known = (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )
    return float(value) if known else None  # type: ignore[arg-type]  # known is a number
