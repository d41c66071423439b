"""Texts: a closed vocabulary, words that name what is newly shown, an order that the words alone give
away."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from leafinstruct.sketchbook.documents.blocks import Paragraph
from leafinstruct.sketchbook.documents.defects import shuffle
from leafinstruct.sketchbook.documents.howto import FIRST_CUES, LAST_CUES, ORDINALS, HowTo
from leafinstruct.sketchbook.documents.page import LAYOUTS, page
from leafinstruct.sketchbook.documents.plan import Settings, draft
from leafinstruct.sketchbook.documents.vocabulary import WORDS
from leafinstruct.sketchbook.world.chance import stream

SETTINGS = Settings(seed=11, documents=6000, image_px=32)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", text.lower())


@pytest.fixture(scope="module")
def howtos() -> list[HowTo]:
    return [draft(SETTINGS, index) for index in range(SETTINGS.documents)]


def all_words(howto: HowTo) -> list[str]:
    texts = [
        howto.title,
        howto.intro,
        howto.outro,
        *(step.text for step in howto.steps),
        *(step.caption for step in howto.steps),
    ]
    return words(" ".join(texts))


def test_every_word_is_in_the_vocabulary_and_every_word_of_it_is_used(howtos):
    used = {word for howto in howtos for word in all_words(howto)}
    assert used == WORDS
    assert len(WORDS) <= 300


@pytest.mark.parametrize("kind", ["mmc4", "html", "warc", "obelics"])
def test_alt_texts_and_captions_of_written_pages_keep_to_the_vocabulary(kind):
    for index in range(60):
        document = page(SETTINGS, index, kind)
        texts = [text for image in document.images for text in (image.alt, image.caption)]
        texts += [block.text for block in document.blocks if isinstance(block, Paragraph)]
        assert set(words(" ".join(texts))) <= WORDS


def test_lengths_are_those_of_a_short_how_to(howtos):
    for howto in howtos:
        prose = " ".join([howto.title, howto.intro, howto.outro, *(step.text for step in howto.steps)])
        assert 40 <= len(prose.split()) <= 200
        assert len(howto.steps) in (range(2, 4) if howto.topic == "edit" else range(3, 9))


def test_the_five_topics_take_turns(howtos):
    assert Counter(howto.topic for howto in howtos) == dict.fromkeys(
        ("lesson", "story", "edit", "assembly", "map"), 1200
    )


def test_every_step_names_color_and_kind_of_something_that_its_image_newly_shows(howtos):
    for howto in howtos:
        for step in howto.steps:
            said = set(words(step.text))
            assert any(item.color in said and item.noun in said for item in step.shown), step.text
            assert all(item in step.scene.items for item in step.shown)


def test_every_image_of_a_document_differs_from_the_one_before(howtos):
    for howto in howtos:
        scenes = [step.scene for step in howto.steps]
        assert all(one != other for one, other in pairwise(scenes))


def place_told(text: str, count: int) -> int | None:
    """0-based place that a text claims in a document of `count` steps, if its words claim one."""
    if numbered := re.match(r"Step (\d)", text):
        return int(numbered[1]) - 1
    if ordinal := re.match(r"(?:The|After the) (\w+) (step|day|change):", text):
        return ORDINALS.index(ordinal[1]) + (ordinal[2] == "change")
    if text.startswith((*FIRST_CUES, "Before:")):
        return 0
    return count - 1 if text.startswith((*LAST_CUES, "After:")) else None


def in_order(howto: HowTo) -> bool:
    told = [place_told(step.text, len(howto.steps)) for step in howto.steps]
    return all(place is None or place == index for index, place in enumerate(told))


def test_the_words_alone_distinguish_an_ordered_document_from_a_shuffled_one(howtos):
    for howto in howtos:
        assert in_order(howto)
        if len(howto.steps) >= 3:
            shuffled = shuffle(howto, stream("test", howto.title))
            assert not in_order(shuffled)
            assert sorted(step.text for step in shuffled.steps) == sorted(step.text for step in howto.steps)


def test_documents_do_not_repeat_each_other(howtos):
    texts = Counter("\n".join([howto.title, *(step.text for step in howto.steps)]) for howto in howtos)
    assert sum(count for count in texts.values() if count > 1) < 0.005 * len(howtos)


def test_all_layouts_occur_outside_of_mmc4():
    shapes = set()
    for index in range(40):
        blocks = page(SETTINGS, index, "html").blocks
        kinds = "".join(
            "t" if isinstance(block, Paragraph) else "c" if block.caption else "p" for block in blocks
        )
        headed = any(isinstance(block, Paragraph) and block.heading for block in blocks[1:])
        shapes.add(
            "headings"
            if headed
            else "figure"
            if "c" in kinds
            else "image_first"
            if kinds.startswith("ttp")
            else "text_first"
        )
    assert shapes == set(LAYOUTS)
