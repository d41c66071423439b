"""A span: the share of a source that one part reads.

Part names are hashes of files and range, never running numbers: a file that is added names new parts and leaves every other name as it was.
Planning knows nothing of workers; the same input and `part_size` always give the same spans.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """files: relative to the source's root, forward slashes. start, stop: half open; lines (mmc4), files (html) or pages (warc)."""

    files: tuple[str, ...]
    start: int
    stop: int

    @property
    def name(self) -> str:
        """12 hex digits of sha256 over files and range; two spans of ten million share a name with probability 0.2."""
        text = "\0".join((*self.files, str(self.start), str(self.stop)))
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]
