"""Turn a tree's nodes into blocks of text and images, in reading order.

One pass with its own stack, since a hostile page is deeper than Python's. Text gathers on a line; a line
ends at <br>, at a list item or a table row; lines gather in a block; a block ends where a paragraph, heading,
image, list or table begins or ends. An image inside a paragraph splits it, because ORDER IS THE DATA.

    list      one block of Markdown (ingest.lists), split only by images, code, tables, captions and headings
              inside
    table     one block, one line per row, cells separated by ` | `; a table that only lays out the page is
              not one. The items of a list in a cell or a caption are on its line, with their markers
    sup, sub  numbers stay raised or lowered (x², H₂O), because 10⁻⁶ is not 10-6; other text is written on the
              line
    code      <pre>, line breaks and indentation kept
    caption   <figcaption>, written after the images of its figure wherever it is in the source; and directly
              after an image, a paragraph of class caption or one that is emphasized as a whole, as Markdown
              writes captions
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.lists import MAX_LEVELS, list_of
from leafinstruct.ingest.fields.text import lines, one_line, word_set
from leafinstruct.ingest.page.blocks import FLOWING, Block, Writer
from leafinstruct.ingest.page.nodes import IMAGE_TAGS, IMAGES
from leafinstruct.ingest.page.sources import PageImage, image
from leafinstruct.records.document import TextKind

__all__ = ["Block", "walk"]

_KINDS: dict[str, TextKind] = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
    "figcaption": "caption",
    "caption": "caption",
}
"""Elements that always open a kind of text."""
_LISTS = word_set("ul ol dl")
_ITEMS = word_set("li dt dd")
_IN_CELL = _LISTS | {"li"}
_BLOCKS = word_set(
    """h1 h2 h3 h4 h5 h6 ul ol dl address article blockquote body caption center dd details div dt fieldset
    figcaption figure footer form header hgroup hr li main p pre section summary table tbody td tfoot th
    thead tr"""
)
_BORDERS_ONLY = _BLOCKS - _KINDS.keys() - _LISTS - {"table"}
"""Elements that end a paragraph of prose and open no kind of text, unless it is a caption."""
_CELLS = frozenset[TextKind]({"table", "caption"})
"""Kinds of one line in which the items of a list keep their markers."""
_LAID_OUT = "h1, h2, h3, h4, h5, h6, pre, figure"
"""Elements that a table of data does not contain; a table with one lays out the page."""
_PERMALINKS = frozenset({"¶", "#", "§", "🔗", "\u200b", ""})
_RAISED = {
    "sup": str.maketrans("0123456789+-\u2212=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾"),
    "sub": str.maketrans("0123456789+-\u2212=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎"),
}
_MAY_BE_WHOLE = IMAGE_TAGS | _RAISED.keys() | {"a", "br"}
"""Elements inside lines that `_is_whole` may write."""
_NUMBER = frozenset("0123456789+-\u2212=()")
"""Characters that Unicode has both raised and lowered."""
_EMPHASIS = frozenset({"em", "i", "small"})
_MAX_CAPTION = 300
"""Maximum characters of an emphasized paragraph after an image that is its caption."""


def walk(roots: Sequence[LexborNode]) -> list[Block | PageImage]:
    """The blocks and images of the nodes, in order."""
    writer = Writer()
    line = writer.line
    # the open elements: children that are still to be walked, tag, and the kind of text that it opened
    opened: list[tuple[Iterator[LexborNode], str, TextKind | None]] = [(iter(roots), "", None)]
    while opened:
        children, around, kind = opened[-1]
        for node in children:
            tag = node.tag or ""
            if tag == "-text":
                text = node.text_content or ""
                if line or not text.isspace():  # half of a page's texts are the space before a line
                    line.append(text)
            elif tag in _BLOCKS:
                if tag != "pre" or not _is_whole(writer, node, tag):
                    inner = _caption_last(node) if tag == "figure" else node.iter(include_text=True)
                    opened.append((inner, tag, _begin(writer, node, tag)))
                    break
            elif tag not in _MAY_BE_WHOLE or not _is_whole(writer, node, tag):
                opened.append((node.iter(include_text=True), tag, None))
                break
        else:
            opened.pop()
            if around in _BLOCKS:
                _end(writer, around, kind)
    writer.end_block()
    return writer.pieces


def _caption_last(figure: LexborNode) -> Iterator[LexborNode]:
    """Children of a figure in the order of the document, with its caption after its images."""
    return iter(sorted(figure.iter(include_text=True), key=lambda child: child.tag == "figcaption"))


def _is_whole(writer: Writer, node: LexborNode, tag: str) -> bool:
    """Write an element that is not walked: an image, a line break, code, a permalink sign (nothing). False
    for all others. tag: pre, or one of _MAY_BE_WHOLE."""
    if tag == "a":
        return node.text().strip() in _PERMALINKS and node.css_first(IMAGES) is None
    if tag in IMAGE_TAGS:
        writer.add(image(node))
    elif tag == "br":
        _break(writer)
    elif tag in _RAISED and (shifted := _shifted(node, tag)):
        writer.line.append(shifted)
    elif tag == "pre" and (written := _code(node)) is not None:
        code = lines(written)
        if code:
            writer.add(Block(code, "code"))
    else:
        return False
    return True


def _shifted(node: LexborNode, tag: str) -> str:
    """Text of a <sup> or <sub> in raised or lowered characters (m², H₂O); empty if one of them does not
    exist: 1<sup>st</sup> is 1st."""
    text = one_line(node.text())
    return text.translate(_RAISED[tag]) if _NUMBER.issuperset(text) else ""


def _begin(writer: Writer, node: LexborNode, tag: str) -> TextKind | None:
    """Begin a block element: open its kind of text, if it has one, else write a border."""
    if tag in _BORDERS_ONLY and writer.kinds[-1] == "prose" and not writer.is_image_last():  # most elements
        if writer.line or writer.done:
            writer.end_block()
        return None
    kind = _kind(writer, node, tag)
    if kind is not None:
        writer.open(kind)
    else:
        writer.border()
    around = writer.kinds[-1]
    if around == "list":
        if tag in _LISTS:
            writer.begin_list(list_of(node, tag))
        elif tag in _ITEMS:
            writer.begin_item(node, tag)
    elif around in _CELLS and tag in _IN_CELL:
        _begin_in_cell(writer, node, tag)
    elif around == "table":
        _begin_in_table(writer, tag)
    return kind


def _kind(writer: Writer, node: LexborNode, tag: str) -> TextKind | None:
    """The kind of text that an element opens, if any."""
    if (own := _KINDS.get(tag)) is not None:
        return own
    if tag in ("p", "div"):
        return "caption" if writer.after_image() and _is_caption(node) else None
    if tag in _LISTS and writer.kinds[-1] == "prose":
        return "list"
    if tag == "table" and _is_data(node):
        return "table"
    return None


def _begin_in_cell(writer: Writer, node: LexborNode, tag: str) -> None:
    """Write the marker of an item on the line of its cell or caption."""
    if tag in _LISTS:
        writer.in_cell.append(list_of(node, tag))
    elif 0 < len(writer.in_cell) <= MAX_LEVELS:
        writer.in_cell[-1].begin_item(node, tag, after_list=False)
        if one_line(node.text()):
            writer.line.append(writer.in_cell[-1].prefix())


def _begin_in_table(writer: Writer, tag: str) -> None:
    if tag == "tr":
        writer.end_line()
        writer.cells = 0
    elif tag in ("td", "th"):
        if writer.cells or "".join(writer.line).strip():
            writer.line.append(" | ")
        writer.cells += 1


def _end(writer: Writer, tag: str, kind: TextKind | None) -> None:
    """End a block element: close the kind that it opened, else write a border. Kinds are balanced, so the
    innermost one is the element's own."""
    around = writer.kinds[-1]
    if around == "prose":
        if writer.line or writer.done:
            writer.end_block()
        return
    if around == "list":
        if tag in _LISTS:
            writer.end_list()
        elif tag in _ITEMS:
            writer.end_line()
            writer.end_item()
    elif around in _CELLS and tag in _LISTS and writer.in_cell:
        writer.in_cell.pop()
    if kind is not None:
        writer.close()
    else:
        writer.border()


