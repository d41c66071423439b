"""How much one document may hold, whatever it was read from.

A document travels whole: through one row, one image matrix and one prompt after another. One record of a
million pieces would stop a run that a million records do not, so it is refused as a record, with a reason,
before it is built. The caps lie far above what anybody wrote: the longest real pages seen have some 300
pieces, and the text of the longest novels has about 3 million characters. Cutting such a record down to the
cap was refused, because half a page under a whole page's address is a lie.
"""

from __future__ import annotations

MAX_PIECES = 10_000
MAX_IMAGES = 2_000
MAX_TEXT = 8_000_000
"""Characters."""


def excess(pieces: int, images: int, characters: int) -> tuple[str, str] | None:
    """(reason, sentence) for a document of so many pieces, images among them: too_many_pieces, too_long; None
    when it is of a sound size."""
    if pieces > MAX_PIECES or images > MAX_IMAGES:
        limit = f"at most {MAX_PIECES:,} and {MAX_IMAGES:,} are read"
        return "too_many_pieces", f"{pieces:,} pieces, {images:,} of them images; {limit}"
    if characters > MAX_TEXT:
        return "too_long", f"{characters:,} characters of text; at most {MAX_TEXT:,} are read"
    return None
