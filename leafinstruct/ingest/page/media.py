"""Evaluate media queries for an ordinary screen: the light desktop of SCREEN (Media Queries Level 4).

A <picture> offers one image for phones, one for dark screens, one for print. The document is what a reader
sees on an ordinary screen, which is also the image that is cropped least.
"""

from __future__ import annotations

import re

LONGEST = 500
"""Maximum characters of a list of queries that is evaluated; real ones have up to 100."""
_WIDTH, _HEIGHT = 1920.0, 1080.0
SCREEN: dict[str, float | str] = {
    "width": _WIDTH,
    "height": _HEIGHT,
    "device-width": _WIDTH,
    "device-height": _HEIGHT,
    "aspect-ratio": _WIDTH / _HEIGHT,
    "device-aspect-ratio": _WIDTH / _HEIGHT,
    "resolution": 1.0,
    "device-pixel-ratio": 1.0,
    "color": 8.0,
    "color-index": 0.0,
    "monochrome": 0.0,
    "grid": 0.0,
    "orientation": "landscape",
    "prefers-color-scheme": "light",
    "prefers-reduced-motion": "no-preference",
    "prefers-reduced-data": "no-preference",
    "prefers-reduced-transparency": "no-preference",
    "prefers-contrast": "no-preference",
    "forced-colors": "none",
    "inverted-colors": "none",
    "hover": "hover",
    "any-hover": "hover",
    "pointer": "fine",
    "any-pointer": "fine",
    "color-gamut": "srgb",
    "dynamic-range": "standard",
    "video-dynamic-range": "standard",
    "display-mode": "browser",
    "scripting": "enabled",
    "update": "fast",
    "overflow-block": "scroll",
    "overflow-inline": "scroll",
}
"""Features of the screen: pixels, dots per pixel, ratios, keywords. A laptop of 1280 px is narrower, and no
common query is between the two."""
_NOTHING = (0.0, "none", "no-preference")
_UNITS = {
    "": 1.0,
    "px": 1.0,
    "em": 16.0,
    "rem": 16.0,
    "in": 96.0,
    "cm": 96 / 2.54,
    "mm": 9.6 / 2.54,
    "pt": 4 / 3,
    "pc": 16.0,
    "dppx": 1.0,
    "x": 1.0,
    "dpi": 1 / 96,
    "dpcm": 2.54 / 96,
    "vw": _WIDTH / 100,
    "vh": _HEIGHT / 100,
}
"""Unit -> pixels, or dots per pixel."""
_NUMBER = re.compile(r"([-+]?\d{0,9}\.?\d{1,9})([a-z]*)")
_INNERMOST = re.compile(r"\(([^()]*)\)")
_RANGE = re.compile(
    r"(?:(?P<low>[^<>=]+?)\s*(?P<left>[<>]=?|=))?\s*(?P<name>[a-z-]+)\s*(?:(?P<right>[<>]=?|=)\s*(?P<high>[^<>=]+))?"
)
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_TYPES = {"all": True, "screen": True}
_VALUES = {"\x01": True, "\x02": False, "\x03": None}
"""What stands for a condition in parentheses that was evaluated. None: it is unknown."""
_SIGNS = {value: sign for sign, value in _VALUES.items()}


def matches(queries: str) -> bool:
    """Whether one of the queries of a media attribute matches; true for an empty one. A query that is not
    understood does not match (the standard's `not all`)."""
    text = re.sub(r"/\*.*?\*/", " ", queries[: LONGEST + 1], flags=re.DOTALL).strip().lower()
    if not text:
        return True
    if len(text) > LONGEST or any(sign in text for sign in _VALUES):
        return False
    while (inner := _INNERMOST.search(text)) is not None:
        value = _feature(inner[1].strip()) if not any(sign in inner[1] for sign in _VALUES) else _of(inner[1])
        text = f"{text[: inner.start()]} {_SIGNS[value]} {text[inner.end() :]}"
    return any(_of(query) is True for query in text.split(","))


def _of(query: str) -> bool | None:
    """The value of a query whose parentheses were evaluated: `only screen and T`, `not T`, `T or T`."""
    words = query.split()
    negated = words[:1] == ["not"]
    if words[:1] in (["not"], ["only"]):
        words = words[1:]
    operators = set(words[1::2])
    if len(words) % 2 == 0 or not operators <= {"and", "or"} or len(operators) > 1:
        return None
    values = [_VALUES[word] if word in _VALUES else _TYPES.get(word, False) for word in words[::2]]
    deciding = "or" in operators
    value = deciding if deciding in values else None if None in values else not deciding
    return None if value is None else value != negated


def _feature(text: str) -> bool | None:
    """The value of a feature: `min-width: 600px`, `400px <= width < 700px`, `hover`."""
    name, colon, value = (part.strip() for part in text.partition(":"))
    if colon:
        name = name.replace("-webkit-", "").replace("-moz-", "")
        limit = next((limit for limit in ("min-", "max-") if name.startswith(limit)), "")
        sign = {"min-": ">=", "max-": "<=", "": "="}[limit]
        return _compared(name.removeprefix(limit).replace("moz-", ""), sign, value)
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    if found["left"] is None and found["right"] is None:
        return None if found["name"] not in SCREEN else SCREEN[found["name"]] not in _NOTHING
    sides = []
    if found["left"] is not None:
        sides.append(_compared(found["name"], _TURNED[found["left"]], found["low"]))
    if found["right"] is not None:
        sides.append(_compared(found["name"], found["right"], found["high"]))
    return False if False in sides else None if None in sides else True


def _compared(name: str, sign: str, written: str) -> bool | None:
    own = SCREEN.get(name)
    if isinstance(own, str):
        return own == written if sign == "=" else None
    number = _number(written)
    if own is None or number is None:
        return None
    return {"<": own < number, "<=": own <= number, ">": own > number, ">=": own >= number}.get(
        sign, own == number
    )


def _number(written: str) -> float | None:
    """A length in pixels, a resolution in dots per pixel, a ratio or a number."""
    parts = [_NUMBER.fullmatch(part.strip()) for part in written.split("/", 1)]
    values = [float(part[1]) * _UNITS[part[2]] for part in parts if part and part[2] in _UNITS]
    if len(values) < len(parts):
        return None
    return values[0] if len(values) == 1 else values[0] / values[1] if values[1] else None
