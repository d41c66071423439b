"""Samples -> files: lines of JSON beside images, or tar shards that hold both; and the parts of a split put
together.

A part (one shard of the dataset) is written aside and takes its name when it is whole. Lists and lines are
put together by copying parts, because their readers want one file a split; tar shards only take their final
names.
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
from leafinstruct.runtime.artifact import Artifact, writing

BLOCK = tarfile.BLOCKSIZE


class Packer(Protocol):
    """Takes the samples of one part, in order."""

    files: list[Path]

    def add(self, sample: Sample) -> Lost | None:
        """Write a sample, or say why it cannot be."""


def json_line(value: object) -> bytes:
    """Not sorted: a record's keys have an order that people read them in, and it is always the same."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Lines:
    """A record a line; images as files below the export's folder, once each."""

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
    """Write an image unless it is there: the name says what is in it, and its bytes are compared."""
    if path.is_file() and path.stat().st_size == len(image.data) and path.read_bytes() == image.data:
        return
    with writing(path) as temporary:
        temporary.write_bytes(image.data)


class Tars:
    """Tar shards of at most `limit` bytes, or of one sample that is larger."""

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
                "a row with this id stands in the same shard already, and WebDataset would take both "
                "for one sample",
            )
        self._keys.add(name)
        pieces = [*members(sample), ("json", json_line(self._form.record(sample)))]
        size = sum(BLOCK + -(-len(data) // BLOCK) * BLOCK for _, data in pieces)
        if self._tar is None or (self._size and self._size + size + 2 * BLOCK > self._limit):
            self._tar = self._next()
        for suffix, data in pieces:
            member = tarfile.TarInfo(f"{name}.{suffix}")  # whose time, owner and group are 0 and nobody
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
    """The packer of a part; its files appear when the block ends well."""
    with ExitStack() as closing:
        yield (
            Tars(form, parts, part, limit, closing)
            if form.packing == "tar"
            else Lines(form, out, parts, part, closing)
        )


def put_together(form: Format, out: Path, split: str, files: Sequence[Path]) -> list[str]:
    """The files of a split, made of those of its parts in order; their names."""
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
    """Indented, in ASCII: some readers open it with whatever encoding the machine has."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="ascii")
