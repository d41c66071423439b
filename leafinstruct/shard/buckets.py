"""Write shards in buckets: one task per range of shards, which opens each file of gathered rows at most once.

A shard has rows of nearly every part. If each shard opened them for itself, 10 million documents in 20,000
parts and 2,000 shards would be 4 x 10^7 opened files. In a bucket, files stay mapped until its last shard is
written, so the files that are opened grow with the number of rows, not with shards x parts:

    opened   at most parts x buckets, where a bucket has at least ROWS_A_FILE rows of each part on average,
             so at most rows / ROWS_A_FILE; 2 buckets a worker while that is more buckets
    memory   one row group, as for a single shard; mapped pages belong to the system, which may drop them

Chosen over a copy of all rows in the order of the shards (a shuffle as in Spark): the copy is as large as the
dataset, and one changed row would write 1 of its files again, with the rows of many shards. Rows of about a
megabyte are as fast to read in any order. Shards are committed one by one, so a kill in a bucket loses one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from leafinstruct.records.files.batches import Batches
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part

ROWS_A_FILE = 16
"""Rows that a bucket reads of a file of gathered rows, on average, if it is not one of the first 2 a worker.
Opening a file and verifying its frame takes as long as reading half a row of a megabyte."""
_MAPPED = 1 << 14
"""Files of one kind that are mapped at a time. Linux allows 65,530 mappings per process; preference rows are
written from two kinds, and libraries take some hundred."""

Place = tuple[str, int]
"""Part, and index of the row in its file of gathered rows."""


def buckets(shards: Sequence[Part], parts: int, workers: int) -> list[Part]:
    """Divide shards into consecutive ranges of about equal rows, each a part for a task. The payload is the
    list of its shards. shards: of plan.shards. parts: number of files of gathered rows."""
    ends = np.cumsum([len(places) for _, places in (shard.payload for shard in shards)])
    if not len(ends):
        return []
    count = max(2 * workers, int(ends[-1]) // (ROWS_A_FILE * max(1, parts)))
    # the bucket of the middle of each shard
    middle = ends - np.diff(ends, prepend=0) / 2
    number = (middle * count / max(1, ends[-1])).astype(np.int64)  # all shards may be empty
    members = [[shards[at] for at in np.flatnonzero(number == one).tolist()] for one in np.unique(number)]
    return [Part(some[0].name, some) for some in members]


class GatheredRows:
    """The rows of `<kind>-<part>.arrow` by their place, each as a batch, mapped and verified when it is read.

    Each file is opened when its first row is asked for, and stays mapped while fewer than _MAPPED others
    are; of all of them, none is open in between.
    """

    def __init__(self, out: Artifact, kind: str, schema: pa.Schema) -> None:
        """schema: of the rows."""
        self._out, self._kind, self._schema = out, kind, schema
        self._files: dict[str, Batches] = {}

    def __getitem__(self, place: Place) -> pa.RecordBatch:
        """Raises DamagedError if the file is, or if it was written with other columns."""
        part, index = place
        if part not in self._files:
            if len(self._files) >= _MAPPED:
                self._files.clear()
            self._files[part] = Batches.opened(self._out.file(self._kind, part, ".arrow"), self._schema)
        return self._files[part][index]
