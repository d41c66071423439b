"""Real articles inside the skeletons of common generators and themes: words and images that are kept, against what is known to be there.

FLOORS are what was measured, rounded down, for the skeletons that the rules were made with; HELD_FLOORS for those that were written afterwards.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ingest import skeletons_held
from ingest.scoring import Score, ours, score
from ingest.skeletons import SKELETONS, Article, article

WORDS = {
    "obfuscated": 0.97,
    "questions": 0.99,
    "shop": 0.98,
    "layout_table": 0.97,
    "builder": 0.97,
    "german_theme": 0.96,
}
"""Least precision of words where it is not 0.999."""
IMAGES = {"german_theme": 0.83}
"""Least precision of images where it is not 1: a sidebar of German names keeps an advertisement."""
ALL = SKELETONS | skeletons_held.HELD


@pytest.fixture(scope="module")
def articles(real: Path) -> list[Article]:
    return [article(path) for path in sorted((real / "html").glob("*/index.html"))]


def test_there_are_enough_skeletons_and_some_are_held_out(articles):
    assert len(SKELETONS) >= 14
    assert len(skeletons_held.HELD) >= 4
    assert sum(len(found.images) for found in articles) > 180


@pytest.mark.parametrize("name", ALL)
def test_each_skeleton(name, articles):
    made: Sequence[Score] = [
        score(ours(ALL[name](found).encode()), found.text, found.images) for found in articles
    ]
    precision, recall, images_precision, images_recall, order = sum(made, Score()).row
    assert precision >= WORDS.get(name, 0.999)
    assert recall >= 0.999
    assert images_precision >= IMAGES.get(name, 1)
    assert (images_recall, order) == (1, 1)
