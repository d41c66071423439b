"""The recognizer and the judge: a true lesson has every point, each kind of mistake is caught and called by
its name."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import numpy as np
import pytest
from making import document, in_english
from PIL import Image

from leafinstruct.evaluate.sketchbook import reading
from leafinstruct.evaluate.sketchbook.grammar import State, ask_of, asks, read_instruction
from leafinstruct.evaluate.sketchbook.guide_asks import guide_asks
from leafinstruct.evaluate.sketchbook.judging import judge, judge_images
from leafinstruct.rewrite import prompt
from leafinstruct.rewrite.config import GUIDE
from leafinstruct.sketchbook.documents.howto import HowTo
from leafinstruct.sketchbook.documents.plan import Settings, draft
from leafinstruct.sketchbook.world.render import render
from leafinstruct.sketchbook.world.scene import Item, Scene

SETTINGS = Settings(seed=9, documents=500, image_px=64, topics=("lesson",), scenery="plain", lesson_steps=5)


def lesson(words: str, least: int = 4) -> HowTo:
    """A lesson of at least so many steps about it."""
    howtos = (draft(SETTINGS, index) for index in range(500))
    return next(howto for howto in howtos if words in howto.title and len(howto.steps) >= least)


def told(howto: HowTo, style="pencil") -> list:
    """As a perfect model would generate it."""
    steps = [part for step in howto.steps for part in (step.text, render(step.scene, 64, style))]
    return [howto.intro, *steps, howto.outro]


def lossy(images: np.ndarray) -> np.ndarray:
    """A stand-in for a patch-local image tokenizer: JPEG's own blocks of 8 x 8 px without shared color, and
    noise; about 28 dB."""
    noise = np.random.default_rng(0)
    given_back = []
    for pixels in images:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=14, subsampling=0)
        seen = np.asarray(Image.open(buffer).convert("RGB")) + noise.normal(0, 1, pixels.shape)
        given_back.append(np.clip(seen, 0, 255).astype(np.uint8))
    return np.stack(given_back)


def blurred(segments: list) -> list:
    return [
        part if isinstance(part, str) else Image.fromarray(lossy(np.asarray(part)[None])[0])
        for part in segments
    ]


@pytest.mark.parametrize("style", ["pencil", "chalk", "shadow"])
def test_a_true_lesson_has_every_point_in_any_style_and_behind_a_lossy_tokenizer(style):
    for index in range(40):
        howto = draft(SETTINGS, index)
        verdict = judge(
            ask_of(howto), blurred(told(howto, style)) if index % 2 else told(howto, style), style
        )
        assert verdict.perfect, (howto.title, verdict)
        assert all(step.image.kept for step in verdict.steps)
        assert [step.image.scene for step in verdict.steps] == [step.scene for step in howto.steps]


def test_every_text_of_every_lesson_is_right_at_its_own_point():
    for most in (5, 8):
        for index in range(300):
            howto = draft(replace(SETTINGS, lesson_steps=most), index)
            state = State(ask_of(howto))
            assert state.introduce(howto.intro)
            for step in howto.steps:
                said = state.step(step.text)
                assert said.fault is None, (howto.title, step.text, said)
                assert step.shown[0] in said.things
                state.scene = state.scene.add(step.shown[0])
            assert state.ends_with(howto.outro)


HOUSE = lesson("house with")
FIRST, SECOND, THIRD = (step.text for step in HOUSE.steps[:3])
WALL, ROOF, DOOR = (step.shown[0] for step in HOUSE.steps[:3])


def with_text(index: int, text: str) -> list:
    segments = told(HOUSE)
    segments[1 + 2 * index] = text
    return segments


def other_than(*items: Item) -> str:
    return next(
        color
        for color in ("red", "blue", "green", "pink", "grey", "brown", "white")
        if color not in {i.color for i in items}
    )


WRONG = other_than(*(item for step in HOUSE.steps for item in step.shown))


@pytest.mark.parametrize(
    ("index", "text", "fault"),
    [
        (1, "", "missing"),
        (1, "the the roof roof of a", "gibberish"),
        (1, SECOND.replace("roof", "rof"), "gibberish"),
        (1, SECOND.rpartition(" ")[0], "gibberish"),
        (1, lesson("boat with").steps[1].text, "another thing"),
        (1, THIRD, "order"),
        (2, SECOND, "order"),
        (0, FIRST.replace(WALL.color, WRONG), "color"),
        (
            1,
            SECOND.replace(f"{ROOF.color} roof", f"{WALL.color} roof").replace(
                f"the {ROOF.color} pencil", f"the {WALL.color} pencil"
            ),
            "color",
        ),
        (2, f"Step 8: {HOUSE.steps[2].body}", "cue"),
        (2, HOUSE.steps[2].body, "cue"),
    ],
)
def test_each_kind_of_wrong_text_is_caught_and_named(index, text, fault):
    text = text.replace("A ", "a ")
    verdict = judge(ask_of(HOUSE), with_text(index, text))
    assert verdict.steps[index].fault == fault
    assert not verdict.perfect
    assert not verdict.complete


def test_one_wrong_text_does_not_condemn_those_after_it():
    verdict = judge(ask_of(HOUSE), with_text(1, "nonsense"))
    assert [step.fault for step in verdict.steps] == [None, "gibberish", *[None] * (len(HOUSE.steps) - 2)]
    assert verdict.steps[1].image.mistake == "no text"


def drawn(index: int, *items: Item, background: str | None = None) -> list:
    """The house's lesson, with other things in the image of one step."""
    segments = told(HOUSE)
    scene = replace(HOUSE.steps[index].scene, items=items)
    segments[2 + 2 * index] = render(replace(scene, background=background or scene.background), 64)
    return segments


