"""Texts are embedded shortest first, each batch padded to its own longest: the same cosines as padded to the
context, in any order and batch."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from leafinstruct.filter.embedders.clip import ClipTower, load_clip
from leafinstruct.filter.embedders.devices import check_dtype, cpu_flags
from leafinstruct.filter.embedders.embedder import Embedder, tower_of
from leafinstruct.filter.embedders.weights import Weights
from leafinstruct.sketchbook import tiny_clip

SENTENCE = "red green bowl of soup stands on a wooden table, stir it well and bake until brown"
WORDS = SENTENCE.split(" ")
TOLERANCE = 1e-5
"""Of a cosine in float32, in another batch; embedder.py states it."""
TOLERANCE_BF16 = 0.01
CONTEXT = {"tiny": 16, "vit": 77}


def small_vit(folder: Path) -> Path:
    """A checkpoint with the context, the vocabulary and the patch grid of ViT-B/32, fewer layers, and random
    weights."""
    load_clip()
    from clip.model import CLIP

    torch.manual_seed(0)
    path = folder / "small.pt"
    torch.save(CLIP(64, 224, 2, 64, 32, 77, 49408, 64, 2, 3).state_dict(), path)
    return path


@pytest.fixture(scope="module", params=["tiny", "vit"])
def weights(request, tmp_path_factory) -> Weights:
    folder = tmp_path_factory.mktemp("clip")
    path = tiny_clip.unpack(folder) if request.param == "tiny" else small_vit(folder)
    return Weights(request.param, str(path), None)


@pytest.fixture(scope="module")
def tower(weights) -> ClipTower:
    return tower_of(weights, "cpu")


@pytest.fixture(scope="module")
def lowered(weights) -> ClipTower:
    """The same model in bfloat16, which every CPU computes, though not every one faster."""
    return tower_of(Weights(weights.name, weights.file, None, dtype="bfloat16"), "cpu")


def texts() -> list[str]:
    random = Random(3)
    return [" ".join(random.choices(WORDS, k=count)) for count in (1, 3, 40, 7, 2, 25, 12, 60, 5, 9)]


def images() -> list[Pil.Image]:
    random = np.random.default_rng(5)
    return [Pil.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(7)]


def cosines(tower, batch_size: int, order: list[int]) -> np.ndarray:
    """(7, 10), in the order of the images and texts, embedded in another one."""
    model = Embedder(tower, batch_size)
    found = np.empty((7, 10), np.float32)
    shown = [at for at in order if at < 7]
    some, said = images(), texts()
    rows = model.images([some[at] for at in shown]).rows @ model.texts([said[at] for at in order]).rows.T
    found[np.ix_(shown, order)] = rows
    return found


class Counting(ClipTower):
    """A model that notes the shapes of its batches of texts."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, "cpu")
        self.shapes: list[tuple[int, ...]] = []

    def of_texts(self, tokens, real):
        self.shapes.append(tokens.shape)
        return super().of_texts(tokens, real)


def test_cosines_are_those_of_texts_padded_to_the_context(tower, weights):
    clip = load_clip()
    short = [text for text in texts() if len(text.split()) <= 12]
    assert len(short) >= 6
    model = Embedder(tower, 4)
    shown = model.images(images()[:3]).rows
    tokens = clip.tokenize(short, context_length=CONTEXT[weights.name])
    alone = np.concatenate([tower.of_texts(row[None].numpy(), None) for row in tokens])
    expected = alone / np.linalg.norm(alone, axis=1, keepdims=True) @ shown.T
    assert np.abs(model.texts(short).rows @ shown.T - expected).max() < TOLERANCE
    assert np.ptp(expected) > 1e-3  # the cosines differ from each other by more than the tolerance


def test_any_order_and_repeated_texts_give_the_same_rows(tower):
    model, some = Embedder(tower, 4), texts()
    found = model.texts(some)
    order = Random(7).sample(range(len(some)), len(some))
    again = model.texts([some[at] for at in order] + some)
    assert np.array_equal(again.rows, np.concatenate([found.rows[order], found.rows]))
    assert np.array_equal(again.unknown, np.concatenate([found.unknown[order], found.unknown]))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 12), order=st.permutations(range(10)))
def test_a_cosine_depends_on_its_batch_by_less_than_the_stated_tolerance(tower, size, order):
    once, again = cosines(tower, 32, list(range(10))), cosines(tower, size, order)
    assert np.abs(once - again).max() < TOLERANCE
    steps = np.abs(np.round(once, 4) - np.round(again, 4)) / 1e-4
    assert steps.max() < 1.5  # a value on the edge of two steps may be stored as either


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 12), order=st.permutations(range(10)))
def test_bfloat16_keeps_its_own_tolerance_in_any_batch(tower, lowered, size, order):
    exact, found = cosines(tower, 32, list(range(10))), cosines(lowered, size, order)
    assert 0 < np.abs(exact - found).max() < TOLERANCE_BF16


def test_bfloat16_is_refused_on_a_cpu_without_its_instructions():
    from leafinstruct.errors import RecipeError

    with pytest.raises(RecipeError, match=r"dtype: bfloat16: this CPU has neither AMX nor AVX512-BF16"):
        check_dtype("bfloat16", "cpu", frozenset({"avx2", "avx512f"}))
    check_dtype("bfloat16", "cpu", frozenset({"amx_bf16"}))
    check_dtype("bfloat16", "cuda", frozenset())
    check_dtype("float32", "cpu", cpu_flags())


def test_a_text_is_computed_once_and_no_token_behind_the_longest_of_its_batch(weights):
    tower, some = Counting(weights), texts()
    Embedder(tower, 4).texts(some * 5)
    lengths = sorted(len(piece) for text in some for piece in tower.pieces(text))
    groups = [lengths[at : at + 4] for at in range(0, len(lengths), 4)]
    assert tower.shapes == [(len(group), group[-1]) for group in groups]


def test_no_text_gives_no_row(tower):
    found = Embedder(tower, 4).texts([])
    assert (len(found.rows), len(found.unknown)) == (0, 0)
