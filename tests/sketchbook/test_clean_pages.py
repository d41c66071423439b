"""Clean pages: in their script, long enough, with images that decode, and no two alike."""

from __future__ import annotations

import io
from collections import Counter

import pytest
import regex
from PIL import Image

from leafinstruct.records.text.language import identify
from leafinstruct.records.text.words import words_of
from leafinstruct.sketchbook.clean.pages import CASES, MANY, clean_page, script_of
from leafinstruct.sketchbook.clean.sentences import languages as written
from leafinstruct.sketchbook.documents.blocks import DrawnImage, Paragraph

SCRIPTS = {
    **{"Latin": r"\p{Latin}", "Cyrillic": r"\p{Cyrillic}", "Greek": r"\p{Greek}", "Hebrew": r"\p{Hebrew}"},
    **{"Arabic": r"\p{Arabic}", "Devanagari": r"\p{Devanagari}", "Thai": r"\p{Thai}", "Han": r"\p{Han}"},
    **{"Kana": r"[\p{Hiragana}\p{Katakana}\p{Han}]", "Hangul": r"\p{Hangul}"},
}
PAIRS = [(case.name, language) for case in CASES.values() for language in case.languages]


def prose(blocks) -> str:
    return "\n".join(block.text for block in blocks if isinstance(block, Paragraph) and block.kind != "code")


@pytest.mark.parametrize(("case", "language"), PAIRS)
def test_a_page_is_in_its_script_and_its_images_decode(case, language):
    blocks = clean_page(case, language, seed=1, number=0)
    text = prose(blocks)
    letters = regex.findall(r"[\p{L}\p{M}]", text)
    own = regex.findall(SCRIPTS[script_of(language)], text)
    assert len(own) / len(letters) > (0.8 if case != "numbers" else 0.7)
    assert "{" not in text
    images = [block for block in blocks if isinstance(block, DrawnImage)]
    assert len({image.name for image in images}) == len(images) >= 2
    assert all(Image.open(io.BytesIO(image.data)).size == (160, 160) for image in images)
    assert len({image.data for image in images}) == len(images)
    assert blocks == clean_page(case, language, seed=1, number=0)


def test_there_are_twelve_languages_and_ten_groups_of_scripts():
    assert len(written()) >= 12
    assert {script_of(language) for language in written()} == set(SCRIPTS)


def test_cases_are_what_they_are_called():
    assert sum(isinstance(b, DrawnImage) for b in clean_page("many_images", "el", 1, 0)) == MANY == 20
    assert sum(isinstance(b, Paragraph) and b.kind == "code" for b in clean_page("code", "he", 1, 0)) == 4
    assert len(clean_page("short_steps", "th", 1, 0)) == 7
    words = len(words_of(prose(clean_page("references", "en", 1, 0))))
    assert 90 <= words <= 150
    assert sum(letter.isdigit() for letter in prose(clean_page("numbers", "hi", 1, 0))) > 15


@pytest.mark.parametrize("language", sorted(written()))
def test_pages_of_a_language_share_hardly_a_paragraph(language):
    pages = [clean_page("prose", language, 2, number) for number in range(20)]
    paragraphs = Counter(block.text for page in pages for block in page[1:] if isinstance(block, Paragraph))
    assert max(paragraphs.values()) <= 2


@pytest.mark.parametrize("language", sorted(written()))
def test_the_language_is_recognized(language):
    found, share = identify([prose(clean_page("prose", language, 3, 0))])
    assert found == language
    assert share is not None
    assert share > 0.9