def moved(item: Item) -> Item:
    return item.at(item.column + 1 if item.column + item.width < 8 else item.column - 1, item.row)


@pytest.mark.parametrize(
    ("items", "mistake", "kept"),
    [
        ((WALL, ROOF.painted(WRONG)), "color", True),
        ((WALL, replace(ROOF, kind="heart")), "thing", True),
        ((WALL,), "missing", True),
        ((WALL, moved(ROOF)), "moved", True),
        ((ROOF,), "forgotten", False),
        ((WALL.painted(WRONG), ROOF), "recolored", False),
        ((moved(WALL), ROOF), "moved", False),
        ((moved(WALL), moved(ROOF)), "moved", False),
        ((replace(WALL, kind="bear"), replace(ROOF, kind="drum")), "unreadable", False),
    ],
)
def test_each_kind_of_wrong_image_is_caught_and_named_whether_texts_are_given_or_not(items, mistake, kept):
    segments = drawn(1, *items)
    for segments in (drawn(1, *items), blurred(drawn(1, *items))):
        free = judge(ask_of(HOUSE), segments).steps
        forced = judge_images(HOUSE, segments[2:-1:2])
        for shown in (free[1].image, forced[1]):
            assert (shown.exact, shown.mistake, shown.kept) == (False, mistake, kept)
        assert (
            [step.image.exact for step in free]
            == [shown.exact for shown in forced]
            == [at != 1 for at in range(len(free))]
        )
        assert all(step.fault is None for step in free)


def test_a_wrong_background_and_a_missing_image_are_named():
    other = "night" if HOUSE.steps[0].scene.background != "night" else "snow"
    assert judge_images(HOUSE, drawn(1, WALL, ROOF, background=other)[2:-1:2])[1].mistake == "background"
    images = [None, *told(HOUSE)[4:-1:2]]
    assert judge_images(HOUSE, images)[0].mistake == "no image"
    with pytest.raises(ValueError, match=r"got 1 images for \d steps"):
        judge_images(HOUSE, [None])


def test_a_lesson_that_stops_early_repeats_itself_or_says_nothing_is_not_complete():
    whole = told(HOUSE)
    for segments in (whole[:3], whole[:-3], [*whole[:5], *whole[3:]], [], ["a house"], [whole[2]]):
        verdict = judge(ask_of(HOUSE), segments)
        assert not verdict.complete
        assert not verdict.perfect
    assert not judge(ask_of(HOUSE), whole[1:]).intro
    assert not judge(ask_of(HOUSE), whole[:-1]).outro
    assert judge(ask_of(HOUSE), whole[:-1]).complete


def test_paragraphs_may_share_a_text():
    intro, first, *rest = told(HOUSE)
    for between in ("\n\n", " "):
        assert judge(ask_of(HOUSE), [f"{intro}{between}{first}", *rest]).perfect


def test_an_instruction_is_understood_in_all_words_that_people_and_rewrite_use():
    """Those of rewrite come from rewrite itself, whatever its templates are."""
    for index in range(200):
        howto = draft(SETTINGS, index)
        ask = ask_of(howto)
        written = [step.text for step in howto.steps]
        page = document(
            f"# {howto.title}", howto.intro, *(part for text in written for part in (text, "!p")), howto.outro
        )
        instruction = prompt.by_templates(page, *in_english(GUIDE))["instruction"]
        for text in (instruction, *guide_asks(howto.title), *asks(howto)):
            assert read_instruction(text) == ask, text
        if howto.title.startswith("How to"):
            assert set(asks(howto)) & set(guide_asks(howto.title))
    assert read_instruction("Draw me something nice") is None
    assert read_instruction("Draw a red house with a blue sail") is None


def test_the_recognizer_states_its_two_errors_behind_any_tokenizer():
    steps = [step.scene for index in range(60) for step in draft(SETTINGS, index).steps]
    scenes = random.Random(0).sample(steps, 60)
    perfect = reading.measure(lambda images: images, scenes)
    assert perfect.refused == 0
    assert set(perfect.accepted) == {"added", "color", "kind", "missing", "moved"}
    behind = reading.measure(lossy, scenes)
    assert 27.5 < behind.decibels < 29.5
    assert behind.refused <= 0.05
    assert max(behind.accepted.values()) <= 0.08
    blind = reading.measure(lambda images: np.full_like(images, 128), scenes)
    assert blind.refused == 1
    assert reading.measure(lossy, scenes, tolerance=0.0).refused == 1
    assert min(reading.measure(lossy, scenes, tolerance=100.0).accepted.values()) == 1


def test_reading_refuses_what_it_cannot_compare():
    scene = Scene("paper", None)
    with pytest.raises(ValueError, match="the image has 128 x 128 px"):
        reading.read(render(scene, 128), [scene])
    with pytest.raises(ValueError, match="no candidate"):
        reading.read(render(scene, 64), [])
