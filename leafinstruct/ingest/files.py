"""From a recipe's `path` to files: the folder they are relative to, and their names in a stable order.

A path is a file, a folder or a glob. Names of files travel relative to the root of the source with forward slashes, so that a project can
move and ids stay. Directory listings are sorted: their order is an accident of the file system. Hidden files and folders are left alone
(`.git`, the `._page.html` that macOS adds to archives).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from leafinstruct.errors import SourceError


def root_of(path: str) -> Path:
    """The folder that names are relative to: the folder itself, a file's folder, or a glob's part before the first wildcard."""
    given = Path(path).absolute()
    if given.is_dir():
        return given
    if not _is_glob(given):
        return given.parent
    return Path(*given.parts[: _first_wildcard(given)])


def listing(path: str, root: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Names of the source's files relative to root, sorted.

    A folder is searched for the suffixes, a glob takes what it matches. Raises SourceError when the path is missing, unreadable or
    matches nothing, or when a name is not valid UTF-8.
    """
    names = sorted(file.relative_to(root).as_posix() for file in _files(Path(path).absolute(), suffixes))
    if not names:
        what = "matches no file" if _is_glob(Path(path).absolute()) else f"holds no {' or '.join(suffixes)} file"
        raise SourceError(f"{path}: {what}; check the path and the kind of the source")
    for name in names:
        if not _encodable(name):
            raise SourceError(f"{root}: the file name {name!r} is not valid UTF-8; rename the file")
    return names


def inside(root: Path, name: str) -> Path | None:
    """The file's path, or None when the name or a symbolic link leads out of the root."""
    path = root / name
    return path if path.resolve().is_relative_to(root.resolve()) else None


def _files(given: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    if given.is_file():
        yield given
    elif given.is_dir():
        yield from _walk(given, suffixes)
    elif _is_glob(given):
        first = _first_wildcard(given)
        pattern = "/".join(given.parts[first:])
        yield from (file for file in Path(*given.parts[:first]).glob(pattern) if file.is_file())
    else:
        raise SourceError(f"{given}: no such file or folder; paths in a recipe are relative to the recipe's own folder")


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder, not following links to folders, which may lead in circles. Raises SourceError on an unreadable folder."""

    def refuse(error: OSError) -> None:
        raise SourceError(f"{error.filename}: cannot be read: {error.strerror}; check the folder's permissions") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if name.lower().endswith(suffixes) and not name.startswith("."))


def _is_glob(path: Path) -> bool:
    return glob.has_magic(str(path)) and not path.exists()


def _first_wildcard(path: Path) -> int:
    return next(index for index, part in enumerate(path.parts) if glob.has_magic(part))


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
