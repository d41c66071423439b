"""Hashes of images: edited copies and mirror images are near, different images are not."""

from __future__ import annotations

import hashlib
import io
import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st
from making import InlineEngine
from PIL import Image as Pil
from PIL import ImageDraw

from leafinstruct.filter.index import hamming, searching
from leafinstruct.filter.index.image import HASH_PX, hash_of
from leafinstruct.images.decode import Undecodable, decode, decode_gray
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


@pytest.mark.e2e
def test_files_of_real_pages_that_are_only_hashed_have_nearly_the_hash_of_their_pixels(photographs):
    found = []
    for path in photographs:
        whole, gray = decode(path.read_bytes(), PX), decode_gray(path.read_bytes(), HASH_PX)[0]
        assert not isinstance(whole, Undecodable)
        assert not isinstance(gray, Undecodable)
        found.append(distances(*(hashes_of([hash_of(image)]) for image in (whole, gray)))[0])
    assert np.mean(found) < 5
    assert max(found) <= hamming.RADIUS


def scene(width: int, height: int) -> Pil.Image:
    """Shapes of many colors, with a dark hole at the left under transparency."""
    image = Pil.new("RGBA", (width, height), "#88aacc")
    source, pen = random.Random(width), ImageDraw.Draw(image)
    for _ in range(60):
        x, y = source.randrange(width), source.randrange(height)
        color = tuple(source.choices(range(256), k=3))
        pen.ellipse((x, y, x + source.randrange(8, width // 3), y + source.randrange(8, height // 3)), color)
    pen.rectangle((0, height // 4, width // 3, height // 2), (0, 0, 0, 0))
    return image


FILES = {
    "JPEG": (lambda image: image.convert("RGB"), {"format": "JPEG"}),
    "progressive JPEG": (lambda image: image.convert("RGB"), {"format": "JPEG", "progressive": True}),
    "JPEG, turned": (
        lambda image: image.convert("RGB"),
        {
            "format": "JPEG",
            "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
        },
    ),
    "JPEG, CMYK": (lambda image: image.convert("RGB").convert("CMYK"), {"format": "JPEG"}),
    "PNG": (lambda image: image.convert("RGB"), {"format": "PNG"}),
    "PNG, transparent": (lambda image: image, {"format": "PNG"}),
    "PNG, palette": (lambda image: image.convert("RGB").quantize(64), {"format": "PNG"}),
    "PNG, gray with 16 bits": (
        lambda image: Pil.fromarray(np.asarray(image.convert("L"), np.uint16) * 257),
        {"format": "PNG"},
    ),
    "GIF, transparent": (lambda image: image.quantize(64), {"format": "GIF"}),
    "WebP, transparent": (lambda image: image, {"format": "WEBP"}),
}


@pytest.mark.parametrize("size", [(90, 70), (800, 600), (1501, 333)])
@pytest.mark.parametrize(("convert", "options"), FILES.values(), ids=[*FILES])
def test_a_file_that_is_only_hashed_has_nearly_the_hash_of_its_pixels(convert, options, size):
    file = io.BytesIO()
    convert(scene(*size)).save(file, **options)
    whole, gray = decode(file.getvalue(), PX), decode_gray(file.getvalue(), HASH_PX)[0]
    assert isinstance(whole, Pil.Image)
    assert isinstance(gray, Pil.Image)
    assert gray.mode == "L"
    assert min(gray.size) >= min(HASH_PX, *size)
    assert max(gray.size) / min(gray.size) == pytest.approx(max(size) / min(size), rel=0.03)
    found = hash_of(whole), hash_of(gray)
    assert None not in found
    assert distances(*(hashes_of([one]) for one in found))[0] <= 12


@pytest.mark.parametrize("size", [(97, 64), (256, 171), (333, 250)])
def test_the_hash_averages_cells_of_equal_area(size):
    """The same as an image of which each pixel is divided into 32 x 32 equal ones."""
    image = scene(*size).convert("L")
    pixels = np.asarray(image, float)
    for axis in (0, 1):
        fine = np.repeat(pixels, 32, axis).swapaxes(0, axis)
        pixels = fine.reshape(32, -1, *fine.shape[1:]).mean(axis=1).swapaxes(0, axis)
    found = scipy.fft.dctn(pixels)[:16, :16]  # its factors are positive
    bits = found > 0
    bits[0, 0] = True
    small = np.abs(found) < 0.01
    different = np.unpackbits(np.frombuffer(bytes.fromhex(hash_of(image)), np.uint8)).reshape(16, 16) != bits
    assert not (different & ~small).any()


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


def families(source: np.random.Generator, count: int, size: int, most: int) -> Hashes:
    """Hashes of families, (count * size, 4): each differs from its family's first in 0 to `most` bits; some
    are mirrored."""
    made = source.integers(1 << 63, 1 << 64, (count, 1, 4), np.uint64).repeat(size, axis=1).reshape(-1, 4)
    for hash_, changed in zip(made, source.integers(0, most + 1, len(made)), strict=True):
        for bit in source.choice(255, changed, replace=False) + 1:
            hash_[bit // 64] ^= np.uint64(1 << (63 - int(bit) % 64))
    made[source.random(len(made)) < 0.3] ^= MIRROR
    return made


def by_brute_force(queries: Hashes, own: np.ndarray, hashes: Hashes, rank: np.ndarray) -> list[bool]:
    plain, mirrored = (distances(some[:, None], hashes[None]) for some in (queries, queries ^ MIRROR))
    near = np.minimum(plain, mirrored) <= hamming.RADIUS
    near &= queries.any(axis=1)[:, None] & hashes.any(axis=1)[None]
    found: list[bool] = (near & (rank[None] < own[:, None])).any(axis=1).tolist()
    return found


@pytest.mark.parametrize("at_once", [100, 1 << 16])
@pytest.mark.parametrize("seed", range(2))
def test_the_search_finds_exactly_the_hashes_with_a_better_one_within_the_radius(monkeypatch, at_once, seed):
    """Against a comparison of all pairs, among the hashes themselves and with others."""
    monkeypatch.setattr(hamming, "_AT_ONCE", at_once)
    source = np.random.default_rng(seed)
    hashes = families(source, 20, 12, 40)
    hashes[source.random(len(hashes)) < 0.1] = 0
    rank = source.integers(0, 100, len(hashes)).astype(np.int32)
    found = hamming.has_better(hashes, rank, hashes, rank).tolist()
    assert found == by_brute_force(hashes, rank, hashes, rank)
    assert 60 < sum(found) < 200
    queries = np.concatenate([families(source, 5, 5, 40), hashes[::3] ^ np.uint64(0x8001)])
    own = source.integers(0, 100, len(queries)).astype(np.int32)
    wanted = by_brute_force(queries, own, hashes, rank)
    assert hamming.has_better(queries, own, hashes, rank).tolist() == wanted
    assert not hamming.has_better(queries[:0], own[:0], hashes, rank).any()
    assert not hamming.has_better(queries, own, hashes[:0], rank[:0]).any()


@pytest.mark.parametrize("buckets", [1, 4, 16])
def test_the_search_in_buckets_finds_what_a_comparison_of_all_pairs_does(tmp_path, monkeypatch, buckets):
    source = np.random.default_rng(2)
    hashes = families(source, 20, 12, 40)
    hashes[source.random(len(hashes)) < 0.1] = 0
    monkeypatch.setattr(searching, "HASHES_A_BUCKET", len(hashes) // buckets)
    engine = InlineEngine()
    rank = source.integers(0, 100, len(hashes)).astype(np.int32)
    queries = np.concatenate([hashes, hashes[::9] ^ np.uint64(0x8001)])  # the hashes themselves, and others
    own = np.concatenate([rank, source.integers(0, 100, len(queries) - len(rank))]).astype(np.int32)
    found = searching.near_better(engine, tmp_path, queries, own, hashes, rank).tolist()
    assert found == by_brute_force(queries, own, hashes, rank)
    assert 60 < sum(found) < 240
    assert engine.total("comparing images", "images") == (0 if buckets == 1 else len(queries))


@pytest.mark.parametrize("most", [0, 1, 8, 12])
def test_nearly_equal_hashes_are_compared_a_few_times_each(monkeypatch, most):
    """One image in many files. All pairs are 50 million."""
    compared = []
    compare = hamming._Table._compare
    monkeypatch.setattr(
        hamming._Table,
        "_compare",
        lambda own, query, *others: (compared.append(len(query)), compare(own, query, *others))[1],
    )
    source = np.random.default_rng(5)
    hashes = families(source, 1, 10_000, most)
    rank = source.permutation(len(hashes)).astype(np.int32)
    assert hamming.has_better(hashes, rank, hashes, rank).sum() == len(hashes) - 1
    assert sum(compared) < 40 * len(hashes)
    compared.clear()  # all on one page: none is better
    assert not hamming.has_better(hashes, np.zeros_like(rank), hashes, np.zeros_like(rank)).any()
    assert sum(compared) == 0
