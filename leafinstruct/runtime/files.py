"""Files of a run: write by one rename, check by sha256, describe damage."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError

_SEAL = re.compile(rb',?\n "sha256": "([0-9a-f]{64})"\n}\n')


ALTERED = "its bytes differ from what was recorded"
"""Fault of a file whose sha256 does not match."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file or entry, as `leaf verify` lists it.

    file: its path; fault: what is wrong, e.g. "its sha256 is not the recorded one"; repair: what to do, e.g.
    "run `leaf build RECIPE`: part demo-0 is made again".
    """

    file: Path
    fault: str
    repair: str


def refuse_folder(path: Path) -> None:
    """Raise SourceError for a folder in place of a file. It is not deleted, because its content is
    unknown."""
    if path.is_dir() and not path.is_symlink():
        raise SourceError(
            f"{path}: a folder is in place of this file; move it away and run the same command again"
        )


def remove(path: Path) -> None:
    """Delete a file, a link or a pipe, if there is one. Raises SourceError for a folder."""
    refuse_folder(path)
    path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` when the block succeeds.

    Raises SourceError (full disk, no permission) with the file and a hint.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        refuse_folder(path)
        hint = (
            "free some space and run the same command again"
            if error.errno == 28
            else "check the folder's permissions"
        )
        raise SourceError(
            f"{path}: cannot write: {error.strerror or error}; finished work is kept, {hint}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """A new folder in another one for intermediate files of one step, which is removed at the end. Two
    processes have two. What a kill leaves is removed as temporary files are."""
    path = folder / f".{name}.{secrets.token_hex(6)}.tmp"
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def save(path: Path, value: Mapping[str, Any], indent: int | None = 1) -> None:
    """Write a JSON object by one rename. Its last entry, `sha256`, is the hash of all bytes before it.
    indent: None for large objects."""
    separators = None if indent else (",", ":")
    text = (
        json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=str)
        .removesuffix("}")
        .rstrip()
        .encode()
    )
    comma = b"," if value else b""
    with writing(path) as temporary:
        temporary.write_bytes(
            text + comma + b'\n "sha256": "%s"\n}\n' % hashlib.sha256(text).hexdigest().encode()
        )


def load(path: Path) -> dict[str, Any] | None:
    """Read what `save` wrote, without `sha256`; None if the file is missing or its hash does not match. The
    caller knows the form of its own file."""
    try:
        data = path.read_bytes() if path.is_file() else b""  # reading a pipe would block
    except OSError:
        return None
    seal = _SEAL.search(data, max(0, len(data) - 128))
    if (
        seal is None
        or seal.end() != len(data)
        or hashlib.sha256(data[: seal.start()]).hexdigest().encode() != seal[1]
    ):
        return None
    value: dict[str, Any] = json.loads(data)
    del value["sha256"]
    return value


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_fault(path: Path, sha256: str) -> str | None:
    """What is wrong with a file whose sha256 was recorded, as a clause; None if it matches."""
    try:
        if not path.is_file():  # reading a pipe would block
            return "it is no file" if os.path.lexists(path) else "it is missing"
        return None if file_sha256(path) == sha256 else "its sha256 is not the recorded one"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
