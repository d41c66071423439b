"""Decoded frames -> sRGB pixels, upright, as a player on an ordinary screen shows them.

Matrix and range are those that the stream states. Where it states no matrix, it is BT.709 for HD (1,280 or
more wide, or more than 576 high) and BT.601 below, as players guess; BT.2020 where the curve or the primaries
are those of HDR. Curves of SDR (BT.709, BT.601, sRGB) are shown as they are.

Two kinds of frames are converted further, in 16 bits:
- HDR. PQ (SMPTE ST 2084) states the light of the screen: BT.2408's reference white, 203 cd/m2, becomes the
  white of sRGB. HLG states the light of the scene: its reference white, a signal of 75 %, becomes white, and
  the rest follows the curve of an SDR camera (BT.709), which needs no assumption about an HDR screen.
  Whatever is brighter than reference white becomes white; nothing is compressed.
- Wide primaries (BT.2020, P3). Linear light is mapped to the primaries of BT.709; colors outside are clipped.
  In SDR, linear light is that of BT.1886, so grays keep their value.

Sources: ITU-R BT.2100 (PQ, HLG), BT.2408 (reference white), BT.709, BT.1886, BT.2020, IEC 61966-2-1 (sRGB),
SMPTE EG 432-1 (P3). Cost: 0.1 s for a converted frame of 1080p; others cost nothing more.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

REFERENCE_WHITE = 203.0
"""cd/m2 of BT.2408, shown as the white of sRGB."""
_HLG_WHITE = 0.75
"""The same as a signal of HLG."""
_PQ_PEAK = 10_000.0
_BT709, _BT601, _BT2020 = 1, 5, 9
"""Matrices, as swscale numbers them."""
_MATRICES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: _BT2020, 10: _BT2020}
"""Matrix coefficients of H.273 -> swscale's number."""
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""The weights of red and blue in the luma of a matrix."""
_UNSTATED = (0, 2, 3)
"""Primaries that are unspecified or reserved."""
_PQ, _HLG = 16, 18
"""Transfer characteristics of H.273."""
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""Color primaries of H.273 -> (x, y) of red, green and blue: BT.709, BT.2020, P3 of cinemas (white is taken
for D65) and of screens. BT.601's differ from BT.709's by a few levels, and players ignore them."""
_D65 = (0.3127, 0.3290)
_HD_WIDTH, _SD_HEIGHT = 1_280, 576
_FULL = 2
"""The range of H.273 that uses all values of a signal."""
_PIECE = 1 << 14
"""Pixels converted at once: their numbers fit a cache, and numpy starts no threads."""


def srgb(reformatter: VideoReformatter, frame: VideoFrame) -> Image.Image:
    """Return a frame as stored, in sRGB. Raises what the reformatter raises: FFmpegError, ValueError."""
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    converted = transfer in (_PQ, _HLG) or (primaries in _PRIMARIES and primaries != 1)
    matrix = _matrix(frame)
    if not converted:
        # to_image copies row by row
        rgb = reformatter.reformat(frame, format="rgb24", src_colorspace=matrix, threads=1).to_ndarray()
        return Image.fromarray(rgb)
    # swscale's own RGB of 16 bits has another white for each format
    layout = "rgb48le" if frame.format.is_rgb else "yuv444p16le"
    pixels: NDArray[Any] = reformatter.reformat(frame, format=layout, threads=1).to_ndarray()
    if primaries not in _PRIMARIES:
        primaries = 9 if primaries in _UNSTATED else 1
    signal = _to_signal(matrix, int(frame.color_range) == _FULL)
    return Image.fromarray(_converted(pixels, signal, transfer, primaries))


def upright(image: Image.Image, frame: VideoFrame) -> Image.Image:
    """Turn and mirror the image of a frame as its display matrix states."""
    a, b, c, d = _display_matrix(frame)
    if abs(a) + abs(d) > 50 * (abs(b) + abs(c)):
        across, down = a < 0, d < 0
    elif abs(b) + abs(c) > 50 * (abs(a) + abs(d)):
        image, across, down = image.transpose(Image.Transpose.TRANSPOSE), c < 0, b < 0
    else:
        return image.rotate(frame.rotation, expand=True) if frame.rotation else image
    if across:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if down else image


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """a, b, c, d of x' = a x + c y, y' = b x + d y (ISO 14496-12); zeros where only the angle is known."""
    try:
        stated: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV 18 refuses all of a frame's data where it has no name for some
        return 0, 0, 0, 0
    if stated is None:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("=5i", bytes(stated)[:20])
    return a, b, c, d


