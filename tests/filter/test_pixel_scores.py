"""Scores of pixels: what each of them finds in drawn images, and what it must not take for it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import ImageDraw, ImageFont

from leafinstruct.filter.scores import image as image_scores
from leafinstruct.filter.scores.pixels.compression import jpeg_quality
from leafinstruct.images.decode import Undecodable, decode

SIDE = 256
REAL = os.environ.get("LEAF_REAL_DATA")


def values(image: Pil.Image) -> dict[str, float]:
    found = image_scores.scores(*image.size, image.convert("RGB"), b"")
    return {item["name"].removeprefix("image."): item["value"] for item in found}


def gray(levels: np.ndarray) -> Pil.Image:
    return Pil.fromarray(np.clip(levels.round(), 0, 255).astype(np.uint8))


def photo(seed: int = 0, height: int = SIDE) -> np.ndarray:
    """Smooth shapes as a photo has them: sums of waves of random direction, in gray levels 40 to 215."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :SIDE] / SIDE
    waves = sum(np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in random.uniform(-4, 4, (6, 3)))
    return 127.5 + 87.5 * waves / np.abs(waves).max()


def slide(lines: int) -> Pil.Image:
    image = Pil.new("L", (SIDE, SIDE), 255)
    font = ImageFont.load_default(13)
    for at in range(lines):
        ImageDraw.Draw(image).text((8, 6 + 16 * at), "Sand the wood until it is smooth.", 20, font)
    return image


@given(st.floats(3, 40), st.integers(0, 50))
def test_noise_is_the_deviation_of_what_was_added(sigma, seed):
    noisy = photo(seed) + np.random.default_rng(seed).normal(0, sigma, (SIDE, SIDE))
    clean, found = values(gray(photo(seed)))["noise"], values(gray(noisy))["noise"]
    assert clean < 1
    assert 0.65 * sigma < found < 1.15 * sigma + 1


