"""Blocks of a page: paragraphs and images in reading order, without a file format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A run of prose, a heading, a list (an item a line) or code; the first block of a page is its title."""

    text: str
    heading: bool = False
    kind: Literal["prose", "list", "code"] = "prose"


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """An image of a page. name: unique in the page; data: the file, possibly broken; px: the width that the
    page declares; caption: empty for none; height: the height that it declares, None if it equals px."""

    name: str
    data: bytes
    px: int
    alt: str
    caption: str = ""
    height: int | None = None


Block = Paragraph | DrawnImage
Blocks = tuple[Block, ...]
