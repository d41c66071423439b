"""Rows as a model reads them, on disk: no tokenizer and no picture encoder in the training loop.

    tokens-<shard>.arrow     ids: list<int32>; said: list<bool>; vectors: list<float32>, of backbones whose patches are vectors
    report-<shard>.json      key, counts and the reasons of rows that could not be used: written last, so a report means a whole file

A file stands while its shard, the backbone and the context are the same; adding a shard encodes that one. Read back by memory map, so memory is one
batch. Chosen: Arrow's own file format, as for gathering rows into shards.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from leafinstruct.artifact import Artifact, digest, file_sha256, writing
from leafinstruct.errors import SourceError
from leafinstruct.train import shards
from leafinstruct.train.encode import Unusable, encode
from leafinstruct.vlg.backbone import Backbone, Item

CODE = 1
"""Raised when the same rows give other tokens than before."""
ROWS = 64
"""Of a record batch."""
LISTED = 20
"""Unusable rows that a report names."""
SCHEMA = pa.schema([("ids", pa.list_(pa.int32())), ("said", pa.list_(pa.bool_())), ("vectors", pa.list_(pa.float32()))])


def make(
    backbone: Backbone, identity: str, files: Sequence[Path], context: int, out: Artifact, on_file: Callable[[int, int], None]
) -> Counter[str]:
    """Encode what does not stand yet. identity: of the backbone's weights. on_file: told (done, of). Returns counts over all files.

    Raises SourceError where no row of any file can be used.
    """
    names = [path.stem for path in files]
    if len(set(names)) < len(names):
        raise SourceError(f"train.data: two shards are called {Counter(names).most_common(1)[0][0]}; give one folder of them")
    for done, path in enumerate(files):
        on_file(done, len(files))
        key = digest({"shard": file_sha256(path), "backbone": identity, "context": context, "code": CODE})
        if not out.stands(path.stem, key):
            out.open(path.stem)
            out.commit(path.stem, key, *_write(backbone, path, context, out.file("tokens", path.stem, ".arrow")))
    on_file(len(files), len(files))
    out.keep_only(names)
    counts: Counter[str] = Counter()
    for report in out.reports():
        counts.update(report["counts"])
    if not counts["rows"]:
        reasons = ", ".join(
            f"{count:,} x {name}" for name, count in sorted(counts.items()) if name in ("no_answer", "undecodable") and count
        )
        raise SourceError(
            f"no row can be trained on ({reasons or 'the shards are empty'}); is train.context of {context:,} tokens long enough?"
        )
    return counts


def _write(backbone: Backbone, path: Path, context: int, target: Path) -> tuple[dict[str, Any], list[Path]]:
    counts: Counter[str] = Counter()
    unusable: list[dict[str, str]] = []
    with writing(target) as temporary, pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, SCHEMA) as sink:
        waiting: list[dict[str, Any]] = []
        for row in shards.rows(path):
            found = encode(backbone, row, context)
            if isinstance(found, Unusable):
                counts[found.reason] += 1
                unusable += [{"id": row["id"], "reason": found.reason, "detail": found.detail}] if len(unusable) < LISTED else []
                continue
            waiting.append(_stored(backbone, found.items, found.said))
            counts.update(rows=1, tokens=len(found.items), said=sum(found.said), pictures=found.pictures, cut=found.cut)
            if len(waiting) == ROWS:
                sink.write_batch(pa.RecordBatch.from_pylist(waiting, SCHEMA))
                waiting = []
        if waiting:
            sink.write_batch(pa.RecordBatch.from_pylist(waiting, SCHEMA))
    return {"counts": dict(counts), "rejected": unusable}, [target]


def _stored(backbone: Backbone, items: Sequence[Item], said: list[bool]) -> dict[str, Any]:
    inputs = backbone.inputs(items)
    vectors = inputs.get("patches")
    flat = [] if vectors is None else vectors.float().flatten().tolist()
    return {"ids": inputs["input_ids"][0].tolist(), "said": said, "vectors": flat}


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """The rows of an artifact, by number."""

    def __init__(self, out: Artifact) -> None:
        self._paths = [out.file("tokens", part, ".arrow") for part in out.parts()]
        self._open()

    def _open(self) -> None:
        self._files = [pa.ipc.open_file(pa.memory_map(str(path))) for path in self._paths]
        self._places = [(file, index) for file in self._files for index in range(file.num_record_batches)]
        self._starts = [0]
        for file, index in self._places:
            self._starts.append(self._starts[-1] + file.get_batch(index).num_rows)

    def __getstate__(self) -> list[Path]:
        return self._paths

    def __setstate__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._open()

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, number: int) -> dict[str, Any]:
        place = bisect.bisect_right(self._starts, number) - 1
        file, index = self._places[place]
        found: dict[str, Any] = file.get_batch(index).slice(number - self._starts[place], 1).to_pylist()[0]
        return found


class Collator:
    """Rows -> a batch: padded on the right, labels where the model is to speak. pad: id that fills; width: of a patch's vector."""

    def __init__(self, pad: int, width: int | None) -> None:
        self._pad, self._width = pad, width

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """input_ids, attention_mask, labels: (B, T), -100 where there is no loss; patches: (N, width) where there are vectors."""
        length = max(len(row["ids"]) for row in rows)
        ids = torch.full((len(rows), length), self._pad)
        labels = torch.full((len(rows), length), -100)
        mask = torch.zeros(len(rows), length, dtype=torch.long)
        for at, row in enumerate(rows):
            one, said = torch.tensor(row["ids"]), torch.tensor(row["said"])
            ids[at, : len(one)], mask[at, : len(one)] = one, 1
            labels[at, : len(one)] = one.masked_fill(~said, -100)
        found = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        vectors = [number for row in rows for number in row["vectors"]]
        return {**found, "patches": torch.tensor(vectors).view(-1, self._width)} if self._width and vectors else found
