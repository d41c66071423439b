r"""Read one JSON object with the deviations that models make, without guessing.

    accepted:  single or typographic quotes, a wide colon or comma, keys without quotes, a trailing comma,
               comments, None/True/False, a raw line break or tab in a string, an escape unknown to JSON
               (`\_` stays as written), a bare 4/5 (as a string)
    rejected:  an object that is not closed, a missing comma or value, text between tokens, NaN, a key with
               two different values

The criterion: no text may be read in two ways. The closing brace must exist, so a cut answer is never an
answer. json-repair (MIT) was tried: in its strict mode it closes what is open and accepted 10 of 12 broken
objects ({"score": 4, "reas -> {"score": 4}). json5 (Apache) and dirtyjson (MIT) accept half of the list above
and use the last of two values of a key.

The reader never goes back: the search for the next object continues at the position where this one breaks.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

DEPTH = 64
"""Maximum levels of nesting. No schema of this package has more than five."""

_BLANK = re.compile(r"(?:\s++|\ufeff|(?://|\#)[^\n]*+)*+")
_STRINGS = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL),
    "\u201c": re.compile(r"\u201c((?:[^\u201d\\]|\\.)*+)\u201d", re.DOTALL),
}
_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|.)|"', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(
    r"-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?:\s?/\s?[0-9]+)?(?![\w.%]|/(?![/*]))"
)
_LITERALS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


class UnreadableError(Exception):
    """There is no object here. at: where it breaks; keys: those read before, on the first level; is_open:
    the text ended first."""

    def __init__(self, detail: str, at: int, is_open: bool) -> None:
        super().__init__(detail)
        self.at, self.is_open = at, is_open
        self.keys: list[str] = []


def read_object(text: str, start: int) -> tuple[dict[str, object], int]:
    """Return the object whose `{` is at `start`, and the position after its `}`. Raises UnreadableError."""
    keys: list[str] = []
    try:
        return _object(text, start, 1, keys)
    except UnreadableError as error:
        error.keys = keys
        raise


def _object(text: str, at: int, depth: int, keys: list[str] | None = None) -> tuple[dict[str, object], int]:
    value: dict[str, object] = {}
    at = _skip(text, at + 1)
    while not text.startswith("}", at):
        key, at = _key(text, at)
        if keys is not None:
            keys.append(key)
        at = _skip(text, at)
        if not text.startswith((":", "\uff1a"), at):
            _break(text, at, f"a colon is missing behind the key {_quote(key)}")
        item, at = _value(text, _skip(text, at + 1), depth)
        if key in value and value[key] != item:
            _break(text, at, f"the key {_quote(key)} is there twice, with different values")
        value[key] = item
        at = _next(text, at, "}")
    return value, at + 1


def _array(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    value: list[Any] = []
    at = _skip(text, at + 1)
    while not text.startswith("]", at):
        item, at = _value(text, at, depth)
        value.append(item)
        at = _next(text, at, "]")
    return value, at + 1


def _next(text: str, at: int, closing: str) -> int:
    """Return the position of the next item or of the closing bracket, after the comma that separates items
    or trails the last."""
    at = _skip(text, at)
    if text.startswith((",", "\uff0c"), at):
        return _skip(text, at + 1)
    if not text.startswith(closing, at):
        _break(text, at, f"a comma or {closing} is missing")
    return at


def _key(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] in _STRINGS:
        return _string(text, at)
    if (name := _NAME.match(text, at)) is None:
        _break(text, at, "a key is missing")
    return name[0], name.end()


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first in _STRINGS:
        return _string(text, at)
    if first in ("{", "["):
        if depth >= DEPTH:
            _break(text, at, f"it nests deeper than {DEPTH} levels")
        return _object(text, at, depth + 1) if first == "{" else _array(text, at, depth + 1)
    if (number := _NUMBER.match(text, at)) is not None:
        return _number(text, number), number.end()
    name = _NAME.match(text, at)
    if name is None or name[0] not in _LITERALS:
        _break(text, at, f"{_quote(name[0])} is no JSON value" if name else "a value is missing")
    return _LITERALS[name[0]], name.end()


def _number(text: str, number: re.Match[str]) -> int | float | str:
    token = number[0]
    if "/" in token:
        return token
    if token.lstrip("-").isdecimal():
        return int(token)
    value = finite(token)
    if value is None:
        _break(text, number.start(), "a number is out of range")
    return value


def finite(token: str) -> int | float | None:
    """Return the number, as an int if it is whole, since JSON has one kind of number; None if it is out of
    range."""
    value = float(token)
    return (int(value) if value.is_integer() else value) if math.isfinite(value) else None


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRINGS[text[at]].match(text, at)
    if found is None:
        _break(text, len(text), "a string is not closed")
    body = found[1]
    if "\\" in body:
        body = json.loads(f'"{_ESCAPE.sub(_standard, body)}"', strict=False)
    return body, found.end()


def _standard(escape: re.Match[str]) -> str:
    """Return the escape as standard JSON."""
    if escape[0] == '"':
        return '\\"'
    if escape[1][0] in '"\\/bfnrt' or len(escape[1]) > 1:
        return escape[0]
    return escape[1] if escape[1] in "'\n\u201c\u201d" else f"\\\\{escape[1]}"


def _skip(text: str, at: int) -> int:
    """Return the position after white space and comments."""
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text
        if not text.startswith("/*", at):
            return at
        end = text.find("*/", at + 2)
        if end < 0:
            _break(text, len(text), "a comment is not closed")
        at = end + 2


def _break(text: str, at: int, detail: str) -> NoReturn:
    is_open = at >= len(text)
    raise UnreadableError("it is not closed" if is_open else detail, at, is_open)


def _quote(name: str) -> str:
    return json.dumps(name[:40], ensure_ascii=False)
