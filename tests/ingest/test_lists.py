"""Lists: the text of a segment is Markdown that gives back the page's items, numbers, nesting and
paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.test_page import body
from making import build, recipe, rows
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from leafinstruct.ingest.fields.lists import marked
from leafinstruct.ingest.page.page import parse
from leafinstruct.ingest.page.sources import PageImage
from leafinstruct.records import table

# --- one example of each rule
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "segments"),
    [
        ("<ul><li>a<li>b</ul>", ["list: - a\n- b"]),
        ("<ol><li>a<li>b</ol>", ["list: 1. a\n2. b"]),
        ("<ol start=3><li>a<li>b</ol>", ["list: 3. a\n4. b"]),
        ("<ol start='+3.'><li>a</ol>", ["list: 3. a"]),
        ("<ol start=x><li>a</ol>", ["list: 1. a"]),
        ("<ol start=9999999999><li>a</ol>", ["list: 1. a"]),
        ("<ol start=-1><li>a<li>b<li>c</ol>", ["list: -1. a\n0. b\n1. c"]),
        ("<ol><li>a<li value=7>b<li>c</ol>", ["list: 1. a\n7. b\n8. c"]),
        ("<ol reversed><li>a<li>b<li>c</ol>", ["list: 3. a\n2. b\n1. c"]),
        ("<ol reversed start=9><li>a<li>b</ol>", ["list: 9. a\n8. b"]),
        ("<ol type=a><li>a<li>b</ol>", ["list: 1. a\n2. b"]),
    ],
)
def test_markers_and_numbers_are_those_of_a_browser_in_decimal(html, segments):
    assert body(html) == segments


@pytest.mark.parametrize(
    ("html", "segments"),
    [
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", ["list: - a\n  - b\n- c"]),
        ("<ol><li>a<ul><li>b<ol><li>c</ol></ul></ol>", ["list: 1. a\n   - b\n     1. c"]),
        ("<ol start=9><li>a<ul><li>b</ul><li>c<ul><li>d</ul></ol>", ["list: 9. a\n   - b\n10. c\n    - d"]),
        ("<ol><li><ol><li>a<li>b</ol></ol>", ["list: 1. 1. a\n   2. b"]),
        ("<ul><li>a</li><ul><li>b</ul><li>c</ul>", ["list: - a\n  - b\n- c"]),
        ("<ul><li>a<ol start=3><li>b</ol></ul>", ["list: - a\n\n  3. b"]),
        ("<ul><li>a<ul><li>b</ul>c</ul>", ["list: - a\n  - b\n\n  c"]),
    ],
)
def test_sub_lists_are_indented_by_the_width_of_the_marker_above(html, segments):
    assert body(html) == segments


@pytest.mark.parametrize(
    ("html", "segments"),
    [
        ("<ol><li><p>a</p><p>b</p><li>c</ol>", ["list: 1. a\n\n   b\n2. c"]),
        ("<ul><li>a<div>b</div>c</ul>", ["list: - a\n\n  b\n\n  c"]),
        ("<ul><li>a<br>b</ul>", ["list: - a\n  b"]),
        ("<ul><li>a<br><br>b</ul>", ["list: - a\n\n  b"]),
        ("<ul><li>a<blockquote>b</blockquote></ul>", ["list: - a\n\n  b"]),
        ("<ol><li>a</li><p>b</p><li>c</ol>", ["list: 1. a\n\n   b\n2. c"]),
    ],
)
def test_paragraphs_of_an_item_stay_in_it(html, segments):
    assert body(html) == segments


@pytest.mark.parametrize(
    ("html", "segments"),
    [
        ("<ol><li>a<img src=x><li>b</ol>", ["list: 1. a", "<x>", "list: 2. b"]),
        ("<ol><li>a<img src=x>b<li>c</ol>", ["list: 1. a", "<x>", "list:    b\n\n2. c"]),
        ("<ol><li>a</li><img src=x><li>b</ol>", ["list: 1. a", "<x>", "list: 2. b"]),
        ("<ol><li>a<pre>x</pre>b<li>c</ol>", ["list: 1. a", "code: x", "list:    b\n\n2. c"]),
        ("<ol><li>a<h3>b</h3>c<li>d</ol>", ["list: 1. a", "heading: b", "list:    c\n\n2. d"]),
        (
            "<ol><li>a<table><tr><td>1<td>2</table>b<li>c</ol>",
            ["list: 1. a", "table: 1 | 2", "list:    b\n\n2. c"],
        ),
        (
            "<ul><li>a<ol><li>b<img src=x>c<li>d</ol></ul>",
            ["list: - a\n  1. b", "<x>", "list:      c\n\n  2. d"],
        ),
        ("<ul><li>a<img src=x>b<li>c</ul>", ["list: - a", "<x>", "list:   b\n- c"]),
        (
            "<ol><li>a<img src=x>b<br>c<li>d<li>e</ol>",
            ["list: 1. a", "<x>", "list:    b\n   c\n\n2. d\n3. e"],
        ),
        (
            "<ol><li>a<figure><img src=x><figcaption>c</figcaption></figure><li>b</ol>",
            ["list: 1. a", "<x>", "caption: c", "list: 2. b"],
        ),
    ],
)
def test_numbers_continue_and_text_keeps_its_indentation_behind_what_splits_a_list(html, segments):
    assert body(html) == segments


@pytest.mark.parametrize(
    ("html", "segments"),
    [
        ("<ol><li><img src=x>a<li>b</ol>", ["<x>", "list: 1. a\n2. b"]),
        ("<ol><li>a<li><img src=x><li>b</ol>", ["list: 1. a\n2.", "<x>", "list: 3. b"]),
        ("<ol><li><img src=x><li>a</ol>", ["list: 1.", "<x>", "list: 2. a"]),
        (
            "<ol><li><figure><img src=x><figcaption>c</figcaption></figure><li>b</ol>",
            ["list: 1.", "<x>", "caption: c", "list: 2. b"],
        ),
        ("<ol><li><pre>x</pre><li>a</ol>", ["list: 1.", "code: x", "list: 2. a"]),
        ("<ol><li><img src=x><li><img src=y></ol>", ["<x>", "<y>"]),
        ("<ul><li><img src=x><li>a</ul>", ["<x>", "list: - a"]),
        ("<ol><li>a<li><li>b</ol>", ["list: 1. a\n2.\n3. b"]),
        ("<ul><li>a<li><li>b</ul>", ["list: - a\n- b"]),
        ("<ol><li></li><li> </li></ol><p>a", ["prose: a"]),
        ("<ol><li><ol><li><img src=x><li>a</ol></ol>", ["list: 1. 1.", "<x>", "list:    2. a"]),
    ],
)
def test_an_item_without_text_on_its_first_line_keeps_its_number(html, segments):
    assert body(html) == segments


@pytest.mark.parametrize(
    ("html", "segments"),
    [
        ("<ol><li><h3>a</h3><p>b</p></ol>", ["heading: 1. a", "list:    b"]),
        ("<ul><li>a<ol><li><h3>b</h3>c</ol></ul>", ["list: - a", "heading:   1. b", "list:      c"]),
        ("<ol><li>a</ol><ol><li>b</ol>", ["list: 1. a", "list: 1. b"]),
        ("<ul><li>a</ul><ul><li>b</ul>", ["list: - a", "list: - b"]),
        ("<p>a<ol><li>b</ol>c</p>", ["prose: a", "list: 1. b", "prose: c"]),
        ("<blockquote><ol><li>a</ol></blockquote>", ["list: 1. a"]),
        ("<dl><dt>a<dd><p>b<p>c<ul><li>d</ul><dt>e<dd>f</dl>", ["list: a\n  b\n\n  c\n  - d\ne\n  f"]),
        (
            "<table><tr><td>a<td><ol><li>b<li>c</ol><tr><td>d<td><ul><li>e</ul></table>",
            ["table: a | 1. b 2. c\nd | - e"],
        ),
        (
            "<figure><img src=x><figcaption><ol><li>a<li>b</ol></figcaption></figure>",
            ["<x>", "caption: 1. a 2. b"],
        ),
        ("<p>1. a</p><p>- b</p>", ["prose: 1. a", "prose: - b"]),
    ],
)
def test_headings_neighbors_quotations_definitions_and_cells(html, segments):
    assert body(html) == segments


def test_a_list_deeper_than_the_limit_ends_in_time_and_keeps_its_words():
    (text,) = body("<ul><li>a" * 400 + "</ul>" * 400)
    assert text.split().count("a") == 400
    assert max(map(len, text.split("\n"))) < 100


@pytest.mark.parametrize(
    ("text", "one_item", "written"),
    [
        ("2 eggs", True, "- 2 eggs"),
        ("2 eggs\nof a hen", True, "- 2 eggs\n  of a hen"),
        ("2 eggs\n\nof a hen", True, "- 2 eggs\n\n  of a hen"),
        ("2 eggs\nflour", False, "- 2 eggs\n- flour"),
        ("1. mix\n2. bake", False, "1. mix\n2. bake"),
        ("- mix\n  well", True, "- mix\n  well"),
        ("* mix", True, "* mix"),
    ],
)
def test_a_column_read_as_a_list_gets_bullets_unless_it_has_markers(text, one_item, written):
    assert marked(text, one_item) == written


# --- the law
# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """blocks: ("text", words), ("heading", words), ("image",), ("code",) or List; value: the attribute."""

    blocks: tuple[Any, ...]
    value: int | None = None


@dataclass(frozen=True)
class List:
    items: tuple[Item, ...]
    ordered: bool = False
    start: int | None = None
    is_reversed: bool = False

    def numbers(self) -> Iterator[str]:
        number = self.start if self.start is not None else len(self.items) if self.is_reversed else 1
        for item in self.items:
            number = number if item.value is None else item.value
            yield str(number) if self.ordered else ""
            number += -1 if self.is_reversed else 1


words = st.lists(st.text("abcdefgh", min_size=1, max_size=6), min_size=1, max_size=3).map(" ".join)
texts = st.lists(words, min_size=1, max_size=2).map("\n".join)
leaf_blocks = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("heading"), words),
    st.tuples(st.just("image")),
    st.tuples(st.just("code")),
)
values = st.none() | st.integers(50, 10**6)


def has_text(blocks: tuple[Any, ...]) -> bool:
    return any(isinstance(block, List) or block[0] in ("text", "heading") for block in blocks)


@st.composite
def lists(draw: st.DrawFn, depth: int = 3) -> List:
    ordered = draw(st.booleans())
    block = st.one_of(leaf_blocks, leaf_blocks, lists(depth - 1)) if depth else leaf_blocks
    items = [
        item(tuple(blocks), ordered, draw)
        for blocks in draw(st.lists(st.lists(block, max_size=4), min_size=1, max_size=4))
    ]
    if not any(has_text(one.blocks) for one in items):
        items[-1] = Item((*items[-1].blocks, ("text", "last")))
    if not ordered:
        return List(tuple(items))
    return List(tuple(items), True, draw(st.none() | st.integers(40, 10**6)), draw(st.booleans()))


def item(blocks: tuple[Any, ...], ordered: bool, draw: st.DrawFn) -> Item:
    """Within what segments can express: a text after a list and before a heading or a list, and text in every
    item with a bullet."""
    kept: list[Any] = []
    for block in blocks:
        if (isinstance(block, List) or block[0] == "heading") and any(
            isinstance(other, List) for other in kept
        ):
            kept.append(("text", "between"))
        kept.append(block)
    if not ordered and not has_text(tuple(kept)):
        kept.append(("text", "words"))
    return Item(tuple(kept), draw(values) if ordered else None)


def html_of(found: List) -> str:
    inner = "".join(
        f"<li{'' if one.value is None else f' value={one.value}'}>{''.join(map(html_of_block, one.blocks))}</li>"  # noqa: E501
        for one in found.items
    )
    start = "" if found.start is None else f" start={found.start}"
    return (
        f"<ol{start}{' reversed' * found.is_reversed}>{inner}</ol>" if found.ordered else f"<ul>{inner}</ul>"
    )


def html_of_block(block: Any) -> str:
    if isinstance(block, List):
        return html_of(block)
    if block[0] == "text":
        return f"<p>{'<br>'.join(block[1].split(chr(10)))}</p>"
    return {"heading": f"<h3>{block[-1]}</h3>", "image": "<img src=x.png>", "code": "<pre>x = 1\n  y</pre>"}[
        block[0]
    ]


def wanted(found: List) -> Any:
    return [
        (
            number,
            [
                wanted(block) if isinstance(block, List) else block[1]
                for block in one.blocks
                if has_text((block,))
            ],
        )
        for number, one in zip(found.numbers(), found.items, strict=True)
    ]


LINE = re.compile(r" *(?:(?:-|\d+\.)(?: |$))*")


def markdown_of(html: str) -> str:
    """The segments in order; images, code and headings without a marker belong to the item of the last line
    of a list before them."""
    out, indent = "", 0
    for piece in parse(f"<main><p>Start</p>{html}</main>".encode()).pieces:
        kind, text = ("image", "![](x.png)") if isinstance(piece, PageImage) else (piece.kind, piece.text)
        text = f"```\n{text}\n```" if kind == "code" else text
        is_list = kind == "list" or (kind == "heading" and re.match(r" *(?:-|\d+\.) ", text) is not None)
        if not is_list:
            text = "\n".join(" " * indent + line for line in text.split("\n"))
        is_bare = re.search(r"(?:^|[ \n])\d+\.$", out) is not None
        out += ("" if not out else "\n" if is_bare else "\n\n") + text
        if is_list:
            last = LINE.match(text.split("\n")[-1])
            assert last is not None
            indent = len(last[0]) + last[0].endswith(".")
    return out


def tree_of(node: SyntaxTreeNode) -> Any:
    """Items (number, [text or items]) of a list; texts of blocks without images and code."""
    found: list[Any] = []
    for child in node.children:
        if child.type in ("bullet_list", "ordered_list"):
            found.append([(one.info, tree_of(one)) for one in child.children])
        elif child.type == "paragraph" and not any(
            inner.type == "image" for inner in child.children[0].children
        ):
            found.append(child.children[0].content)
    return found


@settings(max_examples=300)
@given(lists())
def test_a_markdown_parser_finds_the_items_of_the_page(found):
    markdown = markdown_of(html_of(found))
    assert tree_of(SyntaxTreeNode(MarkdownIt().parse(markdown))) == ["Start", wanted(found)], markdown


@given(lists())
def test_lines_of_a_list_have_no_space_at_their_ends(found):
    for piece in parse(html_of(found).encode()).pieces:
        if not isinstance(piece, PageImage) and piece.kind != "code":
            assert piece.text == piece.text.strip("\n")
            assert all(line == line.rstrip() for line in piece.text.split("\n"))


# --- real pages
# ----------------------------------------------------------------------------------------------------


def test_no_list_of_a_real_page_is_altered_on_its_way_to_the_shards(real, tmp_path):
    """A guide holds every list of its document, byte for byte."""
    source = {"kind": "html", "name": "pages", "path": str(real / "html")}
    passing = {
        "min_words": 1,
        "min_images": 1,
        "rules": [],
        "alignment": {"allow_toy": True},
        "judge": {"enabled": False},
    }
    path = recipe(tmp_path, ingest={"sources": [source]}, filter=passing)
    build(path)
    lists = {
        page.id: [text.text for text in page.texts if text.kind == "list"]
        for file in (tmp_path / "runs/t/ingest").rglob("documents-*.parquet")
        for page in table.documents(file)
    }
    altered = [
        text
        for row in rows(tmp_path / "runs/t/shard")
        if row["task"] == "guide"
        for text in lists[row["document_id"]]
        if text
        not in [
            part["text"] for turn in row["messages"] for part in turn["content"] if part["type"] == "text"
        ]
    ]
    print(f"{sum(map(len, lists.values()))} lists, altered: {len(altered)}")
    assert sum(map(len, lists.values())) > 50
    assert altered == []
