"""ICC profiles made by hand, whose effect no one can mistake: a wide one, one that changes the colors'
places, a press's."""

from __future__ import annotations

import struct

XYZ = {"red": (0.4361, 0.2225, 0.0139), "green": (0.3851, 0.7169, 0.0971), "blue": (0.1431, 0.0606, 0.7141)}
"""Primaries of sRGB, adapted to D50."""


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    start, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = (
        struct.pack(">I", start + len(body))
        + bytes(4)
        + b"\2\x20\0\0"
        + kind
        + space
        + connection
        + bytes(12)
        + b"acsp"
        + bytes(28)
    )
    return (head + _fixed(0.9642, 1.0, 0.8249)).ljust(128, b"\0") + table + body


def screen(
    red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...], gamma: float = 2.2
) -> bytes:
    """A display with these primaries (XYZ, D50)."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    points = {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue, b"wtpt": (0.9642, 1.0, 0.8249)}
    tags = {name: b"XYZ " + bytes(4) + _fixed(*value) for name, value in points.items()}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(
        b"mntr", b"GRAY", b"XYZ ", {b"wtpt": b"XYZ " + bytes(4) + _fixed(0.9642, 1.0, 0.8249), b"kTRC": curve}
    )


def press() -> bytes:
    """Inks whose only color is how much of the cyan one there is: none is white, all is (L*, a*, b*) = (50,
    60, 0), a pink."""
    straight = bytes(range(256))
    none, full = bytes((255, 128, 128)), bytes((128, 188, 128))
    # cyan is the slowest of four inputs
    lattice = b"".join(full if corner & 8 else none for corner in range(16))
    body = (
        b"mft1"
        + bytes(4)
        + bytes((4, 3, 2, 0))
        + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
        + straight * 4
        + lattice
        + straight * 3
    )
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": body})
