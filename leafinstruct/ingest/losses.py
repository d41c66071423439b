"""The losses of one part: every record and piece is counted by its reason; the first ones of each reason are
listed.

A file of 192 bytes can contain 50,000 lines that are no records. The counts are exact, so nothing is lost
silently; the list gives examples, and its length is bounded by the number of reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import cast

from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.tables.columns.placeholders import Unmapped
from leafinstruct.records.document import Document, Rejected
from leafinstruct.runtime.stage_report import Loss

LISTED = 100
"""Maximum number of listed losses per reason and part. A part has up to some thousand records; a source that
loses more than this has one cause."""
DETAIL = 500
"""Maximum characters of a loss's detail."""


def with_losses(
    file: str, locator: str, build: Callable[[list[LostError]], Iterable[Document | Rejected]]
) -> Iterator[Document | Rejected]:
    """Yield what `build` makes of a record, then the pieces that it appends to its argument; a whole loss
    where it raises LostError."""
    lost: list[LostError] = []
    try:
        yield from build(lost)
    except LostError as whole:
        yield Rejected(file, locator, whole.reason, whole.detail)
    yield from (Rejected(file, locator, piece.reason, piece.detail, whole=False) for piece in lost)


class Losses:
    """The losses of one part.

    reasons: exact counts of lost records. pieces: exact counts of lost pieces of kept records. listed:
    entries of the report. unlisted: how many losses of each reason are counted but not listed.
    """

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.pieces: Counter[str] = Counter()
        self.listed: list[Loss] = []
        self.unlisted: Counter[str] = Counter()
        self._listed: Counter[tuple[str, bool]] = Counter()
        self._patterns: dict[str, Loss] = {}

    def add(self, item: Rejected) -> None:
        """Count a loss, and list it while few have its reason. Text that looks like an image placeholder is
        one entry per pattern, with the location of the first and the sum of all."""
        times = item.times if isinstance(item, Unmapped) else 1
        (self.reasons if item.whole else self.pieces)[item.reason] += times
        if isinstance(item, Unmapped) and (known := self._patterns.get(item.pattern)) is not None:
            known["times"] += item.times
            known["rows"] += item.rows
            return
        self._listed[item.reason, item.whole] += 1
        if self._listed[item.reason, item.whole] > LISTED:
            self.unlisted[item.reason] += times
            return
        entry = cast("Loss", {**asdict(item), "detail": item.detail[:DETAIL]})
        self.listed.append(entry)
        if isinstance(item, Unmapped):
            self._patterns[item.pattern] = entry
