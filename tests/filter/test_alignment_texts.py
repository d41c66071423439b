"""Texts are embedded shortest first, each batch padded to its own longest: the same cosines as padded to the
context, in any order."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from PIL import Image as Pil

from leafinstruct.filter.scores.clip import Clip, Weights, load_clip
from leafinstruct.sketchbook import tiny_clip

WORDS = [
    "red",
    "green",
    "bowl",
    "of",
    "soup",
    "stands",
    "on",
    "a",
    "wooden",
    "table,",
    "stir",
    "it",
    "well",
    "and",
    "bake",
    "until",
    "brown",
]


def small_vit(folder):
    """A checkpoint with the context, the vocabulary and the patch grid of ViT-B/32, fewer layers, and random
    weights."""
    load_clip()
    from clip.model import CLIP

    torch.manual_seed(0)
    path = folder / "small.pt"
    torch.save(CLIP(64, 224, 2, 64, 32, 77, 49408, 64, 2, 3).state_dict(), path)
    return path


@pytest.fixture(scope="module", params=["tiny", "vit"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    path = tiny_clip.unpack(folder) if request.param == "tiny" else small_vit(folder)
    return Clip(Weights(request.param, str(path), None), batch_size=4)


def texts() -> list[str]:
    random = Random(3)
    return [" ".join(random.choices(WORDS, k=count)) for count in (1, 3, 40, 7, 2, 25, 12, 60, 5, 9)]


def padded(model: Clip, text: str) -> np.ndarray:
    """The unit vector of a text that fits the context, alone and padded to it, as clip itself embeds it."""
    import clip

    with torch.inference_mode():
        row = (
            model._model.encode_text(clip.tokenize([text], context_length=model._context)).float().numpy()[0]
        )
    return row / np.linalg.norm(row)


def test_cosines_are_those_of_texts_padded_to_the_context(model):
    short = [text for text in texts() if len(text.split()) <= 12]
    assert len(short) >= 6
    images = model.images([Pil.effect_noise((64, 64), 40 + number).convert("RGB") for number in range(3)])
    rows, _ = model.texts(short)
    expected = np.stack([padded(model, text) for text in short])
    assert np.abs(rows @ images.T - expected @ images.T).max() < 1e-5
    assert np.ptp(expected @ images.T) > 1e-3  # the cosines differ from each other by more than the tolerance


def test_any_order_and_repeated_texts_give_the_same_rows(model):
    some = texts()
    rows, unknown = model.texts(some)
    order = Random(7).sample(range(len(some)), len(some))
    again, known = model.texts([some[at] for at in order] + some)
    assert np.array_equal(again, np.concatenate([rows[order], rows]))
    assert np.array_equal(known, np.concatenate([unknown[order], unknown]))


def test_a_text_is_computed_once_and_no_token_behind_the_longest_of_its_batch(model, monkeypatch):
    shapes = []
    encode = model._model.encode_text

    def counted(tokens):
        shapes.append(tuple(tokens.shape))
        return encode(tokens)

    monkeypatch.setattr(model._model, "encode_text", counted)
    some = texts()
    model.texts(some * 5)
    lengths = sorted(len(piece) for text in some for piece in model._pieces(text))
    groups = [lengths[at : at + 4] for at in range(0, len(lengths), 4)]
    assert shapes == [(len(group), group[-1]) for group in groups]


def test_no_text_gives_no_row(model):
    rows, unknown = model.texts([])
    assert (len(rows), len(unknown)) == (0, 0)
