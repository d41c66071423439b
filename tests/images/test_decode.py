"""Decoding: results for unusual files, refusals before a pixel is decoded, and no exceptions."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil

from leafinstruct.images.decode import Probe, Undecodable, decode, probe

READABLE = {
    "animated.gif": Probe("GIF", 240, 180, "P", 2, rotated=False),
    "cmyk.jpg": Probe("JPEG", 539, 327, "CMYK", 1, rotated=False),
    "exif_rotated.jpg": Probe("JPEG", 539, 327, "RGB", 1, rotated=True),
    "gray_16bit.png": Probe("PNG", 400, 300, "I;16", 1, rotated=False),
    "one_pixel.png": Probe("PNG", 1, 1, "RGB", 1, rotated=False),
    "palette_transparent.png": Probe("PNG", 320, 240, "P", 1, rotated=False),
    "photo.avif": Probe("AVIF", 539, 327, "RGB", 1, rotated=False),
    "photo.webp": Probe("WEBP", 539, 327, "RGB", 1, rotated=False),
    "really_a_png.jpg": Probe("PNG", 930, 607, "RGBA", 1, rotated=False),
}
REFUSED = {
    "drawing.svg": "svg",
    "empty.png": "empty",
    "huge_30000x30000.png": "too_many_pixels",
    "page_named.jpg": "not_an_image",
    "truncated.mp4": "not_an_image",
    "truncated.parquet": "not_an_image",
}


def encoded(image: Pil.Image, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def pixels(data: bytes, max_side: int | None = None) -> np.ndarray:
    image = decode(data, max_side)
    assert isinstance(image, Pil.Image), image
    return np.asarray(image)


@pytest.mark.parametrize("name", READABLE)
def test_an_unusual_image_is_probed_and_decoded(real, name):
    data = (real / "messy" / name).read_bytes()
    assert probe(data) == READABLE[name]
    image = decode(data)
    assert (image.mode, image.size) == ("RGB", (READABLE[name].width, READABLE[name].height))
    small = decode(data, 100)
    assert max(small.size) == min(100, max(image.size))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_has_one_reason(real, name):
    data = (real / "messy" / name).read_bytes()
    assert {probe(data).reason, decode(data).reason, decode(data, 64).reason} == {REFUSED[name]}


def test_an_image_cut_off_has_a_header_and_no_pixels(real):
    data = (real / "messy" / "truncated.jpg").read_bytes()
    assert probe(data) == Probe("JPEG", 962, 343, "RGB", 1, rotated=False)
    assert decode(data).reason == "truncated"


def test_every_messy_image_is_expected_here(real):
    images = {file.name for file in (real / "messy").iterdir()} - {
        name for name in REFUSED if name.endswith(("mp4", "parquet"))
    }
    assert {
        name for name in images if not name.endswith((".html", ".jsonl", ".gz"))
    } <= READABLE.keys() | REFUSED.keys() | {"truncated.jpg"}


def test_a_bomb_is_refused_within_50_megabytes(real):
    """In a process of its own, so that its peak is the bomb's; the pixels would take 2.7 GB."""
    script = """
import resource, sys
from pathlib import Path
from leafinstruct.images.decode import decode, probe
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
data = Path(sys.argv[1]).read_bytes()
assert probe(data).reason == decode(data).reason == decode(data, 64).reason == "too_many_pixels"
print((peak() - before) // 1024)
"""
    file = real / "messy" / "huge_30000x30000.png"
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, file], capture_output=True, text=True, check=True
    )
    assert int(found.stdout) < 50


def test_the_pixel_limit_is_the_callers(real):
    data = encoded(Pil.new("L", (300, 200)))
    assert isinstance(decode(data, max_pixels=60_000), Pil.Image)
    assert decode(data, max_pixels=59_999) == Undecodable("too_many_pixels", "300 x 200 pixels, above 59,999")
    header = png_header(12_000, 12_000)
    # above Pillow's own limit
    assert probe(header, max_pixels=150_000_000) == Probe("PNG", 12_000, 12_000, "L", 1, rotated=False)


