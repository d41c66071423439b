"""alignment.own is the cosine with the owner's text; alignment.beside the larger one of both sides."""

from __future__ import annotations

from making import document

from leafinstruct.filter.scores.alignment import NO_OWNER, image_cells, with_owners
from leafinstruct.records.document import Document
from leafinstruct.records.rows import EmbeddingRow

TEXT_FIRST = ("# Two animals", "A red cat sleeps.", "!cat", "A blue bird sings.", "!bird")


def rows(page: Document, matrix: dict[int, dict[int, float]]) -> dict[int, EmbeddingRow]:
    return {
        at: EmbeddingRow(page.id, at, "", "", [], list(row), list(row.values()), [0.0] * len(row))
        for at, row in matrix.items()
    }


def values(page: Document, matrix: dict[int, dict[int, float]]) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for cell in image_cells(page, rows(page, matrix), "m"):
        found.setdefault(cell.name, []).append(cell.value)
    return found


def test_images_in_their_places_score_by_their_own_texts():
    page = document(*TEXT_FIRST)
    found = values(page, {2: {0: 0.0, 1: 0.3, 3: 0.05}, 4: {0: 0.0, 1: 0.04, 3: 0.28}})
    assert found["alignment.own"] == [0.3, 0.28]
    assert found["alignment.beside"] == [0.3, 0.28]
    assert found["alignment.margin"] == [0.275, 0.26]  # minus the mean of the other texts


def test_two_swapped_neighbors_no_longer_pass():
    """The first image now shows the bird: the bird's text is beside it, after it, so the larger of both
    sides saw nothing wrong."""
    page = document(*TEXT_FIRST)
    found = values(page, {2: {0: 0.0, 1: 0.04, 3: 0.28}, 4: {0: 0.0, 1: 0.3, 3: 0.05}})
    assert found["alignment.own"] == [0.04, 0.05]
    assert found["alignment.beside"][0] == 0.28


def test_without_an_owner_the_larger_of_both_sides_counts_and_is_reported():
    page = document("# T", "One word.", "!a", "Two words.", "!b", "Three words.")
    assert {image.owner for image in page.images} == {None}
    cells = image_cells(page, rows(page, {2: {1: 0.1, 3: 0.2}, 4: {3: 0.3, 5: 0.1}}), "m")
    own = [(cell.value, cell.detail) for cell in cells if cell.name == "alignment.own"]
    assert own == [(0.2, NO_OWNER), (0.3, NO_OWNER)]


def test_a_sure_matrix_gives_unknown_images_their_owners_before_they_are_scored():
    page = document("# T", "One word.", "!a", "Two words.", "!b", "Three words.")
    matrix = {2: {1: 0.05, 3: 0.3}, 4: {3: 0.04, 5: 0.31}}
    decided = with_owners(page, rows(page, matrix))
    assert [image.owner for image in decided.images] == [3, 5]
    assert values(decided, matrix)["alignment.own"] == [0.3, 0.31]
