"""Long documents in pieces, cut at headings or between steps."""

from __future__ import annotations

import time

from making import document

from leafinstruct.rewrite.steps import fits, pieces

LONG = (
    *("# Radios", "All about radios.", "# Range", "It is long.", "!a", "# Power", "It is low.", "!b", "And more.", "!c"),
    *("# Price", "It is fair.", "!d"),
)


def test_a_long_document_becomes_pieces_cut_at_its_headings():
    found = pieces(document(*LONG), None, 2)
    assert [[segment.position for segment in piece.document.segments] for piece in found] == [[0, 1, 2, 3, 4], [6, 7, 8, 9], [11, 12]]
    assert [piece.title for piece in found] == ["Radios", "Radios: Power", "Radios: Price"]
    assert [[image.position for image in piece.document.images] for piece in found] == [[4], [7, 9], [12]]


def test_a_section_above_the_bounds_is_cut_between_its_steps():
    found = pieces(document("# T", "One one one.", "!a", "Two two two.", "!b", "Three three three.", "!c"), 4, None)
    assert [[segment.position for segment in piece.document.segments] for piece in found] == [[0, 1, 2], [3, 4], [5, 6]]


def test_no_piece_is_above_the_bounds_in_scripts_without_spaces():
    """The words of texts do not add up there: each text rounds down."""
    page = document("# 番茄", *(part for at in range(9) for part in (f"# 第{at}", "炒蛋好吃再来。", f"!{at}")))
    for bound in range(8, 30):
        assert all(fits(piece.document.segments, bound, None) for piece in pieces(page, bound, None))


def test_ten_thousand_segments_are_cut_in_seconds():
    page = document("# T", *(part for at in range(5_000) for part in (f"Step {at} of it.", f"!{at}")))
    headings = document(*["# A heading"] * 10_000, "!a")
    started = time.perf_counter()
    assert sum(len(piece.document.images) for piece in pieces(page, 100_000, 4_000)) == 5_000
    assert pieces(headings, 5, 1)
    assert time.perf_counter() - started < 8


def test_a_document_within_the_bounds_is_one_piece():
    page = document(*LONG)
    assert [piece.document for piece in pieces(page, 100, 10)] == [page]
    assert [piece.document for piece in pieces(page, None, None)] == [page]
