"""Constrained decoding for the true model server of the tests: which bytes may follow, by a JSON schema.

A schema becomes rules (bytes, sets of bytes, sequences, choices, repetitions), and the automaton is the set
of stacks of rules that are still possible. The rules are finite, since a random decoder would write without
end: strings are at most LONGEST lower-case letters and spaces, arrays without `maxItems` have at most MOST
items, integers without `maximum` span ten values. JSON is written without blanks, with all properties, in the
order of the schema. A keyword that is not implemented raises UnsupportedError; none is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

LONGEST = 8
"""Characters of a string."""
MOST = 3
"""Items of an array without `maxItems`."""
_SPAN = 10
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")

Schema = Mapping[str, Any]


class UnsupportedError(ValueError):
    """A schema that this module cannot enforce."""


@dataclass(frozen=True, slots=True)
class Either:
    """One of several rules."""

    choices: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A rule from `least` to `most` times."""

    rule: Rule
    least: int
    most: int


Rule: TypeAlias = "bytes | frozenset[int] | tuple[Rule, ...] | Either | Repeat"
Stack: TypeAlias = "tuple[Rule, ...]"


ANY_TEXT = Repeat(frozenset(range(0x20, 0x7F)), 0, 1 << 20)


class Automaton:
    """What may follow the bytes taken so far."""

    def __init__(self, schema: Schema | None) -> None:
        """schema: None allows every text of printable ASCII."""
        self._stacks = set(_ready((ANY_TEXT if schema is None else rule_of(schema),)))

    def allowed(self) -> set[int]:
        """The bytes that may follow."""
        found: set[int] = set()
        for stack in self._stacks:
            if stack:
                found |= {stack[0][0]} if isinstance(stack[0], bytes) else stack[0]  # type: ignore[arg-type]
        return found

    @property
    def is_complete(self) -> bool:
        """Whether the text may end here."""
        return () in self._stacks

    def take(self, byte: int) -> None:
        """Continue with one of the allowed bytes."""
        after: set[Stack] = set()
        for stack in filter(None, self._stacks):
            first, *rest = stack
            if isinstance(first, bytes) and first[0] == byte:
                after |= set(_ready((first[1:], *rest)))
            elif isinstance(first, frozenset) and byte in first:
                after |= set(_ready(tuple(rest)))
        if not after:
            raise ValueError(f"byte {byte} is not allowed here")
        self._stacks = after


def _ready(stack: Stack) -> Iterator[Stack]:
    """Expand the first rule until it is a byte or a set of bytes, in every way."""
    if not stack:
        yield stack
        return
    first, rest = stack[0], stack[1:]
    if isinstance(first, Either):
        for choice in first.choices:
            yield from _ready((choice, *rest))
    elif isinstance(first, Repeat):
        if first.most:
            again = Repeat(first.rule, max(first.least - 1, 0), first.most - 1)
            yield from _ready((first.rule, again, *rest))
        if not first.least:
            yield from _ready(rest)
    elif isinstance(first, tuple):
        yield from _ready((*first, *rest))
    elif first:
        yield stack
    else:
        yield from _ready(rest)


def rule_of(schema: Schema) -> Rule:
    """The rule of a schema. Raises UnsupportedError."""
    if "anyOf" in schema:
        _only(schema, "anyOf")
        return Either(tuple(map(rule_of, schema["anyOf"])))
    if "const" in schema or "enum" in schema:
        _only(schema, "type", "const", "enum")
        return _values([schema["const"]] if "const" in schema else schema["enum"])
    kinds = {"object": _object, "array": _array, "string": _string, "integer": _integer, "boolean": _boolean}
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise UnsupportedError(f"type {kind!r} is not implemented")
    return kinds[kind](schema)


def _only(schema: Schema, *known: str) -> None:
    unknown = sorted(schema.keys() - {*known, "description"})
    if unknown:
        raise UnsupportedError(f"beside {known[0]}: {', '.join(unknown)} is not implemented")


def _values(values: Sequence[object]) -> Rule:
    return Either(tuple(json.dumps(value, separators=(",", ":")).encode() for value in values))


def _object(schema: Schema) -> Rule:
    _only(schema, "type", "properties", "required", "additionalProperties")
    properties: Mapping[str, Schema] = schema["properties"]
    if (
        list(schema.get("required", ())) != list(properties)
        or schema.get("additionalProperties") is not False
    ):
        raise UnsupportedError("objects with optional or additional properties are not implemented")
    parts: list[Rule] = []
    for name, inner in properties.items():
        parts += [b"," if parts else b"{", json.dumps(name).encode() + b":", rule_of(inner)]
    return (*(parts or [b"{"]), b"}")


def _array(schema: Schema) -> Rule:
    _only(schema, "type", "items", "minItems", "maxItems", "prefixItems")
    if "prefixItems" in schema:
        if schema.get("items") is not False or schema.keys() & {"minItems", "maxItems"}:
            raise UnsupportedError("prefixItems is implemented with `items: false` and without bounds only")
        given = [(b"," if index else b"", rule_of(one)) for index, one in enumerate(schema["prefixItems"])]
        return (b"[", *given, b"]")
    least = schema.get("minItems", 0)
    most = schema.get("maxItems", max(MOST, least))
    if not most:
        return b"[]"
    item = rule_of(schema["items"])
    some = (item, Repeat((b",", item), max(least - 1, 0), most - 1))
    return (b"[", some if least else Either((b"", some)), b"]")


def _string(schema: Schema) -> Rule:
    _only(schema, "type", "minLength", "maxLength")
    least, most = schema.get("minLength", 0), min(schema.get("maxLength", LONGEST), LONGEST)
    if least > most:
        raise UnsupportedError(f"strings of {least} characters are not implemented")
    # a letter first, since a text of blanks is no text
    some = (_LETTERS, Repeat(_LETTERS | {ord(" ")}, max(least - 1, 0), most - 1))
    return (b'"', some if least else Either((b"", some)), b'"')


def _integer(schema: Schema) -> Rule:
    _only(schema, "type", "minimum", "maximum")
    least = schema.get("minimum", 0)
    return _values(range(least, schema.get("maximum", least + _SPAN - 1) + 1))


def _boolean(schema: Schema) -> Rule:
    _only(schema, "type")
    return _values([False, True])
