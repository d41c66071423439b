"""How well extraction does on a page whose words and images are known."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from difflib import SequenceMatcher

from leafinstruct.ingest.page.page import PageError, parse
from leafinstruct.ingest.page.sources import PageImage

_MARK = re.compile(r"(?m)^\s*(?:- |\d+\. )")


@dataclass(frozen=True)
class Extract:
    """What was kept of a page: its text, and the addresses of its images in order."""

    text: str
    images: tuple[str, ...]


def words(text: str) -> Counter[str]:
    """Words without markers of lists, tables and Markdown; m² is m2."""
    return Counter(re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()))


def ours(data: bytes) -> Extract:
    """What leafinstruct keeps; nothing of a page that it refuses."""
    try:
        pieces = parse(data).pieces
    except PageError:
        return Extract("", ())
    texts = [
        _MARK.sub("", piece.text) if piece.kind == "list" else piece.text
        for piece in pieces
        if not isinstance(piece, PageImage)
    ]
    return Extract(
        "\n".join(texts),
        tuple(piece.sources[0] for piece in pieces if isinstance(piece, PageImage) and piece.sources),
    )


@dataclass(frozen=True)
class Score:
    """Sums over pages: words and images that were kept and are wanted (both), kept, wanted; and images of
    both in their order."""

    both: int = 0
    kept: int = 0
    wanted: int = 0
    images_both: int = 0
    images_kept: int = 0
    images_wanted: int = 0
    in_order: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def row(self) -> tuple[float, float, float, float, float]:
        """Precision and recall of words, then of images; share of the kept and wanted images that stand in
        order. 1 where there is none."""
        return (
            _share(self.both, self.kept),
            _share(self.both, self.wanted),
            _share(self.images_both, self.images_kept),
            _share(self.images_both, self.images_wanted),
            _share(self.in_order, self.images_both),
        )


def score(found: Extract, text: str, images: Sequence[str]) -> Score:
    """Compare what was kept of one page with its text and images."""
    mine, true = words(found.text), words(text)
    both = (Counter(found.images) & Counter(images)).total()
    blocks = SequenceMatcher(None, found.images, images, autojunk=False).get_matching_blocks()
    return Score(
        (mine & true).total(),
        mine.total(),
        true.total(),
        both,
        len(found.images),
        len(images),
        sum(block.size for block in blocks),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
