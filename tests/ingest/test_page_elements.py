"""What is gathered once from a page's tree stays right when parts of the tree are removed."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from leafinstruct.ingest.archive.cdxj import time_of
from leafinstruct.ingest.page.main.names import NAMED
from leafinstruct.ingest.page.nodes import elements, within
from leafinstruct.ingest.page.page import parse
from leafinstruct.ingest.page.walk import Block

TEXT = "Peel the apples, cut them into thin slices and cook them with sugar until they are soft."


def test_an_element_that_matches_several_parts_of_a_query_is_gathered_once():
    tree = LexborHTMLParser("<nav class=a id=b role=navigation hidden></nav><h1 class=c>x</h1><p>y</p>")
    assert tree.body is not None
    assert [tag for _, tag, _ in elements(tree.body, NAMED)] == ["nav", "h1"]


def test_nodes_of_removed_parts_are_not_within_the_tree():
    tree = LexborHTMLParser("<div id=a><h1>1</h1></div><div id=b><p><h1>2</h1></div>")
    assert tree.body is not None
    titles = tree.css("h1")
    tree.css("#a")[0].decompose()
    assert [node.text() for node in within(titles, tree.body)] == ["2"]
    assert [node.tag for node in within([tree.body, *tree.css("head")], tree.body)] == ["body"]


@pytest.mark.parametrize("hidden", ["dialog", "select", "button"])
def test_a_heading_that_is_not_read_is_no_title_of_the_page(hidden):
    """The page's only <h1> is kept, although its box is named boilerplate."""
    page = (
        f"<{hidden}><h1>Sign in</h1></{hidden}><div class=sidebar><h1>Apple strudel</h1></div>"
        f"<p>{TEXT}</p><p>{TEXT}</p>"
    )
    headings = [
        piece.text
        for piece in parse(page.encode()).pieces
        if isinstance(piece, Block) and piece.kind == "heading"
    ]
    assert headings == ["Apple strudel"]


def test_the_main_element_is_the_first_that_is_read():
    """Its box is kept, although it is named boilerplate."""
    page = (
        "<dialog><main>Log in to go on.</main></dialog>"
        f"<div class=related-posts><main>Serve it warm.</main></div><p>{TEXT}</p>"
    )
    texts = [piece.text for piece in parse(page.encode()).pieces if isinstance(piece, Block)]
    assert texts == ["Serve it warm.", TEXT]


@pytest.mark.parametrize(
    ("date", "digits"),
    [
        ("2024-05-06T10:00:01Z", "20240506100001"),
        ("2024-05-06T10:00:01.123456Z", "20240506100001"),
        ("2024-05-06T10:00:01+02:00", "20240506100001"),
        ("20240506100001", "20240506100001"),
        ("٢٠٢٤-05-06T10:00:01Z", "00000000000000"),
        ("2024-05-06", "00000000000000"),
        ("", "00000000000000"),
    ],
)
def test_the_time_of_a_capture_is_the_digits_of_its_date(date, digits):
    assert time_of(date) == digits
