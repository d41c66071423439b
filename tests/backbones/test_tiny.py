"""The packaged generalist: what travels in the wheel is whole, small, and draws and tells what its card
says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import published
from PIL import Image
from train import conftest
from typer.testing import CliRunner

from leafinstruct.backbones import tiny
from leafinstruct.backbones.chameleon import BEGIN, END
from leafinstruct.backbones.load import load
from leafinstruct.backbones.patch_vq import PATCH, PatchVq, patches
from leafinstruct.cli import app
from leafinstruct.errors import BackboneError
from leafinstruct.evaluate.sketchbook.forgetting import copied, remembered
from leafinstruct.evaluate.sketchbook.lessons import held_out_lessons, true_lesson
from leafinstruct.evaluate.sketchbook.recognizer import seen
from leafinstruct.sketchbook.documents.captions import captioned
from leafinstruct.sketchbook.documents.held_out import is_held_out
from leafinstruct.sketchbook.documents.lessons import PLANS
from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.render import render
from leafinstruct.train.data.encode import Encoded, encode, in_template

SEED = 31_415
"""Of no training."""


@pytest.fixture(scope="module")
def backbone():
    found, odd = load("chameleon", Path(tiny.NAME))
    assert odd == []
    return found


def drawings(count: int, style: str = "pencil") -> list[Image.Image]:
    return [render(captioned(stream(SEED, "test", number))[0], 64, style) for number in range(count)]


def test_it_is_small_and_named_by_no_path(backbone):
    assert sum(path.stat().st_size for path in tiny.FOLDER.iterdir()) < 10_000_000
    assert sum(value.numel() for value in backbone.model.parameters()) == 1_929_120
    assert backbone.model.name_or_path == ""
    assert {value.dtype for value in backbone.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(("name", "weights"), [("chameleon", "leaf:tiny-2"), ("emu3", tiny.NAME)])
def test_another_packaged_name_is_one_line(name, weights):
    with pytest.raises(
        BackboneError,
        match=f"^{weights} as {name}: no such packaged base; known is leaf:tiny-1, a chameleon$",
    ):
        load(name, Path(weights))


@given(st.text(max_size=60))
def test_no_text_is_lost_and_none_becomes_a_special_token(backbone, text):
    ids = backbone.encode([text])[1:]
    assert backbone.decode_text(ids) == text.strip()
    assert not {*range(len(tiny.SPECIAL_TOKENS)), *backbone.image_layout(None).codes.tolist()} & set(ids)


def test_adjacent_texts_are_on_separate_lines(backbone):
    """In rows for training, in prompts, and in the true lessons of the examination alike."""
    image = conftest.image_bytes(conftest.COLORS[0])
    found = encode(
        backbone,
        published(
            conftest.row(
                0,
                ["It is far.", "First: go.", image, "Then stop.", image, image, "Now.", "Rest."],
                ["Look.", "How?"],
            )
        ),
        512,
    )
    assert isinstance(found, Encoded)
    patches = {int(code) for code in backbone.image_layout(None).codes} | {*range(len(tiny.SPECIAL_TOKENS))}
    assert backbone.decode_text([item for item in found.items if item not in patches]) == (
        "USER:Look.\nHow?ASSISTANT:It is far.\nFirst: go.Then stop.Now.\nRest."
    )
    assert backbone.encode(in_template(["Look.", "How?"])) == found.items[: found.answer]
    empty = encode(
        backbone, published(conftest.row(1, ["", "It is far.", "", "First: go.", image], ["Look."])), 512
    )
    assert isinstance(empty, Encoded)
    assert (
        backbone.decode_text([item for item in empty.items[empty.answer :] if item not in patches])
        == "It is far.\nFirst: go."
    )
    assert encode(backbone, published(conftest.row(2, ["", ""])), 512).reason == "no_answer"
    howto = held_out_lessons(1, SEED)[0]
    texts = [segment for segment in true_lesson(howto, "pencil") if isinstance(segment, str)]
    assert texts == [
        howto.intro,
        "\n" + howto.steps[0].text,
        *(step.text for step in howto.steps[1:]),
        howto.outro,
    ]


@pytest.mark.parametrize("mark", [*tiny.SPECIAL_TOKENS, "IMGIMGAZ"])
def test_its_own_control_strings_are_letters(backbone, mark):
    test_no_text_is_lost_and_none_becomes_a_special_token.hypothesis.inner_test(backbone, f"draw {mark} now")
    assert {BEGIN, END} < set(tiny.SPECIAL_TOKENS)


@pytest.mark.parametrize(("style", "decibels"), [("pencil", 30), ("chalk", 27)])
def test_a_drawing_comes_back_from_its_codes(backbone, style, decibels):
    shown = drawings(60, style)
    back = []
    for image in shown:
        items = backbone.encode([image])[1:]
        assert len(items) == 66
        back.append(backbone.decode_image(items[1:], 1.0, torch.Generator()))
    apart = np.stack(
        [np.asarray(one, float) - np.asarray(two, float) for one, two in zip(shown, back, strict=True)]
    )
    assert 10 * np.log10(255**2 / np.square(apart).mean()) > decibels


def test_the_nearest_patch_is_taken_remembered_or_not(backbone):
    book = backbone.images.book
    fresh = PatchVq(book, 8)
    for image in drawings(5):
        wanted = fresh.nearest(torch.from_numpy(patches([image])[0])).tolist()
        assert fresh.encode(image) == wanted
        assert fresh.encode(image) == wanted
    tiles = book[:64].reshape(8, 8, PATCH, PATCH, 3).permute(0, 2, 1, 3, 4).reshape(64, 64, 3)
    assert fresh.encode(Image.fromarray(tiles.numpy())) == list(range(64)), (
        "a patch of the book is its own code"
    )


def test_captions_name_all_that_is_drawn_and_never_what_is_held_out():
    things = dict.fromkeys(PLANS, 0)
    for number in range(400):
        scene, caption = captioned(stream(SEED, "caption", number))
        for item in scene.items:
            assert f"{item.color} {item.noun}" in caption
        name = caption.partition(":")[0].removeprefix("an ").removeprefix("a ")
        if name in things:
            things[name] += 1
            if len(scene.items) > 1 and scene.items[1].kind in {part[0] for part in PLANS[name].parts}:
                assert not is_held_out(name, scene.items[0].color, scene.items[1].color)
    assert min(things.values()) > 10


def test_leaf_generate_finds_it_by_name(tmp_path):
    caption = "a house: a red wall on the left, and a blue roof on top of the red wall."
    command = ["generate", tiny.NAME, f"Draw {caption}", "--out", str(tmp_path / "one"), "--max-tokens", "80"]
    assert CliRunner().invoke(app, command).exit_code == 0
    record = json.loads((tmp_path / "one/segments.json").read_text())
    assert record["base"]["name"] == tiny.NAME
    assert record["adapter"] is None
    assert [part["width"] for part in record["answer"] if part["type"] == "image"] == [64]


def test_it_generates_images_of_captions_and_captions_of_images(backbone):
    """52 and 34 of 60 when it was packed (tiny-1/README.md); a base that lost its weights draws and says
    nothing right."""
    found = remembered(backbone, 24, SEED, in_template, seen(backbone.images, "pencil"))
    assert found["drawn"] >= 0.6
    assert found["named"] >= 0.3


def test_it_copies_an_image_and_worse_where_a_text_says_what_it_shows(backbone):
    """53 and 23 of 60 (tiny-1/README.md)."""
    found = copied(backbone, 24, SEED, in_template, "pencil")
    assert found["alone"] >= 0.7
    assert 0.1 <= found["captioned"] < found["alone"]
