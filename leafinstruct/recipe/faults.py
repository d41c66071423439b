"""Messages about faults of a recipe, in terms of its keys instead of our classes."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from leafinstruct.errors import MAX_LINES, shortened, suggestion
from leafinstruct.ingest.config import KINDS, extensions, source_class

_IN_PYTHON = re.compile(r"dictionary(?: or instance of \w+)?")
"""Pydantic's name for a mapping."""
_SOURCES = (("ingest", "sources"), ("filter", "reference"))
"""Keys of lists of sources."""
_MOST = 200
"""Maximum characters of a value that a message quotes."""


def faults_of(error: ValidationError, recipe: type[BaseModel]) -> list[str]:
    """One line per fault: key, what is wrong, the nearest known key."""
    lines: list[str] = []
    faults = error.errors(include_url=False)
    parents = {fault["loc"][:length] for fault in faults for length in range(len(fault["loc"]))}
    for fault in faults:
        if len(lines) == MAX_LINES:
            lines += [""] * (len(faults) - MAX_LINES)  # the error only counts them
            break
        if fault["type"] == "too_short" and fault["loc"] in parents:
            continue  # the list is short only because of its wrong items
        key = _key([step for step, tag in zip(fault["loc"], _tags(fault["loc"]), strict=True) if not tag])
        if fault["type"] == "extra_forbidden":
            name = str(fault["loc"][-1])
            known = _known_keys(recipe, fault["loc"][:-1])
            lines.append(f"{key}: unknown key; {suggestion(name, known)}")
        elif fault["type"] == "too_short":
            lines.append(f"{key}: at least {fault['ctx']['min_length']} is needed")
        elif fault["type"] == "missing":
            lines.append(f"{key}: missing")
        elif fault["type"].startswith("union_tag"):
            lines.append(f"{key}.kind: one of {', '.join([*KINDS, *extensions()])} is needed")
        else:
            message = _IN_PYTHON.sub(
                "mapping", fault["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
            )
            # a user may have written a key in place of its variable's name
            secret = fault["loc"][:1] == ("llm",)
            given = "" if fault["type"] == "value_error" or secret else f", not {_cut(repr(fault['input']))}"
            hint = "; write it in quotes" if fault["type"] == "string_type" else ""
            lines.append(f"{key}: {message[0].lower()}{message[1:]}{given}{hint}")
    return lines


def booleans_as_numbers(given: Any, read: Any, *steps: str | int) -> list[str]:
    """One line per boolean (in YAML also yes, no, on, off) that pydantic read as 1 or 0. read: the settings
    as plain values."""
    if isinstance(given, dict) and isinstance(read, dict):
        return [
            line
            for key in given.keys() & read.keys()
            for line in booleans_as_numbers(given[key], read[key], *steps, key)
        ]
    if isinstance(given, list) and isinstance(read, list | tuple) and len(given) == len(read):
        return [
            line
            for index, pair in enumerate(zip(given, read, strict=True))
            for line in booleans_as_numbers(*pair, *steps, index)
        ]
    if isinstance(given, bool) and isinstance(read, int | float) and not isinstance(read, bool):
        return [f"{_key(list(steps))}: a number is needed, not {str(given).lower()}"]
    return []


def _cut(value: str) -> str:
    """The beginning of a value, which may be a whole file."""
    return value if len(value) <= _MOST else f"{value[:_MOST]}..."


def _key(steps: list[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    printable = "".join(character if character.isprintable() else "?" for character in text.removeprefix("."))
    return shortened(printable, _MOST) or "recipe"


def _known_keys(recipe: type[BaseModel], steps: tuple[str | int, ...]) -> list[str]:
    """The fields of the section at the path of a fault."""
    candidates: list[Any] = [recipe]
    for step, tag in zip(steps, _tags(steps), strict=True):
        if isinstance(step, int):
            continue
        if tag and (source := source_class(str(step))) is not None:
            candidates = [source]
            continue
        models = [model for model in candidates if isinstance(model, type) and issubclass(model, BaseModel)]
        if any(step in model.model_fields for model in models):
            candidates = [
                leaf
                for model in models
                if step in model.model_fields
                for leaf in _leaves(model.model_fields[step].annotation)
            ]
        elif str(step).startswith("<"):
            candidates = [model for model in models if str(step)[1:-1] in model.model_fields]
        else:  # a key of a mapping
            candidates = [*models]
    models = [model for model in candidates if isinstance(model, type) and issubclass(model, BaseModel)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _tags(steps: tuple[str | int, ...]) -> list[bool]:
    """Which steps of the path of a fault are no keys but tags: `<text>` of a column, the kind of a source."""
    return [
        str(step).startswith("<") or (index == 3 and steps[:2] in _SOURCES)
        for index, step in enumerate(steps)
    ]


def _leaves(annotation: Any) -> list[Any]:
    inner = get_args(annotation)
    return [leaf for part in inner for leaf in _leaves(part)] if inner else [annotation]
