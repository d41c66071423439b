"""Plan preference rows from keys: which rows get which rejected answer, and which rows lend to them.

    round           every row with a worse round that answers the same question
    planted kinds   each row gets the first kind that fits it, in the order of a hash of its id

A lender is one of the next LOOK rows of the same split and language, in the order of a hash of their ids,
so choosing one costs the same in a corpus of any size, and a new row changes the lender of few others. It
is of another group than the row (by the keys of shard.group_by, and by same and nearly same texts always),
its answer has no text that the row has, and its image is no near-duplicate of any image of the row. So
nothing of one split gets into another, and repeated parts of a site are never lent.

Cost: 120 CPU-s for a million rows, in one thread. Memory: 300 bytes a row of 4 images and 9 texts for the
columns, and as much beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leafinstruct.images.near import Hashes, are_near
from leafinstruct.records.example import PreferenceKind
from leafinstruct.records.preference.row import FOLDER, preference_id
from leafinstruct.runtime.artifact import digest
from leafinstruct.shard.preference.material import OTHER_QUESTION
from leafinstruct.shard.preference.negatives import kinds_of, order_of
from leafinstruct.shard.split import unit

LOOK = 16
"""Rows that are looked at for a lender."""
AT_ONCE = 4096
"""Decisions that are Python objects at a time."""

PLACES = pa.schema(
    [
        ("kind", pa.string()),
        ("part", pa.string()),
        ("index", pa.int32()),
        ("other_part", pa.string()),
        ("other_index", pa.int32()),
        ("order", pa.list_(pa.int32())),
        ("image", pa.int32()),
        ("lent", pa.int32()),
    ]
)
"""How a preference row is made: place of the row with the chosen answer; of the lender or, for `round`, of
the worse round; order of the steps; index of the swapped image in the answer, and of the lent one in its
row."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One preference row. row, other: numbers of rows (for `round`, other is the index of the worse
    round)."""

    kind: PreferenceKind
    row: int
    other: int | None = None
    order: Sequence[int] | None = None
    image: int | None = None
    lent: int | None = None


@dataclass(frozen=True, slots=True)
class _Lists:
    """A column of lists: the values of a row are those between two offsets."""

    values: NDArray[np.uint64]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Lists:
        lengths = pc.list_value_length(column).to_numpy()
        return cls(pc.list_flatten(column).to_numpy(), np.concatenate([[0], np.cumsum(lengths)]))

    def __getitem__(self, row: int) -> NDArray[np.uint64]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]


class Choosing:
    """Choose preference rows. rows: ids, splits and other columns of planned rows; material: of the same
    rows; labels: (n,) their groups."""

    def __init__(
        self, seed: int, kinds: Sequence[str], rows: pa.Table, material: pa.Table, labels: NDArray[np.int32]
    ) -> None:
        self._seed, self._kinds, self._labels = seed, kinds, labels
        self._ids = rows["id"]
        self._rows, self._material = rows, material
        self._steps, self._texts, self._images, self._hashes = (
            _Lists.of(material[name]) for name in ("steps", "texts", "images", "hashes")
        )
        self._answer_texts = material["answer_texts"].to_numpy()
        self._answer_images = material["answer_images"].to_numpy()
        self._ordered = material["ordered"].to_numpy()
        self._loser = material["loser"].to_numpy()
        self._has_language = pc.is_valid(material["language"]).to_numpy()

    def decisions(self) -> Iterator[Decision]:
        """Yield the preference rows, in the order of their rows."""
        for row, chunk in enumerate(self._ids):
            if "round" in self._kinds and self._loser[row] >= 0:
                yield Decision("round", row, int(self._loser[row]))
            planted = (self._planted(kind, row, chunk.as_py()) for kind in self._wanted(chunk.as_py()))
            if (found := next(filter(None, planted), None)) is not None:
                yield found

    def _wanted(self, example: str) -> list[PreferenceKind]:
        return kinds_of(self._seed, example, self._kinds)

    def _planted(self, kind: PreferenceKind, row: int, example: str) -> Decision | None:
        if kind == "shuffled_steps":
            steps = self._steps[row].tolist() if self._ordered[row] else ()
            order = order_of(self._seed, example, steps)
            return None if order is None else Decision(kind, row, order=order)
        if kind == "swapped_image":
            return self._swapped(row, example)
        if not self._answer_texts[row] or not self._has_language[row]:
            return None
        lender = next((one for one in self._lenders(row) if self._answer_texts[one]), None)
        return None if lender is None else Decision(kind, row, lender)

    def _swapped(self, row: int, example: str) -> Decision | None:
        own, count = self._image_hashes(row), int(self._answer_images[row])
        first = len(own) - count
        places = [at for at in range(count) if own[first + at].any()]
        if not places:
            return None
        image = min(places, key=lambda at: unit(self._seed, f"image\0{at}\0{example}"))
        known = own[own.any(axis=1)]
        for lender in self._lenders(row):
            hashes, names = self._image_hashes(lender), self._images[lender]
            for lent in range(len(names)):
                is_new = hashes[lent].any() and names[lent] not in self._images[row]
                if is_new and not are_near(hashes[lent], known):
                    return Decision("swapped_image", row, lender, image=image, lent=lent)
        return None

    def _image_hashes(self, row: int) -> Hashes:
        return self._hashes[row].reshape(-1, 4)

    def _lenders(self, row: int) -> Iterator[int]:
        """Rows that may lend to a row, in order."""
        ring, start, end, place = self._rings
        first, last, here = start[row], end[row], place[row]
        for step in range(1, min(LOOK, last - first - 1) + 1):
            other = int(ring[first + (here - first + step) % (last - first)])
            if self._labels[other] != self._labels[row] and not self._share_texts(row, other):
                yield other

    def _share_texts(self, row: int, other: int) -> bool:
        """Whether the answer of another row has a text of the row."""
        lent = self._texts[other][-self._answer_texts[other] :] if self._answer_texts[other] else ()
        return not set(lent).isdisjoint(self._texts[row])

    @cached_property
    def _rings(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of rows in the order of (split, language, hash), (n,); of each row the first place of its
        split and language there, the place after the last one, and its own place."""
        points = [unit(self._seed, f"lender\0{one.as_py()}") for one in self._ids]
        table = pa.table(
            {
                "split": self._rows["split"],
                "language": self._material["language"].fill_null(""),
                "point": points,
                "id": self._ids,
            }
        )
        ring = pc.sort_indices(table, [(name, "ascending") for name in table.column_names]).to_numpy()
        ring = ring.astype(np.int64)
        codes = [
            table[name].combine_chunks().dictionary_encode().indices.to_numpy()[ring]
            for name in ("split", "language")
        ]
        changes = np.flatnonzero((np.diff(codes[0]) != 0) | (np.diff(codes[1]) != 0)) + 1
        bounds = np.concatenate([[0], changes, [len(ring)]])
        start, end, place = (np.empty(len(ring), np.int64) for _ in range(3))
        lengths = np.diff(bounds)
        start[ring], end[ring] = np.repeat(bounds[:-1], lengths), np.repeat(bounds[1:], lengths)
        place[ring] = np.arange(len(ring))
        return ring, start, end, place


