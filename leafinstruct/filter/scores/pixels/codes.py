"""QR codes and other two-dimensional codes, found and decoded by zxing-cpp.

Only codes that decode with a correct checksum count, so texture is none. A code of 25 modules is found from
about 50 pixels. NeMo Curator 26.09 drops samples with an image whose codes cover 0.05 of it; here the share
is a score of each image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]


def code_share(gray: Gray) -> float:
    """Share of the area of (h, w) gray levels that codes cover, [0, 1]."""
    import zxingcpp

    levels = np.ascontiguousarray(gray, dtype=np.uint8)
    formats = zxingcpp.BarcodeFormat
    kinds = zxingcpp.BarcodeFormats([formats.QRCode, formats.DataMatrix, formats.Aztec])
    found = zxingcpp.read_barcodes(levels, formats=kinds, try_invert=False)
    return min(1.0, sum(_area(code.position) for code in found) / gray.size)


def _area(place: object) -> float:
    """Area of a quadrangle, pixels (shoelace formula)."""
    names = ("top_left", "top_right", "bottom_right", "bottom_left")
    corners = [getattr(place, name) for name in names]
    x = np.array([corner.x for corner in corners], float)
    y = np.array([corner.y for corner in corners], float)
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)
