"""The markup of lists: the text of a segment of kind list is Markdown, which only the readers write.

It follows CommonMark (https://spec.commonmark.org/0.31.2/#list-items). A marker is `- ` or `N. `. The other
lines of an item, its sub-lists included, are indented by the width of its marker. A blank line separates the
paragraphs of an item; <br> is a line break. `start`, `value` and `reversed` number items as in browsers.
Numbering continues after a split of the list. Text after a split inside an item has no marker and keeps its
indentation; a blank line separates it from the next marker, unless that is `- ` or `1. `. If an item begins
with an image, code or a table, its marker is on its next text; a heading takes the marker. An item without
text keeps its number (`2.`), but no bullet is written for it; a list without any text is not written.

Limits: numbers are decimal, whatever `type` says. Numbers below 0, definition lists (a term, its definitions
indented by 2) and two adjacent lists of one kind are written as they are, but CommonMark cannot express them.
Text that looks like markup is not escaped. Code and headings are not indented. Levels below the 32nd are
written as the 32nd.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

MAX_LEVELS = 32
"""Nested lists with an indentation of their own. Without a limit, a hostile page's indentation would be
quadratic in its size."""
INTERRUPTING = ("- ", "1. ")
"""The markers that can follow the text of a paragraph without a blank line; CommonMark reads others as part
of the paragraph."""
_INTEGER = re.compile(r"[ \t\n\f\r]*([+-]?[0-9]{1,9})(?![0-9])")
"""Integers as browsers read them, at most as long as CommonMark's numbers."""
_MARKED = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])(?:[ \t]|$)")


@dataclass(slots=True)
class List:
    """An open list.

    number: of the next item, None for bullets. step: 1, or -1 in a reversed list. items: number of items so
    far. has_text: whether the list has any text, None before the first check. Of the current item: marker,
    empty once it is written; width: columns by which its other lines are indented; fresh: whether it has no
    line yet; gap: whether a blank line is written before its first line; split: number of pieces before the
    image, code or table that it begins with, None if it begins with text.
    """

    node: LexborNode
    number: int | None = None
    step: int = 1
    items: int = 0
    marker: str = ""
    width: int = 0
    fresh: bool = False
    gap: bool = False
    split: int | None = None
    has_text: bool | None = None

    def begin_item(self, node: LexborNode, tag: str, after_list: bool) -> None:
        """Begin an item. after_list: whether a list ended directly before it.

        A blank line precedes the first item of a list that follows another list, and an item whose marker
        CommonMark would read as text of the paragraph before it.
        """
        self.fresh, self.split = True, None
        self.items += 1
        if tag != "li":
            self.marker, self.width = "", 2 if tag == "dd" else 0
        elif self.number is None:
            self.marker, self.width = "- ", 2
        else:
            number = _integer(node, "value", self.number)
            self.marker, self.number = f"{number}. ", number + self.step
            self.width = len(self.marker)
        self.gap = self.items == 1 and (after_list or self.marker not in INTERRUPTING)

    def keeps_number(self) -> bool:
        """Whether the current item, if it has no text, is written as its number."""
        if not self.marker or self.number is None:
            return False
        if self.has_text is None:
            self.has_text = bool(self.node.text(strip=True))
        return self.has_text

    def prefix(self) -> str:
        """The beginning of a line of the current item: its marker on the first line, else spaces."""
        found, self.marker, self.fresh = self.marker or " " * self.width, "", False
        return found


def list_of(node: LexborNode, tag: str) -> List:
    """Open a list with the number of its first item. A reversed list counts down to 1."""
    if tag != "ol":
        return List(node)
    if "reversed" not in node.attributes:
        return List(node, _integer(node, "start", 1))
    return List(node, _integer(node, "start", sum(child.tag == "li" for child in node.iter())), -1)


def _integer(node: LexborNode, name: str, default: int) -> int:
    found = _INTEGER.match(node.attributes.get(name) or "")
    return int(found[1]) if found else default


def marked(text: str, one_item: bool) -> str:
    """Text of a table's column, with a bullet for each item. one_item: whether it is one item; else each line
    is one.

    Text with a line that begins with a marker is unchanged, because its source already has the markup.
    """
    rows = text.split("\n")
    if any(map(_MARKED.match, rows)):
        return text
    if one_item:
        return "- " + "\n".join([rows[0].lstrip(), *(f"  {row}" if row else "" for row in rows[1:])])
    return "\n".join(f"- {row.lstrip()}" for row in rows if row)
