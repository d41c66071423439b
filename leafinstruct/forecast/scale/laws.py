"""What the steps that see all documents take, by their laws. All constants of this kind are here.

A sample of some hundred documents shows nothing about a step over ten million: its time there is that of the
first call of a library. So the sample gives how many keys such a step has, and the constants say what a key
takes. They were measured with benchmarks/growth.py, duplicates.py and planning.py (docs/scale.md); measure
again when one of these steps changes.

CPU time of what sorts grows as n log n, and of near images as n^2 beyond a bucket, since each bucket is
compared with those before it (filter/index/searching.py). All others and all memory grow as n; of steps in
buckets (also filter/texts/collecting.py) a process has one bucket in memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from leafinstruct.filter.index.searching import HASHES_A_BUCKET
from leafinstruct.filter.texts.collecting import PAGES_A_BUCKET

Key = Literal["documents", "compared", "images", "rows", "parts", "shards"]
"""documents: as ingest reads them. compared: documents that the rules on texts, images and alignment keep,
and images: theirs. rows: published examples. parts: of ingest. shards: published files."""

MEASURED_AT = 100_000
"""Keys at which the CPU time of a key was measured."""


@dataclass(frozen=True, slots=True)
class Law:
    """One step over all documents. cpu: seconds a key at MEASURED_AT keys. sorts: whether it grows as
    n log n. memory: bytes a key. base: bytes of the process besides.

    bucket: keys of the step that one process handles; more are divided among the workers, fewer and those of
    a step without it are handled in the process of the build. compared: whether each bucket is compared with
    those before it.
    """

    stage: str
    step: str
    cpu: dict[Key, float]
    memory: dict[Key, float]
    sorts: bool = False
    base: float = 200e6
    bucket: int | None = None
    compared: bool = False

    def is_divided(self, keys: dict[Key, float]) -> bool:
        """Whether so many keys are divided among the workers."""
        return self.bucket is not None and any(keys.get(key, 0.0) > self.bucket for key in self.cpu)

    def seconds(self, keys: dict[Key, float]) -> float:
        """CPU seconds for so many keys."""
        found = 0.0
        for key, cost in self.cpu.items():
            n = keys.get(key, 0.0)
            of_bucket = n if self.bucket is None else min(n, self.bucket)
            growth = math.log(max(of_bucket, 2.0)) / math.log(MEASURED_AT) if self.sorts else 1.0
            tables = (1 + max(1.0, n / self.bucket)) / 2 if self.bucket and self.compared else 1.0
            found += cost * n * growth * tables
        return found

    def bytes(self, keys: dict[Key, float]) -> float:
        """Peak memory of a process for so many keys."""
        most = math.inf if self.bucket is None else self.bucket
        return self.base + sum(cost * min(keys.get(key, 0.0), most) for key, cost in self.memory.items())


LAWS = (
    Law("ingest", "reports of parts", {"parts": 0.003}, {"parts": 4_000}),
    # 2 kB a page of a bucket: filter/texts/collecting.py; 63 microseconds a page: docs/benchmarks.md
    Law("filter", "paragraphs of hosts", {"documents": 6.3e-5}, {"documents": 2_100}, bucket=PAGES_A_BUCKET),
    # 90 bytes a document and an image: filter/index/reduce.py, whose 38 microseconds a document of 2 images
    # are here without those of the next step
    Law("filter", "duplicates", {"compared": 2.4e-5}, {"compared": 90, "images": 90}, sorts=True),
    # 7.2 microseconds a hash at 200,000, and 160 bytes a hash of a bucket: filter/index/searching.py
    Law(
        "filter",
        "near images",
        {"images": 6.8e-6},
        {"images": 160},
        sorts=True,
        bucket=HASHES_A_BUCKET,
        compared=True,
    ),
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
