"""A genuine QR code (ISO/IEC 18004): version 2, error correction L, mask 0, up to 32 bytes of text.

25 modules a side. Written here because nothing else of the project needs an encoder; a scanner reads what it
draws.
"""

from __future__ import annotations

from PIL import Image

SIDE, DATA, CHECK = 25, 34, 10
"""Modules a side; code words of data and of error correction of version 2-L."""
FORMAT = 0b111011111000100
"""Format bits of level L with mask 0, with their own check and mask."""
POLYNOMIAL = 0x11D
"""Of the field GF(256)."""
QUIET = 4
"""Modules of white around the code."""

Modules = list[list[int | None]]


def qr_code(text: str, px: int) -> Image.Image:
    """Draw the code of a text of at most 32 bytes in Latin-1 as a square image of `px` pixels."""
    modules = _patterns()
    _place(modules, _code_words(text.encode("latin-1")))
    _format(modules)
    side = SIDE + 2 * QUIET
    image = Image.new("L", (side, side), 255)
    for row in range(SIDE):
        for column in range(SIDE):
            if modules[row][column]:
                image.putpixel((column + QUIET, row + QUIET), 0)
    return image.resize((px, px), Image.Resampling.NEAREST).convert("RGB")


def _code_words(data: bytes) -> list[int]:
    """Mode, length, data, padding, and the Reed-Solomon check."""
    assert len(data) <= DATA - 2, "version 2-L holds 32 bytes"
    bits = f"0100{len(data):08b}" + "".join(f"{byte:08b}" for byte in data) + "0000"
    words = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    words += [(0xEC, 0x11)[number % 2] for number in range(DATA - len(words))]
    return words + _check(words)


def _check(words: list[int]) -> list[int]:
    """The remainder of the division by the generator (x - 1)(x - 2)(x - 4) ..."""
    generator, root = [1], 1
    for _ in range(CHECK):
        shifted = [*generator, 0]
        for place, factor in enumerate(generator):
            shifted[place + 1] ^= _product(factor, root)
        generator, root = shifted, _product(root, 2)
    rest = words + [0] * CHECK
    for at in range(len(words)):
        lead = rest[at]
        for place, factor in enumerate(generator):
            rest[at + place] ^= _product(factor, lead)
    return rest[len(words) :]


def _product(one: int, two: int) -> int:
    """Multiply in GF(256)."""
    product = 0
    while two:
        if two & 1:
            product ^= one
        one = one << 1 ^ (POLYNOMIAL if one & 0x80 else 0)
        two >>= 1
    return product


def _patterns() -> Modules:
    """Finder, separator, timing and alignment patterns; modules of the format are reserved as white."""
    modules: Modules = [[None] * SIDE for _ in range(SIDE)]
    for top, left in ((0, 0), (0, SIDE - 7), (SIDE - 7, 0)):
        for row in range(max(0, top - 1), min(SIDE, top + 8)):
            for column in range(max(0, left - 1), min(SIDE, left + 8)):
                ring = max(abs(row - top - 3), abs(column - left - 3))
                modules[row][column] = int(ring in (0, 1, 3))
    for row in range(16, 21):
        for column in range(16, 21):
            modules[row][column] = int(max(abs(row - 18), abs(column - 18)) != 1)
    for at in range(8, SIDE - 8):
        modules[6][at] = modules[at][6] = int(at % 2 == 0)
    for at in range(9):
        for row, column in ((8, at), (at, 8), (8, SIDE - 1 - at), (SIDE - 1 - at, 8)):
            if modules[row][column] is None and at < (9 if row + column < 17 else 8):
                modules[row][column] = 0
    modules[SIDE - 8][8] = 1
    return modules


def _place(modules: Modules, words: list[int]) -> None:
    """Write the bits in columns of two, upwards and downwards in turn, with mask 0."""
    bits = iter("".join(f"{word:08b}" for word in words))
    upwards = True
    for right in (column if column > 6 else column - 1 for column in range(SIDE - 1, 0, -2)):
        rows = range(SIDE - 1, -1, -1) if upwards else range(SIDE)
        for row in rows:
            for column in (right, right - 1):
                if modules[row][column] is None:
                    bit = int(next(bits, "0"))
                    modules[row][column] = bit ^ ((row + column) % 2 == 0)
        upwards = not upwards


def _format(modules: Modules) -> None:
    """Write the format twice: around the first finder, and below and beside the other two."""
    bits = [FORMAT >> (14 - number) & 1 for number in range(15)]
    first = [(8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [(row, 8) for row in (7, 5, 4, 3, 2, 1, 0)]
    second = [(SIDE - 1 - row, 8) for row in range(7)] + [(8, SIDE - 8 + column) for column in range(8)]
    for places in (first, second):
        for (row, column), bit in zip(places, bits, strict=True):
            modules[row][column] = bit
