"""What Sketchbook can be told to draw: the defaults draw what they always drew, every setting does what it
says and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest

from leafinstruct.sketchbook.documents.blocks import DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.held_out import is_held_out
from leafinstruct.sketchbook.documents.lessons import PLANS, is_kept_back
from leafinstruct.sketchbook.documents.page import page
from leafinstruct.sketchbook.documents.plan import FORMATS, Settings, chunks, draft, topic_of
from leafinstruct.sketchbook.formats.write import DEFECTS, collect_labels, write_chunk
from leafinstruct.sketchbook.world.backgrounds import SETTINGS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.render import SHAPES, render
from leafinstruct.sketchbook.world.scene import Item, Scene

WEB = ("html", "warc", "obelics")
LESSONS = Settings(
    seed=5, documents=400, image_px=64, topics=("lesson",), formats=WEB, layout="text_first", scenery="plain"
)


def texts(settings: Settings, index: int, kind: str) -> str:
    """Everything of a page but its images' bytes, which depend on the zlib inside Pillow."""
    document = page(settings, index, kind)
    blocks = [
        block.text if isinstance(block, Paragraph) else f"{block.name} {block.alt} {block.caption}"
        for block in document.blocks
    ]
    scenes = [step.scene.to_data() for step in document.howto.steps]
    return json.dumps([document.url, document.defect, blocks, scenes])


def test_the_defaults_give_the_same_texts_and_scenes_as_before():
    settings = Settings(seed=3, documents=350, image_px=64, defects=tuple((name, 0.06) for name in DEFECTS))
    told = "\n".join(
        texts(settings, index, chunk.format)
        for chunk in chunks(settings)
        for index in range(chunk.start, chunk.stop)
    )
    assert (
        hashlib.sha256(told.encode()).hexdigest()
        == "a23e5563101b97565baeb6e7bfe3e34288a241646fb7c1d7ba74b341492bfc9b"
    )


def test_topics_and_formats_take_turns_in_the_given_order():
    settings = Settings(seed=1, documents=12, topics=("map", "lesson"), formats=("warc", "html"))
    assert [topic_of(settings, index) for index in range(4)] == ["map", "lesson", "map", "lesson"]
    assert [draft(settings, index).topic for index in range(4)] == ["map", "lesson", "map", "lesson"]
    assert [(chunk.format, chunk.start, chunk.stop) for chunk in chunks(settings)] == [
        ("warc", 0, 6),
        ("html", 6, 12),
    ]


def test_only_what_was_asked_for_is_written(tmp_path: Path):
    settings = Settings(seed=1, documents=9, image_px=32, topics=("lesson",), formats=("html", "obelics"))
    for chunk in chunks(settings):
        write_chunk(settings, chunk, tmp_path)
    labels = [
        json.loads(line)
        for line in collect_labels(settings, tmp_path).read_text(encoding="utf-8").splitlines()
    ]
    assert Counter(label["file"].split("/")[0] for label in labels) == {"html": 5, "obelics": 4}
    assert {label["topic"] for label in labels} == {"lesson"}
    assert {path.name for path in tmp_path.iterdir()} == {"html", "obelics", "labels", "labels.jsonl"}


@pytest.mark.parametrize("kind", WEB)
def test_text_first_puts_each_text_before_its_image_without_captions(kind):
    for index in range(60):
        document = page(LESSONS, index, kind)
        title, intro, *steps, outro = document.blocks
        assert isinstance(title, Paragraph)
        assert title.heading
        assert isinstance(intro, Paragraph)
        assert isinstance(outro, Paragraph)
        assert [type(block) for block in steps] == [Paragraph, DrawnImage] * len(document.howto.steps)
        assert [block.text for block in steps[::2]] == [step.text for step in document.howto.steps]
        assert not any(block.heading for block in steps[::2])
        assert not any(block.caption for block in steps[1::2])


