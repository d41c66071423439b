"""Select the shards to export, in order, and name the dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.records import shards
from leafinstruct.runtime.artifact import Artifact


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of the dataset. part: its number, the name of its part."""

    path: Path
    split: str
    part: str


def chosen(data: str, runs: Path, split: str | None, task: str | None) -> list[Shard]:
    """The shards of a dataset, numbered, of a split and task if given. Raises SourceError."""
    asked = "export"
    found = [Path(data)] if Path(data).is_file() else shards.files(data, runs, None, asked)
    folder = Artifact(found[0].parent)
    if (folder.path / "fingerprint.json").exists() and folder.record is None:
        raise SourceError(f"{asked} {data}: {folder.path} is not finished; run `leaf build` until it is")
    names = [(path, shards.named(path)) for path in found]
    if strange := [path for path, name in names if name is None]:
        raise SourceError(
            f"{asked} {data}: {strange[0].name} does not name its split; shards are named "
            "TASK.SPLIT-00000-of-00001.parquet"
        )
    known = [(path, *name) for path, name in names if name is not None]
    wanted = [item for item in known if task in (None, item[1]) and split in (None, item[2])]
    if not wanted:
        there = ", ".join(sorted({f"{task}.{split}" for _, task, split in known}))
        raise SourceError(
            f"{asked} {data}: no shard of task {task or 'any'} and split {split or 'any'}; available: {there}"
        )
    return [Shard(path, split, f"{number:05}") for number, (path, _, split) in enumerate(wanted)]


def name(data: str, shard: Path) -> str:
    """Name of the dataset: ORG/NAME, the name of the run, or of its folder; never a local path."""
    if data.startswith("hub:"):
        return data.removeprefix("hub:")
    folder = shard.resolve().parent
    return folder.parent.name if folder.name == "shard" else folder.name
