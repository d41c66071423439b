"""Decode an image's bytes: `probe` reads the header only, `decode` returns upright RGB pixels in sRGB.

The header is read first, and an image above MAX_PIXELS is refused before any pixel is decoded: a 150 kB PNG
of 30000 x 30000 pixels would take 3.6 GB. A JPEG of more than MAX_SCANS passes over its pixels is refused
too: 300 kB can take a minute, 20 MB hours. Only the formats of an allow-list are opened; Pillow's other
decoders would only be attack surface. The EXIF orientation is applied, so width, height and pixels are as a
person sees them. Transparent pixels become white, as on most pages. An animated image is represented by its
first frame (`frames` reports it). 16 bits a sample are scaled, not clipped.

A complete image with damage beside its pixels is mended first (`mend`), as browsers do: a PNG with a broken
or very long text, a JPEG without its end marker. Missing pixels stay a reason. A format that is not read is
named (`foreign`).

Colors: `color` converts an embedded ICC profile (Display P3, Adobe RGB, a printer's CMYK) to sRGB.

Memory: Pillow needs 4 bytes a pixel, so MAX_PIXELS are 256 MB, more than any camera
image on a web page; the image is downscaled before anything else.
Transparency doubles that, and the WebP decoder needs four times as much.

Bad data never raises, and no warning leaves this module. Chosen: Pillow, with `draft` (libjpeg decodes at
1/2, 1/4, 1/8 size) if a smaller image is wanted: 236 against 169 images a second. pyvips is faster but needs
a system library.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, UnidentifiedImageError

from leafinstruct.images.color import to_srgb
from leafinstruct.images.formats.foreign import foreign
from leafinstruct.images.formats.mend import MAX_PIXELS, PNG, is_filled_up, mended, too_many_chunks

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
MAX_SCANS = 100
"""Scans of a JPEG; progressive ones have about 10. Each is a pass over all pixels and needs as little as
100 bytes."""
MAX_SCANNED = 1_000_000_000
"""Pixels of all passes together, about 4 s; 64 million pixels in 10 passes are 640 million."""
_ORIENTATION = 0x0112
_ORIENTATION_TAGS = (b"\x01\x12", b"\x12\x01")
"""The tag as EXIF writes it, in either byte order."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transpositions by EXIF orientation. Used instead of ImageOps.exif_transpose, which copies upright
images, writes EXIF again (and fails if it is odd), and obeys XMP, which browsers do not."""
_TURNED = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""
_TILES = (273, 324)
"""TIFF tags: offsets of strips, offsets of tiles."""
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
MAX_PROFILES = 4
"""Color profiles of a PNG, which may have one; a decoder unpacks each, 40 ms for 64 MB."""
_SCANNED = frozenset({"JPEG", "MPO", "TIFF"})
"""Formats that may contain the scans of a JPEG."""
START_OF_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd8\x01])", re.DOTALL)
"""JPEG markers that begin a segment or end the image; 0xFF fill bytes before them are skipped."""


Pixels = Callable[[Image.Image, bytes], Image.Image]
"""Loads an opened image. Second argument: its file."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The facts in the header.

    width, height: upright, in pixels.
    mode: Pillow's name of the pixel layout.
    frames: 1 for a still image, 2 for two or more, because counting those of a hostile GIF takes minutes.
    rotated: whether the EXIF orientation turns or mirrors the stored pixels.
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int
    rotated: bool


@dataclass(frozen=True, slots=True)
class Undecodable:
    """No image. reason: empty, not_an_image, svg, too_many_pixels, too_many_scans, truncated, broken, or one
    of `foreign`; detail: for a person."""

    reason: str
    detail: str


def probe(data: bytes, max_pixels: int = MAX_PIXELS) -> Probe | Undecodable:
    """Read format and size from the header; no pixel is decoded."""
    if problem := _suspicious(data):
        return problem
    found = _probe(data, max_pixels)
    if (
        isinstance(found, Undecodable)
        and data.startswith(PNG)
        and (whole := _mended(data, found)) is not None
    ):
        return _probe(whole, max_pixels)
    return found


def _probe(data: bytes, max_pixels: int) -> Probe | Undecodable:
    try:
        with _opened(data) as image:
            if problem := _too_much(image, data, max_pixels):
                return problem
            orientation = _orientation(image)
            turned = orientation in _TURNED and image.format != "TIFF"  # Pillow reports its size upright
            width, height = image.size[::-1] if turned else image.size
            frames = 2 if getattr(image, "is_animated", False) else 1
            # MPO: a JPEG file with further JPEGs after the first
            kind = "JPEG" if image.format == "MPO" else image.format or ""
            return Probe(kind, width, height, image.mode, frames, rotated=orientation in _UPRIGHT)
    except Exception as error:  # decoders meet hostile bytes and raise whatever they like
        return _reason(error, data)


