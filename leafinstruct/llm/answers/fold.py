"""Convert a readable object to the schema's form, wherever it can mean one thing only.

    {"Text-Quality": "4/5"}      the key text_quality, the integer 4
    4 for an object              its one property without a default; the others take theirs (`Request.absent`)
    "some text" for a part       {"type": "text", "text": "some text"}, if no other form fits
    one part for a list of parts [part]; null for a list: []
    an unknown key               dropped, unless it holds another value for a property ("final_score": 2)

A value that already fits is returned unchanged. The validator (parse.py) rejects whatever does not become
valid, and it is independent of this module, so no rule here can let an invalid answer pass. Values with two
readings ("4/10", "2" for a part, 4.5) are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from leafinstruct.llm.answers.thoughts import plain
from leafinstruct.llm.quoting import without_copies

_INTEGER = re.compile(r"\s*([+-]?\d{1,9})(?:\.0+)?\s*(?:(?:/|out of)\s*(\d{1,9})\s*)?")
_HALF = re.compile(r"[\ud800-\udfff]")

_MOST_ITEMS = 10_000  # parts that are converted; a lesson has hundreds

Fits = Callable[[Any, Mapping[str, Any]], bool]
"""Whether a value is valid under a schema."""


def fold(value: Any, schema: Mapping[str, Any], absent: Mapping[str, object], fits: Fits) -> Any:
    """Return the value in the schema's form, as far as possible. absent: values of properties that may be
    missing."""
    if "anyOf" in schema:
        return _one_of(value, schema["anyOf"], absent, fits)
    kind = schema.get("type")
    if kind == "integer":
        return _integer(value, schema)
    if kind == "object":
        return _object(value, schema, absent, fits)
    if kind == "array":
        if isinstance(value, list) and len(value) > _MOST_ITEMS:
            return value
        items = value if isinstance(value, list) else [] if value is None else [value]
        folded = [fold(item, schema.get("items", {}), absent, fits) for item in items]
        return folded if isinstance(value, list) or fits(folded, schema) else value
    if (
        isinstance(value, str)
        and isinstance(schema.get("const"), str)
        and plain(value) == plain(schema["const"])
    ):
        return schema["const"]
    return value


def storable(value: Any, copies: bool) -> Any:
    """Replace half surrogate pairs, which no file can store, by question marks.

    copies: whether escapes in its strings are copies of the question's (quoting.py).
    """
    if isinstance(value, str):
        return _HALF.sub("?", without_copies(value) if copies else value)
    if isinstance(value, list):
        return [storable(item, copies) for item in value]
    if isinstance(value, dict):
        return {storable(key, copies): storable(item, copies) for key, item in value.items()}
    return value


def _one_of(
    value: Any, branches: Collection[Mapping[str, Any]], absent: Mapping[str, object], fits: Fits
) -> Any:
    """Return the value in the form of the only branch that it fits. A key of another branch is not
    dropped."""
    known = {plain(name) for branch in branches for name in branch.get("properties", ())}
    fitting: list[Any] = []
    for branch in branches:
        if _is_other(value, branch):
            continue
        strict = isinstance(value, dict) and any(
            plain(key) in known - set(map(plain, branch.get("properties", ()))) for key in value
        )
        folded = value if strict else fold(value, branch, absent, fits)
        if fits(folded, branch):
            fitting.append(folded)
    return fitting[0] if len(fitting) == 1 else value


def _is_other(value: Any, branch: Mapping[str, Any]) -> bool:
    """Whether a constant of the branch differs from the value's."""
    given = value if isinstance(value, dict) else {}
    constants = (
        (name, inner["const"]) for name, inner in branch.get("properties", {}).items() if "const" in inner
    )
    return any(
        isinstance(given.get(name), str) and plain(given[name]) != plain(str(constant))
        for name, constant in constants
    )


def _integer(value: Any, schema: Mapping[str, Any]) -> Any:
    found = _INTEGER.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[2] is not None and int(found[2]) != schema.get("maximum")):
        return value
    return int(found[1])


def _object(value: Any, schema: Mapping[str, Any], absent: Mapping[str, object], fits: Fits) -> Any:
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", ())
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        holes = [name for name in required if "const" not in properties[name] and name not in absent]
        value = {holes[0]: value} if len(holes) == 1 else value
    if not isinstance(value, dict):
        return value
    named = _named(value, properties)
    if named is None:
        return value
    out, extra = named
    for name in out:
        out[name] = _with_neighbors(name, out[name], properties[name], extra, absent)
        out[name] = fold(out[name], properties[name], absent, fits)
    for name in required:
        if name not in out and "const" in properties[name]:
            out[name] = properties[name]["const"]
        elif name in absent and (out.get(name) is None or not str(out[name]).strip()):
            out[name] = absent[name]
    out = {name: out[name] for name in properties if name in out}
    if schema.get("additionalProperties") is not False or _contradicts(extra, out, properties, absent, fits):
        out |= extra
    return out


def _named(
    value: Mapping[str, Any], properties: Mapping[str, Any]
) -> tuple[dict[str, object], dict[str, object]] | None:
    """Return the value's items under the schema's names, and the others; None if two items claim one name
    with different values."""
    names = {plain(name): name for name in properties}
    out: dict[str, object] = {}
    extra: dict[str, object] = {}
    for key, item in value.items():
        name = key if key in properties else names.get(plain(key))
        if name is None:
            extra[key] = item
        elif name in out and json.dumps(out[name]) != json.dumps(item):
            return None
        else:
            out[name] = item
    return out, extra


def _with_neighbors(
    name: str, value: Any, schema: Mapping[str, Any], extra: dict[str, object], absent: Mapping[str, object]
) -> Any:
    """Combine a flat value with the items beside it that belong to its object: text_quality: 4,
    text_quality_reason: "..."."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or schema.get("type") != "object":
        return value
    wanted = {plain(f"{name}_{other}"): other for other in schema.get("properties", ()) if other in absent}
    beside = {wanted[plain(key)]: key for key in extra if plain(key) in wanted}
    holes = [other for other in schema.get("required", ()) if other not in absent]
    if not beside or len(holes) != 1:
        return value
    return {holes[0]: value, **{other: extra.pop(key) for other, key in beside.items()}}


def _contradicts(
    extra: Mapping[str, Any],
    out: Mapping[str, Any],
    properties: Mapping[str, Any],
    absent: Mapping[str, object],
    fits: Fits,
) -> bool:
    """Whether an unknown key contains a property's name and another valid value for it; texts beside texts
    are remarks."""
    for key, item in extra.items():
        for name, schema in properties.items():
            if schema.get("type") in ("string", None) or plain(name) not in plain(key):
                continue
            other = fold(item, schema, absent, fits)
            if fits(other, schema) and other != out.get(name):
                return True
    return False
