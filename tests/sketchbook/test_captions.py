"""What a caption leaves open: a thing may stand in any cell of the place that it names, and nowhere else."""

from __future__ import annotations

import random

import pytest

from leafinstruct.sketchbook.documents.captions import captioned, spots
from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.scene import CELLS

SEED = 8


@pytest.mark.parametrize("number", range(40))
def test_things_may_move_within_their_places_and_parts_together(number):
    scene, _ = captioned(stream(SEED, "caption", number))
    rng = random.Random(number)
    for index, item in enumerate(scene.items):
        choices = spots(scene, index)
        assert scene in choices
        assert len(set(choices)) == len(choices)
        other = rng.choice(choices)
        assert other.items[index].place == item.place
        for before, after in zip(scene.items, other.items, strict=True):
            assert (before.kind, before.color, before.width, before.height) == (
                after.kind,
                after.color,
                after.width,
                after.height,
            )
            assert 0 <= after.column <= CELLS - after.width
            assert 0 <= after.row <= CELLS - after.height
        moved = {
            (a.column - b.column, a.row - b.row) for a, b in zip(other.items, scene.items, strict=True)
        } - {(0, 0)}
        assert len(moved) <= 1, "what moves, moves together"


def test_a_house_keeps_its_rows_and_its_door_in_its_wall():
    scene, caption = next(
        found
        for number in range(400)
        if (found := captioned(stream(SEED, "caption", number)))[1].startswith("a house: ")
        and len(found[0].items) > 2
    )
    wall = next(index for index, item in enumerate(scene.items) if item.kind == "wall")
    door = next(index for index, item in enumerate(scene.items) if item.kind == "door")
    assert spots(scene, door) == [scene]
    columns = [one.items[wall].column for one in spots(scene, wall)]
    here = scene.items[wall]
    assert columns == [
        column for column in range(CELLS - here.width + 1) if here.at(column, here.row).place == here.place
    ]
    assert {one.items[door].column - one.items[wall].column for one in spots(scene, wall)} == {1}
    assert here.place.split()[-1] in caption