def test_without_decor_equal_scenes_are_equal_images_and_with_it_they_are_not():
    scenes = {index: draft(LESSONS, index).steps[0].scene for index in range(400)}
    assert {scene.decor for scene in scenes.values()} == {None}
    alike = Counter(scenes.values())
    assert max(alike.values()) > 1
    assert len({render(scene, 64).tobytes() for scene in alike}) == len(alike)
    one, other = (render(Scene("meadow", decor), 64).tobytes() for decor in (1, 2))
    assert one != other


def test_without_scenery_lessons_are_on_empty_paper_and_no_text_names_a_place_outside():
    bare = replace(LESSONS, scenery="none")
    lessons = [draft(bare, index) for index in range(100)]
    assert {step.scene.background for told in lessons for step in told.steps} == {"paper"}
    assert {step.scene.decor for told in lessons for step in told.steps} == {None}
    assert not any(
        setting in told.title for told in lessons for name, setting in SETTINGS.items() if name != "paper"
    )
    with pytest.raises(
        ValueError, match=r"scenery: none is for lessons only, .* set topics: \[lesson\], or scenery: plain"
    ):
        Settings(seed=1, documents=10, topics=("lesson", "map"), scenery="none")


def test_all_settings_but_held_out_leave_the_words_alone():
    plain = Settings(seed=5, documents=400, topics=("lesson",), formats=WEB)
    assert [draft(plain, index).title for index in range(50)] == [
        draft(LESSONS, index).title for index in range(50)
    ]


def test_one_combination_in_ten_is_held_out_for_every_thing():
    pairs = [(one, other) for one, other in product(COLORS, COLORS) if one != other]
    for thing in PLANS:
        share = sum(is_held_out(thing, *pair) for pair in pairs) / len(pairs)
        assert 0.02 < share < 0.2
    whole = [is_held_out(thing, *pair) for thing in PLANS for pair in pairs]
    assert 0.08 < sum(whole) / len(whole) < 0.12
    assert [pair for pair in pairs if is_held_out("house", *pair)][:3] == [
        ("yellow", "orange"),
        ("yellow", "purple"),
        ("blue", "pink"),
    ]


@pytest.mark.parametrize(
    ("held_out", "kept_back"), [("without", {False}), ("only", {True}), ("with", {False, True})]
)
def test_held_out_lessons_are_left_out_or_nothing_else_is_drawn(held_out, kept_back):
    settings = Settings(seed=5, documents=300, topics=("lesson", "story"), held_out=held_out)
    lessons = [draft(settings, index) for index in range(0, 300, 2)]
    assert {is_kept_back(howto) for howto in lessons} == kept_back
    assert lessons == [draft(settings, index) for index in range(0, 300, 2)]
    plain = Settings(seed=5, documents=300, topics=("lesson", "story"))
    assert all(draft(settings, index) == draft(plain, index) for index in range(1, 60, 2))
    if held_out == "without":
        same = sum(
            draft(plain, index) == howto for index, howto in zip(range(0, 300, 2), lessons, strict=True)
        )
        assert 115 < same < 150


@pytest.mark.parametrize("most", [3, 5, 8])
def test_no_lesson_is_longer_than_asked_for_and_none_loses_a_needed_part(most):
    settings = Settings(seed=5, documents=600, topics=("lesson",), lesson_steps=most)
    counts = Counter(len(draft(settings, index).steps) for index in range(600))
    assert max(counts) == most
    assert min(counts) == 3
    for index in range(100):
        steps = draft(settings, index).steps
        plan = next(plan for plan in PLANS.values() if plan.parts[0][0] == steps[0].shown[0].kind)
        assert [step.shown[0].kind for step in steps[: plan.needed]] == [
            part[0] for part in plan.parts[: plan.needed]
        ]


