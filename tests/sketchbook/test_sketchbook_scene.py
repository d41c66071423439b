"""A scene is data: it survives JSON, names places as a person does, and never leaves its grid."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.sketchbook.documents.plan import TOPICS, Settings, draft
from leafinstruct.sketchbook.documents.wording import describe
from leafinstruct.sketchbook.world.backgrounds import BACKGROUNDS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.render import SHAPES
from leafinstruct.sketchbook.world.scene import CELLS, PLACES, Item, Scene, from_data

LEFT_TO_RIGHT = {"left": "right", "right": "left"}


@st.composite
def items(draw: st.DrawFn) -> Item:
    width, height = draw(st.integers(1, CELLS)), draw(st.integers(1, CELLS))
    column, row = draw(st.integers(0, CELLS - width)), draw(st.integers(0, CELLS - height))
    return Item(
        draw(st.sampled_from(sorted(SHAPES))),
        draw(st.sampled_from(sorted(COLORS))),
        column,
        row,
        width,
        height,
    )


@given(items())
def test_the_mirror_image_of_a_thing_has_the_mirrored_place(item):
    mirrored = item.at(CELLS - item.column - item.width, item.row)
    words = [LEFT_TO_RIGHT.get(word, word) for word in item.place.split()]
    assert mirrored.place == " ".join(words)


def test_the_nine_spots_of_the_page_have_the_nine_names_in_reading_order():
    spots = [Item("ball", "red", column, row, 2, 2) for row in (0, 3, 6) for column in (0, 3, 6)]
    assert tuple(spot.place for spot in spots) == PLACES


@given(items(), items())
def test_things_overlap_exactly_when_they_share_a_cell(one, other):
    def cells(item):
        return {
            (x, y)
            for x in range(item.column, item.column + item.width)
            for y in range(item.row, item.row + item.height)
        }

    assert one.overlaps(other) == bool(cells(one) & cells(other))


@given(st.lists(items(), max_size=5), st.sampled_from(sorted(BACKGROUNDS)), st.integers(0, 2**32 - 1))
def test_a_scene_survives_json(things, background, decor):
    scene = Scene(background, decor, tuple(things))
    assert from_data(json.loads(json.dumps(scene.to_data()))) == scene


@pytest.mark.parametrize("topic", TOPICS)
def test_every_scene_of_a_topic_can_be_drawn_and_lies_on_the_grid(topic):
    first = list(TOPICS).index(topic)
    for index in range(first, 1000, len(TOPICS)):
        for step in draft(Settings(5, 1000), index).steps:
            assert step.scene.background in BACKGROUNDS
            for item in step.scene.items:
                assert item.kind in SHAPES
                assert item.color in COLORS
                assert 0 <= item.column <= CELLS - item.width
                assert 0 <= item.row <= CELLS - item.height


def test_a_scene_changes_by_value_and_keeps_its_drawing_order():
    ball, cup = Item("ball", "red", 0, 0, 2, 2), Item("cup", "blue", 4, 4, 2, 2)
    scene = Scene("paper", 1).add(ball, cup)
    assert scene.swap(ball, ball.painted("green")).items == (ball.painted("green"), cup)
    assert scene.without(ball).items == (cup,)
    assert scene.shows(ball.at(3, 3))
    assert not scene.shows(ball.painted("green"))


def test_a_description_names_every_thing_and_its_place():
    scene = Scene("paper", 1).add(Item("umbrella", "orange", 0, 0, 2, 2), Item("wheels", "red", 6, 6, 2, 2))
    assert describe(scene.items) == "an orange umbrella at the top left, and red wheels at the bottom right"
    with pytest.raises(ValueError, match="empty scene"):
        describe(())
