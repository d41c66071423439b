"""Gather text into lines and lines into blocks, for the walk over a page's nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.lists import INTERRUPTING, MAX_LEVELS, List
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.page.sources import PageImage
from leafinstruct.records.document import TextKind

FLOWING = frozenset[TextKind]({"heading", "caption", "table"})
"""Kinds in which the border of a block is a space: a cell, a title or a caption is one line, whatever
elements it has."""


class Block(NamedTuple):
    """A run of clean text, never empty. A tuple, because a page has dozens and a frozen dataclass takes three
    times as long to create."""

    text: str
    kind: TextKind


@dataclass(slots=True)
class Writer:
    """Gathers text into lines, lines into blocks.

    kinds: of the open blocks, innermost last. lists: the open lists of a block of kind list. deeper: open
    lists below the deepest level. first: number of pieces before that block. gap: whether a blank line is
    written before the next line if that line continues an item. gap_before_list: the same if it begins a
    list. continues: whether the block has only lines without a marker so far, after a split. in_cell: the
    open lists of a cell or caption. cells: of the open row so far.
    """

    pieces: list[Block | PageImage] = field(default_factory=list)
    kinds: list[TextKind] = field(default_factory=lambda: ["prose"])
    lists: list[List] = field(default_factory=list)
    deeper: int = 0
    first: int = 0
    gap: bool = False
    gap_before_list: bool = False
    continues: bool = False
    in_cell: list[List] = field(default_factory=list)
    cells: int = 0
    line: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def end_line(self) -> None:
        if not self.line:
            return
        written = "".join(self.line)
        self.line.clear()
        if written.isspace():  # most lines: the line breaks between elements
            return
        text, kind = one_line(written), self.kinds[-1]
        if kind == "table":
            text = text.rstrip(" |")
        if not text:
            return
        if kind == "list":
            self._add_line(text)
        elif kind == "heading" and any(items.marker for items in self.lists):
            self.done.append(self._prefix() + text)  # a heading that begins an item has its marker
        else:
            self.done.append(text)

    def end_block(self) -> None:
        if self.line:
            self.end_line()
        if self.done:
            self.pieces.append(Block("\n".join(self.done), self.kinds[-1]))
            self.done.clear()

    def border(self) -> None:
        """Write the border of a block element, which is weaker inside a cell, a title or a list item."""
        kind = self.kinds[-1]
        if kind == "list":
            self.end_line()
            self.gap = True
        elif kind in FLOWING:
            self.line.append(" ")
        elif self.line or self.done:
            self.end_block()

    def open(self, kind: TextKind) -> None:
        self.end_block()
        if kind == "list":
            self.first = len(self.pieces)
        elif kind != "heading":
            self._split()
        self.kinds.append(kind)

    def close(self) -> None:
        self.end_block()
        self.kinds.pop()

    def add(self, piece: Block | PageImage) -> None:
        self.end_block()
        self._split()
        self.cells = 0
        self.pieces.append(piece)

    def is_image_last(self) -> bool:
        return bool(self.pieces) and isinstance(self.pieces[-1], PageImage)

    def after_image(self) -> bool:
        return self.is_image_last() and not self.done and not "".join(self.line).strip()

    def begin_list(self, items: List) -> None:
        if len(self.lists) == MAX_LEVELS:
            self.deeper += 1
        else:
            self.lists.append(items)

    def end_list(self) -> None:
        self.end_line()
        if self.deeper:
            self.deeper -= 1
            return
        self.lists.pop()
        self.gap = self.gap_before_list = True

    def begin_item(self, node: LexborNode, tag: str) -> None:
        self.lists[-1].begin_item(node, tag, self.gap_before_list)
        self.gap_before_list = False

    def end_item(self) -> None:
        """End an item. An item without text keeps its number, before its image if it has one."""
        items = self.lists[-1]
        if items.keeps_number():
            # CommonMark: an empty item cannot follow a paragraph without a blank line
            items.gap = items.items == 1
            if items.split is None:
                self._add_line("")
            else:
                self._insert(items.split, "\n\n" if self._is_apart() else "\n", self._prefix().rstrip())
        items.marker, items.fresh = "", False

    def _add_line(self, text: str) -> None:
        marker = ""
        for items in self.lists:
            if items.marker:
                marker = items.marker
                break
        if self.done and (self._is_apart() or (self.continues and marker not in ("", *INTERRUPTING))):
            self.done.append("")
        self.continues = not marker and (self.continues or not self.done)
        self.gap = self.gap_before_list = False
        self.done.append((self._prefix() + text).rstrip())

    def _is_apart(self) -> bool:
        """Whether a blank line is needed before the next line, according to the outermost item that begins
        with it, if any."""
        for items in self.lists:
            if items.fresh:
                return items.gap
        return self.gap

    def _prefix(self) -> str:
        return "".join([items.prefix() for items in self.lists])

    def _insert(self, at: int, gap: str, line: str) -> None:
        """Insert a line of the open list before piece number `at`: into the block of this list that ends
        there, if there is one."""
        before = self.pieces[at - 1] if at > self.first else None
        if isinstance(before, Block) and before.kind == "list":
            self.pieces[at - 1] = Block(f"{before.text}{gap}{line}", "list")
        else:
            self.pieces.insert(at, Block(line, "list"))

    def _split(self) -> None:
        """Record for each item without text so far that it begins with the next piece."""
        for items in self.lists:
            if items.marker and items.split is None:
                items.split = len(self.pieces)
