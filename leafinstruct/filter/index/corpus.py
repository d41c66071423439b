"""The keys of all remaining documents as arrays, and which of two documents is the better one.

Better: more kept images; of equal numbers, more words; of equal ones, the smaller id. This is one total order
for all scores of duplicates, so they never drop two documents in favor of each other, and the best member of
a group is a duplicate of none. It depends on no order of files, parts or workers.

Memory: 32 bytes per document with an id of 16 characters; 48 per image, while the images are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leafinstruct.filter.index.hamming import Indices
from leafinstruct.filter.index.text import BANDS, Numbers, Runs, mixed
from leafinstruct.images.near import Hashes
from leafinstruct.records import table

_DIGEST = 24
"""Characters of a digest in table.KEYS."""
_ROWS_AT_ONCE = 1 << 14
UNREAD = 0
"""Number of an image that could not be read."""


@dataclass(frozen=True)
class Corpus:
    """Documents in the order of the parts and of their rows.

    starts: part -> index of its first document. ids: (n,) bytes. text: (n,) numbers of 64 bits, equal for
    equal texts. words, shown: (n,) numbers of words and of kept images.
    """

    starts: dict[str, int]
    ids: NDArray[np.bytes_]
    text: Numbers
    words: NDArray[np.int32]
    shown: NDArray[np.int32]

    @classmethod
    def read(cls, files: Mapping[str, Path]) -> Corpus:
        """Read the keys of parts. files: part -> its keys- file. Raises DamagedError."""
        starts, ids = dict[str, int](), [np.zeros(0, "S1")]
        text, words, shown = _Column(np.uint64), _Column(np.int32), _Column(np.int32)
        for part, path in files.items():
            starts[part] = len(words)
            for batch in table.batches(path, ("document_id", "text", "words", "images")):
                ids.append(np.array([one.encode() for one in batch["document_id"].to_pylist()], np.bytes_))
                text.add(digests(batch["text"]))
                words.add(batch["words"].to_numpy())
                shown.add(pc.list_value_length(batch["images"]).to_numpy())
        return cls(starts, np.concatenate(ids), text.values, words.values, shown.values)

    @property
    def rank(self) -> NDArray[np.int32]:
        """Place of each document in the order from the best, (n,)."""
        place = np.empty(len(self.ids), np.int32)
        place[np.lexsort((self.ids, -self.words, -self.shown))] = np.arange(len(self.ids), dtype=np.int32)
        return place

    def ranges(self) -> Iterator[tuple[str, range]]:
        """Yield each part and the indices of its documents."""
        ends = [*self.starts.values(), len(self.ids)][1:]
        for (part, start), end in zip(self.starts.items(), ends, strict=True):
            yield part, range(start, end)


@dataclass(frozen=True)
class Images:
    """Images of all documents; the same bytes are one image.

    owner: (m,) index of the document of each image. image: (m,) index of its bytes. digest, hashes: (d,) and
    (d, 4), of the different ones: a number that is equal for equal bytes, and the hash.
    """

    owner: NDArray[np.int32]
    image: NDArray[np.int32]
    digest: Numbers
    hashes: Hashes

    @classmethod
    def read(cls, files: Mapping[str, Path], shown: NDArray[np.int32]) -> Images:
        """Read the images of the keys of parts. files: part -> its keys- file. shown: (n,) numbers of images
        of the documents. Raises DamagedError."""
        digest, hashes = _Column(np.uint64), _Column(np.uint64)
        for path in files.values():
            for batch in table.batches(path, ("images", "hashes")):
                digest.add(digests(batch["images"].flatten()))
                hashes.add(batch["hashes"].flatten().to_numpy())
        owner = np.repeat(np.arange(len(shown), dtype=np.int32), shown)
        image, first = _numbered(digest.values)
        return cls(owner, image, digest.values[first], _compact(hashes.values.reshape(-1, 4), first))


class _Column:
    """Values that are added batch by batch, without a second copy of all of them at the end."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._kind, self._data = np.dtype(kind), bytearray()

    def __len__(self) -> int:
        return len(self._data) // self._kind.itemsize

    def add(self, values: NDArray[Any]) -> None:
        self._data += values.astype(self._kind, copy=False).tobytes()

    @property
    def values(self) -> NDArray[Any]:
        """All values, (n,)."""
        return np.frombuffer(self._data, self._kind)


def _numbered(values: Numbers) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The number of each value among the different ones, in the order in which they come first, (n,); and
    where each of them comes first, (d,), ascending."""
    order = np.argsort(values, kind="stable").astype(np.int32)
    ordered = values[order]
    new = np.ones(len(order), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    del ordered
    begins = np.where(new, np.arange(len(order), dtype=np.int32), 0)
    np.maximum.accumulate(begins, out=begins)
    lead = np.empty_like(order)
    lead[order] = order[begins]
    del order, begins
    is_first = lead == np.arange(len(lead), dtype=np.int32)
    number = np.cumsum(is_first, dtype=np.int32)
    number -= 1
    return number[lead], np.flatnonzero(is_first).astype(np.int32)


def _compact(rows: Hashes, kept: NDArray[np.int32]) -> Hashes:
    """These rows, moved to the beginning of the same memory. kept: (d,), ascending."""
    for at in range(0, len(kept), _ROWS_AT_ONCE):
        some = kept[at : at + _ROWS_AT_ONCE]
        rows[at : at + len(some)] = rows[some]
    return rows[: len(kept)]


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
