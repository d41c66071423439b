"""Re-assignment of images to texts by the alignment matrix: owners change, places do not, never silently."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document, mmc4, recipe

from leafinstruct.errors import RecipeError
from leafinstruct.filter.scores.alignment import changes_of_owners, reassigned
from leafinstruct.recipe import load as recipes
from leafinstruct.records.document import Document, ImageRef, OwnerFound
from leafinstruct.records.rows import EmbeddingRow

PAGE = ("!cat", "A blue bird sings.", "!bird", "A red cat sleeps.")


def rows(page: Document, matrix: dict[int, list[float]]) -> dict[int, EmbeddingRow]:
    """matrix: position of an image -> cosines with all texts in their order."""
    texts = [text.position for text in page.texts]
    return {
        at: EmbeddingRow(page.id, at, "", "", [], texts, row, [0.0] * len(row)) for at, row in matrix.items()
    }


def owned(page: Document, owners: dict[int, int | None], found: OwnerFound = "stated") -> Document:
    segments = (
        replace(one, owner=owners[one.position], owner_found=found if owners[one.position] else "unknown")
        if isinstance(one, ImageRef) and one.position in owners
        else one
        for one in page.segments
    )
    return replace(page, segments=tuple(segments))


def owners_of(page: Document) -> list[tuple[int | None, str]]:
    return [(image.owner, image.owner_found) for image in page.images]


SWAPPED = {0: [0.05, 0.31], 2: [0.29, 0.06]}


def test_swapped_images_get_their_texts_and_keep_their_places():
    page = owned(document(*PAGE), {0: 1, 2: 3}, "inferred")
    found = reassigned(page, rows(page, SWAPPED), stated=False)
    assert owners_of(found) == [(3, "matched"), (1, "matched")]
    assert [segment.position for segment in found.segments] == [0, 1, 2, 3]
    assert changes_of_owners(page, found.images) == [
        "alignment.reassign: [0] belongs to [3] by the matrix, before to [1], inferred",
        "alignment.reassign: [2] belongs to [1] by the matrix, before to [3], inferred",
    ]


def test_stated_owners_are_only_replaced_on_request():
    page = owned(document(*PAGE), {0: 1, 2: 3})
    assert reassigned(page, rows(page, SWAPPED), stated=False) == page
    assert owners_of(reassigned(page, rows(page, SWAPPED), stated=True)) == [(3, "matched"), (1, "matched")]


def test_the_text_of_a_stated_owner_is_given_to_no_other_image():
    page = owned(document(*PAGE), {0: 1, 2: None})
    found = reassigned(page, rows(page, {0: [0.1, 0.1], 2: [0.4, 0.1]}), stated=False)
    assert owners_of(found) == [(1, "stated"), (3, "matched")]
    assert changes_of_owners(page, found.images) == [
        "alignment.reassign: [2] belongs to [3] by the matrix, its owner was unknown"
    ]


def test_an_owner_that_the_matrix_confirms_keeps_how_it_was_found():
    page = owned(document(*PAGE), {0: 3, 2: 1})
    assert reassigned(page, rows(page, SWAPPED), stated=True) == page


def test_equal_sums_change_nothing():
    """The same file twice: any assignment has the same sum."""
    page = owned(document(*PAGE), {0: 3, 2: 1}, "inferred")
    assert reassigned(page, rows(page, {0: [0.2, 0.3], 2: [0.2, 0.3]}), stated=False) == page


def test_more_images_than_texts_leave_the_others_their_owners():
    page = owned(document("!a", "One text alone.", "!b"), {0: 1, 2: 1})
    found = reassigned(page, rows(page, {0: [0.1], 2: [0.3]}), stated=True)
    assert owners_of(found) == [(1, "stated"), (1, "stated")]


def test_headings_get_no_image_and_captions_keep_theirs():
    page = document("# A blue bird", "!cat", "> A blue bird.", "A red cat sleeps.", "!bird", "A bird sings.")
    assert owners_of(page)[0] == (2, "stated")
    cosines = {1: [0.9, 0.1, 0.2, 0.8], 4: [0.9, 0.9, 0.7, 0.1]}
    found = reassigned(owned(page, {4: 5}, "inferred"), rows(page, cosines), stated=True)
    assert owners_of(found) == [(2, "stated"), (3, "matched")]


def test_an_image_without_cosines_keeps_its_owner():
    page = owned(document(*PAGE), {0: 1, 2: 3})
    failed = {**rows(page, SWAPPED), 0: EmbeddingRow(page.id, 0, "", "", [], [], [], [], "out of memory")}
    assert owners_of(reassigned(page, failed, stated=True)) == [(1, "stated"), (1, "matched")]


@given(st.lists(st.lists(st.integers(-99, 99), min_size=4, max_size=4), min_size=3, max_size=3))
def test_no_other_assignment_has_a_larger_sum(matrix):
    page = document("!a", "First text.", "!b", "Second text.", "!c", "Third text.", "Fourth text.")
    cosines = {2 * at: [value / 100 for value in row] for at, row in enumerate(matrix)}
    found = reassigned(page, rows(page, cosines), stated=True)
    texts = [text.position for text in page.texts]
    columns = [texts.index(image.owner) for image in found.images]
    assert len(set(columns)) == 3
    best = max(sum(map(list.__getitem__, matrix, some)) for some in permutations(range(4), 3))
    assert sum(map(list.__getitem__, matrix, columns)) == best


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        ({"reassign": {}}, r"reassign compares images with texts; set alignment\.model"),
        (
            {"model": "ViT-B/32", "reassign": {"sources": ["owm"]}},
            r"reassign\.sources: there is no source 'owm'; did you mean 'own'\?",
        ),
        (
            {"model": "leaf:tiny-clip-1", "allow_toy": True, "reassign": {}},
            "leaf:tiny-clip-1 knows only Sketchbook and would assign the images of own at random",
        ),
        ({"model": "ViT-B/32", "reassign": {"sources": []}}, "sources"),
        ({"model": "ViT-B/32", "reassign": True}, "reassign"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, alignment: dict, message: str):
    mmc4(tmp_path / "data", {"https://a.example/1": [("A text.", None)]})
    sources = [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]
    with pytest.raises(RecipeError, match=message):
        recipes.load(recipe(tmp_path, ingest={"sources": sources}, filter={"alignment": alignment}))
