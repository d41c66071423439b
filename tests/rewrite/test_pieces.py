"""Long documents in pieces, cut at headings or between steps."""

from __future__ import annotations

import time
from dataclasses import replace

from making import document

from leafinstruct.ingest.page.assemble import assemble
from leafinstruct.ingest.page.page import parse
from leafinstruct.records.document import Document, ImageRef, Provenance, Ref
from leafinstruct.records.text import owners
from leafinstruct.rewrite.steps import fits, pieces


def locate(sources: tuple[str, ...]) -> tuple[Ref, str | None]:
    return Ref(file=sources[0]), None


LONG = (
    *(
        "# Radios",
        "All about radios.",
        "# Range",
        "It is long.",
        "!a",
        "# Power",
        "It is low.",
        "!b",
        "And more.",
        "!c",
    ),
    *("# Price", "It is fair.", "!d"),
)


def test_a_long_document_becomes_pieces_cut_at_its_headings():
    found = pieces(document(*LONG), None, 2)
    assert [[segment.position for segment in piece.document.segments] for piece in found] == [
        [0, 1, 2, 3, 4],
        [6, 7, 8, 9],
        [11, 12],
    ]
    assert [piece.title for piece in found] == ["Radios", "Radios: Power", "Radios: Price"]
    assert [[image.position for image in piece.document.images] for piece in found] == [[4], [7, 9], [12]]


def test_a_section_above_the_bounds_is_cut_between_its_steps():
    found = pieces(
        document("# T", "One one one.", "!a", "Two two two.", "!b", "Three three three.", "!c"), 4, None
    )
    assert [[segment.position for segment in piece.document.segments] for piece in found] == [
        [0, 1, 2],
        [3, 4],
        [5, 6],
    ]


def test_no_piece_is_above_the_bounds_in_scripts_without_spaces():
    """The words of texts do not add up there: each text rounds down."""
    page = document(
        "# 番茄", *(part for at in range(9) for part in (f"# 第{at}", "炒蛋好吃再来。", f"!{at}"))
    )
    for bound in range(8, 30):
        assert all(fits(piece.document.segments, bound, None) for piece in pieces(page, bound, None))


def test_ten_thousand_segments_are_cut_in_seconds():
    page = document("# T", *(part for at in range(5_000) for part in (f"Step {at} of it.", f"!{at}")))
    headings = document(*["# A heading"] * 10_000, "!a")
    started = time.process_time()
    assert sum(len(piece.document.images) for piece in pieces(page, 100_000, 4_000)) == 5_000
    assert pieces(headings, 5, 1)
    assert time.process_time() - started < 8


def test_a_document_within_the_bounds_is_one_piece():
    page = document(*LONG)
    assert [piece.document for piece in pieces(page, 100, 10)] == [page]
    assert [piece.document for piece in pieces(page, None, None)] == [page]


def test_pieces_are_never_cut_between_an_image_and_its_owner():
    """Cards whose image is above its heading, so the heading is no border between cards."""
    cards = "".join(
        (
            f"<div><img src={name}.png alt='{name}'><h3>Fruit {name}</h3><p>The {name} is a fruit that "
            f"grows on trees. {'It is sweet. ' * 9}</p></div>"
        )
        for name in ("apple", "pear", "plum", "fig")
    )
    taken = parse(
        f"<html><body><main><h1>Four fruits</h1><p>All about them.</p>{cards}</main></body></html>".encode()
    )
    page = next(
        item
        for item in assemble(taken, "s", Provenance("a.html"), None, None, locate)
        if isinstance(item, Document)
    )
    page = owners.infer(page)
    assert [image.owner_found for image in page.images] == ["inferred"] * 4
    found = pieces(page, 60, None)
    assert len(found) == 4
    for piece in found:
        texts = {text.position for text in piece.document.texts}
        assert all(image.owner in texts for image in piece.document.images)
        assert len(piece.document.images) == 1


def test_no_piece_ends_beside_an_image_whose_owner_is_unknown():
    page = document(
        "# T",
        "One word is here.",
        "!a",
        "# Next",
        "Two words are here.",
        "!b",
        "# Last",
        "Three words are here.",
    )
    unknown = replace(
        page,
        segments=tuple(
            replace(item, owner=None, owner_found="unknown") if isinstance(item, ImageRef) else item
            for item in page.segments
        ),
    )
    assert len(pieces(page, 5, None)) == 3
    assert len(pieces(unknown, 5, None)) == 1
