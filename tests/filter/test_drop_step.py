"""`drop: step`: an image goes with the text that owns it, and no other text goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.example import Cell
from leafinstruct.records.text.owners import steps_of_figures


def owned(*parts: str, **owners: int) -> Document:
    """A made document; owners: name of an image -> position of its owner."""
    page = document(*parts)
    segments = (
        replace(
            one, owner=owners.get(one.sha256), owner_found="stated" if one.sha256 in owners else "unknown"
        )
        if isinstance(one, ImageRef)
        else one
        for one in page.segments
    )
    return replace(page, segments=tuple(segments))


def lose(page: Document, *names: str, drop: str = "step", **config: int) -> Decision:
    """The decision of a document whose images of these names do not decode."""
    rule = Rule.model_validate({"score": "image.decoded", "min": 1, "drop": drop})
    decision = Decision(page, FilterConfig(**{"min_images": 0, "min_words": 0, **config}), (rule,))
    decision.apply(
        [
            Cell("image.decoded", float(image.sha256 not in names), position=image.position)
            for image in page.images
        ]
    )
    return decision


def left(decision: Decision) -> list[int]:
    return [segment.position for segment in decision.document.segments]


def test_an_image_takes_its_owner_and_captions_and_nothing_else():
    page = owned("# T", "intro", "step a", "!a", "> of a", "step b", "!b", a=2, b=5)
    decision = lose(page, "a")
    assert left(decision) == [0, 1, 5, 6]
    assert [(drop.rule, drop.position) for drop in decision.image_drops] == [("image.decoded", 3)]
    assert decision.image_drops[0].detail == "its text [2] and its caption [4] were dropped with it"
    assert left(lose(page, "a", drop="image")) == [0, 1, 2, 5, 6]


def test_an_owner_after_its_image_is_dropped_too():
    assert left(lose(owned("# T", "!a", "step a", "!b", "step b", a=2, b=4), "a")) == [0, 3, 4]


def test_a_captioned_figure_takes_the_text_of_its_step_along():
    """A reader states that the caption owns its image; the step is the text that the structure of the page
    gives it."""
    page = document(
        "# T", "intro to it", "step a", "!a", "> of a", "step b", "!b", "> of b", "step c", "!c", "> of c"
    )
    assert [image.owner for image in page.images] == [4, 7, 10]
    decision = lose(page, "a", "c")
    assert left(decision) == [0, 1, 5, 6, 7]
    assert decision.image_drops[0].detail == "its text [2] and its caption [4] were dropped with it"
    two = document("# T", "step a", "!a", "> of a", "!b", "> of b", "step c", "!c", "> of c")
    assert left(lose(two, "a")) == [0, 1, 4, 5, 6, 7, 8]
    assert left(lose(two, "a", "b")) == [0, 6, 7, 8]


def test_a_text_of_two_images_is_dropped_with_the_last_of_them():
    page = owned("intro", "both", "!a", "!b", a=1, b=1)
    one = lose(page, "a")
    assert left(one) == [0, 1, 3]
    assert one.image_drops[0].detail == "its text [1] stays, because image [3] belongs to it too"
    assert left(lose(page, "a", "b")) == [0]


@pytest.mark.parametrize(
    ("parts", "owners", "lost", "kept"),
    [
        (("# T", "# one", "x", "!a", "# two", "y", "!b"), {"a": 2, "b": 5}, "a", [0, 4, 5, 6]),
        (("# T", "# one", "x", "!a", "# two", "y", "!b"), {"a": 2, "b": 5}, "b", [0, 1, 2, 3]),
        # it still heads a text
        (("# T", "# one", "w", "x", "!a", "# two", "y", "!b"), {"a": 3, "b": 6}, "a", [0, 1, 2, 5, 6, 7]),
        (("# T", "# one", "!a", "# two", "!b"), {"a": 1, "b": 3}, "a", [0, 3, 4]),  # the heading is the owner
        (("# T", "x", "!a"), {"a": 1}, "a", []),  # no title alone is left
        (("# T", "x", "!a", "# two", "y"), {"a": 1}, "a", [0, 3, 4]),  # the title heads the sections
        # `one` headed a heading before
        (("# T", "y", "# one", "# sub", "x", "!a", "# two", "!b"), {"a": 4}, "a", [0, 1, 2, 6, 7]),
    ],
)
def test_a_heading_is_dropped_if_nothing_is_left_under_it(parts, owners, lost, kept):
    assert left(lose(owned(*parts, **owners), lost)) == kept


@pytest.mark.parametrize(
    ("text", "image_first", "rest"),
    [
        ("1. cut\n2. fold\n3. glue", False, "1. cut\n2. fold"),
        ("1. cut\n2. fold\n3. glue\n   well", False, "1. cut\n2. fold"),
        ("2. fold\n3. glue", True, "3. glue"),
        ("  and press\n3. glue", True, "3. glue"),  # goes on with the item that the image split
        ("- a\n  - deeper\n- b", True, "- b"),
        ("- a\n  - deeper", False, "- a"),
        ("- the only item", False, None),
        ("one line\nand another", False, None),
    ],
)
def test_of_a_list_only_the_item_next_to_the_image_is_dropped(text, image_first, rest):
    parts = ("intro", "!a", f"- {text}") if image_first else ("intro", f"- {text}", "!a")
    decision = lose(owned(*parts, a=2 if image_first else 1), "a")
    assert [one.text for one in decision.document.texts] == ["intro", *([rest] if rest else [])]
    if rest:
        assert decision.image_drops[0].detail.startswith(
            f"the {'first' if image_first else 'last'} item of its list"
        )


def test_with_an_unknown_owner_only_the_image_and_its_captions_are_dropped_and_the_drop_reports_it():
    decision = lose(owned("x", "!a", "> of a", "y"), "a")
    assert left(decision) == [0, 3]
    assert (
        decision.image_drops[0].detail == "the owner of the image is unknown, so no text was dropped with it"
    )


def test_the_reason_of_the_score_comes_first():
    page = owned("intro", "x", "!a", a=1)
    rule = Rule(score="image.decoded", min=1, drop="step")
    decision = Decision(page, FilterConfig(min_images=0, min_words=0), (rule,))
    decision.apply([Cell("image.decoded", 0.0, position=2, detail="truncated: file ends early")])
    assert decision.image_drops[0].detail == "truncated: file ends early; its text [1] was dropped with it"


def test_minima_are_judged_again_without_the_text():
    page = owned("one two", "three four five", "!a", "six", "!b", a=1, b=3)
    assert [(drop.rule, drop.value) for drop in lose(page, "a", min_words=4).drops] == [("min_words", 3.0)]
    assert lose(page, "a", min_words=3).kept
    assert [drop.rule for drop in lose(page, "a", min_images=2).drops] == ["min_images"]


@given(
    st.lists(st.sampled_from(["# h", "x", "> c", "- 1. i\n2. j", "!"]), min_size=1, max_size=12), st.data()
)
def test_positions_and_other_texts_are_never_changed(kinds, data):
    parts = [f"!p{at}" if kind == "!" else kind for at, kind in enumerate(kinds)]
    texts = [at for at, kind in enumerate(kinds) if kind != "!"]
    images = [f"p{at}" for at, kind in enumerate(kinds) if kind == "!"]
    owners = {
        name: data.draw(st.sampled_from(texts)) for name in images if texts and data.draw(st.booleans())
    }
    page = owned(*parts, **owners)
    lost = data.draw(st.sets(st.sampled_from(images))) if images else set()
    decision = lose(page, *lost)
    before = {segment.position: segment for segment in page.segments}
    after = decision.document.segments
    assert [one.position for one in after] == sorted({one.position for one in after})
    assert {one.sha256 for one in decision.document.images} == set(images) - lost
    figures = steps_of_figures(page)
    steps = {image.sha256: figures.get(image.position, image.owner) for image in page.images}
    mine = {steps[name] for name in lost} - {steps[name] for name in images if name not in lost}
    for position, segment in before.items():
        now = next((one for one in after if one.position == position), None)
        if now is not None and now != segment:
            assert isinstance(now, Text)
            assert segment.kind == "list"
            assert position in mine
        elif now is None and isinstance(segment, Text) and segment.kind in ("prose", "list"):
            assert position in mine
    if not lost:
        assert after == page.segments
