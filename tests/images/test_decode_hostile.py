"""Files made to be expensive or confusing for a decoder: why each is refused, and its maximum cost."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from images.test_decode import encoded, pixels
from PIL import Image as Pil

from leafinstruct.images.decode import Probe, Undecodable, decode, probe

PEAK = """
import resource, sys
from leafinstruct.images.decode import decode, probe
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = open(sys.argv[1], "rb").read()
before = peak()
print(getattr(probe(data), "reason", ""), getattr(decode(data, 256), "reason", ""), (peak() - before) // 1024, sep=",")
"""  # noqa: E501


def cost(folder, data: bytes) -> tuple[str, str, int]:
    """Reasons of probe and decode, and megabytes at the peak, in a process of its own."""
    (folder / "image").write_bytes(data)
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", PEAK, folder / "image"],
        capture_output=True,
        text=True,
        check=True,
    )
    probed, decoded, megabytes = found.stdout.strip().split(",")
    return probed, decoded, int(megabytes)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunk(name: bytes, data: bytes) -> bytes:
    """A PNG with a chunk behind its header."""
    plain = encoded(Pil.new("RGB", (80, 40)))
    return plain[:33] + chunk(name, data) + plain[33:]


def gif(screen: tuple[int, int], frame: tuple[int, int]) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + b"," + struct.pack("<HHHH", 0, 0, *frame) + b"\0\2\2L\1\0;"


def webp(width: int, height: int) -> bytes:
    """A WebP of one pixel that claims a size: 14 bits a side, behind the signature of its lossless stream."""
    data = bytearray(encoded(Pil.new("RGB", (1, 1)), "WEBP", lossless=True))
    data[21:25] = struct.pack("<I", width - 1 | (height - 1) << 14)
    return bytes(data)


def tiled(side: int) -> bytes:
    """A TIFF of 100 x 100 pixels that claims tiles of side x side."""
    packed = zlib.compress(bytes(1000))
    tags = [
        (256, 100),
        (257, 100),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 138),
        (325, len(packed)),
    ]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body).ljust(138, b"\0") + packed


@pytest.mark.parametrize(
    ("make", "probed", "decoded"),
    [
        (lambda: gif((65_535, 65_535), (1, 1)), "too_many_pixels", "too_many_pixels"),
        (lambda: gif((1, 1), (65_535, 65_535)), "too_many_pixels", "too_many_pixels"),
        (lambda: webp(16_383, 16_383), "too_many_pixels", "too_many_pixels"),
        (lambda: with_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000))), "", ""),
        (lambda: with_chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(100_000_000))), "", ""),
        (lambda: with_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(100_000_000))), "", ""),
        (lambda: tiled(65_520), "", "broken"),
    ],
    ids=["gif-screen", "gif-frame", "webp", "zTXt", "iTXt", "iCCP", "tiff-tile"],
)
def test_a_bomb_costs_less_than_50_megabytes(tmp_path, make, probed, decoded):
    found = cost(tmp_path, make())
    assert found[:2] == (probed, decoded)
    assert found[2] < 50


@pytest.mark.parametrize(("mode", "times"), [("RGB", 1.0), ("RGBA", 2.0), ("P", 1.3), ("I;16", 1.5)])
def test_a_large_image_is_in_memory_as_few_times_as_possible(tmp_path, mode, times):
    """24 million pixels are 96 MB in Pillow: times of that, and 20 MB for the decoder."""
    samples = np.zeros((4_000, 6_000), np.uint16) if mode == "I;16" else None
    image = Pil.new(mode, (6_000, 4_000)) if samples is None else Pil.fromarray(samples)
    probed, decoded, megabytes = cost(tmp_path, encoded(image, "PNG", compress_level=1))
    assert (probed, decoded) == ("", "")
    assert megabytes < 96 * times + 20


def scanned(again: int) -> bytes:
    """A progressive JPEG whose last scan is there that many times more."""
    data = encoded(Pil.new("L", (400, 400), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * again + data[-2:]


def test_a_jpeg_with_a_thousand_passes_is_refused():
    assert isinstance(decode(scanned(50)), Pil.Image)
    assert probe(scanned(1_000)).reason == decode(scanned(1_000)).reason == "too_many_scans"
    dressed = (
        scanned(1_000).replace(b"\xff\xda", b"\xff\xff\xff\xda").replace(b"\xff\xdb", b"junk\xff\xdb", 1)
    )
    assert decode(dressed).reason == "too_many_scans"


def test_the_passes_of_a_large_jpeg_are_fewer():
    """As many pixels are looked at by 50 passes over 36 million as by 11,250 over 160,000."""
    data = encoded(Pil.new("L", (6_000, 6_000), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    assert probe(data).width == 6_000
    assert probe(data[:-2] + last * 50 + data[-2:]).reason == "too_many_scans"


def test_content_of_segments_or_after_a_jpeg_is_no_pass():
    """A video behind a photograph, as phones write it, and a comment full of markers."""
    plain = encoded(Pil.new("RGB", (40, 40), "teal"), "JPEG", comment=b"\xff\xda" * 500)
    assert isinstance(decode(plain + b"\0\2" + b"\xff\xda\0\2" * 5_000), Pil.Image)


def test_a_tiff_whose_jpeg_has_a_thousand_passes_is_refused():
    data = encoded(Pil.new("L", (400, 400), 128), "TIFF", compression="jpeg")
    assert isinstance(decode(data), Pil.Image)
    assert decode(data + b"\xff\xda" * 1_000).reason == "too_many_scans"
    assert isinstance(decode(encoded(Pil.new("L", (400, 400)), "TIFF") + b"\xff\xda" * 1_000), Pil.Image)
    # each of them a JPEG of one scan
    strips = encoded(Pil.new("L", (4_000, 2_000)), "TIFF", compression="jpeg")
    assert strips.count(b"\xff\xda") > 100
    assert isinstance(decode(strips), Pil.Image)


def oriented(entry: bytes) -> bytes:
    """A JPEG of 80 x 40 with one EXIF tag, as these bytes say."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)
    return encoded(Pil.new("RGB", (80, 40)), "JPEG", exif=exif)


@pytest.mark.parametrize(
    "entry",
    [
        struct.pack(">HHI4s", 0x112, 2, 4, b"6\0\0\0"),
        struct.pack(">HHI4s", 0x112, 1, 1, b"\6\0\0\0"),
        struct.pack(">HHI4s", 0x112, 7, 4, b"abcd"),
        struct.pack(">HHIf", 0x112, 11, 1, float("nan")),
        struct.pack(">HHII", 0x112, 5, 1, 8),
        struct.pack(">HHIHH", 0x112, 3, 1, 99, 0),
        b"\xff" * 12,
    ],
    ids=["text", "byte", "undefined", "not a number", "fraction", "99", "junk"],
)
def test_an_orientation_that_means_nothing_leaves_the_image_as_it_is(entry):
    assert probe(oriented(entry)) == Probe("JPEG", 80, 40, "RGB", 1, rotated=False)
    assert decode(oriented(entry)).size == (80, 40)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_probe_and_decode_agree_about_the_orientation(format_, orientation):
    exif = Pil.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x112: orientation}} if format_ == "TIFF" else {"exif": exif}
    data = encoded(Pil.new("RGB", (80, 40)), format_, **options)
    found = probe(data)
    assert (
        (found.width, found.height)
        == ((40, 80) if orientation >= 5 else (80, 40))
        == decode(data).size
        == decode(data, 1_000).size
    )
    assert found.rotated == (orientation > 1)
    assert decode(data, 20).size == ((10, 20) if orientation >= 5 else (20, 10))


