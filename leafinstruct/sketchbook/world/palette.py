"""The ten named colours, and how an outline or a shade is made from one.

Chosen by eye as coloured pencils on paper: soft, yet any two differ by more than 60 of 255 in some channel, so that a small model and a
person name them alike. An outline is the colour itself darkened toward warm ink, never plain black: that is most of what makes flat
shapes look drawn.
"""

from __future__ import annotations

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
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
    """`share` of `other` in `one`, share in [0, 1]."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def outline(colour: Rgb) -> Rgb:
    return mix(colour, INK, 0.62)


def shade(colour: Rgb) -> Rgb:
    return mix(colour, INK, 0.18)


def light(colour: Rgb) -> Rgb:
    return mix(colour, (255, 255, 255), 0.38)
