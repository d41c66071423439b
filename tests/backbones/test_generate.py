"""Text and images drawn in turn: whole images, in order, as the settings say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import peft
import pytest
import torch
from backbones.tiny_backbones import tiny_chameleon, tiny_emu2, tiny_emu3
from hypothesis import given, settings
from hypothesis import strategies as st
from moss.exact import close, exact
from PIL import Image
from torch import Tensor

from leafinstruct import moss
from leafinstruct.backbones.generate import Ended, Settings, Unfinished, generate
from leafinstruct.backbones.sampling import Sampling
from leafinstruct.errors import BackboneError

pytestmark = pytest.mark.e2e

MAKERS = {"chameleon": tiny_chameleon, "emu3": tiny_emu3, "emu2": tiny_emu2}
BACKBONES = {name: make() for name, make in MAKERS.items()}
SIZES = {"chameleon": (16, 16), "emu3": (4, 6), "emu2": (16, 16)}
backbones = pytest.mark.parametrize("name", BACKBONES)
with_codes = pytest.mark.parametrize("name", ["chameleon", "emu3"])
HOT = Settings(text=Sampling(1.5), image=Sampling(1.5), max_tokens=120)


def eager(name: str, more: float = 8.0) -> Any:
    """The backbone with a liking for beginning images."""
    backbone = BACKBONES[name]

    class Eager(type(backbone)):
        def words(self, out):
            found = super().words(out).clone()
            found[self.image_layout(None).begin] += more
            return found

    wrapped = Eager.__new__(Eager)
    wrapped.__dict__.update(backbone.__dict__)
    return wrapped


def pixels(segments: list[Any]) -> list[Any]:
    return [
        np.asarray(segment).tolist() if isinstance(segment, Image.Image) else segment for segment in segments
    ]


@backbones
def test_images_are_whole_and_in_order_and_agree_with_the_ids(name):
    backbone, ids = eager(name), []
    segments = list(generate(backbone, ["draw a red house"], HOT, ids.append))
    layout = backbone.image_layout(None)
    shown = [segment for segment in segments if isinstance(segment, Image.Image)]
    assert len(shown) >= 2
    assert {image.size for image in shown} == {SIZES[name]}
    ids = [item if isinstance(item, int) else int(layout.codes[0]) for item in ids]
    at, order = 0, []
    while at < len(ids):
        if ids[at] != layout.begin:
            assert ids[at] not in layout.codes
            assert ids[at] not in layout.closed
            if backbone.decode_text([ids[at]]) and order[-1:] != ["text"]:
                order.append("text")
            at += 1
            continue
        body = ids[at + 1 : at + 1 + len(layout.steps)]
        for wanted, found in zip(layout.steps, body, strict=False):
            assert found == wanted if wanted is not None else found in layout.codes
        order.append("image" if len(body) == len(layout.steps) else "cut")
        at += 1 + len(body)
    kinds = [
        "text" if isinstance(item, str) else "image" if isinstance(item, Image.Image) else "cut"
        for item in segments
    ]
    assert kinds == order


@backbones
def test_the_same_seed_gives_the_same_and_another_another(name):
    one, two, three = (
        list(generate(eager(name), ["draw"], Settings(HOT.text, HOT.image, max_tokens=60, seed=seed)))
        for seed in (1, 1, 2)
    )
    assert pixels(one) == pixels(two)
    assert pixels(one) != pixels(three)


@backbones
def test_no_more_images_than_allowed(name):
    for most in (0, 1):
        segments = list(
            generate(eager(name), ["draw"], Settings(HOT.text, HOT.image, max_images=most, max_tokens=80))
        )
        assert sum(isinstance(segment, Image.Image) for segment in segments) == most


@backbones
def test_a_cut_image_is_reported_and_the_end_token_ends(name):
    backbone = eager(name, 1000.0)
    steps = len(backbone.image_layout(None).steps)
    assert list(generate(backbone, ["draw"], Settings(max_tokens=5))) == [Unfinished(4, steps)]

    class Ends(type(backbone)):
        def words(self, _):
            return torch.zeros(200).index_fill(0, torch.tensor([self.end]), 1.0)

    backbone.__class__ = Ends
    ids: list[int] = []
    assert list(generate(backbone, ["draw"], Settings(), ids.append)) == []
    assert ids == [backbone.end]


@backbones
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_a_cache_changes_nothing_with_an_adapter(name, data):
    """The loop feeds one id at a time; every drawn id is the likeliest of a pass over the whole sequence."""
    torch.manual_seed(0)
    base = MAKERS[name]()
    model = peft.get_peft_model(exact(base.model), moss.MossConfig(r_text=3, r_image=4, init="random")).eval()
    backbone = MAKERS[name](model)
    prompt = data.draw(
        st.lists(st.sampled_from(["draw a house", Image.new("RGB", (20, 14), (200, 30, 30))]), max_size=3)
    )
    drawn: list[Any] = []
    list(generate(backbone, prompt, Settings(image=Sampling(0.0), max_tokens=24, max_images=1), drawn.append))
    sequence, layout = backbone.encode(prompt), backbone.image_layout(None)
    begun, step = False, None
    for item in drawn:
        with torch.no_grad():
            out = model(**backbone.inputs(sequence), use_cache=False)
        logits = out.logits[0, -1]
        if step is None:
            logits[[*layout.codes.tolist(), *layout.closed, *([layout.begin] if begun else [])]] = -torch.inf
            assert item == int(logits.argmax())
            begun = begun or item == layout.begin
            step = 0 if item == layout.begin else None
        else:
            if layout.steps[step] is not None:
                assert item == layout.steps[step]
            elif isinstance(item, Tensor):
                close(item, out.patches[0, -1])
            else:
                assert item == int(layout.codes[logits[layout.codes].argmax()])
            step = step + 1 if step + 1 < len(layout.steps) else None
        sequence.append(item)


@with_codes
def test_guidance_moves_codes_away_from_the_unprompted(name):
    backbone, seen = BACKBONES[name], []

    class Known(type(backbone)):
        """Prompted: code 1 a little above code 0; unprompted: code 1 far above. Guided: code 0."""

        def step(self, items, cache):
            layout = self.image_layout(None)
            prompted = cache if cache is not None else len(items) > 1
            seen.append(prompted)
            found = torch.zeros(200)
            found[layout.begin] = 5.0
            found[layout.codes[:2]] = torch.tensor([1.0, 1.1] if prompted else [1.0, 3.0])
            return found, prompted

    known = Known.__new__(Known)
    known.__dict__.update(backbone.__dict__)
    codes = known.image_layout(None).codes
    for guidance, wanted in ((1.0, codes[1]), (2.0, codes[0])):
        seen.clear()
        ids: list[int] = []
        list(
            generate(
                known,
                ["draw"],
                Settings(image=Sampling(0.0), guidance=guidance, max_images=1, max_tokens=6),
                ids.append,
            )
        )
        assert {number for number in ids if number in codes} == {int(wanted)}
        assert (False in seen) == (guidance != 1.0)


def test_top_k_samples_only_the_largest_logits():
    backbone, ids = eager("chameleon"), []
    list(generate(backbone, ["draw"], Settings(image=Sampling(5.0, top_k=1), max_tokens=30), ids.append))
    greedy: list[int] = []
    list(generate(backbone, ["draw"], Settings(image=Sampling(0.0), max_tokens=30), greedy.append))
    assert ids == greedy


def test_emu3_generates_the_requested_shape():
    segments = list(
        generate(eager("emu3"), ["draw"], Settings(HOT.text, HOT.image, grid=(2, 4), max_tokens=60))
    )
    assert {segment.size for segment in segments if isinstance(segment, Image.Image)} == {(8, 4)}
    with pytest.raises(BackboneError, match="an image of 0 x 4 patches cannot be generated"):
        next(generate(BACKBONES["emu3"], ["draw"], Settings(grid=(0, 4))))
    with pytest.raises(BackboneError, match="Chameleon's images have 4 x 4 patches, not 2 x 4"):
        next(generate(BACKBONES["chameleon"], ["draw"], Settings(grid=(2, 4))))


def test_emu2_guides_its_decoder_by_vectors_of_an_empty_prompt():
    backbone, seen = eager("emu2"), []

    class Watched(type(backbone._decoder)):
        def image(self, vectors, unprompted, guidance, generator):
            seen.append((vectors, unprompted, guidance))
            return super().image(vectors, unprompted, guidance, generator)

    backbone._decoder = Watched.__new__(Watched)
    backbone._decoder.__dict__.update(BACKBONES["emu2"]._decoder.__dict__)
    asked = Settings(max_images=1, max_tokens=20)
    plain = next(
        item for item in generate(backbone, ["draw a red house"], asked) if isinstance(item, Image.Image)
    )
    guided = next(
        item
        for item in generate(backbone, ["draw a red house"], replace(asked, guidance=3.0))
        if isinstance(item, Image.Image)
    )
    assert pixels([plain]) != pixels([guided])
    (vectors, none, _), (same, unprompted, guidance) = seen
    assert none is None
    assert guidance == 3.0
    torch.testing.assert_close(same, vectors)
    empty: list[Any] = []
    list(generate(eager("emu2", 1000.0), [], Settings(max_tokens=17, max_images=1), empty.append))
    torch.testing.assert_close(unprompted, torch.stack([item for item in empty if isinstance(item, Tensor)]))


def test_emu2_without_a_decoder_writes_text_but_no_images():
    backbone = eager("emu2", 1000.0)
    backbone._decoder = None
    with pytest.raises(
        BackboneError, match="Emu2 has no image decoder: load the one of Emu2-Gen, or set max_images to 0"
    ):
        list(generate(backbone, ["draw"], Settings(max_tokens=30)))
    assert all(
        isinstance(item, str)
        for item in generate(backbone, ["draw"], Settings(text=Sampling(1.5), max_tokens=30, max_images=0))
    )
    with pytest.raises(BackboneError, match="Emu2's images have 4 x 4 patches, not 2 x 2"):
        next(generate(backbone, ["draw"], Settings(grid=(2, 2))))


@backbones
def test_an_answer_ends_before_a_stop_string(name):
    """The strings may be any words that the free answer holds."""

    class Talker(type(BACKBONES[name])):
        def words(self, out):
            found = super().words(out).clone()
            found[130:140] += 20.0
            return found

    backbone = Talker.__new__(Talker)
    backbone.__dict__.update(BACKBONES[name].__dict__)
    how = Settings(text=Sampling(1.5), max_images=0, max_tokens=60)
    (free,) = generate(backbone, ["draw"], how)
    words = free.split()
    first, later = words[len(words) // 2], words[-1]
    ids: list[Any] = []
    stopped = list(generate(backbone, ["draw"], replace(how, stop=(later, first)), ids.append))
    assert stopped == (
        [free[: min(free.find(first), free.find(later))].rstrip()]
        if not free.startswith((first, later))
        else []
    )
    assert len(ids) < 60
    assert list(generate(backbone, ["draw"], replace(how, stop=("nowhere",)))) == [free]


def ended(backbone: Any, *arguments: Any) -> Ended:
    drawing = generate(backbone, *arguments)
    while True:
        try:
            next(drawing)
        except StopIteration as stopped:
            return stopped.value


def test_why_an_answer_ended():
    backbone = eager("chameleon", -1000.0)

    class Says(type(backbone)):
        """One id for ever."""

        def words(self, _):
            return torch.zeros(200).index_fill(0, torch.tensor([self.said]), 1.0)

    backbone.__class__ = Says
    backbone.said = 130  # "draw"
    assert ended(backbone, ["now"], Settings(max_tokens=5)) == "max_tokens"
    assert ended(backbone, ["now"], Settings(max_tokens=5, stop=("draw draw",))) == "stop"
    assert ended(backbone, ["now"], Settings(max_tokens=255)) == "context", (
        "the model has 256 positions, and the prompt has 2"
    )
    assert ended(backbone, ["now"], Settings(max_tokens=254)) == "max_tokens"
    assert list(generate(backbone, ["now"], Settings(max_tokens=999))) == [" ".join(["draw"] * 254)]
    backbone.said = backbone.end
    assert ended(backbone, ["now"], Settings()) == "end"
    with pytest.raises(
        BackboneError,
        match="the prompt has 257 tokens, but the model has 256 positions: give less text or fewer images",
    ):
        next(generate(backbone, ["now " * 256], Settings()))


@backbones
def test_what_is_given_costs_no_pass_of_its_own(name):
    """Marks inside an image are not drawn, so they are read together with what follows them."""
    backbone, passes, ids = eager(name, 1000.0), [], []

    class Counted(type(backbone)):
        def step(self, items, cache):
            passes.append(len(items))
            return super().step(items, cache)

    backbone.__class__ = Counted
    list(generate(backbone, ["draw"], Settings(max_tokens=60), ids.append))
    steps = backbone.image_layout(None).steps
    given = sum(steps[at % (len(steps) + 1) - 1] is not None for at in range(60) if at % (len(steps) + 1))
    assert given > 0
    assert len(passes) == 60 - given