def decode(
    data: bytes, max_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image | Undecodable:
    """Return the image as RGB, upright, with at most max_side pixels on the longer side (never enlarged)."""
    return decode_mended(data, max_side, max_pixels)[0]


def decode_mended(
    data: bytes, max_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[Image.Image | Undecodable, bytes]:
    """Return the image as `decode` does, and bytes of it that any decoder reads: those given, or the mended
    file."""
    return _or_mended(data, max_pixels, partial(_color, max_side=max_side))


def decode_gray(
    data: bytes, side: int, max_pixels: int = MAX_PIXELS
) -> tuple[Image.Image | Undecodable, bytes]:
    """Return the image in gray for a hash, upright, and bytes of it as `decode_mended` does.

    side: pixels on the shorter side that are wanted, if the image has them; at least as many are returned.
    A JPEG is decoded at 1/8 to 1/1 without its colors. Color profiles are ignored.
    """
    return _or_mended(data, max_pixels, partial(_gray, side=side))


def _or_mended(data: bytes, max_pixels: int, pixels: Pixels) -> tuple[Image.Image | Undecodable, bytes]:
    if problem := _suspicious(data):
        return problem, data
    found = _decode(data, max_pixels, pixels)
    if isinstance(found, Undecodable) and (whole := _mended(data, found)) is not None:
        again = _decode(whole, max_pixels, pixels)
        return again, data if isinstance(again, Undecodable) else whole
    return found, data


def _mended(data: bytes, found: Undecodable) -> bytes | None:
    """Return a mended file, None if it is not damaged or cannot be mended."""
    if found.reason not in ("broken", "truncated"):
        return None
    return mended(data)


def _decode(data: bytes, max_pixels: int, pixels: Pixels) -> Image.Image | Undecodable:
    try:
        with _opened(data) as image:
            if problem := _too_much(image, data, max_pixels):
                return problem
            orientation = 1 if image.format == "TIFF" else _orientation(image)  # Pillow turns TIFF itself
            if is_filled_up(data):
                return Undecodable("truncated", "the file is filled up with zeros, without an end")
            decoded = pixels(image, data)
            return decoded.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else decoded
    except Exception as error:  # decoders meet hostile bytes and raise whatever they like
        return _reason(error, data)


def _color(image: Image.Image, data: bytes, max_side: int | None) -> Image.Image:
    """Load an opened image as RGB, with at most max_side pixels on the longer side."""
    if max_side is not None:
        _draft(image, max_side)
    image.load()
    _correct_key(image, data)
    profile = image.info.get("icc_profile")
    return _rgb(to_srgb(_flat(_small(_plain(image), max_side)), profile))


def _gray(image: Image.Image, data: bytes, side: int) -> Image.Image:
    """Load an opened image in gray, with 2 to 4 times `side` pixels on the shorter side if it has more."""
    image.draft("L", (side, side))
    image.load()
    _correct_key(image, data)
    plain = image if image.mode == "P" and not image.has_transparency_data else _plain(image)
    shrink = max(1, min(plain.size) // (2 * side))
    if plain.has_transparency_data and plain.getchannel("A").getextrema() != (255, 255):
        return _flat(plain.reduce(shrink)).convert("L")
    return plain.convert("L").reduce(shrink)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Open the image without decoding pixels. Pillow's warnings are off, and so is its pixel limit: the
    caller checks its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ceiling, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = ceiling
        with image:
            yield image


def _suspicious(data: bytes) -> Undecodable | None:
    """Check what the first bytes alone reveal, with better messages than a decoder's."""
    if not data:
        return Undecodable("empty", "0 bytes")
    if data.startswith(PNG) and data.count(b"iCCP") > MAX_PROFILES:
        return Undecodable("broken", f"more than {MAX_PROFILES} color profiles")
    if too_many_chunks(data):
        return Undecodable("broken", "more chunks than an image needs")
    head = data[: 64 << 10]
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return None
    head = head.lower()
    page = min(
        (at for tag in (b"<!doctype html", b"<html", b"<head", b"<body") if (at := head.find(tag)) >= 0),
        default=len(head),
    )
    if 0 <= head.find(b"<svg") < page:
        return Undecodable("svg", "a drawing in SVG, not pixels")
    return (
        Undecodable("not_an_image", "an HTML page, probably an error message") if page < len(head) else None
    )


def _too_much(image: Image.Image, data: bytes, max_pixels: int) -> Undecodable | None:
    """Return why decoding the image would cost too much, else None."""
    width, height = image.size
    if width * height > max_pixels:
        return Undecodable("too_many_pixels", f"{width} x {height} pixels, above {max_pixels:,}")
    most = min(MAX_SCANS, MAX_SCANNED // max(1, width * height))
    if (
        image.format in _SCANNED
        and data.count(START_OF_SCAN) > most
        and (scans := _scans(image, data)) > most
    ):
        return Undecodable("too_many_scans", f"{scans} passes over {width * height:,} pixels, above {most}")
    return None


def _scans(image: Image.Image, data: bytes) -> int:
    """Count the passes that a decoder makes over the pixels: scans of the first image of a JPEG file, not
    those inside segments or after the image (a video, another image); for JPEGs in a TIFF, scans a tile."""
    if image.format == "TIFF" and "jpeg" in image.info.get("compression", ""):
        tags = image.getexif()
        tiles = max(len(found) if isinstance(found := tags.get(tag), tuple) else 1 for tag in _TILES)
        return data.count(START_OF_SCAN) // tiles
    if image.format == "TIFF":
        return 0
    scans, found = 0, _MARKER.search(data)
    while found is not None and found[1] != b"\xd9":
        scans += found[1] == START_OF_SCAN[1:]
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        found = _MARKER.search(data, found.end() + length)
    return scans


def _draft(image: Image.Image, max_side: int) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8, no smaller than wanted; no effect on other formats."""
    shrink = max_side / max(image.size)
    if shrink < 1:
        image.draft("RGB", (math.ceil(image.width * shrink), math.ceil(image.height * shrink)))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of the header, 1 if it has none or an invalid one. EXIF after the pixels
    of a PNG is ignored."""
    try:
        if image.format == "TIFF":
            return int(image.getexif().get(_ORIENTATION, 1))
        written = image.info.get("exif") or b""
        # true for two of three images; reading EXIF costs as much as opening a JPEG
        if not any(tag in written for tag in _ORIENTATION_TAGS):
            return 1
        exif = Image.Exif()
        exif.load(written)
        found = exif.get(_ORIENTATION, 1)
    except Exception:  # EXIF is hostile too, and not needed to see an image
        return 1
    return found if isinstance(found, int) else 1


def _correct_key(image: Image.Image, data: bytes) -> None:
    """State the transparent color of a PNG in the samples of the decoded image. Pillow gives it as stored,
    but spreads gray of 2 and 4 bits over 0 to 255, and keeps the upper byte of colors of 16 bits (where
    colors with the same upper bytes become transparent, too)."""
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None:
        return
    depth = data[24]
    if image.mode == "L" and depth in (2, 4) and isinstance(key, int):
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    elif image.mode == "RGB" and depth == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _plain(image: Image.Image) -> Image.Image:
    """Convert to a mode that can be scaled: no palette, no single bits, deep samples scaled to 8 bits."""
    if image.mode in ("I", "F"):
        raise ValueError("samples are 32-bit numbers of unknown range")
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)
        gray = Image.fromarray((samples >> 8).astype(np.uint8))
        if isinstance(key := image.info.get("transparency"), int):
            gray.putalpha(Image.fromarray((samples != key).astype(np.uint8) * 255))
        return gray
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _small(image: Image.Image, max_side: int | None) -> Image.Image:
    """Scale to at most max_side pixels on the longer side; transparent pixels have no weight. HAMMING is
    about as sharp as BICUBIC when scaling down, at half its cost (1.3 against 2.3 ms for a photograph that
    libjpeg has shrunk already)."""
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.HAMMING, reducing_gap=2.0)
    return image


def _flat(image: Image.Image) -> Image.Image:
    """Replace transparency by white."""
    if not image.has_transparency_data:
        return image
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


def _rgb(image: Image.Image) -> Image.Image:
    """Convert any remaining mode to RGB; never returns the file's own image, which is closed with it."""
    if image.mode != "RGB":
        return image.convert("RGB")
    return image.copy() if type(image) is not Image.Image else image


def _reason(error: Exception, data: bytes) -> Undecodable:
    """Return the reason for an exception of the decoder."""
    detail = f"{error}"[:200] or type(error).__name__
    if data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") + 8 > len(data):
        return Undecodable(
            "truncated", f"{int.from_bytes(data[4:8], 'little') + 8 - len(data):,} bytes are missing"
        )
    if isinstance(error, UnidentifiedImageError):
        if (other := foreign(data)) is not None:
            return Undecodable(*other)
        if data.startswith(_SIGNATURES) or data[4:12] in (b"ftypavif", b"ftypavis"):
            return Undecodable("broken", "its header cannot be read")
        return Undecodable("not_an_image", "none of " + ", ".join(FORMATS))
    return Undecodable("truncated" if "truncated" in detail.lower() else "broken", detail)
