"""Hashes of images: edited copies and mirror images are near, different images are not."""

from __future__ import annotations

import hashlib
import io
import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import ImageDraw

from leafinstruct.filter.index import hamming
from leafinstruct.filter.index.image import hash_of
from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.images.near import MIRROR, RADIUS, Hashes, distances, hashes_of

PX = 256


def saved(image: Pil.Image, quality: int | None = None) -> Pil.Image:
    """The image as a file, decoded as filter decodes it."""
    file = io.BytesIO()
    image.save(
        file, "PNG" if quality is None else "JPEG", **({} if quality is None else {"quality": quality})
    )
    found = decode(file.getvalue(), PX)
    assert not isinstance(found, Undecodable)
    return found


def watermarked(image: Pil.Image) -> Pil.Image:
    copy = image.copy()
    width, height = copy.size
    ImageDraw.Draw(copy).rectangle((width * 0.8, height * 0.9, width * 0.97, height * 0.95), fill="white")
    return copy


def cropped(image: Pil.Image) -> Pil.Image:
    """Without 1% at each side: 2% of its width and of its height."""
    width, height = image.size
    return image.crop((round(width / 100), round(height / 100), round(width * 0.99), round(height * 0.99)))


EDITS = {
    "half as large": (lambda image: saved(image.resize((image.width // 2, image.height // 2))), 0.95),
    "JPEG of quality 50": (lambda image: saved(image, 50), 0.97),
    "mirrored": (lambda image: saved(image.transpose(Pil.Transpose.FLIP_LEFT_RIGHT)), 0.97),
    "cropped by 2%": (lambda image: saved(cropped(image)), 0.6),
    "with a watermark": (lambda image: saved(watermarked(image)), 0.5),
}


@pytest.fixture(scope="module")
def photographs(real: Path) -> dict[Path, Pil.Image]:
    """The different images of the real pages that have a hash, in full size."""
    found, seen = {}, set()
    for path in sorted((real / "html").rglob("*")):
        if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".gif"):
            data = path.read_bytes()
            image = decode(data)
            name = hashlib.sha256(data).digest()
            if name not in seen and isinstance(image, Pil.Image) and hash_of(saved(image)) is not None:
                found[path] = image
            seen.add(name)
    return found


@pytest.fixture(scope="module")
def originals(photographs: dict[Path, Pil.Image]) -> Hashes:
    return hashes_of([hash_of(saved(image)) for image in photographs.values()])


@pytest.mark.e2e
@pytest.mark.parametrize(("edit", "least"), EDITS.values(), ids=[*EDITS])
def test_edited_images_of_real_pages_are_near(photographs, originals, edit, least):
    edited = hashes_of([hash_of(edit(image)) for image in photographs.values()])
    found = np.minimum(distances(originals, edited), distances(originals ^ MIRROR, edited))
    assert len(found) > 130
    assert (found <= RADIUS).mean() >= least


@pytest.mark.e2e
def test_different_images_of_different_real_pages_are_not_near(photographs, originals):
    """A pair within the radius is the same photograph on two translations of a page."""
    paths = list(photographs)
    near = [
        (paths[one].parent.name, paths[other].parent.name, paths[one].name, paths[other].name)
        for one, other in combinations(range(len(paths)), 2)
        if min(
            distances(originals[one], originals[other]), distances(originals[one] ^ MIRROR, originals[other])
        )
        <= RADIUS
    ]
    across = {pair for pair in near if pair[0] != pair[1]}
    assert across == {("picamera-es-la-step-2", "picamera-pt-br-step-2", *2 * ("pi4-camera-port.png",))}


@given(st.integers(0, 2**32), st.sampled_from([(64, 32), (32, 96), (256, 171)]))
def test_the_hash_of_a_mirror_image_is_the_mirrored_hash(seed, size):
    image = Pil.frombytes("L", size, random.Random(seed).randbytes(size[0] * size[1]))
    one, other = (hash_of(it) for it in (image, image.transpose(Pil.Transpose.FLIP_LEFT_RIGHT)))
    assert one is not None
    assert (
        distances(hashes_of([one]) ^ MIRROR, hashes_of([other]))[0] <= 16
    )  # cells are rounded to gray levels


@pytest.mark.parametrize(
    "image",
    [
        Pil.new("RGB", (200, 200), "white"),
        Pil.effect_noise((200, 20), 60),
        Pil.linear_gradient("L"),
        Pil.new("L", (1, 1)),
    ],
    ids=["plain", "lower than the cells", "a gradient", "a pixel"],
)
def test_an_image_without_structure_has_no_hash(image):
    assert hash_of(image) is None
    assert not hashes_of([None]).any()


def test_a_hash_is_never_zero_and_is_read_back():
    found = hash_of(Pil.effect_noise((64, 64), 60))
    assert found is not None
    assert int(found, 16) >> 255 == 1
    assert [int(word) for word in hashes_of([found])[0]] == [
        int(found[at : at + 16], 16) for at in range(0, 64, 16)
    ]


@pytest.mark.parametrize("at_once", [7, 1 << 16])
def test_the_search_finds_exactly_the_pairs_within_the_radius(monkeypatch, at_once):
    """Against a comparison of all pairs; each family of hashes has 0 to 40 changed bits."""
    monkeypatch.setattr(hamming, "_AT_ONCE", at_once)
    source = random.Random(4)
    made = []
    for _ in range(12):
        base = source.getrandbits(256) | 1 << 255
        for _ in range(10):
            own = base
            for bit in source.sample(range(255), source.randrange(40)):
                own ^= 1 << bit
            made.append(f"{own:064x}")
    hashes = hashes_of(made)
    found = {
        pair
        for left, right in hamming.near_pairs(hashes, hashes)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    }
    plain, mirrored = (distances(some[:, None], hashes[None]) for some in (hashes, hashes ^ MIRROR))
    assert found == set(zip(*np.nonzero(np.minimum(plain, mirrored) <= RADIUS), strict=True))
    assert len(made) < len(found) < len(made) * 10