def test_xmp_turns_nothing():
    """Browsers do not believe it either."""
    data = with_chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>')
    assert (probe(data).width, decode(data).size) == (80, (80, 40))


def test_a_jpeg_with_further_images_behind_it_is_a_jpeg():
    first, second = Pil.new("RGB", (16, 16), "red"), Pil.new("RGB", (16, 16), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert probe(data) == Probe("JPEG", 16, 16, "RGB", 2, rotated=False)
    assert pixels(data)[0, 0, 0] > 250


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "AVIF"])
def test_the_first_of_many_frames_counts(format_):
    first, second = Pil.new("RGB", (16, 16), "red"), Pil.new("RGB", (16, 16), "blue")
    data = encoded(first, format_, save_all=True, append_images=[second])
    assert probe(data).frames == 2
    assert pixels(data)[0, 0, 0] > 240


@pytest.mark.parametrize(
    ("format_", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(
            ("TIFF", mode)
            for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "LAB")
        ),
    ],
)
def test_every_mode_comes_out_as_rgb_at_every_size(format_, mode):
    data = encoded(Pil.new(mode, (40, 20)), format_)
    for side, size in ((None, (40, 20)), (10, (10, 5))):
        found = decode(data, side)
        assert (found.mode, found.size, type(found)) == ("RGB", size, Pil.Image)


