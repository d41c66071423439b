"""Order the documents of a run, and pack them into rows.

Documents are packed into rows of at most `capacity` tokens, so that there is hardly any padding. None attends
to another: `position_ids` begin at 0 with each document. From them transformers makes the attention mask
(masking_utils.find_packed_sequence_indices) when neither a mask nor a cache is given, and MoSS the positions
of patches. This holds for sdpa, eager and flex attention. Flash attention is refused: there transformers uses
position ids only for batches of one row, and Chameleon's layers do not pass them on, so documents would
silently attend to each other.

Everything is a function of (seed, epoch, row). The order of an epoch is a permutation; within each WINDOW of
it documents are packed best fit, longest first, and the resulting rows are shuffled. Row n of a run is found
without reading those before it, so a run continues exactly where it stopped, with any number of workers.
Memory is about 30 bytes a document.
"""

from __future__ import annotations

import bisect
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from leafinstruct.backbones.backbone import unadapted
from leafinstruct.errors import TrainError
from leafinstruct.train.data.tokens import Rows, TokenRow

WINDOW = 4096
"""Documents that are packed together: enough that less than 1% of the tokens stay empty, few enough that
packing takes no time."""
_ORDER, _DROPPED = 0, 1
"""Random streams of an epoch."""


def check_attention(model: nn.Module) -> None:
    """Raise TrainError when documents of one row would attend to each other."""
    kind = unadapted(model).config._attn_implementation
    if kind not in ("sdpa", "eager", "flex_attention"):
        raise TrainError(
            f"train.packing: with attention {kind} the documents of a row would attend to each other; use "
            "sdpa, or set packing: false"
        )


def pack(lengths: NDArray[np.int32], capacity: int) -> list[list[int]]:
    """Return the document numbers of each row: longest first, each in the row with the least sufficient
    space."""
    rows: list[list[int]] = []
    open_: list[tuple[int, int]] = []  # (free tokens, row), sorted
    for number in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[number])
        place = bisect.bisect_left(open_, (length, -1))
        free, row = open_.pop(place) if place < len(open_) else (capacity, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(number)
        bisect.insort(open_, (free - length, row))
    return rows


class Packed(torch.utils.data.Dataset[TokenRow]):
    """The rows of a whole run, epoch after epoch."""

    def __init__(
        self, rows: Rows, length: int, seed: int, capacity: int | None, dropout: float = 0.0
    ) -> None:
        """length: number of rows of the run. capacity: tokens of a row, None for one document a row. dropout:
        share of documents without their prompt."""
        self._rows, self.length, self._seed, self._capacity, self._dropout = (
            rows,
            length,
            seed,
            capacity,
            dropout,
        )
        self._tokens = rows.lengths()
        self._prompts = rows.lengths("answer") - rows.lengths("begin") if dropout else np.zeros(0, np.int32)
        self._begins = [0]
        self._now = self._epoch(0)

    def __len__(self) -> int:
        return self.length

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_now"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._now = self._epoch(0)

    @property
    def share(self) -> float:
        """Share of the capacity of the first epoch's rows that tokens fill."""
        _, documents, starts, dropped = self._epoch(0)
        total = (len(starts) - 1) * (self._capacity or int(self._tokens.max()))
        return float(self._shown(dropped)[documents].sum() / total)

    @property
    def epochs(self) -> float:
        """Approximate number of times that each document is used."""
        return self.length / self._begins[1]

    def __getitem__(self, number: int) -> TokenRow:
        if not 0 <= number < self.length:
            raise IndexError(number)
        while number >= self._begins[-1]:
            self._now = self._epoch(len(self._begins) - 1)
        epoch = bisect.bisect_right(self._begins, number) - 1
        if self._now[0] != epoch:
            self._now = self._epoch(epoch)
        _, documents, starts, dropped = self._now
        at = number - self._begins[epoch]
        return self._joined(
            [
                self._shortened(int(which), bool(dropped[which]))
                for which in documents[starts[at] : starts[at + 1]]
            ]
        )

    def _shown(self, dropped: NDArray[np.bool_]) -> NDArray[np.int32]:
        return np.asarray(self._tokens - dropped * self._prompts if self._dropout else self._tokens)

    def _epoch(self, epoch: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return (epoch, documents in order, start of each row among them and the end, which documents lose
        their prompt)."""
        count = len(self._tokens)
        order = np.random.default_rng([self._seed, epoch, _ORDER])
        dropped = np.random.default_rng([self._seed, epoch, _DROPPED]).random(count) < self._dropout
        documents = order.permutation(count)
        sizes = np.ones(count, np.int64)
        if self._capacity is not None:
            shown, packed, widths = self._shown(dropped), list[NDArray[np.int64]](), list[int]()
            for at in range(0, count, WINDOW):
                window = documents[at : at + WINDOW]
                rows = pack(shown[window], self._capacity)
                shuffled = [window[rows[row]] for row in order.permutation(len(rows))]
                packed += shuffled
                widths += map(len, shuffled)
            documents, sizes = np.concatenate(packed), np.array(widths)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        if epoch == len(self._begins) - 1:
            self._begins.append(self._begins[-1] + len(sizes))
        return epoch, documents, starts, dropped

    def _shortened(self, number: int, dropped: bool) -> TokenRow:
        row = self._rows[number]
        if not dropped:
            return row
        return replace(
            row,
            ids=np.concatenate([row.ids[: row.begin], row.ids[row.answer :]]),
            loss_mask=np.concatenate([row.loss_mask[: row.begin], row.loss_mask[row.answer :]]),
            vectors=row.vectors[row.given :],
        )

    def _joined(self, documents: list[TokenRow]) -> TokenRow:
        if self._capacity is None:
            return documents[0]
        return replace(
            documents[0],
            ids=np.concatenate([row.ids for row in documents]),
            loss_mask=np.concatenate([row.loss_mask for row in documents]),
            vectors=np.concatenate([row.vectors for row in documents]),
            positions=np.concatenate([np.arange(len(row.ids)) for row in documents]),
        )