def test_an_edge_and_a_flat_color_are_no_noise():
    stripes = np.tile(np.where(np.arange(SIDE) // 32 % 2, 250, 5), (SIDE, 1))
    assert values(gray(stripes.astype(float)))["noise"] < 0.5
    assert values(Pil.new("L", (SIDE, SIDE), 128))["noise"] == 0


@pytest.mark.parametrize("side", [100, SIDE, 1600])
def test_random_pixels_of_any_size_are_noise_alone_and_a_dark_photo_is_not(side):
    random = np.random.default_rng(side)
    pixels = decode(encoded_png(random.integers(0, 256, (side, side), np.uint8)), SIDE, 10_000_000)
    assert not isinstance(pixels, Undecodable)
    assert values(pixels)["noise_share"] > 0.7
    dark = photo() / 4 + random.normal(0, 4, (SIDE, SIDE))
    assert values(gray(dark))["noise_share"] < 0.45
    assert values(Pil.new("L", (SIDE, SIDE), 128))["noise_share"] == 0


def encoded_png(levels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pil.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def test_drawings_are_flat_and_photos_are_not():
    assert values(slide(4))["flat"] > 0.8
    noisy = photo() + np.random.default_rng(0).normal(0, 3, (SIDE, SIDE))
    assert values(gray(noisy))["flat"] < 0.1
    assert values(Pil.new("L", (SIDE, SIDE), 7))["flat"] == 1


def test_text_covers_more_of_an_image_the_more_lines_it_has():
    shares = [values(slide(lines))["text"] for lines in (0, 3, 8, 15)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert 0.06 < shares[1] < 0.25
    assert shares[3] > 0.35


@pytest.mark.parametrize(
    "levels",
    [
        photo(3),
        photo(3) + np.random.default_rng(3).normal(0, 20, (SIDE, SIDE)),
        np.tile(np.where(np.arange(SIDE) // 3 % 2, 250.0, 5.0), (SIDE, 1)),
        np.tile(np.where(np.arange(SIDE) // 16 % 2, 250.0, 5.0)[:, None], (1, SIDE)),
    ],
    ids=["shapes", "noise", "fence", "shelves"],
)
def test_texture_is_no_text(levels):
    assert values(gray(levels))["text"] < 0.05


@pytest.mark.parametrize(
    "kind", [zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.Aztec]
)
@pytest.mark.parametrize("turn", [0, 90, 8])
def test_a_code_covers_its_share_of_a_photo(kind, turn):
    code = zxingcpp.create_barcode("https://example.org/lessons", kind)
    drawn = Pil.fromarray(np.array(code.to_image(scale=3)))
    image = gray(photo(5))
    image.paste(drawn.rotate(turn, fillcolor=255, expand=True), (40, 40))
    assert values(gray(photo(5)))["codes"] == 0
    left, upper, right, lower = Pil.eval(drawn, lambda level: 255 - level).getbbox()
    share = (right - left) * (lower - upper) / SIDE**2
    assert values(image)["codes"] == pytest.approx(share, rel=0.15)


def test_a_damaged_code_is_none():
    drawn = np.array(
        zxingcpp.create_barcode("https://example.org", zxingcpp.BarcodeFormat.QRCode).to_image(scale=6)
    )
    assert values(Pil.fromarray(drawn))["codes"] > 0.5
    drawn[60:-60, 60:-60] = 255
    assert values(Pil.fromarray(drawn))["codes"] == 0


@pytest.mark.parametrize("height", [0.05, 0.1, 0.18])
@pytest.mark.parametrize("level", [0, 250])
def test_a_bar_has_its_share_of_the_rows_with_letters_on_it_or_without(height, level):
    levels, rows = 0.4 * photo(2) + 80, round(height * SIDE)
    levels[-rows:] = level
    image = gray(levels)
    assert values(image)["bars"] == pytest.approx(rows / SIDE, abs=0.005)
    ImageDraw.Draw(image).text(
        (20, SIDE - rows + 1), "www.example.org", 120, ImageFont.load_default(rows // 2)
    )
    assert values(image)["bars"] == pytest.approx(rows / SIDE, abs=0.005)


def test_letterboxes_count_twice_and_margins_not_at_all():
    boxed = 0.4 * photo(2) + 80
    boxed[:30] = boxed[-30:] = 0
    assert values(gray(boxed))["bars"] == pytest.approx(60 / SIDE, abs=0.005)
    framed = np.full((SIDE, SIDE), 255.0)
    framed[30:-30, 30:-30] = photo(2)[30:-30, 30:-30]
    assert values(gray(framed))["bars"] == 0
    assert values(gray(photo(2)))["bars"] == 0
    on_a_table = 0.4 * photo(2) + 80
    on_a_table[-30:] = 190
    assert values(gray(on_a_table))["bars"] == 0


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_images_of_few_pixels_have_all_scores(width, height, level):
    found = values(Pil.new("RGB", (width, height), (level, 255 - level, level)))
    names = (*image_scores.MEASURED, image_scores.NOISE_SHARE, image_scores.OF_FILE)
    assert set(found) == {name.removeprefix("image.") for name in names}
    assert all(np.isfinite(value) for value in found.values())


def encoded(quality: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    gray(photo()).convert("RGB").save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [2, 5, 10, 20, 40, 60, 75, 85, 95])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": b"Exif\0\0" + bytes(50)}])
def test_the_quality_of_a_jpeg_file_is_read_from_its_tables(quality, options):
    found = jpeg_quality(encoded(quality, **options))
    assert found == pytest.approx(quality, abs=0.06 * quality + 0.8)


def test_files_without_tables_have_no_known_loss():
    buffer = io.BytesIO()
    gray(photo()).save(buffer, "PNG")
    for data in (b"", b"\xff\xd8", buffer.getvalue(), b"\xff\xd8\xff\xda\0\2"):
        assert jpeg_quality(data) == 100


@given(st.binary(max_size=300), st.integers(0, 700))
def test_hostile_files_have_a_quality_too(noise, cut):
    for data in (b"\xff\xd8" + noise, b"\xff\xd8\xff\xdb" + noise, encoded(30)[:cut] + noise):
        assert 1 <= jpeg_quality(data) <= 100


@pytest.mark.skipif(REAL is None, reason="needs LEAF_REAL_DATA, real pages and images")
def test_real_images_have_codes_only_where_a_page_shows_one():
    found = []
    for path in sorted(Path(REAL or "").rglob("*")):
        if path.suffix in (".png", ".jpg", ".gif") and path.parent.name != "messy":
            image = decode(path.read_bytes(), SIDE, 64_000_000)
            if not isinstance(image, Undecodable) and values(image)["codes"] > 0:
                found.append(path.name)
    assert sorted(found) == ["product-low.png", "product_video.png"]


def test_a_table_of_16_bits_is_read_in_the_order_of_its_bytes():
    table = b"\x10" + (16).to_bytes(2) * 64
    data = b"\xff\xd8\xff\xdb" + (2 + len(table)).to_bytes(2) + table + b"\xff\xd9"
    assert jpeg_quality(data) == pytest.approx(5000 / (100 * 16 / 11.75), abs=0.05)