def test_sixteen_bit_color_is_scaled():
    """Pillow writes none: one pixel of (0x8012, 0x4034, 0xFF56), by hand."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    data = (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(b"\0\x80\x12\x40\x34\xff\x56"))
        + chunk(b"IEND", b"")
    )
    assert pixels(data).tolist() == [[[0x80, 0x40, 0xFF]]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_of_unknown_range_are_no_colors(mode):
    found = decode(encoded(Pil.new(mode, (4, 4)), "TIFF"))
    assert found == Undecodable("broken", "samples are 32-bit numbers of unknown range")


def test_a_palette_may_be_partly_transparent():
    """Entry by entry: opaque red, half a black, nothing."""
    image = Pil.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 0, 0, 9, 9, 9])
    image.putdata([0, 1, 2])
    assert pixels(encoded(image, "PNG", transparency=bytes((255, 128, 0)))).tolist() == [
        [[255, 0, 0], [127, 127, 127], [255, 255, 255]]
    ]


def test_what_is_transparent_does_not_color_what_is_scaled_down():
    image = Pil.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 32, 64))
    small = pixels(encoded(image), 4).astype(int)
    assert (small[..., 0] == small[..., 1]).all()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    ("format_", "options", "reasons"),
    [
        ("JPEG", {}, {"truncated"}),
        ("JPEG", {"progressive": True}, {"truncated"}),
        ("PNG", {}, {"truncated"}),
        ("WEBP", {}, {"truncated"}),
        ("GIF", {}, {"truncated"}),
        ("AVIF", {}, {"truncated", "broken"}),
        ("BMP", {}, {"truncated"}),
        ("TIFF", {}, {"truncated"}),
        ("TIFF", {"compression": "tiff_lzw"}, {"truncated", "broken"}),
    ],
)
def test_a_file_cut_off_is_no_image(format_, options, reasons, share):
    data = encoded(Pil.radial_gradient("L").convert("RGB"), format_, **options)
    found = decode(data[: int(len(data) * share)])
    assert isinstance(found, Undecodable)
    assert found.reason in reasons


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xef\xbb\xbf<svg xmlns='x'/>", "svg"),
        (b"<!DOCTYPE svg PUBLIC ''>\n<svg/>", "svg"),
        (b"<!-- made by hand -->\n<SVG/>", "svg"),
        (b"<?xml version='1.0'?><!--" + b"x" * 5_000 + b"--><svg/>", "svg"),
        (b"<!doctype html><html><body><svg/></body></html>", "not_an_image"),
        (b"<html><svg/></html>", "not_an_image"),
        (b"<?xml version='1.0'?><rss/>", "not_an_image"),
    ],
)
def test_svg_and_html_have_different_reasons(data, reason):
    assert probe(data).reason == decode(data).reason == reason


def test_an_image_of_no_pixels_is_none():
    for data in (gif((0, 0), (0, 0)), encoded(Pil.new("RGB", (1, 1)), "BMP")[:18] + bytes(8)):
        assert isinstance(decode(data, 10), Undecodable)
        assert isinstance(probe(data), Undecodable)


def test_an_image_is_as_it_was_whoever_closes_what():
    """What decode gives out does not hang on the file that it came from."""
    found = decode(encoded(Pil.new("RGB", (8, 8), "teal")))
    buffer = io.BytesIO()
    found.save(buffer, "PNG")
    assert pixels(buffer.getvalue())[0, 0].tolist() == [0, 128, 128]
