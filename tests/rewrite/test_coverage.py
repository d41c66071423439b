"""How an example covers its document: what each figure counts and what it leaves out."""

from __future__ import annotations

from making import document

from leafinstruct.records.document import Document
from leafinstruct.records.example import Part, Turn
from leafinstruct.rewrite.checks import coverage
from leafinstruct.rewrite.config import EDIT, GUIDE, TaskFamily


def turns(question: str, *response: Part) -> tuple[Turn, Turn]:
    return Turn("user", (question,)), Turn("assistant", response)


def spread(page: Document, family: TaskFamily, *response: Part) -> float | None:
    return coverage.spread(page, family, turns("How?", *response))[0]


def test_a_label_of_one_word_between_two_images_is_not_required():
    page = document("# A boat", "Fold the paper twice.", "!a", "Result", "!b")
    one, other = page.images
    assert spread(page, GUIDE, "Fold it twice.", one, other) == 1.0
    longer = document("# A boat", "Fold the paper twice.", "!a", "The result", "!b")
    assert spread(longer, GUIDE, "Fold it twice.", *longer.images) == 0.5


def test_a_text_that_belongs_to_the_question_is_not_required_in_the_response():
    page = document("# A dot", "Here is an image with a dot:", "!a", "Now make the dot red.", "!b")
    assert spread(page, EDIT, page.images[1]) is None
    followed = document(
        "# A dot", "Here is an image with a dot:", "!a", "Now make the dot red.", "!b", "It is red."
    )
    assert spread(followed, EDIT, followed.images[1]) == 0.0


def test_a_response_that_is_shorter_than_a_run_is_one_run():
    page = document("# A boat", "Fold the paper twice and turn it over.", "!a")
    told = "Say that I must fold the paper."
    assert coverage.leak(page, turns(told, "Fold the paper."))[0] == 1.0
    assert coverage.leak(page, turns(told, "Fold a paper."))[0] == 0.0


def test_a_short_document_may_be_worded_longer():
    page = document("# A boat", "Fold it.", "!a")
    value, _ = coverage.length(page, turns("How?", "word " * 30))
    assert value == 30 / coverage.SHORT
    longer = document("# A boat", "word " * 60, "!a")
    assert coverage.length(longer, turns("How?", "word " * 31))[0] == 0.5
