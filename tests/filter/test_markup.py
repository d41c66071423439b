"""What the URL and the alternative text of an image show, before the image is read."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision
from leafinstruct.filter.scores import markup
from leafinstruct.records.document import Document, ImageRef, Ref

PAGE = document("Sand the edge until it is smooth.", "!one", "Wipe it with a cloth.", "!two")


def page(**changes: object) -> Document:
    """The page with the first image changed."""
    segments = tuple(
        replace(segment, **changes) if isinstance(segment, ImageRef) and segment.position == 1 else segment
        for segment in PAGE.segments
    )
    return replace(PAGE, segments=segments)


@pytest.mark.parametrize(
    ("location", "share"),
    [
        ("https://example.org/img/logo.png?v=3", 1),
        ("https://example.org/assets/icons/arrow.png", 1),
        ("https://example.org/siteLogo.png", 0.5),
        ("https://example.org/twitter.svg", 1),
        ("https://example.org/facebook-icon.png", 1),
        ("https://example.org/twitter-privacy-settings.png", 0),
        ("https://logo.example.org/press-the-red-button.jpg", 0.25),
        ("photos/silicone-mold.jpg", 0),
        ("photos/lexicon.jpg", 0),
        ("IMG_2041.JPG", 0),
        ("https://example.org/", 0),
        ("https://[logo/icon.png", 1),
        ("%E5%9B%BE.png", 0),
    ],
)
def test_names_of_decoration_count_by_their_share(location, share):
    assert markup.decoration(location) == share


@pytest.mark.parametrize(
    ("heading", "share"), [("# Speed button quiz", 0), ("# Two Buttons", 0), ("# Quiz", 0.5)]
)
def test_what_the_headings_of_a_page_name_is_its_subject(heading, share):
    found = document(heading, "Sand the edge.", "!speed_button", "Wipe it.")
    segments = tuple(
        replace(one, ref=Ref(file="img/speed_button.png")) if isinstance(one, ImageRef) else one
        for one in found.segments
    )
    cells = markup.scores(replace(found, segments=segments, title=None))
    assert [cell.value for cell in cells if cell.name == "markup.decoration"] == [share]


@pytest.mark.parametrize(
    ("alt", "words"),
    [
        ("The edge after sanding", 4),
        ("IMG_2041.JPG", 0),
        ("sanding-step-3.png", 0),
        ("Image 12", 0),
        ("untitled-1-final", 0),
        ("A well-known brush", 4),
        ("DSC01234", 0),
        ("photo of a smooth edge", 5),
        ("Bild", 0),
    ],
)
def test_alternative_texts_count_without_names_of_files(alt, words):
    assert markup.alt_words(alt) == words


def test_repeated_key_words_count_and_sentences_do_not():
    assert markup.alt_repetition("cheap wood cheap wood cheap wood") == pytest.approx(4 / 6)
    assert markup.alt_repetition("Sand the edge until it is smooth.") == 0


def test_an_image_without_alternative_text_passes_every_rule_on_it():
    cells = {cell.name: cell for cell in markup.scores(page()) if cell.position == 1}
    assert cells["markup.alt_words"].state == cells["markup.alt_repetition"].state == "not_applicable"
    decision = Decision(page(), FilterConfig(min_words=0), (Rule(score="markup.alt_words", min=3),))
    decision.apply(markup.scores(page()))
    assert [image.position for image in decision.document.images] == [1, 3]


def test_a_rule_drops_the_logo_and_keeps_the_other_image():
    found = page(ref=Ref(file="theme/logo.png"))
    decision = Decision(found, FilterConfig(min_words=0), (Rule(score="markup.decoration", max=0.5),))
    decision.apply(markup.scores(found))
    assert [image.position for image in decision.document.images] == [3]
    assert [(drop.rule, drop.value, drop.threshold) for drop in decision.image_drops] == [
        ("markup.decoration", 1.0, 0.5)
    ]


@given(st.text(), st.text())
def test_any_url_and_alternative_text_have_scores(location, alt):
    cells = markup.scores(page(ref=Ref(url=location or "x"), alt=alt))
    assert len(cells) == 6
    assert all(0 <= cell.value <= 1 for cell in cells if cell.name == "markup.decoration")


@pytest.mark.parametrize("alt", ["a" * 30_000, "a." * 15_000 + "png1"])
def test_a_long_word_takes_linear_time(alt):
    started = time.process_time()
    markup.alt_words(alt)
    assert time.process_time() - started < 0.5  # 2.6 s before