def _break(writer: Writer) -> None:
    """End a line at <br>, and a paragraph at two of them, as in pages without <p>."""
    if writer.kinds[-1] in FLOWING:
        writer.line.append(" ")
    elif "".join(writer.line).strip():
        writer.end_line()
    else:
        writer.border()


def _code(node: LexborNode) -> str | None:
    """Text of a <pre> as it is shown; <br> is a line break. None if it has an image."""
    parts: list[str] = []
    for part in node.traverse(include_text=True):
        tag = part.tag
        if tag in IMAGE_TAGS:
            return None
        parts.append("\n" if tag == "br" else part.text_content or "")
    return "".join(parts)


def _is_caption(node: LexborNode) -> bool:
    """Whether a short paragraph has the class caption or is emphasized as a whole."""
    return (
        (_is_named_caption(node) or _is_emphasized(node))
        and len(node.text()) <= _MAX_CAPTION
        and node.css_first(IMAGES) is None
    )


def _is_named_caption(node: LexborNode) -> bool:
    return any(
        name.lower().endswith(("caption", "caption-text"))
        for name in (node.attributes.get("class") or "").split()
    )


def _is_emphasized(node: LexborNode) -> bool:
    """Whether an element contains one emphasized element and no other text."""
    found = 0
    for child in node.iter(include_text=True):
        if child.tag in _EMPHASIS:
            found += 1
        elif child.tag != "-text" or (child.text_content or "").strip():
            return False
    return found == 1


def _is_data(table: LexborNode) -> bool:
    """Whether a table contains data: two cells in some row, and no element that lays out a page."""
    if (
        table.attributes.get("role") == "presentation"
        or table.css_first(_LAID_OUT) is not None
        or len(table.css("table")) > 1
    ):
        return False
    return table.css_first("td + td, td + th, th + td, th + th") is not None
