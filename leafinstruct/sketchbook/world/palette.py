"""The ten named colors, and outlines and shades derived from them.

Chosen by eye as colored pencils on paper: soft, but any two differ by more than 60 of 255 in some channel, so
that a small model and a person give them the same names. An outline is the color darkened toward warm ink,
never plain black, which makes flat shapes look hand-drawn.
"""

from __future__ import annotations

Rgb = tuple[int, int, int]

COLORS: dict[str, Rgb] = {
    "red": (219, 68, 62),
    "orange": (245, 147, 52),
    "yellow": (252, 215, 72),
    "green": (82, 158, 84),
    "blue": (66, 122, 210),
    "purple": (142, 88, 186),
    "pink": (246, 150, 186),
    "brown": (146, 98, 64),
    "white": (252, 250, 244),
    "grey": (148, 152, 160),
}

INK: Rgb = (52, 44, 54)


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """Mix `share`, in [0, 1], of `other` into `one`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def outline(color: Rgb) -> Rgb:
    return mix(color, INK, 0.62)


def shade(color: Rgb) -> Rgb:
    return mix(color, INK, 0.18)


def light(color: Rgb) -> Rgb:
    return mix(color, (255, 255, 255), 0.38)