def _matrix(frame: VideoFrame) -> int | None:
    """The matrix of a YUV frame as swscale numbers it; None for RGB. One that swscale has not counts as
    unstated."""
    if frame.format.is_rgb:
        return None
    if (stated := _MATRICES.get(int(frame.colorspace))) is not None:
        return stated
    if frame.color_trc in (_PQ, _HLG) or frame.color_primaries == 9:
        return _BT2020
    return _BT709 if frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT else _BT601


def _converted(
    pixels: NDArray[np.uint16],
    signal: tuple[NDArray[np.float32], NDArray[np.float32]],
    transfer: int,
    primaries: int,
) -> NDArray[np.uint8]:
    """Convert (h, w, 3) of 16 bits to sRGB of 8 bits: to the signal of RGB, to light, to other primaries, and
    to the signal of sRGB. signal: see _to_signal."""
    (factors, offsets), linear, coded = signal, _linear(transfer), _coded(transfer)
    matrix = _to_bt709(primaries)
    found = np.empty(pixels.shape, np.uint8)
    flat, out = pixels.reshape(-1, 3), found.reshape(-1, 3)
    for start in range(0, len(flat), _PIECE):
        rgb = flat[start : start + _PIECE].astype(np.float32) @ factors.T + offsets
        light = linear[_levels(rgb)] @ matrix.T
        out[start : start + _PIECE] = coded[_levels(light)]
    return found


def _levels(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round values of [0, 1], and those outside, to 16 bits. Changes the values."""
    np.clip(values, 0, 1, out=values)
    values *= 65_535
    values += 0.5
    return values.astype(np.uint16)


@lru_cache
def _to_signal(matrix: int | None, full: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Factors (3, 3) and offsets (3) by which pixels of 16 bits become RGB of [0, 1].

    matrix: as of _matrix; None for pixels that are RGB. full: the range.
    """
    if matrix is None:
        return np.eye(3, dtype=np.float32) / np.float32(65_535), np.zeros(3, np.float32)
    red, blue = _WEIGHTS[matrix]
    green = 1 - red - blue
    cb, cr = 2 * (1 - blue), 2 * (1 - red)
    to_rgb = np.array([[1, 0, cr], [1, -cb * blue / green, -cr * red / green], [1, cb, 0]])
    spans, zeros = ((255, 255, 255), (0, 128, 128)) if full else ((219, 224, 224), (16, 128, 128))
    factors = to_rgb / np.array(spans)
    return (factors / 256).astype(np.float32), (-factors @ np.array(zeros)).astype(np.float32)


@lru_cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Signal of 16 bits -> light, 1.0 being the white of sRGB."""
    signal = np.arange(65_536) / 65_535
    if transfer == _PQ:
        light = _pq(signal) * (_PQ_PEAK / REFERENCE_WHITE)
    elif transfer == _HLG:
        light = _hlg(signal) / _hlg(np.array([_HLG_WHITE]))
    else:
        light = signal**2.4  # BT.1886
    return light.astype(np.float32)


@lru_cache
def _coded(transfer: int) -> NDArray[np.uint8]:
    """Light of 16 bits, 65,535 being white -> 8 bits for a screen of sRGB."""
    light = np.arange(65_536) / 65_535
    if transfer == _PQ:
        signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    elif transfer == _HLG:
        signal = np.where(light < 0.018, 4.5 * light, 1.099 * light**0.45 - 0.099)  # BT.709
    else:
        signal = light ** (1 / 2.4)
    rounded: NDArray[np.uint8] = np.rint(signal * 255).astype(np.uint8)
    return rounded


def _pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100, table 4: signal -> light of the screen, 1.0 being 10,000 cd/m2."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = signal ** (1 / m2)
    light: NDArray[np.float64] = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return light


def _hlg(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100, table 5, inverse OETF: signal -> light of the scene, 1.0 being the peak."""
    a = 0.17883277
    b = 1 - 4 * a
    c = 0.5 - a * math.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


@lru_cache
def _to_bt709(primaries: int) -> NDArray[np.float32]:
    """The matrix from linear light of these primaries to that of BT.709, both with the white D65."""
    mapped: NDArray[np.float64] = np.linalg.inv(_to_xyz(1)) @ _to_xyz(primaries)
    return mapped.astype(np.float32)


def _to_xyz(primaries: int) -> NDArray[np.float64]:
    def xyz(x: float, y: float) -> tuple[float, float, float]:
        return x / y, 1.0, (1 - x - y) / y

    columns = np.array([xyz(x, y) for x, y in _PRIMARIES[primaries]]).T
    scaled: NDArray[np.float64] = columns * np.linalg.solve(columns, np.array(xyz(*_D65)))
    return scaled
