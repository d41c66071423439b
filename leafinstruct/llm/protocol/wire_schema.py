"""Reduce a JSON schema to the subset that strict modes share: OpenAI, Gemini, vLLM (xgrammar), llama.cpp,
Ollama.

    kept       type, properties, items, enum, anyOf below the root, description
    set        every property required, additionalProperties false, a type beside every enum
    rewritten  const -> enum of one, oneOf -> anyOf, a list of types -> anyOf, an integer with few values
               (a score from 1 to 5) -> enum, so that a constrained decoder cannot give 7 of 5
    left out   bounds of lengths, items and other numbers, pattern, format, defaults, titles, conditions, all
               else

`integer_enums` is False for Gemini, which takes values of an enum for strings and rejects numbers.

Each of these modes rejects another part of JSON schema (OpenAI long rejected minLength, Gemini an enum
without a type, xgrammar patterns), and a request rejected for its schema loses all enforcement. What is left
out is checked on the answer by the full schema (parse.py). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (type(None), "null"),
    (list, "array"),
    (dict, "object"),
)


MOST_VALUES = 16
"""An integer with more values is sent without bounds: strict modes limit the values of all enums together."""


def wire_schema(schema: Mapping[str, Any], *, integer_enums: bool = True) -> dict[str, object]:
    """Return the schema of an object with properties, for strict modes.

    Every answer that fits the full schema and states every property fits it too. A value without a type is
    taken for a number if it has numeric bounds, else for a string. integer_enums: whether the server accepts
    an enum of integers.
    """
    return _object(schema, integer_enums)


def _node(schema: Mapping[str, Any], integer_enums: bool) -> dict[str, object]:
    kept = {"description": schema["description"]} if "description" in schema else {}
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return {"anyOf": [_node(choice, integer_enums) for choice in schema[word]], **kept}
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    kind = schema.get("type")
    if values is not None:
        return _values(values) | kept
    if isinstance(kind, list):
        return {"anyOf": [_node({**schema, "type": one}, integer_enums) for one in kind], **kept}
    if kind == "object" or (kind is None and "properties" in schema):
        return _object(schema, integer_enums) | kept
    if kind == "array" or (kind is None and "items" in schema):
        return {"type": "array", "items": _node(schema.get("items") or {}, integer_enums), **kept}
    if kind == "integer" and integer_enums and (values := _few(schema)):
        return _values(values) | kept
    return {"type": kind or ("number" if {"minimum", "maximum"} & schema.keys() else "string"), **kept}


def _few(schema: Mapping[str, Any]) -> list[int]:
    """The values of an integer with bounds; none if there are more than MOST_VALUES, or a bound is no
    integer."""
    least, most = schema.get("minimum"), schema.get("maximum")
    if not isinstance(least, int) or not isinstance(most, int) or most - least >= MOST_VALUES:
        return []
    return list(range(least, most + 1))


def _object(schema: Mapping[str, Any], integer_enums: bool) -> dict[str, object]:
    properties = {name: _node(inner, integer_enums) for name, inner in schema.get("properties", {}).items()}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _values(values: list[Any]) -> dict[str, object]:
    """Return an enum with its type; a choice of enums if the values have several types."""
    by_type: dict[str, list[Any]] = {}
    for value in values:
        by_type.setdefault(next(name for kind, name in _TYPES if isinstance(value, kind)), []).append(value)
    choices: list[dict[str, object]] = [{"type": name, "enum": group} for name, group in by_type.items()]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}
