"""Quality of a JPEG file, from its quantization tables: what the encoder threw away, read without decoding.

libjpeg scales the tables of ITU-T T.81, annex K, by a quality of 1 to 100, and almost every encoder uses its
scale or has tables of similar size. The estimate compares the smallest entries, which are the last to be cut
off at 255, so a quality of 2 is not taken for one of 12.

It sees the last encoding alone: a file of quality 5 that was saved again as PNG, or with quality 90, has lost
the same and has 100, or 90. Other formats have 100; WebP and AVIF do not state their quality. Cost: 10
microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_FEW = 8
"""Smallest entries of the table that are compared."""
_STANDARD = 11.75
"""Mean of the 8 smallest entries of the table for luminance at quality 50 (10 10 11 12 12 12 13 14)."""
_TABLES, _SCAN, _END = 0xDB, 0xDA, 0xD9
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers without a length."""
_MOST = 1_000
"""Segments before the first scan that are read; real files have at most some dozens."""


def jpeg_quality(data: bytes) -> float:
    """Quality on libjpeg's scale, [1, 100]; 100 for a file that is not JPEG, or has no table."""
    tables = [entries for entries in _quantization(data) if len(entries) == 64]
    if not tables:
        return 100.0
    scale = 100 * float(np.sort(tables[0])[:_FEW].mean()) / _STANDARD
    return round(min(100.0, max(1.0, 5000 / scale if scale > 100 else (200 - scale) / 2)), 1)


def _quantization(data: bytes) -> Iterator[np.ndarray[tuple[int], np.dtype[np.uint16]]]:
    """The tables before the first scan, that of luminance first."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    for _ in range(_MOST):
        if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] in (_SCAN, _END):
            return
        if data[at + 1] in _ALONE or data[at + 1] == 0xFF:
            at += 1 if data[at + 1] == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        place = at + 4
        while data[at + 1] == _TABLES and place < min(end, len(data)):
            wide = data[place] >> 4
            stop = place + 1 + (128 if wide else 64)
            entries = np.frombuffer(data[place + 1 : stop][: 128 if wide else 64], np.uint8)
            if len(entries) == (128 if wide else 64):
                yield entries.view(">u2").astype(np.uint16) if wide else entries.astype(np.uint16)
            place = stop
        at = end
