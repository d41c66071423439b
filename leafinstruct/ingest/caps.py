"""The maximum size of one document, for every reader.

A document is processed whole: as one row, one image matrix, one prompt. One record of a million pieces would
stop a run that a million records do not, so it is rejected with a reason before it is built. The caps are far
above real documents: the longest real pages seen have some 300 pieces, and the longest novels about 3 million
characters. Cutting a record down to the cap was rejected: half a page under the whole page's URL would be
wrong.
"""

from __future__ import annotations

MAX_PIECES = 10_000
MAX_IMAGES = 2_000
MAX_TEXT = 8_000_000
"""Characters."""


def excess(pieces: int, images: int, characters: int) -> tuple[str, str] | None:
    """Return (reason, sentence) when a document is too large: too_many_pieces or too_long; None otherwise.
    pieces: images included."""
    if pieces > MAX_PIECES or images > MAX_IMAGES:
        limit = f"at most {MAX_PIECES:,} and {MAX_IMAGES:,} are read"
        return "too_many_pieces", f"{pieces:,} pieces, {images:,} of them images; {limit}"
    if characters > MAX_TEXT:
        return "too_long", f"{characters:,} characters of text; at most {MAX_TEXT:,} are read"
    return None
