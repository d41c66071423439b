"""Embedded ICC profiles -> sRGB, which is what every model that looks at our images was trained on.

Of 312 images of real pages 24 carried a profile, and 7 of these were none of sRGB's many names: phones write
Display P3, cameras Adobe RGB, presses CMYK. Taken for sRGB the first two look pale; CMYK without its profile
is guessed at. A profile that cannot be read, or is for another kind of pixels than the image has, is passed
over, as browsers do.

Chosen: ImageCms (LittleCMS, in Pillow's wheels). Cost: a transform is made once a profile, in 1-20 ms, and
takes 1 ms for 256 x 256 pixels; a profile that moves no color by more than NEAR levels is sRGB by another
name and takes nothing.
"""

from __future__ import annotations

import io
import itertools
from functools import lru_cache

from PIL import Image, ImageCms

MAX_PROFILE = 4 << 20
"""Bytes; the profiles of presses have up to 2 MB. What is larger is passed over."""
NEAR = 2
"""Levels of 255."""
_MODES = ("RGB", "L", "CMYK")
_LEVELS = range(0, 256, 51)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB, as RGB, by its profile; as it is without one, with an unreadable one, and where it
    is in sRGB already."""
    if not profile or len(profile) > MAX_PROFILE or image.mode not in _MODES:
        return image
    transform = _transform(profile, image.mode)
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colors to those of sRGB; None when there is nothing to be done, or nothing that can
    be."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if mode != "CMYK" and _moves_nothing(transform, mode) else transform


def _moves_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform leaves a lattice of colors where it is, within NEAR levels."""
    points = list(itertools.product(_LEVELS, repeat=3)) if mode == "RGB" else list(range(256))
    lattice = Image.new(mode, (len(points), 1))
    lattice.putdata(points)
    before, after = lattice.convert("RGB").tobytes(), transform.apply(lattice).tobytes()
    return max(abs(one - other) for one, other in zip(before, after, strict=True)) <= NEAR