def planned(
    seed: int, kinds: Sequence[str], rows: pa.Table, material: pa.Table, labels: NDArray[np.int32]
) -> tuple[pa.Table, Mapping[str, int]]:
    """The preference rows as a table for plan.shards (columns of PLACES, and task, id, bytes, digest, split,
    point), and counts: rows of each kind, `without` (rows that got none), `other_question`."""
    rows, material = rows.combine_chunks(), material.combine_chunks()
    counts: Counter[str] = Counter()
    covered = np.zeros(len(rows), bool)
    tables = [TABLE.empty_table()]
    decisions = Choosing(seed, kinds, rows, material, labels).decisions()
    while some := list(islice(decisions, AT_ONCE)):
        tables.append(
            pa.Table.from_pylist([_place(seed, rows, material, made) for made in some], schema=TABLE)
        )
        counts.update(made.kind for made in some)
        covered[[made.row for made in some]] = True
    counts["without"] = int((~covered).sum())
    counts["other_question"] = int((material["loser"].to_numpy() == OTHER_QUESTION).sum())
    return pa.concat_tables(tables), counts


def _place(seed: int, rows: pa.Table, material: pa.Table, made: Decision) -> dict[str, object]:
    """A row of TABLE."""
    own = {name: rows[name][made.row].as_py() for name in ("bytes", "digest", "split", "part", "index")}
    example = rows["id"][made.row].as_py()
    part, index, other = None, None, None
    if made.kind == "round":
        part, index, other = own["part"], made.other, material["loser_digest"][made.row].as_py()
    elif made.other is not None:
        part, index, other = (rows[name][made.other].as_py() for name in ("part", "index", "digest"))
    identity = preference_id(example, made.kind)
    how = {"kind": made.kind, "order": made.order, "image": made.image, "lent": made.lent}
    return {
        **own,
        **how,
        "other_part": part,
        "other_index": index,
        "task": FOLDER,
        "id": identity,
        "digest": digest([own["digest"], other, how]),
        "point": unit(seed, f"shard\0{identity}"),
    }


TABLE = pa.schema(
    [
        *PLACES,
        *((name, pa.string()) for name in ("task", "id", "digest", "split")),
        ("bytes", pa.int64()),
        ("point", pa.float64()),
    ]
)
