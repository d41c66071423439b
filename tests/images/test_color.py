"""Embedded profiles: decoded colors are those that a person sees, and an unsuitable profile changes
nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from images.profiles import XYZ, gray, press, screen
from images.test_decode import encoded, pixels
from PIL import Image as Pil
from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = screen(XYZ["green"], XYZ["red"], XYZ["blue"])
"""Its red shines green, and its green red."""


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_profile_says_which_color_a_number_is(format_):
    data = encoded(Pil.new("RGB", (32, 32), (255, 0, 0)), format_, icc_profile=SWAPPED)
    for side in (None, 8):
        red, green, blue = pixels(data, side).mean(axis=(0, 1))
        assert green > 245
        assert red < 10
        assert blue < 10


def test_transparency_and_palettes_keep_their_profile():
    for image in (Pil.new("RGBA", (4, 4), (255, 0, 0, 255)), Pil.new("RGB", (4, 4), (255, 0, 0)).quantize(2)):
        assert pixels(encoded(image, "PNG", icc_profile=SWAPPED))[0, 0, 1] > 250
    assert pixels(encoded(Pil.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG", icc_profile=SWAPPED)).min() == 255


def test_sixteen_bit_and_eight_bit_gray_follow_a_gray_profile():
    linear = gray(1.0)
    for samples in (np.full((4, 4), 128, np.uint8), np.full((4, 4), 128 << 8, np.uint16)):
        plain, profiled = (
            pixels(encoded(Pil.fromarray(samples), "PNG", **options))
            for options in ({}, {"icc_profile": linear})
        )
        assert set(plain.ravel()) == {128}
        assert abs(int(profiled[0, 0, 0]) - 188) <= 2  # half the light is level 188 of sRGB


def test_the_inks_of_a_press_are_what_its_profile_says():
    cyan = Pil.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = pixels(encoded(cyan, "JPEG", quality=95, icc_profile=press())).mean(axis=(0, 1))
    assert red > green + 80  # a pink; without the profile it would be cyan
    assert red > blue > green
    unprofiled = pixels(encoded(cyan, "JPEG", quality=95)).mean(axis=(0, 1))
    assert unprofiled[0] < 10
    assert unprofiled[2] > 245


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", SRGB),
        ("RGB", b"no profile"),
        ("RGB", SWAPPED[:200]),
        ("RGB", press()),
        ("RGB", gray(1.0)),
        ("L", SWAPPED),
        ("RGB", b"\0" * 5_000_000),
    ],
    ids=["sRGB", "junk", "cut off", "of a press", "of greys", "of colors", "huge"],
)
def test_a_profile_that_means_nothing_changes_no_pixel(mode, profile):
    image = Pil.linear_gradient("L").convert(mode)
    found = pixels(encoded(image, "JPEG", quality=95, icc_profile=profile))
    assert (found == pixels(encoded(image, "JPEG", quality=95))).all()


def test_photographs_of_phones_and_cameras_get_their_colors_back(real):
    """Display P3 and Adobe RGB are wider than sRGB: read as sRGB their colors are paler than they were."""
    wide = 0
    for file in sorted((real / "html").rglob("*")) + sorted((real / "mmc4").rglob("*")):
        if file.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            continue
        with Pil.open(file) as image:
            profile = image.info.get("icc_profile")
            name = (
                ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
                if profile
                else ""
            )
            if name not in ("Display P3", "Adobe RGB (1998)"):
                continue
            taken_as_srgb = np.asarray(image.convert("RGB")).astype(int)
        found = pixels(file.read_bytes()).astype(int)
        assert np.ptp(found, axis=2).mean() > np.ptp(taken_as_srgb, axis=2).mean()
        wide += 1
    assert wide >= 1
