"""A folder as a store: objects are files, written by one rename."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.runtime.files import file_sha256, writing
from leafinstruct.runtime.store.base import Head


@dataclass(frozen=True, slots=True)
class Folder:
    """Files below a folder (Target). The tag of a file is its sha256, so `head` and `list` read it."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def head(self, key: str) -> Head:
        file = self._file(key)
        return Head(file.stat().st_size, file_sha256(file))

    def get(self, key: str, start: int, stop: int, head: Head) -> bytes:
        if self.head(key) != head:
            raise SourceError(f"{self._file(key)}: changed while it was read; run the same command again")
        with self._file(key).open("rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        for file in sorted(self._file(prefix).rglob("*")):
            if file.is_file() and not file.name.endswith(".tmp"):
                key = file.relative_to(self.path).as_posix()
                yield key, self.head(key)

    def put(self, key: str, file: Path, sha256: str) -> None:
        with writing(self._file(key)) as temporary:
            _copy(file, temporary, sha256)

    def create(self, key: str, file: Path, sha256: str) -> bool:
        target = self._file(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        try:
            _copy(file, temporary, sha256)
            target.hardlink_to(temporary)  # in one step, and fails if the name exists
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def sha256(self, key: str) -> str | None:
        return file_sha256(self._file(key)) if self._file(key).is_file() else None

    def delete(self, key: str) -> None:
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        """Return the file of a key. Raises SourceError for a key that leads out of the folder."""
        if key.startswith("/") or ".." in key.split("/"):
            raise SourceError(f"{self.path}: {key!r} leads out of it; use a name without `..`")
        return self.path / key


def _copy(file: Path, target: Path, sha256: str) -> None:
    shutil.copyfile(file, target)
    if file_sha256(target) != sha256:
        raise SourceError(f"{file}: its sha256 is not {sha256}, which was recorded; run `leaf verify`")
