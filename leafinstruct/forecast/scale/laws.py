"""What the steps that see all documents take, by their laws. All constants of this kind are here.

A sample of some hundred documents shows nothing about a step over ten million: its time there is that of the
first call of a library. So the sample gives how many keys such a step has, and the constants say what a key
takes. They were measured with benchmarks/growth.py, duplicates.py and planning.py (docs/scale.md); measure
again when one of these steps changes.

CPU time of the search for duplicates grows as n log n, since it sorts; all others and all memory as n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Key = Literal["documents", "paragraphs", "compared", "images", "rows", "parts", "shards"]
"""documents: as ingest reads them. paragraphs: long ones of pages with a host. compared: documents that the
rules on texts, images and alignment keep, and images: theirs. rows: published examples. parts: of ingest.
shards: published files."""

MEASURED_AT = 100_000
"""Keys at which the CPU time of a key was measured."""


@dataclass(frozen=True, slots=True)
class Law:
    """One step over all documents, in the process of the build. cpu: seconds a key at MEASURED_AT keys.
    sorts: whether it grows as n log n. memory: bytes a key. base: bytes of the process besides."""

    stage: str
    step: str
    cpu: dict[Key, float]
    memory: dict[Key, float]
    sorts: bool = False
    base: float = 200e6

    def seconds(self, keys: dict[Key, float]) -> float:
        """CPU seconds for so many keys."""
        found = 0.0
        for key, cost in self.cpu.items():
            n = keys.get(key, 0.0)
            growth = math.log(max(n, 2.0)) / math.log(MEASURED_AT) if self.sorts else 1.0
            found += cost * n * growth
        return found

    def bytes(self, keys: dict[Key, float]) -> float:
        """Peak memory for so many keys."""
        return self.base + sum(cost * keys.get(key, 0.0) for key, cost in self.memory.items())


LAWS = (
    Law("ingest", "reports of parts", {"parts": 0.003}, {"parts": 4_000}),
    # 24 bytes a paragraph and 400 a page: filter/texts/hosts.py
    Law("filter", "paragraphs of hosts", {"documents": 1.6e-5}, {"documents": 400, "paragraphs": 24}),
    # 90 bytes a document and an image: filter/index/reduce.py
    Law("filter", "duplicates", {"compared": 8.3e-5}, {"compared": 90, "images": 90}, sorts=True),
    Law("filter", "reports of parts", {"parts": 0.008}, {"parts": 4_000}),
    Law("rewrite", "reports of parts", {"parts": 0.0015}, {"parts": 4_000}),
    # 740 bytes a row: benchmarks/planning.py, 74 MB for 100,000 rows
    Law("shard", "splits and shards", {"rows": 6.2e-6}, {"rows": 740}),
    # the sketches of each shard (card/sketch.py) are merged into those of all: 0.1 s for each full one
    Law("shard", "reports and card", {"parts": 0.002, "rows": 5e-5, "shards": 0.4}, {"parts": 4_000}),
)

FETCH_CPU = 0.001
"""CPU seconds of fetching one image; benchmarks/fetch.py measures 0.7 ms over local HTTP, without TLS."""
REQUEST_CPU = 0.001
"""CPU seconds of one request to a language model; benchmarks/answers.py measures 0.7 ms for a short one over
local HTTP, without TLS."""
