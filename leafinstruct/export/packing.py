"""Write samples to files: lines of JSON with image files, or tar shards with both; join the parts of a split.

A part (one shard of the dataset) gets its name when it is complete. Lists and lines are joined by copying
parts, because their readers expect one file per split; tar shards are only renamed.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from leafinstruct.export.format import Format
from leafinstruct.export.formats.webdataset import key, members
from leafinstruct.export.row import ExportedImage, Lost, Sample
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import writing

BLOCK = tarfile.BLOCKSIZE


class Packer(Protocol):
    """Writes the samples of one part, in order."""

    files: list[Path]

    def add(self, sample: Sample) -> Lost | None:
        """Write a sample, or return why it cannot be written."""


def json_line(value: object) -> bytes:
    """One line of JSON. Keys keep their order, which is the same for every record."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Lines:
    """One record a line; each image is one file in the export's folder."""

    def __init__(self, form: Format, out: Path, parts: Artifact, part: str, closing: ExitStack) -> None:
        path = parts.file("lines", part, ".jsonl")
        self.files = [path]
        self._form, self._out = form, out
        self._file = closing.enter_context(closing.enter_context(writing(path)).open("wb"))

    def add(self, sample: Sample) -> Lost | None:
        for image in sample.images:
            store(self._out / image.path, image)
        self._file.write(json_line(self._form.record(sample)))
        return None


def store(path: Path, image: ExportedImage) -> None:
    """Write an image, unless the file exists with the same bytes."""
    if path.is_file() and path.stat().st_size == len(image.data) and path.read_bytes() == image.data:
        return
    with writing(path) as temporary:
        temporary.write_bytes(image.data)


class Tars:
    """Tar shards of at most `limit` bytes, or with one larger sample."""

    def __init__(self, form: Format, parts: Artifact, part: str, limit: int, closing: ExitStack) -> None:
        self.files: list[Path] = []
        self._form, self._parts, self._part, self._limit = form, parts, part, limit
        self._closing = closing.enter_context(ExitStack())
        self._tar: tarfile.TarFile | None = None
        self._size = 0
        self._keys: set[str] = set()

    def add(self, sample: Sample) -> Lost | None:
        name = key(sample)
        if name in self._keys:
            return Lost(
                "duplicate_id",
                "the shard already contains a row with this id, and WebDataset would merge both into one "
                "sample",
            )
        self._keys.add(name)
        pieces = [*members(sample), ("json", json_line(self._form.record(sample)))]
        size = sum(BLOCK + -(-len(data) // BLOCK) * BLOCK for _, data in pieces)
        if self._tar is None or (self._size and self._size + size + 2 * BLOCK > self._limit):
            self._tar = self._next()
        for suffix, data in pieces:
            member = tarfile.TarInfo(f"{name}.{suffix}")  # time 0, no owner
            member.size = len(data)
            self._tar.addfile(member, io.BytesIO(data))
        self._size += size
        return None

    def _next(self) -> tarfile.TarFile:
        self._closing.close()
        path = self._parts.file(f"tar{len(self.files):06}", self._part, ".tar")
        temporary = self._closing.enter_context(writing(path))
        self.files.append(path)
        self._size = 0
        return self._closing.enter_context(tarfile.TarFile(temporary, "w", format=tarfile.USTAR_FORMAT))


@contextmanager
def packing(form: Format, out: Path, parts: Artifact, part: str, limit: int) -> Iterator[Packer]:
    """The packer of a part. Its files appear when the block ends without an error."""
    with ExitStack() as closing:
        yield (
            Tars(form, parts, part, limit, closing)
            if form.packing == "tar"
            else Lines(form, out, parts, part, closing)
        )


def put_together(form: Format, out: Path, split: str, files: Sequence[Path]) -> list[str]:
    """Write the files of a split from the files of its parts, in order. Returns their names."""
    if form.packing == "tar":
        names = [f"{split}-{number:06}.tar" for number in range(len(files))]
        for path, name in zip(files, names, strict=True):
            path.replace(out / name)
        return names
    name = f"{split}.json" if form.packing == "list" else f"{split}.jsonl"
    with writing(out / name) as temporary, temporary.open("wb") as joined:
        _join(files, joined, form.packing == "list")
    return [name]


def _join(files: Sequence[Path], joined: IO[bytes], is_list: bool) -> None:
    first = True
    joined.write(b"[\n" if is_list else b"")
    for path in files:
        with path.open("rb") as part:
            if not is_list:
                shutil.copyfileobj(part, joined)
                continue
            for line in part:
                joined.write((b"" if first else b",\n") + line.rstrip(b"\n"))
                first = False
    joined.write(b"\n]\n" if is_list else b"")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON in ASCII, since some readers open it with the encoding of the machine."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="ascii")
