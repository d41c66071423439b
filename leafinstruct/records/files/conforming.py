"""Convert Arrow columns to another schema: which leaves of a Parquet file to read for some columns, and how
to fill what the file lacks.

Columns and fields are named by dotted paths through lists and structs, without the levels that Parquet adds
to lists: `image_info.license`. No schema is built in; `public` applies this to the published row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa


def plain_path(column: str) -> str:
    """Remove the levels that Parquet adds to lists: `image_info.list.element.license` ->
    `image_info.license`."""
    return column.replace(".list.element", "").replace(".list.item", "")


def projected(schema: pa.Schema, wanted: Collection[str]) -> pa.Schema:
    """A schema with only the columns and fields in `wanted` (short dotted paths). Raises ValueError for an
    unknown one."""
    known = {path for field in schema for path in _paths(field.type, field.name)}
    if unknown := sorted(set(wanted) - known):
        raise ValueError(f"the published row has no column {unknown[0]}")
    return pa.schema(
        [
            field.with_type(_projected(field.type, field.name, wanted))
            for field in schema
            if _is_wanted(field.name, wanted)
        ]
    )


def _paths(kind: pa.DataType, path: str) -> Iterator[str]:
    """Short dotted paths of a column and of everything inside it."""
    yield path
    inner = kind.value_type if pa.types.is_list(kind) else kind
    for field in inner if pa.types.is_struct(inner) else ():
        yield from _paths(field.type, f"{path}.{field.name}")


def _is_wanted(path: str, wanted: Collection[str]) -> bool:
    """Whether a column or field, or something inside it, is in `wanted`."""
    return any(path == name or name.startswith(f"{path}.") for name in wanted)


def _projected(kind: pa.DataType, path: str, wanted: Collection[str]) -> pa.DataType:
    if path in wanted:
        return kind
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_projected(kind.value_type, path, wanted)))
    inner = [(field, f"{path}.{field.name}") for field in kind]
    return pa.struct(
        [
            field.with_type(_projected(field.type, name, wanted))
            for field, name in inner
            if _is_wanted(name, wanted)
        ]
    )


def leaves_of(kind: pa.DataType, path: str, stored: Mapping[str, str]) -> list[str]:
    """Leaves of the file from which a column of type `kind` is read. stored: short path -> path in Parquet.

    A list or struct of which the file has none of the wanted fields still needs a leaf, for its lengths and
    nulls: the first one inside it.
    """
    if pa.types.is_struct(kind):
        found = [leaf for field in kind for leaf in leaves_of(field.type, f"{path}.{field.name}", stored)]
    elif pa.types.is_list(kind):
        found = leaves_of(kind.value_type, path, stored)
    else:
        return [stored[path]] if path in stored else []
    return found or [leaf for plain, leaf in stored.items() if plain.startswith(f"{path}.")][:1]


def conformed(
    array: pa.Array | None, kind: pa.DataType, path: str, length: int, defaults: Mapping[str, Any]
) -> pa.Array:
    """Convert an array to the type `kind`: missing fields are filled, additional fields are left out,
    unchanged values are not copied.

    array: None if the file lacks it. path: its short dotted path. length: of the result. defaults: path ->
    value of a missing field, if it is not null. Raises ArrowException for a type that cannot become `kind`.
    """
    if array is None:
        filled = defaults.get(path)
        return pa.nulls(length, kind) if filled is None else pa.repeat(pa.scalar(filled, kind), length)
    if array.type.equals(kind):
        return array
    if pa.types.is_list(kind) and pa.types.is_list(array.type):
        values = conformed(array.values, kind.value_type, path, len(array.values), defaults)
        return pa.Array.from_buffers(
            kind, len(array), array.buffers()[:2], array.null_count, array.offset, [values]
        )
    if pa.types.is_struct(kind) and pa.types.is_struct(array.type):
        # `field` respects the offset of a slice
        own = {field.name: array.field(at) for at, field in enumerate(array.type)}
        fields = [
            conformed(own.get(field.name), field.type, f"{path}.{field.name}", length, defaults)
            for field in kind
        ]
        return pa.StructArray.from_arrays(
            fields, fields=list(kind), mask=array.is_null() if array.null_count else None
        )
    return array.cast(kind)
