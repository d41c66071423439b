"""What rules and questions do with clean documents of nine script groups, which were written without a look
at the rules, and with spam in them."""

from __future__ import annotations

from collections import Counter

import pytest
from corpora import reading

from leafinstruct.filter.judging import rules
from leafinstruct.filter.scores import text
from leafinstruct.recipe.templates import packaged, read_questions
from leafinstruct.records.document import Text
from leafinstruct.records.text.language import with_language
from leafinstruct.rewrite import tasks
from leafinstruct.rewrite.config import RewriteConfig
from leafinstruct.rewrite.prompt import by_templates
from leafinstruct.rewrite.worded import tasks_in

BOUNDS = {
    "text.links": 2,
    "text.capitals": 0.25,
    "text.exclamations": 5,
    "text.repetition": 0.5,
    "text.symbols": 0.1,
}
"""The narrowest of the recipes in pipelines/, and of the rule-based judge."""


@pytest.mark.parametrize("group", reading.GROUPS)
def test_clean_documents_pass_every_bound_on_text(group):
    for document in reading.documents(group):
        values = {cell.name: cell.value for cell in text.scores(document)}
        assert all((values[name] or 0) <= bound for name, bound in BOUNDS.items()), (document.id, values)
        assert values["text.words"] >= 50, document.id


@pytest.mark.parametrize("group", reading.GROUPS)
def test_clean_documents_are_sound_and_in_order(group):
    found = {document.id: rules.by_rules(document) for document in reading.documents(group)}
    assert {
        name: answer["text_quality"] for name, answer in found.items() if answer["text_quality"]["score"] < 5
    } == {}
    assert {
        name: answer["narrative_coherence"]
        for name, answer in found.items()
        if answer["narrative_coherence"]["score"] < 4
    } == {}


@pytest.mark.parametrize(
    "record", reading.records("spam"), ids=lambda record: f"{record['id']}-{record['defect']}"
)
def test_spam_exceeds_the_bound_on_its_defect_in_every_script(record):
    values = {cell.name: cell.value for cell in text.scores(reading.document(record, "spam"))}
    name = f"text.{record['defect']}"
    assert values[name] > BOUNDS[name], values


@pytest.mark.parametrize("group", reading.GROUPS)
def test_the_language_of_each_document_is_found(group):
    wrong = Counter[tuple[str, str | None]]()
    for record, document in zip(reading.records(group), reading.documents(group), strict=True):
        found = with_language(document).language
        wrong.update([(record["language"], found)] if found != record["language"] else [])
    assert not wrong


@pytest.mark.parametrize("group", reading.GROUPS)
def test_a_question_in_a_language_without_a_file_has_the_documents_words_alone(group):
    """And a document in English still gets an English question."""
    files, config = {"en": read_questions(packaged("questions") / "en.yaml")}, RewriteConfig()
    asked = Counter[str]()
    for document in map(with_language, reading.documents(group)):
        known = tasks_in(document.language, config.tasks, files)
        task = tasks.choose(document, known, tasks.Facts(), document.id)
        assert task is not None, (document.id, [known.family.name for known in known])
        instruction = by_templates(document, task)["instruction"]
        own = [
            document.title,
            *(segment.text.strip() for segment in document.segments if isinstance(segment, Text)),
        ]
        asked["own words" if instruction in own else "added words"] += 1
        assert (instruction in own) == (document.language != "en"), instruction
    assert asked["own words"] >= 54
