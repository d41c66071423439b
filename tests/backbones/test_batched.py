"""Many answers at once are the answers one by one, to the id: with convolutions, prompts of several lengths,
and rows that end at different times."""

from __future__ import annotations

import warnings

import pytest
import torch
from backbones.tiny_backbones import interleaved, tiny_chameleon, tiny_emu2, tiny_emu3
from moss.exact import exact
from moss.tiny import BOI, emu3
from PIL import Image

from leafinstruct.backbones.batched import answers
from leafinstruct.backbones.generate import Settings, generate
from leafinstruct.backbones.sampling import GREEDY
from leafinstruct.errors import BackboneError
from leafinstruct.moss import MossConfig

pytestmark = pytest.mark.e2e

PROMPTS = (
    ["draw a red house"],
    ["now"],
    ["the door then a house it is done"],
    ["a", Image.new("RGB", (16, 16), "red"), "now the door"],
    [],
)


def adapted(neighbors: str = "top_left", mode: str = "full_space"):
    """A random model that ends images and begins others: marks are made likely."""
    from peft import get_peft_model

    torch.manual_seed(5)
    model = exact(interleaved())
    with torch.no_grad():
        model.lm_head.weight[BOI] += 0.12 * model.lm_head.weight[130:148].abs().mean(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        config = MossConfig(
            r_text=4, r_image=4, kernel_size=3, conv_mode=mode, neighbors=neighbors, init="random"
        )
        return tiny_chameleon(get_peft_model(model, config).eval())


def one_by_one(backbone, items, settings):
    drawn: list[int] = []
    real = backbone.encode
    backbone.encode = lambda _: list(items)
    try:
        segments = list(generate(backbone, [], settings, lambda item: drawn.append(int(item))))
    finally:
        backbone.encode = real
    return drawn, [segment for segment in segments if isinstance(segment, (str, Image.Image))]


@pytest.mark.parametrize(
    ("neighbors", "mode"), [("top_left", "full_space"), ("raster", "rank"), ("shuffled", "depthwise")]
)
def test_a_batch_generates_the_same_as_one_by_one(neighbors, mode):
    backbone = adapted(neighbors, mode)
    prompts = [backbone.encode(prompt) for prompt in PROMPTS]
    prompts[1] = [*prompts[1], BOI]
    settings = Settings(GREEDY, GREEDY, max_tokens=60, max_images=2)
    found = answers(backbone, prompts, settings, batch=3)
    for prompt, answer in zip(prompts, found, strict=True):
        begun = prompt[-1] == BOI
        drawn, segments = one_by_one(backbone, prompt, settings) if not begun else (None, None)
        if begun:
            assert len([one for one in answer.segments if isinstance(one, Image.Image)]) >= 1
            (alone,) = answers(backbone, [prompt], settings)
            assert alone.ids == answer.ids
        else:
            assert list(answer.ids) == drawn
            assert [one if isinstance(one, str) else one.tobytes() for one in answer.segments] == [
                one if isinstance(one, str) else one.tobytes() for one in segments
            ]
    assert any(isinstance(segment, Image.Image) for answer in found for segment in answer.segments), (
        "no image was begun"
    )


def test_one_image_ends_an_answer():
    backbone = adapted()
    prompts = [[*backbone.encode(prompt), BOI] for prompt in PROMPTS]
    for answer in answers(backbone, prompts, Settings(GREEDY, GREEDY), one_image=True):
        assert (answer.ended, len(answer.ids), len(answer.segments)) == ("image", 17, 1)


def test_vectors_and_guidance_are_refused():
    with pytest.raises(BackboneError, match="one vocabulary"):
        answers(tiny_emu2(), [[1]], Settings())
    with pytest.raises(BackboneError, match="guidance"):
        answers(tiny_chameleon(), [[1]], Settings(guidance=2.0))


def test_a_model_whose_text_has_a_section_of_its_own_generates_the_same():
    backbone = tiny_emu3(exact(emu3()))
    prompts = [backbone.encode(prompt) for prompt in (["draw a red house"], ["now"])]
    settings = Settings(GREEDY, GREEDY, max_tokens=24, grid=(2, 2))
    found = answers(backbone, prompts, settings)
    assert [list(answer.ids) for answer in found] == [
        one_by_one(backbone, prompt, settings)[0] for prompt in prompts
    ]
    assert [len(answer.ids) for answer in found] == [24, 24]
