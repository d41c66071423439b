"""What a part could not read: every record and piece is counted by its reason, the first of each reason are
listed in full.

A file of 192 bytes can hold 50,000 lines that are no records. The counts stay exact whatever the list holds,
so nothing is lost silently; the list is for a person who wants to see examples, and its length is bounded by
the number of reasons.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from leafinstruct.ingest.tables.columns.placeholders import Unmapped
from leafinstruct.records.document import Rejected

LISTED = 100
"""Of one reason in a part: a part holds up to some thousand records, and a source that loses more than that
has one cause."""
DETAIL = 500
"""Characters of a sentence about a loss."""


class Losses:
    """The losses of one part.

    reasons: of whole records, pieces: of records that remain, both exact. listed: as the report holds them.
    unlisted: how many of each reason are only counted.
    """

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.pieces: Counter[str] = Counter()
        self.listed: list[dict[str, Any]] = []
        self.unlisted: Counter[str] = Counter()
        self._listed: Counter[tuple[str, bool]] = Counter()
        self._patterns: dict[str, dict[str, Any]] = {}

    def add(self, item: Rejected) -> None:
        """Count a loss, and list it while there are few of its reason. Text that looks like an image mark is
        one entry for each pattern, with the place of the first and the sum of all."""
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
        entry = {**asdict(item), "detail": item.detail[:DETAIL]}
        self.listed.append(entry)
        if isinstance(item, Unmapped):
            self._patterns[item.pattern] = entry