def test_chalk_is_another_image_of_the_same_cells():
    """Where nothing stands both are background, and a thing changes its own cells only, in either style."""
    for kind in SHAPES:
        scene = Scene("meadow", None, (Item(kind, "red", 2, 2, 3, 3),))
        for style in ("pencil", "chalk"):
            empty, drawn = (render(one, 64, style) for one in (Scene("meadow", None), scene))
            drawn.paste(empty.crop((16, 16, 40, 40)), (16, 16))
            assert drawn.tobytes() == empty.tobytes(), (kind, style)


def test_a_shadow_is_the_thing_in_gray_one_cell_on_and_lies_under_all_things():
    for kind in SHAPES:
        item = Item(kind, "red", 2, 2, 3, 3)
        beside = Item("ball", "blue", 5, 5, 1, 1)  # where a corner of the shadow would lie
        both = (Item(kind, "grey", 3, 3, 3, 3), Item("ball", "grey", 6, 6, 1, 1), item, beside)
        shown = render(Scene("paper", None, (item, beside)), 64, "shadow")
        assert shown.tobytes() == render(Scene("paper", None, both), 64).tobytes(), kind
        assert shown.tobytes() != render(Scene("paper", None, (item, beside)), 64).tobytes(), kind
    edge = Scene("paper", None, (Item("wall", "red", 4, 4, 4, 4),))
    # its shadow falls outside, but for what the wall hides
    assert render(edge, 64, "shadow").tobytes() == render(edge, 64).tobytes()


def test_chalk_keeps_colors_distinguishable_and_drops_the_background():
    boards = {render(Scene(background, 7), 64, "chalk").tobytes() for background in ("paper", "sea", "night")}
    assert len(boards) == 1
    means = []
    for color in COLORS:
        image = render(Scene("paper", None, (Item("wall", color, 0, 0, 8, 8),)), 64, "chalk").crop(
            (8, 8, 56, 56)
        )
        means.append([sum(band) / 48**2 for band in zip(*image.get_flattened_data(), strict=True)])
    for one, other in ((a, b) for i, a in enumerate(means) for b in means[:i]):
        assert max(abs(x - y) for x, y in zip(one, other, strict=True)) > 20


def test_pages_and_their_icons_are_drawn_in_the_style_that_was_asked_for():
    settings = Settings(seed=5, documents=8, image_px=64, style="chalk", defects=(("icon", 1.0),))
    for index in range(8):
        shades = [min(image.data and _darkest(image)) for image in page(settings, index, "html").images]
        assert max(shades) < 90  # the board


def _darkest(image: DrawnImage) -> list[int]:
    import io

    from PIL import Image

    return [low for low, _ in Image.open(io.BytesIO(image.data)).convert("RGB").getextrema()]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"topics": ("lessons",)}, 'topics: unknown "lessons"; did you mean "lesson"'),
        ({"topics": ()}, "topics: the list is empty; known: lesson, story"),
        ({"topics": ("map", "map")}, "topics: a name is given twice"),
        ({"formats": ("pdf",)}, r'formats: unknown "pdf"; .*Known: mmc4, html, warc, obelics'),
        (
            {"layout": "text_first"},
            r"layout: text_first is impossible in mmc4.*set formats: \[html, warc, obelics\]",
        ),
        ({"topics": ("map",), "held_out": "only"}, "held_out: applies to lessons only; add lesson to topics"),
        ({"topics": ("map",), "lesson_steps": 5}, "lesson_steps: applies to lessons only"),
        ({"lesson_steps": 2}, "lesson_steps: 2 is not between 3 and 8"),
        ({"lesson_steps": 9}, "lesson_steps: 9 is not between 3 and 8"),
    ],
)
def test_settings_that_cannot_be_meant_say_so_and_name_the_hint(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{"seed": 1, "documents": 10, **wrong})


def test_the_four_formats_stay_the_default():
    assert {chunk.format for chunk in chunks(Settings(seed=1, documents=8))} == set(FORMATS)
    assert all(one.stop == other.start for one, other in pairwise(chunks(Settings(seed=1, documents=8))))
