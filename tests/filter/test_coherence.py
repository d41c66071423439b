"""Coherence measures order: laws over arcs, not examples."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.filter.scores.coherence import adjacent, scores, sequence


@st.composite
def arcs(draw):
    """A steady turn in the plane: each image a fixed angle from the last."""
    steps, turn = draw(st.integers(4, 12)), draw(st.floats(0.05, 0.25))
    angles = np.arange(steps) * turn
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@given(arcs(), st.integers(0, 1000))
def test_an_arc_is_more_coherent_than_its_shuffles(arc, seed):
    random = Random(seed)
    shuffled = [sequence(arc[random.sample(range(len(arc)), len(arc))]) for _ in range(32)]
    assert sequence(arc) > np.mean(shuffled)


@given(arcs())
def test_order_is_symmetric_in_direction(arc):
    assert sequence(arc) == pytest.approx(sequence(arc[::-1]), abs=1e-6)


def test_one_image_repeated_scores_exactly_nothing():
    assert sequence(np.tile(np.float32([1, 0]), (5, 1))) == pytest.approx(0.0, abs=1e-7)


def test_too_few_images_have_no_score():
    two = np.eye(2, dtype=np.float32)
    assert math.isnan(sequence(two))
    assert adjacent(two) == 0.0
    assert math.isnan(adjacent(two[:1]))
    found = {cell.name: cell for cell in scores(two, "m")}
    assert (found["coherence.sequence"].value, found["coherence.sequence"].detail) == (
        None,
        "not enough images",
    )
    assert found["coherence.adjacent"].value == 0.0
