"""WebDataset: a tar whose members share a key, the name up to the first dot of its base name -> records of offsets. Nothing is unpacked.

    0001.jpg  0001.txt  0001.json      one record with the columns jpg, txt, json

Planning lists the members once and remembers where they lie; a picture is then a range of the tar, as it is stored. Links, devices and anything
else that is no regular file are passed over: they hold nothing. Compressed tars have no ranges and are refused.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from leafinstruct.ingest.index import Index, remembered

SUFFIXES = (".tar",)
VERSION = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """key: shared by the members; members: column -> (offset, length) in the tar."""

    key: str
    members: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class TarIndex:
    """samples: in the order of the tar. damage: (reason, sentence) where reading stops, None for a whole file."""

    samples: tuple[Sample, ...]
    damage: tuple[str, str] | None

    @property
    def items(self) -> int:
        """Samples, and one more for the damage, so that the report of it belongs to exactly one part."""
        return len(self.samples) + (self.damage is not None)


def index(file: Path, cache: Path) -> TarIndex:
    """The tar's index, built or remembered. Raises SourceError when the disk refuses it."""
    found = remembered(cache, file, _build, VERSION)
    samples = tuple(Sample(key, {name: (place[0], place[1]) for name, place in members.items()}) for key, members in found["samples"])
    return TarIndex(samples, tuple(found["damage"]) if found["damage"] else None)


def _build(file: Path) -> Index:
    samples: list[tuple[str, dict[str, tuple[int, int]]]] = []
    damage: tuple[str, str] | None = None
    size = file.stat().st_size
    try:
        with tarfile.open(file, "r:") as archive:
            for key, column, offset, length in _members(archive):
                if offset + length > size:
                    damage = ("truncated", f"the tar ends within {key}.{column}")
                    break
                if not samples or samples[-1][0] != key or column in samples[-1][1]:
                    samples.append((key, {}))
                samples[-1][1][column] = (offset, length)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        damage = ("truncated" if samples else "not_a_tar", f"the tar cannot be read on: {str(error)[:100]}")
    return {"samples": samples, "damage": damage}


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, str, int, int]]:
    """(key, column, offset, length) of every regular member."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it saw; a tar of millions would fill the memory
        name = PurePosixPath(member.name)
        stem, _, column = name.name.partition(".")
        if member.isreg() and stem and column:
            yield (name.parent / stem).as_posix(), column.lower(), member.offset_data, member.size
