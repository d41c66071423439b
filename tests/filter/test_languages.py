"""The rule `languages` and the score of confidence: judged first, from what ingest found, on the document
alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from making import document

from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision, Drop
from leafinstruct.filter.score import PASSES
from leafinstruct.filter.scores import text
from leafinstruct.filter.scores.text import scores
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell

GERMAN = document("Gib das Mehl in eine große Schüssel und drücke in der Mitte eine Mulde hinein.", "!a")
WITHOUT = document("12 34 56", "!a")


def judged(page: Document, *rules: Rule, **config: object) -> list[Drop]:
    decision = Decision(page, FilterConfig(**{"min_words": 1, **config}), rules)  # type: ignore[arg-type]
    decision.apply([*text.languages(page), *scores(page)])
    return decision.drops


def test_a_document_of_a_listed_language_stays():
    assert judged(GERMAN, languages=["de"]) == judged(GERMAN, languages=["en", "de"]) == judged(GERMAN) == []


def test_a_document_of_another_language_is_dropped_and_the_drop_names_it():
    detail = "the document's language is German (de), and the recipe keeps English (en), French (fr)"
    assert judged(GERMAN, languages=["fr", "en"]) == [Drop("languages", None, None, "ok", None, detail)]


def test_an_undetermined_document_is_dropped_only_where_languages_are_listed():
    (drop,) = judged(WITHOUT, languages=["en"])
    assert (drop.rule, drop.detail) == (
        "languages",
        "the document's language is undetermined, and the recipe keeps English (en)",
    )
    assert judged(WITHOUT) == []


def test_the_language_is_the_first_reason_before_rules_and_minima():
    drops = judged(GERMAN, Rule(score="text.words", min=99), languages=["en"], min_words=50)
    assert [drop.rule for drop in drops] == ["languages", "text.words"]


def test_confidence_is_a_score_of_the_cheapest_pass():
    declared = SCORES["document.language_confidence"]
    assert (declared.family, declared.level, PASSES[declared.turn]) == ("document", "document", "text")
    assert declared.turn == 0
    assert text.languages(GERMAN)[0] == Cell("document.language_confidence", 0.98)
    assert text.languages(WITHOUT)[0] == Cell(
        "document.language_confidence", None, "not_scored", detail="the language is undetermined"
    )


def test_a_rule_over_confidence_drops_mixed_pages_and_undetermined_ones():
    rule = Rule(score="document.language_confidence", min=0.8)
    assert judged(GERMAN, rule) == []
    mixed = replace(GERMAN, language_confidence=0.56)
    assert judged(mixed, rule) == [Drop("document.language_confidence", 0.56, 0.8, "ok")]
    (drop,) = judged(WITHOUT, rule)
    assert (drop.value, drop.state, drop.detail) == (None, "not_scored", "the language is undetermined")


@pytest.mark.parametrize("written", [["en", "de"], ("de", "en", "de")])
def test_the_order_of_languages_and_repetitions_have_no_effect(written):
    assert FilterConfig(languages=written).languages == ("de", "en")


def test_one_word_is_one_language():
    assert FilterConfig(languages="en").languages == ("en",)


@pytest.mark.parametrize(
    ("heading", "value"),
    [
        ("# Wie man einen einfachen Kuchen aus Mehl und Zucker backt", 0),
        ("# How to bake a simple cake with flour and sugar", 1),
        ("# 12", None),
    ],
)
def test_headings_in_another_language_than_the_texts_are_seen(heading, value):
    cell = text.languages(
        replace(document(heading, *(["Gib das Mehl in eine große Schüssel."] * 3)), title=None)
    )[1]
    assert (cell.name, cell.value) == ("document.heading_language", value)
    assert (cell.state == "not_applicable") == (value is None)
