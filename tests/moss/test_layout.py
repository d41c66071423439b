"""Where patches stand, and who is whose neighbor."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leafinstruct.moss.layout import Layout, neighborhood
from leafinstruct.moss.patches import Patches, check_filled

GRID = Patches(((4, 67),), grid=(2, 3))
LINES = Patches(((4, 67),), end_of_line=99)


def test_places_on_a_fixed_grid():
    ids = torch.tensor([[100, 5, 5, 5, 6, 6, 6, 101, 7, 7, 7, 8]])
    places = GRID.positions(ids)[0]
    assert places[0].tolist() == places[7].tolist() == [-1, -1, -1]
    assert places[1:7].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 0], [0, 1, 1], [0, 1, 2]]
    assert places[8:].tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 2], [1, 1, 0]]


def test_two_images_may_follow_each_other_directly():
    places = GRID.positions(torch.full((1, 12), 5))[0]
    assert places[:, 0].tolist() == [0] * 6 + [1] * 6
    assert places[6].tolist() == [1, 0, 0]


def test_a_token_ends_each_row_where_shapes_differ():
    ids = torch.tensor([[100, 5, 5, 99, 6, 6, 99, 101, 7, 7, 7, 99, 100]])
    places = LINES.positions(ids)[0]
    assert places[[1, 2, 4, 5]].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]
    assert places[8:11].tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 2]]
    assert (places[[0, 3, 6, 7, 11, 12]] == -1).all()


def test_patches_need_a_grid_or_line_ends():
    with pytest.raises(ValueError, match="either a grid or a token"):
        Patches(((4, 67),))


@pytest.mark.parametrize(
    ("ids", "wrong"),
    [
        ([100, 5, 5, 5, 6, 6, 6, 101], False),
        ([100, 5, 5, 5, 6], False),  # cut at its sequence's end
        ([100, 5, 5, 5, 6, 101], True),
        ([5, 5, 101, 5, 5, 5, 5, 5, 5], True),
        ([100, 101], False),
    ],
)
def test_an_image_that_does_not_fill_its_grid_is_refused(ids, wrong):
    places = GRID.positions(torch.tensor([ids]))
    if wrong:
        with pytest.raises(ValueError, match="does not fill its grid of 2 x 3, and tokens follow"):
            check_filled(places, (2, 3))
    else:
        check_filled(places, (2, 3))


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="5 patches does not fill its grid of 2 x 3"):
        check_filled(LINES.positions(torch.tensor([[5, 5, 5, 99, 5, 5, 99, 101]])), None)


@pytest.mark.parametrize(
    ("shape", "kernel", "count"),
    [("top_left", 2, 4), ("top_left", 3, 9), ("raster", 2, 5), ("raster", 3, 13), ("shuffled", 2, 4)],
)
def test_counts_of_neighbors(shape, kernel, count):
    found = neighborhood(shape, kernel)
    assert found.count == count
    assert found.offsets[0] == (0, 0)


@settings(deadline=None)
@given(
    st.sampled_from(["top_left", "raster", "shuffled"]),
    st.integers(1, 3),
    st.lists(
        st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2)), max_size=3),
        min_size=1,
        max_size=3,
    ),
)
def test_neighbors_are_earlier_patches_of_the_same_image(shape, kernel, rows):
    """Against the definition, patch by patch, for any mix of shapes and gaps."""
    length = max((sum(height * width + gap for height, width, gap in row) for row in rows), default=0) + 1
    positions = torch.full((len(rows), length, 3), -1)
    for b, row in enumerate(rows):
        at = 0
        for number, (height, width, gap) in enumerate(row):
            at += gap
            for y in range(height):
                for x in range(width):
                    positions[b, at] = torch.tensor([number, y, x])
                    at += 1
    layout, found = Layout(positions), neighborhood(shape, kernel, seed=3)
    table = layout.neighbors(found)
    flat, owner = positions.view(-1, 3)[layout.image].tolist(), (layout.image // length).tolist()
    index = {(b, *place): n for n, (b, place) in enumerate(zip(owner, flat, strict=True))}
    for n, (b, (number, y, x)) in enumerate(zip(owner, flat, strict=True)):
        fixed = len(found.offsets)
        assert table[n, :fixed].tolist() == [
            index.get((b, number, y + dy, x + dx), len(flat)) for dy, dx in found.offsets
        ]
        for drawn in table[n, fixed:].tolist():
            first = (y, x) == (0, 0)
            assert (
                drawn == len(flat) if first else (owner[drawn], flat[drawn][0]) == (b, number) and drawn < n
            )


def test_shuffled_neighbors_depend_on_the_seed():
    positions = torch.stack(
        [torch.zeros(64, dtype=torch.long), torch.arange(64) // 8, torch.arange(64) % 8], dim=1
    )[None]
    one, other = (Layout(positions).neighbors(neighborhood("shuffled", 2, seed)) for seed in (0, 1))
    assert not torch.equal(one, other)
    distances = (torch.arange(8, 64)[:, None] - one[8:, 1:]).float()
    assert distances.std() > 8


@pytest.mark.parametrize("seed", [-(2**63), 2**63 - 1, 2**64 - 1])
def test_every_allowed_seed_chooses_earlier_patches(seed):
    ids = torch.tensor([[100, 5, 5, 5, 6, 6, 6, 101]])
    found = Layout(GRID.positions(ids)).neighbors(neighborhood("shuffled", 2, seed))
    rows = torch.arange(6)[:, None]
    assert (found[:, :1] == rows).all()
    assert ((found[1:, 1:] >= 0) & (found[1:, 1:] < rows[1:])).all()
