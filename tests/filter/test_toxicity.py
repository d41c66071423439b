"""Toxic words per 100 words, by language."""

from dataclasses import replace

import pytest
from making import document

from leafinstruct.filter.scores.toxicity import WORDS, scores


def score(text: str, language: str | None) -> float | None:
    (cell,) = scores(replace(document(text, "!a"), language=language))
    return cell.value


def test_words_are_counted_per_hundred_in_the_language_and_in_english():
    assert score("Fold the paper, you fucking idiot, " + "and cut " * 47, "en") == 2.0
    assert score("FUCKING " + "schönes " * 49, "de") == 2.0
    assert score("Scheiße " + "nice " * 49, "en") == 0.0
    assert score("fuckingham palace, Scunthorpe, shitake", "en") == 0.0
    assert score("idiot paper", None) == 50.0


@pytest.mark.parametrize("language", WORDS)
def test_every_word_of_the_list_is_found(language):
    for word in WORDS[language].split():
        assert (score(word, language) or 0) > 0, word


def test_a_language_without_a_list_and_a_page_without_words_have_no_value():
    (cell,) = scores(replace(document("katt hund", "!a"), language="sv"))
    assert (cell.value, cell.state) == (None, "not_applicable")
    assert cell.detail == "there is no list of words for the language sv"
    (cell,) = scores(replace(document("!a"), language=None))
    assert (cell.value, cell.state) == (None, "not_scored")


def test_real_pages_are_clean(real):
    import leafinstruct

    for name in ("html", "web.warc.gz", "mmc4", "obelics"):
        for page in leafinstruct.read(str(real / name)):
            assert [cell.value or 0.0 for cell in scores(page)] == [0.0]
