"""Store encoded rows on disk, so that training needs neither tokenizer nor image encoder.

    tokens-<shard>.arrow     ids, loss_mask, vectors (of backbones whose patches are vectors), and the
                             position of the prompt: SCHEMA
    report-<shard>.json      key, counts and the reasons of unusable rows; written last, so that a report
                             implies a complete file

A file is up to date while its shard, the backbone and the settings that affect a row are the same; an added
shard is encoded alone. Files are memory-mapped and read as numpy views, so memory is one batch and a row
costs microseconds. Chosen: Arrow's own file format, as for gathering rows into shards.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from leafinstruct.backbones.backbone import Backbone
from leafinstruct.errors import SourceError
from leafinstruct.records import shards
from leafinstruct.records.published_row import FAULTS
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.files import file_sha256, writing
from leafinstruct.runtime.stage_report import Loss, StageReport
from leafinstruct.train.data.encode import Encoded, Unusable, encode
from leafinstruct.train.data.images import Images

CODE = 5
"""Increased when the same rows give other tokens than before."""
ROWS, NUMBERS = 512, 1 << 22
"""Limits of a record batch: rows, and numbers in vectors."""
VIEWED = 4096
"""Number of record batches whose views are kept: making them costs ten times as much as reading a row, and
one takes about 2 kB."""
LISTED = 20
"""Maximum number of unusable rows that a report lists."""
CONTEXTS = (512, 1024, 2048, 4096, 8192, 16384)
"""Context lengths for which a report counts how rows fit, besides the recipe's."""
REASONS = ("too_long", "no_answer", "undecodable", *FAULTS)
"""Why rows are unusable."""
SCHEMA = pa.schema(
    [
        ("ids", pa.list_(pa.int32())),
        ("loss_mask", pa.list_(pa.uint8())),
        ("vectors", pa.list_(pa.float32())),
        ("begin", pa.int32()),
        ("answer", pa.int32()),
        ("given", pa.int32()),
    ]
)
"""loss_mask: 1 for target tokens, one byte each, so that numpy can view it. The prompt is ids[begin:answer];
given: how many numbers of `vectors` come before the answer."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One encoded row, see SCHEMA: ids (n,), loss_mask (n,), vectors (m,). positions: (n,), from 0 in each
    document, of a packed row."""

    ids: NDArray[np.int32]
    loss_mask: NDArray[np.uint8]
    vectors: NDArray[np.float32]
    begin: int
    answer: int
    given: int
    positions: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class TokensReport(StageReport):
    """Report of one shard. fits: context -> how rows fit it -> rows; largest: tokens of the largest image."""

    fits: Mapping[int, Mapping[str, int]] = dataclass_field(default_factory=dict)
    largest: int = 0


def make(
    backbone: Backbone,
    identity: str,
    files: Sequence[Path],
    context: int,
    out: Artifact,
    on_file: Callable[[int, int], None],
    images: Images | None = None,
) -> Counter[str]:
    """Encode the shards that are not up to date. identity: of the backbone's weights; on_file: called with
    (files done, number of files). Returns counts over all files.

    Raises SourceError when no row of any file is usable, or a shard changes while it is read.
    """
    images = images or Images(backbone)
    names = [path.stem for path in files]
    if len(set(names)) < len(names):
        raise SourceError(
            f"train.data: two shards have the name {Counter(names).most_common(1)[0][0]}; give a single "
            "folder of shards"
        )
    out.keep_only(names)
    shaping = {
        "backbone": identity,
        "context": context,
        "code": CODE,
        "budget": images.budget,
        "floor": images.floor,
    }
    for done, path in enumerate(files):
        on_file(done, len(files))
        sha256 = file_sha256(path)
        shards.check(path, sha256)
        key = digest({"shard": sha256, **shaping})
        if not (out.is_up_to_date(path.stem, key) and not list(out.faults(path.stem))):
            out.open(path.stem)
            report, written = _write(backbone, path, context, images, out.file("tokens", path.stem, ".arrow"))
            if file_sha256(path) != sha256:
                raise SourceError(f"{path}: changed while it was read; run again when it is complete")
            out.commit(path.stem, key, report, written)
    on_file(len(files), len(files))
    counts = out.totals().counts
    if not counts["rows"]:
        reasons = ", ".join(f"{counts[name]:,} x {name}" for name in sorted(REASONS) if counts[name])
        raise SourceError(
            f"no row is usable ({reasons or 'the shards are empty'}); is train.context of {context:,} tokens "
            "long enough?"
        )
    return counts


def _write(
    backbone: Backbone, path: Path, context: int, images: Images, target: Path
) -> tuple[TokensReport, list[Path]]:
    counts: Counter[str] = Counter()
    fits: dict[int, Counter[str]] = {at: Counter() for at in sorted({*CONTEXTS, context})}
    unusable: list[Loss] = []
    largest = 0
    with (
        writing(target) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, SCHEMA) as sink,
    ):
        waiting: list[TokenRow] = []
        for row in shards.rows(path):
            found = encode(backbone, row, context, images)
            if found.needs is not None:
                for at, of in fits.items():
                    of[found.needs.at(at)] += 1
            if isinstance(found, Unusable):
                counts[found.reason] += 1
                unusable += (
                    [{"id": row.id, "reason": found.reason, "detail": found.detail}]
                    if len(unusable) < LISTED
                    else []
                )
                continue
            waiting.append(_stored(backbone, found))
            largest = max([largest, *found.image_tokens])
            counts.update(_counted(found))
            if len(waiting) == ROWS or sum(len(one.vectors) for one in waiting) >= NUMBERS:
                sink.write_batch(_batch(waiting))
                waiting = []
        if waiting:
            sink.write_batch(_batch(waiting))
    return TokensReport(counts=dict(counts), rejected=unusable, fits=fits, largest=largest), [target]


