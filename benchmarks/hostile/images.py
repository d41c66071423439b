"""Images."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from hostile.base import CASES, png


def image(name: str, make: Callable[[], bytes]) -> None:
    CASES[f"image {name}"] = ("image", lambda: {"a": make()}, {})


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _with(*chunks: bytes) -> bytes:
    plain = png()
    return plain[:33] + b"".join(chunks) + plain[33:]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _noise(mode: str, width: int, height: int) -> Image.Image:
    depth = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    data = np.random.default_rng(7).integers(0, 256, (height // 8, width // 8, depth), np.uint8)
    return Image.fromarray(np.tile(data, (8, 8, 1)).squeeze(), mode)


def _scans(width: int, height: int, scans: int) -> bytes:
    data = _saved(_noise("L", width, height), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def _blank_scans(side: int, scans: int) -> bytes:
    data = _saved(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def _ifds(count: int) -> bytes:
    body = b"II*\0\x08\0\0\0"
    for n in range(count):
        at = 8 + 18 * n
        body += struct.pack("<HHHIII", 1, 256, 4, 1, 1, at + 18 if n + 1 < count else 8)
    return body


image("PNG 1,000,000 tEXt", lambda: _with(_chunk(b"tEXt", b"k\0v") * 1_000_000))
image("PNG 1,000,000 unknown chunks", lambda: _with(_chunk(b"abCd", b"") * 1_500_000))
image(
    "PNG zTXt of 1 GB, 60 of them",
    lambda: _with(_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) * 60),
)
image("PNG 100 iCCP", lambda: _with(*[_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 20)))] * 2_000))
image(
    "PNG of 8 MB exif",
    lambda: _with(
        _chunk(
            b"eXIf",
            b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + struct.pack("<HHII", 0x112, 3, 1, 1) * 600_000,
        )
    ),
)
image("PNG interlaced, 63 million pixels", lambda: _saved(Image.new("L", (7_990, 7_990)), "PNG"))
image("PNG RGBA, 63 million pixels", lambda: _saved(Image.new("RGBA", (7_990, 7_990)), "PNG"))
image(
    "PNG 16 bit, 63 million pixels",
    lambda: _saved(Image.fromarray(np.zeros((7_990, 7_990), np.uint16)), "PNG", compress_level=1),
)
image("PNG palette, transparency", lambda: _saved(Image.new("P", (7_990, 7_990)), "PNG", transparency=0))
image("PNG of many IDAT", lambda: _idats(600_000))
image(
    "APNG of 100,000 frames",
    lambda: _with(
        _chunk(b"acTL", struct.pack(">II", 100_000, 0)),
        *[_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 64, 48, 0, 0, 1, 1, 0, 0)) for n in range(100_000)],
    ),
)
image("GIF of 100,000 frames", lambda: _gif(100_000, (1, 1)))
image("GIF of 100,000 comments", lambda: _gif(1, (1, 1), b"!\xfe\1x\0" * 1_000_000))
image("GIF screen of 63 million pixels", lambda: _gif(3, (7_990, 7_990)))
image("GIF sub-blocks of a byte", lambda: _gif(1, (1, 1), b"!\xfe" + b"\1x" * 4_000_000 + b"\0"))
image(
    "WebP of 2,000 frames",
    lambda: _saved(
        Image.new("RGB", (64, 64)),
        "WEBP",
        save_all=True,
        append_images=[Image.new("RGB", (64, 64), (n % 256, 0, n // 256)) for n in range(2_000)],
    ),
)
image("WebP of 63 million pixels", lambda: _saved(Image.new("RGB", (7_990, 7_990)), "WEBP", method=0))
image(
    "WebP lossless, 63 million pixels",
    lambda: _saved(Image.new("RGBA", (7_990, 7_990)), "WEBP", lossless=True, method=0),
)
image("AVIF of 63 million pixels", lambda: _saved(Image.new("RGB", (7_990, 7_990)), "AVIF", speed=10))
image("AVIF of noise, 12 million pixels", lambda: _saved(_noise("RGB", 4_000, 3_000), "AVIF", speed=10))
image(
    "AVIF of 300 frames",
    lambda: _saved(
        Image.new("RGB", (640, 480)),
        "AVIF",
        speed=10,
        save_all=True,
        append_images=[Image.new("RGB", (640, 480), (n % 256, 0, 9)) for n in range(300)],
    ),
)
image("TIFF IFDs in a loop", lambda: _ifds(100_000))
image(
    "TIFF of 65,535 tags",
    lambda: (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", 65_535)
        + struct.pack("<HHII", 700, 1, 60_000, 8) * 65_535
        + bytes(60_000)
    ),
)
image(
    "TIFF of 63 million pixels, LZW",
    lambda: _saved(Image.new("RGB", (7_990, 7_990)), "TIFF", compression="tiff_lzw"),
)
image("TIFF of one pixel a strip", lambda: _saved(Image.new("L", (1, 400_000)), "TIFF", strip_size=1))
image("TIFF float", lambda: _saved(Image.new("F", (7_990, 7_990)), "TIFF", compression="tiff_deflate"))
image("JPEG of 100 scans, 63 million pixels", lambda: _blank_scans(7_990, 88))
image("JPEG of 90 scans of noise, 9 million pixels", lambda: _scans(3_000, 3_000, 88))
image(
    "JPEG of 63 million pixels",
    lambda: _saved(_noise("RGB", 8_000, 8_000).crop((0, 0, 7_990, 7_990)), "JPEG", quality=95),
)
image(
    "JPEG CMYK of 63 million pixels",
    lambda: _saved(_noise("CMYK", 8_000, 8_000).crop((0, 0, 7_990, 7_990)), "JPEG"),
)
image(
    "JPEG of arithmetic tables",
    lambda: _saved(Image.new("RGB", (64, 64)), "JPEG").replace(
        b"\xff\xdb", b"\xff\xfe\0\2" * 2_000_000 + b"\xff\xdb", 1
    ),
)
image(
    "JPEG of 1,000 EXIF",
    lambda: _saved(Image.new("RGB", (64, 64)), "JPEG").replace(
        b"\xff\xdb",
        (b"\xff\xe1" + struct.pack(">H", 60_002) + b"Exif\0\0" + bytes(59_994)) * 400 + b"\xff\xdb",
        1,
    ),
)
image(
    "JPEG of ICC profiles",
    lambda: _saved(Image.new("RGB", (64, 64)), "JPEG").replace(
        b"\xff\xdb",
        (b"\xff\xe2" + struct.pack(">H", 60_002) + b"ICC_PROFILE\0\1\1" + bytes(59_986)) * 400 + b"\xff\xdb",
        1,
    ),
)
image(
    "MPO of 100,000 images",
    lambda: _saved(
        Image.new("RGB", (16, 16)), "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))] * 2_000
    ),
)
image("BMP of 63 million pixels, RLE", lambda: _rle(7_990))
image("BMP 1 x 63,000,000", lambda: _saved(Image.new("L", (1, 63_000_000)), "BMP"))
image("PNG 63,000,000 x 1", lambda: _saved(Image.new("L", (63_000_000, 1)), "PNG"))
image("PNG 1 x 63,000,000", lambda: _saved(Image.new("1", (1, 63_000_000)), "PNG"))


def _idats(count: int) -> bytes:
    packed = zlib.compress(bytes((64 * 3 + 1) * 48), 0)
    plain = png()
    empty = _chunk(b"IDAT", b"")
    return plain[:33] + empty * count + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _gif(frames: int, screen: tuple[int, int], between: bytes = b"") -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + between + (b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\2\2L\1\0") * frames + b";"


def _rle(side: int) -> bytes:
    body = b"\xff\0" * (side * (side // 255 + 1))
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0) + bytes(1024)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body