def png_header(width: int, height: int) -> bytes:
    """A gray PNG that declares a size and holds no pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_comes_out_upright(orientation):
    """The red corner is at the top left of what a person sees, however the pixels are stored."""
    upright = Pil.new("RGB", (80, 40), "white")
    upright.paste((255, 0, 0), (0, 0, 20, 10))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Pil.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Pil.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, "PNG", exif=exif)
    assert probe(data) == Probe("PNG", 80, 40, "RGB", 1, rotated=orientation > 1)
    assert (pixels(data) == np.asarray(upright)).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_camera_may_write_its_orientation_in_either_order_of_bytes(order):
    signature = b"II*\0" if order == "<" else b"MM\0*"
    exif = b"Exif\0\0" + signature + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    data = encoded(Pil.new("RGB", (80, 40)), "JPEG", exif=exif)
    assert probe(data) == Probe("JPEG", 40, 80, "RGB", 1, rotated=True)
    assert decode(data).size == (40, 80)


def test_transparent_pixels_become_white():
    for image in (
        Pil.new("RGBA", (4, 4), (0, 0, 0, 0)),
        Pil.new("LA", (4, 4), (0, 0)),
        Pil.new("PA", (4, 4), (0, 0)),
    ):
        data = (
            encoded(image, "PNG")
            if image.mode != "PA"
            else encoded(image.convert("RGBA"), "WEBP", lossless=True)
        )
        assert pixels(data).min() == 255
    palette = Pil.new("P", (4, 4), 0)
    assert pixels(encoded(palette, "PNG", transparency=0)).min() == 255
    assert pixels(encoded(Pil.new("RGB", (4, 4), (9, 9, 9)), "PNG", transparency=(9, 9, 9))).min() == 255


def test_half_transparent_black_is_gray():
    assert set(pixels(encoded(Pil.new("RGBA", (2, 2), (0, 0, 0, 128)))).ravel()) == {127}


def test_sixteen_bits_are_scaled_and_not_clipped():
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(1, 256).repeat(4, axis=0)
    found = pixels(encoded(Pil.fromarray(ramp)))[0, :, 0]
    assert (found == (ramp[0] >> 8)).all()


def test_of_an_animation_the_first_frame_counts():
    frames = [Pil.new("RGB", (8, 8), color) for color in ("red", "blue", "lime")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert probe(data).frames == 2
    assert tuple(pixels(data)[0, 0]) == (255, 0, 0)


def test_cmyk_keeps_its_colors():
    found = pixels(encoded(Pil.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK"), "JPEG", quality=95))
    assert abs(found.astype(int).mean(axis=(0, 1)) - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("size", [(4000, 1000), (1000, 4000), (333, 100), (50, 20)])
def test_the_longer_side_is_at_most_what_was_asked_and_nothing_grows(size):
    for format_ in ("JPEG", "PNG"):
        small = decode(encoded(Pil.new("RGB", size, "teal"), format_), 128)
        assert max(small.size) == min(128, max(size))
        assert abs(small.width / small.height - size[0] / size[1]) < 0.2 * size[0] / size[1]


def test_formats_outside_the_list_are_not_opened():
    assert probe(encoded(Pil.new("RGB", (4, 4)), "PPM")).reason == "not_an_image"
    assert probe(encoded(Pil.new("RGB", (4, 4)), "ICO")).reason == "ico"
    assert probe(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n").reason == "not_an_image"


def test_pillow_s_own_limit_is_as_it_was():
    before = Pil.MAX_IMAGE_PIXELS
    probe(png_header(30_000, 30_000))
    decode(b"\x89PNG\r\n\x1a\nbroken")
    assert before == Pil.MAX_IMAGE_PIXELS


samples = [
    encoded(Pil.radial_gradient("L").resize((40, 30)).convert("RGB"), name)
    for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
]


@given(
    st.sampled_from(samples),
    st.integers(0, 10_000),
    st.binary(min_size=1, max_size=8),
    st.integers(0, 10_000),
)
def test_damage_anywhere_is_a_reason_or_an_image_and_never_raises(data, place, junk, cut):
    broken = bytearray(data)
    place %= len(broken)
    broken[place : place + len(junk)] = junk
    for found in (bytes(broken), bytes(broken[: cut % len(broken)])):
        assert isinstance(probe(found), Probe | Undecodable)
        image = decode(found, 32)
        assert isinstance(image, Undecodable) or image.mode == "RGB"


def test_images_of_real_pages_all_decode(real):
    files = sorted(file for file in (real / "mmc4" / "images").iterdir())
    outcomes = [decode(file.read_bytes(), 64) for file in files]
    assert [
        Path(file).name
        for file, outcome in zip(files, outcomes, strict=True)
        if isinstance(outcome, Undecodable)
    ] == []