def _counted(found: Encoded) -> dict[str, int]:
    return {
        "rows": 1,
        "tokens": len(found.items),
        "target_tokens": sum(found.loss_mask),
        "images": found.images,
        "image_tokens": sum(found.image_tokens),
        "target_images": found.target_images,
        "cut": found.cut,
        "smaller": found.smaller,
    }


def _stored(backbone: Backbone, found: Encoded) -> TokenRow:
    inputs = backbone.inputs(found.items)
    vectors = inputs.get("patches")
    given = sum(item.numel() for item in found.items[: found.answer] if isinstance(item, Tensor))
    return TokenRow(
        inputs["input_ids"][0].cpu().numpy().astype(np.int32),
        np.array(found.loss_mask, np.uint8),
        np.zeros(0, np.float32) if vectors is None else vectors.float().cpu().numpy().ravel(),
        found.begin,
        found.answer,
        given,
    )


def _batch(rows: Sequence[TokenRow]) -> pa.RecordBatch:
    columns = []
    for field in SCHEMA:
        values = [getattr(row, field.name) for row in rows]
        if pa.types.is_list(field.type):
            starts = np.cumsum([0, *map(len, values)], dtype=np.int32)
            columns.append(
                pa.ListArray.from_arrays(starts, pa.array(np.concatenate(values), field.type.value_type))
            )
        else:
            columns.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


class Rows(torch.utils.data.Dataset[TokenRow]):
    """The rows of an artifact by number; their arrays are views of the file."""

    def __init__(self, out: Artifact) -> None:
        self._paths = [out.file("tokens", part, ".arrow") for part in out.parts()]
        self._open()

    def _open(self) -> None:
        self._files = [pa.ipc.open_file(pa.memory_map(str(path))) for path in self._paths]
        self._places = [(file, index) for file in self._files for index in range(file.num_record_batches)]
        sizes = [file.get_batch(index).num_rows for file, index in self._places]
        self._starts = np.cumsum([0, *sizes]).tolist()
        self._views: dict[int, Mapping[str, Any]] = {}

    def __getstate__(self) -> list[Path]:
        return self._paths

    def __setstate__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._open()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def lengths(self, name: str = "ids") -> NDArray[np.int32]:
        """Return a column's length in each row, or its values if it is no list, (len,) int32."""
        found = [self._columns(place)[name] for place in range(len(self._places))]
        parts = [np.diff(column[0]) if isinstance(column, tuple) else column for column in found]
        return np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int32)

    def _columns(self, place: int) -> Mapping[str, Any]:
        """Return the columns of a record batch as numpy views; for lists (offsets, values)."""
        if place not in self._views:
            if len(self._views) == VIEWED:
                self._views.clear()
            file, index = self._places[place]
            batch = file.get_batch(index)
            self._views[place] = {name: _viewed(batch.column(name)) for name in batch.schema.names}
        return self._views[place]

    def __getitem__(self, number: int) -> TokenRow:
        place = bisect.bisect_right(self._starts, number) - 1
        at = number - self._starts[place]
        found: list[Any] = [
            column[1][column[0][at] : column[0][at + 1]] if isinstance(column, tuple) else int(column[at])
            for column in self._columns(place).values()
        ]
        return TokenRow(*found)


def _viewed(column: Any) -> Any:
    if isinstance(column, pa.ListArray):
        return column.offsets.to_numpy(), column.values.to_numpy()
    return column.to_numpy()


class Collator:
    """Makes a batch of rows, padded on the right, with labels at target tokens. pad: the padding id; width:
    the size of a patch's vector, None for backbones without."""

    def __init__(self, pad: int, width: int | None) -> None:
        self._pad, self._width = pad, width

    def __call__(self, rows: Sequence[TokenRow]) -> dict[str, Tensor]:
        """Return input_ids and labels, (B, T), -100 for no loss; lengths without padding, (B,); patches,
        (N, width), if there are vectors.

        Packed rows also get position_ids (B, T), which begin at 0 with each document and with the padding, a
        document without loss. Other rows get attention_mask.
        """
        length = max(len(row.ids) for row in rows)
        shape = len(rows), length
        ids, labels = torch.full(shape, self._pad), torch.full(shape, -100)
        mask, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        for at, row in enumerate(rows):
            one = torch.tensor(row.ids, dtype=torch.long)
            targets = torch.tensor(row.loss_mask, dtype=torch.bool)
            ids[at, : len(one)], mask[at, : len(one)] = one, 1
            labels[at, : len(one)] = one.masked_fill(~targets, -100)
            if row.positions is not None:
                positions[at, : len(one)] = torch.tensor(row.positions, dtype=torch.long)
                positions[at, len(one) :] = torch.arange(length - len(one))
        packed = rows[0].positions is not None
        if packed:
            labels[positions == 0] = -100  # the token before belongs to another document
        lengths = torch.tensor([len(row.ids) for row in rows])
        found = {
            "input_ids": ids,
            **({"position_ids": positions} if packed else {"attention_mask": mask}),
            "labels": labels,
            "lengths": lengths,
        }
        vectors = [torch.tensor(row.vectors, dtype=torch.float32) for row in rows]
        several = self._width and any(map(len, vectors))
        return {**found, "patches": torch.cat(vectors).view(-1, self._width)} if several else found
