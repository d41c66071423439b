"""The keys of all remaining documents as arrays, and which of two documents is the better one.

Better: more kept images; of equal numbers, more words; of equal ones, the smaller id. This is one total order
for all scores of duplicates, so they never drop two documents in favor of each other, and the best member of
a group is a duplicate of none. It depends on no order of files, parts or workers.

Memory: about 45 bytes per document and 45 per image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leafinstruct.filter.index.hamming import Indices
from leafinstruct.filter.index.image import Hashes
from leafinstruct.filter.index.text import BANDS, Numbers, Runs, mixed
from leafinstruct.records import table

_DIGEST = 24
"""Characters of a digest in table.KEYS."""
UNREAD = 0
"""Number of an image that could not be read."""


@dataclass(frozen=True)
class Corpus:
    """Documents in the order of the parts and of their rows.

    starts: part -> index of its first document. ids: (n,) bytes. text: (n,) numbers of 64 bits, equal for
    equal texts. words, shown: (n,) numbers of words and of kept images. owner, digest, hashes: of all images,
    (m,), (m,), (m, 4); the index of its document, a number that is equal for equal bytes, and its hash.
    """

    starts: dict[str, int]
    ids: NDArray[np.bytes_]
    text: Numbers
    words: NDArray[np.int32]
    shown: NDArray[np.int32]
    owner: NDArray[np.int32]
    digest: Numbers
    hashes: Hashes

    @classmethod
    def read(cls, files: Mapping[str, Path]) -> Corpus:
        """Read the keys of parts. files: part -> its keys- file. Raises DamagedError."""
        names = ("document_id", "text", "words", "images", "hashes")
        starts, columns, count = dict[str, int](), dict[str, list[NDArray[np.generic]]](), 0
        for part, path in files.items():
            starts[part] = count
            for batch in table.batches(path, names):
                count += len(batch)
                found = {
                    "ids": np.array([one.encode() for one in batch["document_id"].to_pylist()], np.bytes_),
                    "text": digests(batch["text"]),
                    "words": batch["words"].to_numpy(),
                    "shown": pc.list_value_length(batch["images"]).to_numpy(),
                    "digest": digests(batch["images"].flatten()),
                    "hashes": batch["hashes"].flatten().to_numpy().reshape(-1, 4),
                }
                for name, values in found.items():
                    columns.setdefault(name, []).append(values)
        if not count:
            nothing = np.zeros(0, np.uint64)
            few = np.zeros(0, np.int32)
            return cls(starts, np.zeros(0, "S1"), nothing, few, few, few, nothing, nothing.reshape(0, 4))
        whole = {name: np.concatenate(columns.pop(name)) for name in list(columns)}
        owner = np.repeat(np.arange(count, dtype=np.int32), whole["shown"])
        return cls(starts, owner=owner, **whole)

    @property
    def rank(self) -> NDArray[np.int32]:
        """Place of each document in the order from the best, (n,)."""
        place = np.empty(len(self.ids), np.int32)
        place[np.lexsort((self.ids, -self.words, -self.shown))] = np.arange(len(self.ids), dtype=np.int32)
        return place

    def of(self, part: str) -> range:
        """Indices of a part's documents."""
        starts = [*self.starts.values(), len(self.ids)]
        at = list(self.starts).index(part)
        return range(starts[at], starts[at + 1])


def digests(written: pa.StringArray) -> Numbers:
    """Numbers of 64 bits of digests, (n,); UNREAD for an empty one."""
    text = np.array([one.encode() for one in written.to_pylist()], f"S{_DIGEST}")
    words = text.view("<u8").reshape(-1, _DIGEST // 8)
    return mixed(mixed(mixed(words[:, 0]) ^ words[:, 1]) ^ words[:, 2])


def texts(path: Path) -> Iterator[tuple[Numbers, Indices, Runs]]:
    """Yield bands (n, BANDS), numbers of runs (n,) and runs of all documents of a part, batch by batch.
    Raises DamagedError."""
    for batch in table.batches(path, ("bands", "runs")):
        bands = np.zeros((len(batch), BANDS), np.uint64)
        has_words = pc.list_value_length(batch["bands"]).to_numpy() > 0
        bands[has_words] = batch["bands"].flatten().to_numpy().reshape(-1, BANDS)
        lengths = pc.list_value_length(batch["runs"]).to_numpy().astype(np.int64)
        yield bands, lengths, batch["runs"].flatten().to_numpy()
