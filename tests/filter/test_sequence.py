"""Structural similarity of adjacent images: laws of the measure, and what a document has."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from making import document
from PIL import Image as Pil
from PIL import ImageFilter, ImageOps

from leafinstruct.filter.scores import coherence, sequence

GRAYS = arrays(np.uint8, (32, 32)).map(lambda levels: levels.astype(float))
PAGE = document("Sand the edge.", "!one", "Wipe it.", "!two", "Paint it.", "!three")


def scene(seed: int, side: int = 256) -> Pil.Image:
    """Large shapes of random gray levels."""
    random = np.random.default_rng(seed)
    return Pil.fromarray(
        np.kron(random.integers(0, 256, (8, 8)), np.ones((side // 8, side // 8))).astype(np.uint8)
    )


def document_score(name: str, *images: Pil.Image) -> float | None:
    found = dict(zip((1, 3, 5), map(sequence.thumbnail, images), strict=True))
    (cell,) = (one for one in sequence.scores(PAGE, found) if one.name == name)
    return cell.value


def value(*images: Pil.Image) -> float | None:
    return document_score("sequence.ssim", *images)


def changes(*images: Pil.Image, name: str = "sequence.change") -> list[float | None]:
    found = dict(zip((1, 3, 5), map(sequence.thumbnail, images), strict=True))
    cells = [one for one in sequence.scores(PAGE, found) if one.name == name]
    assert [cell.position for cell in cells] == [1, 3, 5]
    return [cell.value for cell in cells]


def recompressed(image: Pil.Image) -> Pil.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Pil.open(buffer)


def test_an_image_that_is_shown_again_changes_little_and_a_step_much():
    first = scene(1)
    step = first.copy()
    step.paste(255 - first.getpixel((100, 100)), (96, 96, 112, 112))
    for again in (first, recompressed(first), first.resize((192, 192)), ImageOps.mirror(first)):
        before, here, after = changes(first, step, again)
        assert before == 255
        assert here > 20
        assert after < 7


def moved(image: Pil.Image, across: int, down: int) -> Pil.Image:
    """The image moved by pixels, as a crop of a larger one."""
    return image.crop((8 + across, 8 + down, image.width - 8 + across, image.height - 8 + down))


@pytest.mark.parametrize(("across", "down"), [(1, 0), (-2, 1), (2, -2)])
@pytest.mark.parametrize("light", [0.97, 1.03])
def test_an_image_that_moved_by_a_pixel_is_the_same_and_one_with_a_new_object_is_not(across, down, light):
    first = scene(1).filter(ImageFilter.GaussianBlur(2))  # as a lens blurs edges
    again = moved(first, across, down).point(lambda level: min(255, level * light))
    step = moved(first, across, down)
    step.paste(255 - first.getpixel((100, 100)), (96, 96, 112, 112))
    _, here, other = changes(moved(first, 0, 0), again, step)
    assert here < 7
    assert other > 20
    assert document_score("sequence.copies", moved(first, 0, 0), again, step) == 0.5


@pytest.mark.parametrize("cut", [0.05, 0.08, 0.1, 0.13])
def test_a_part_of_an_earlier_image_is_a_crop_whatever_was_cut_off(cut):
    first = scene(1).resize((320, 240), Pil.Resampling.BICUBIC)
    across, down = round(cut * first.width), round(cut * first.height)
    part = first.crop((across, down, first.width - across, first.height - down))
    assert changes(first, scene(2), part, name="sequence.crop")[2] < 20
    assert min(changes(first, scene(2), scene(3), name="sequence.crop")) > 40
    assert changes(first, scene(2), first, name="sequence.crop")[2] == 255  # all of it is no part


def test_images_of_one_gray_level_are_compared_without_a_division_by_zero():
    plain = Pil.new("L", (256, 256), 40)
    with np.errstate(all="raise"):
        assert changes(plain, plain, Pil.new("L", (256, 256), 90))[1:] == [0, 50]
        assert changes(plain, scene(1), plain, name="sequence.crop") == [255, 255, 255]


def test_the_change_is_to_the_most_similar_of_all_earlier_images():
    assert changes(scene(1), scene(2), scene(1))[2] == 0
    assert min(changes(scene(1), scene(2), scene(3))[1:]) > 100


@given(GRAYS, GRAYS)
def test_ssim_is_symmetric_and_at_most_that_of_equal_images(one, two):
    assert sequence.ssim(one, one) == pytest.approx(1)
    assert sequence.ssim(one, two) == pytest.approx(sequence.ssim(two, one))
    assert -1 <= sequence.ssim(one, two) <= 1


@given(st.integers(0, 99), st.floats(5, 30))
def test_more_noise_is_less_similarity(seed, sigma):
    clean = np.asarray(scene(seed, 32), float)
    noise = np.random.default_rng(seed).normal(0, 1, clean.shape)
    few, many = (sequence.ssim(clean, np.clip(clean + times * noise, 0, 255)) for times in (sigma, 3 * sigma))
    assert 1 > few > many


def test_images_that_do_not_change_score_near_one_and_others_about_nothing():
    same = scene(1)
    smaller = same.resize((120, 90))
    assert value(same, smaller, same) > 0.97
    assert abs(value(scene(1), scene(2), scene(3))) < 0.2
    assert value(same, same, scene(4)) == pytest.approx((1 + value(same, scene(4), same)) / 2, abs=2e-4)


def test_one_image_is_no_sequence():
    page = document("Sand the edge.", "!one")
    *of_image, ssim, copies = sequence.scores(page, {1: sequence.thumbnail(scene(1))})
    assert [(one.name, one.value) for one in of_image] == [("sequence.change", 255), ("sequence.crop", 255)]
    for cell in (ssim, copies):
        assert (cell.state, cell.value, cell.detail) == ("not_applicable", None, "fewer than two images")


def test_neighbors_and_all_pairs_of_vectors():
    vectors = np.float32([[1, 0], [1, 0], [0.6, 0.8], [0, 1]])
    assert coherence.extremes(vectors) == pytest.approx(
        {"lowest": 0.6, "highest": 1.0, "all_pairs": (1 + 0.6 + 0 + 0.6 + 0 + 0.8) / 6}
    )
    one = coherence.scores(vectors[:1], "m")
    assert {cell.state for cell in one} == {"not_scored"}
    assert len(one) == 5
