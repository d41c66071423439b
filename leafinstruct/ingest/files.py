"""Resolve a recipe's `path` to files: the folder that they are relative to, and their names in a stable
order.

A path is a file, a folder or a glob. File names are relative to the source's root, with forward slashes, so
that a project can move and ids stay the same. Directory listings are sorted, because their order depends on
the file system. Hidden files and folders are skipped (`.git`, the `._page.html` that macOS adds to archives),
and so are runs of `leaf build` below a folder: a run must not become its own source.

A path may be a URL of a bucket or of the Hub (`s3://bucket/crawl/*.warc.gz`). Then the folder is an
ObjectPath, and its files are those that the store lists (runtime/store).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from leafinstruct.errors import SourceError
from leafinstruct.records.document import Rejected
from leafinstruct.runtime.store import opened
from leafinstruct.runtime.store.path import ObjectPath, located

FOREIGN = (".zst", ".xz", ".bz2", ".7z", ".tgz", ".tar.gz", ".csv", ".tsv", ".xlsx", ".arrow", ".feather")
"""Endings that no reader supports. Reading such a file would give one loss per line and hide the cause."""
LEADS_OUT = (
    "a symbolic link leads out of the source's folder; copy its files into the folder, or name the folder "
    "that it leads to as a source"
)
_Read = TypeVar("_Read")
_RUN = "ingest/fingerprint.json"
_PACKINGS = (".zst", ".xz", ".bz2", ".gz", ".zip")
_HINTS = {
    ".zst": "run `zstd -d` on it",
    ".xz": "run `unxz` on it",
    ".bz2": "run `bunzip2` on it",
    ".gz": "run `gunzip` on it",
    ".zip": "run `unzip` on it",
    ".csv": "it is a table: set kind: hub, with segments",
    ".tsv": "it is a table: set kind: hub, with segments",
    ".arrow": "run `python -c \"import datasets; datasets.Dataset.from_file('{0}').to_parquet('{0}.parquet')\"`",  # noqa: E501
    ".feather": "run `python -c \"import pandas; pandas.read_feather('{0}').to_parquet('{0}.parquet')\"`",
}
"""How to convert an unsupported file to a supported one."""


def root_of(path: str) -> Path:
    """The folder that names are relative to: the folder itself, a file's folder, or the part of a glob
    before its first wildcard."""
    given = located(path)
    if given.is_dir():
        return given
    if not _is_glob(given):
        return given.parent
    return type(given)(*given.parts[: _first_wildcard(given)])


def root_with(path: str, images: str | None) -> Path:
    """Return the folder of the records; when `images` names a folder elsewhere, the nearest folder that
    contains both. A folder that a recipe names may be a symbolic link: then of the folders behind links."""
    root = root_of(path)
    if images is None:
        return root
    folder = located(images)
    if isinstance(root, ObjectPath) or isinstance(folder, ObjectPath):
        return _common(root, folder)
    both = Path(os.path.commonpath([root, folder]))
    behind = both.resolve()
    if root.resolve().is_relative_to(behind) and folder.resolve().is_relative_to(behind):
        return both
    return Path(os.path.commonpath([root.resolve(), folder.resolve()]))


def _common(root: Path, folder: Path) -> Path:
    """The nearest folder above two of one store. Raises SourceError when they are in different ones."""
    for above in (root, *root.parents):
        if isinstance(above, ObjectPath) and len(above.parts) > 1 and folder.is_relative_to(above):
            return above
    raise SourceError(f"{folder}: the images are not in the store of {root}; copy them there")


def below(path: str | Path, root: Path) -> PurePosixPath:
    """Return a file or folder that a recipe names relative to `root_with`."""
    given = located(path)
    try:
        inside_ = given.resolve().is_relative_to(root.resolve()) and given.is_relative_to(root)
    except (OSError, RuntimeError):
        inside_ = True
    return PurePosixPath((given if inside_ else given.resolve()).relative_to(root).as_posix())


def stray_links(path: str) -> list[str]:
    """Return the links to folders, below a source's folder, that lead out of it, relative to it, sorted. They
    are not followed."""
    root = root_of(path)
    return sorted(_strays(root, root.resolve(), "")) if Path(path).is_dir() else []


def _strays(folder: Path, root: Path, prefix: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # listing reports it
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not is_run(folder / entry.name):
                yield from _strays(folder / entry.name, root, f"{prefix}{entry.name}/")
        elif entry.is_symlink() and entry.is_dir() and inside(root, prefix + entry.name) is None:
            yield prefix + entry.name


def check_images(images: str | None, without: str) -> None:
    """Raise SourceError when the folder that a recipe names does not exist. without: what to do instead of
    naming one."""
    if images is not None and not located(images).is_dir():
        raise SourceError(f"{images}: no such folder of images; {without}")


def listing(
    path: str, root: Path, suffixes: tuple[str, ...], also: Callable[[Path], bool] | None = None
) -> list[str]:
    """Return the names of the source's regular files relative to root, which is `root_of(path)` or a folder
    above it, sorted.

    also: whether a file with none of the suffixes, inside a folder, belongs to the source too.

    A folder is searched for the suffixes. A glob takes what it matches. Raises SourceError when the path is
    missing, unreadable or matches nothing, when a file has a compression or format that no reader supports
    (in a folder: unless the unpacked file lies beside it), or when a name is not valid UTF-8.
    """
    given = located(path)
    if isinstance(given, ObjectPath):
        opened.forget(str(given))
    base = root_of(path)
    prefix = "" if (own := below(base, root)) == PurePosixPath() else f"{own}/"
    names = sorted(prefix + name for name in _names(given, base, suffixes, also))
    if not names:
        what = "matches no file" if _is_glob(given) else f"holds no {' or '.join(suffixes)} file"
        raise SourceError(f"{path}: {what}; check the path and the kind of the source")
    for name in names:
        if not name.lower().endswith(suffixes) and (name.lower().endswith(FOREIGN) or packed(name, suffixes)):
            raise SourceError(f"{root / name}: this source reads {', '.join(suffixes)} files; {hint(name)}")
        if not _encodable(name):
            raise SourceError(f"{root}: the file name {name!r} is not valid UTF-8; rename the file")
    return names


def inside(root: Path, name: str) -> Path | None:
    """Return the file's path; None when the name or a symbolic link leads out of the root, or links form a
    circle."""
    path = root / name
    try:
        return path if path.resolve().is_relative_to(root.resolve()) else None
    except (OSError, RuntimeError):
        return None


def each(
    root: Path, names: Iterable[str], read: Callable[[str, Path], Iterable[_Read]]
) -> Iterator[_Read | Rejected]:
    """Yield what `read` yields for the name and path of each file; a loss for a file that is not below
    root."""
    for name in names:
        path = inside(root, name)
        yield from [Rejected(name, "", "unsafe_path", LEADS_OUT)] if path is None else read(name, path)


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn an OSError of the block into a SourceError that names the file."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{file}: cannot be read: {error.strerror or error}; check the file and its permissions"
        ) from error


def is_run(folder: Path) -> bool:
    """Whether a folder is a run of `leaf build`; every run starts by writing the fingerprint of its first
    stage."""
    return (folder / _RUN).is_file()


def exists(root: Path, name: str) -> bool:
    """Whether a name from a page is a file below root. Names that the file system rejects are not."""
    try:
        return (root / name).is_file()
    except OSError:
        return False


def _names(
    given: Path, base: Path, suffixes: tuple[str, ...], also: Callable[[Path], bool] | None
) -> Iterator[str]:
    if given.is_file():
        yield given.name
    elif isinstance(given, ObjectPath) and given.is_dir():
        yield from _stored(given, suffixes, also)
    elif given.is_dir():
        yield from _walk(given, "", suffixes, also)
    elif _is_glob(given):
        pattern = "/".join(given.parts[_first_wildcard(given) :])
        yield from (file.relative_to(base).as_posix() for file in base.glob(pattern) if file.is_file())
    elif isinstance(given, ObjectPath):
        raise SourceError(f"{given}: no such object or folder; check the name, and the endpoint")
    else:
        raise SourceError(
            f"{given}: no such file or folder; paths in a recipe are relative to the recipe's own folder"
        )


def _stored(
    folder: ObjectPath, suffixes: tuple[str, ...], also: Callable[[Path], bool] | None
) -> Iterator[str]:
    """Yield the names below a folder of a store, by the rules of `_walk`."""
    known = dict(folder.files())
    runs = tuple(name.removesuffix(_RUN) for name in known if name.endswith(f"/{_RUN}"))
    copies = {name + packing for name in known for packing in _PACKINGS}
    for name, state in known.items():
        if f"/{name}".find("/.") >= 0 or name.startswith(runs):
            continue
        opened.remember([(str(folder / name), state)])
        if (
            name.lower().endswith(suffixes)
            or (packed(name, suffixes) and name not in copies)
            or (also is not None and also(folder / name))
        ):
            yield name


def _walk(
    folder: Path, prefix: str, suffixes: tuple[str, ...], also: Callable[[Path], bool] | None
) -> Iterator[str]:
    """Yield the names below a folder, without runs and without links to folders, which may form a circle.
    Raises SourceError on an unreadable folder."""
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise SourceError(
            f"{folder}: cannot be read: {error.strerror}; check the folder's permissions"
        ) from error
    # web servers keep compressed copies beside a page
    copies = {entry.name + packing for entry in entries for packing in _PACKINGS}
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not is_run(folder / entry.name):
                yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", suffixes, also)
        elif not _is_regular(entry):
            continue
        elif (
            entry.name.lower().endswith(suffixes)
            or (packed(entry.name, suffixes) and entry.name not in copies)
            or (also is not None and also(folder / entry.name))
        ):
            yield prefix + entry.name


def packed(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file would be read if it were unpacked: `a.jsonl.zst`."""
    return name.lower().endswith(tuple(suffix + packing for suffix in suffixes for packing in _PACKINGS))


def hint(name: str) -> str:
    """Return what to do about a file with a format or compression that no reader supports."""
    ending = PurePosixPath(name).suffix.lower()
    known = _HINTS.get(ending, "unpack it, or convert it to one of these").format(PurePosixPath(name).name)
    return f"{known}, and move this one away" if known.startswith("run ") else known


def _is_regular(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is, or links to, a regular file: opening a pipe would block forever."""
    try:
        return entry.is_file()
    except OSError:
        return False


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
