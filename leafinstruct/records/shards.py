"""The rows of shards. `run:NAME`, `hub:ORG/NAME`, a folder or a glob names the files. For training and
exports.

A shard is named `<task>.<split>-00000-of-00004.parquet`, so shards of other tasks or splits need not be
opened. How a shard of any schema is read, and how much memory that takes: `public.open_shard`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.records.public import PublishedShard, open_shard
from leafinstruct.records.published_row import PublishedRow
from leafinstruct.runtime import hub

COLUMNS = ("id", "messages", "images")
"""The columns that training reads."""
CHECKSUMS = "SHA256SUMS"
"""Input of `sha256sum -c`: one line per shard. Published with the shards. It does not list the card, which
its owner may edit on the Hub."""
SCANNED = 1 << 14
"""Rows of one short column that are read at a time."""
_NAME = re.compile(r"(?P<task>.+)\.(?P<split>[^.]+)-\d{5}-of-\d{5}")


def files(data: str, runs: Path, split: str | None = "train", asked: str = "train.data") -> list[Path]:
    """The shards of a split, sorted by name.

    data: a glob names shards of the split `train` only. split: None for every split, and for all files that a
    glob matches. runs: the folder of runs. asked: the setting that named the data, for errors. Raises
    SourceError if there is no shard.
    """
    glob = f"*.{split or '*'}-*.parquet"
    if data.startswith("hub:"):
        return _of_hub(data, glob, asked)
    if data.startswith("run:"):
        folder, pattern = runs / data.removeprefix("run:") / "shard", glob
    elif any(sign in data for sign in "*?[") and not Path(data).is_dir():
        folder, pattern = Path(data).parent, Path(data).name
    else:
        folder, pattern = Path(data), glob
    found = sorted(folder.glob(pattern)) if split in ("train", None) or pattern == glob else []
    if not found:
        if not data.startswith("run:"):
            hint = "give a folder that leaf build wrote"
        elif any(folder.glob("*.parquet")):
            hint = f"with shard.splits of the recipe {data.removeprefix('run:')} it has no rows"
        else:
            hint = f"`leaf build` of the recipe {data.removeprefix('run:')} writes them"
        raise SourceError(f"{asked} {data}: no shard {folder / pattern}; {hint}")
    return found


def named(path: Path) -> tuple[str, str] | None:
    """Task and split in a shard's name; None for another name."""
    found = _NAME.fullmatch(path.stem)
    return (found["task"], found["split"]) if found else None


def split_of(path: Path) -> str:
    """The split of a shard that the shard stage wrote, of rows or of preference rows."""
    return path.stem.rsplit("-", 3)[0].rpartition(".")[2]


def check(path: Path, sha256: str) -> None:
    """Compare a shard with the SHA256SUMS beside it, if there is one. sha256: of its bytes. Raises
    SourceError if it differs."""
    sums = path.with_name(CHECKSUMS)
    if not sums.is_file():
        return
    lines = (line.split("  ", 1) for line in sums.read_text(encoding="utf-8", errors="replace").splitlines())
    stated = {name: found for found, name in (line for line in lines if len(line) == 2)}
    if stated.get(path.name) != sha256:
        fault = "its sha256 is not the one" if path.name in stated else "is not listed"
        raise SourceError(
            f"{path}: {fault} in {CHECKSUMS} beside it; run `leaf build` if the dataset was built "
            "here, otherwise download it again"
        )


def _of_hub(data: str, glob: str, asked: str) -> list[Path]:
    """The shards of a repository, in any folder. Outputs are named like their shard, so two shards must not
    have the same name."""
    found = sorted(
        hub.snapshot(
            data.removeprefix("hub:"), [glob, f"*{CHECKSUMS}"], f"{asked} {data}", SourceError
        ).rglob(glob)
    )
    if not found:
        raise SourceError(
            f"{asked} {data}: the repository has no shard {glob}; give a dataset that leaf pushed"
        )
    name, times = Counter(path.name for path in found).most_common(1)[0]
    if times > 1:
        raise SourceError(
            f"{asked} {data}: {times} of its folders have a shard {name}; download one of them and give "
            "that folder"
        )
    return found


def opened(path: Path, columns: Sequence[str] = COLUMNS) -> PublishedShard:
    """Open a shard that contains images. Raises SchemaError if its images are references or a column is
    missing, and what `open_shard` raises."""
    shard = open_shard(path)
    if shard.is_reference:
        raise SchemaError(
            f"{path}: its images are references; `leaf hydrate` fetches them and writes shards with images"
        )
    shard.require(columns)
    return shard


def rows(path: Path, columns: Sequence[str] = COLUMNS) -> Iterator[PublishedRow]:
    """The rows of a shard that contains images. Raises what `opened` and `PublishedShard.batches` raise."""
    yield from opened(path, columns).read(columns)


def values(path: Path, column: str) -> Iterator[pa.Array]:
    """One short column of a shard in batches, whether its images are bytes or references; nothing if the file
    does not exist (not built yet, or just being replaced). Raises what `open_shard` and
    `PublishedShard.batches` raise."""
    if path.exists():
        for batch in open_shard(path).batches([column], SCANNED):
            yield batch.column(0)


def numbers(path: Path, column: str, wanted: Collection[str]) -> Iterator[tuple[int, str]]:
    """(number, value) of every row whose value in a text column (`id`, `document_id`) is in `wanted`. Raises
    what `values` raises."""
    first, meant = 0, pa.array(sorted(wanted), pa.string())
    for found in values(path, column):
        for at in pc.indices_nonzero(pc.is_in(found, value_set=meant)).to_pylist():
            yield first + at, found[at].as_py()
        first += len(found)
