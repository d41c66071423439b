"""What a push would change: files here against files there. Pure.

Whose a file there is, its own list tells: `.leaf-push.json`, committed with every push, holds the sha256 of
each file that the push wrote. A file is ours while it is what that list says; another one of the same name,
or one that somebody edited, is a stranger's and is not overwritten unasked. What was pushed once and is built
no more goes in the same commit, if it is still ours. A name pattern was refused as the mark: other people's
files are called README.md, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIST = ".leaf-push.json"


@dataclass(frozen=True, slots=True)
class Local:
    """A file that is to be there. name: its path in the repository; data: of a small file that is made up,
    instead of a path."""

    name: str
    path: Path | None
    size: int
    sha256: str
    data: bytes = b""

    @property
    def blob(self) -> str:
        """Git's name of the contents: how the Hub tells small files apart, which it does not keep as large
        ones."""
        return blob(self.path.read_bytes() if self.path else self.data)


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of the repository. sha256: of a large file (LFS, Xet), None for one that lies in git; blob:
    git's name of it."""

    name: str
    size: int
    sha256: str | None
    blob: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one commit does. strangers: files there that are in the way and not ours; left: files of an
    earlier push that somebody changed."""

    new: tuple[Local, ...]
    changed: tuple[Local, ...]
    same: tuple[Local, ...]
    deleted: tuple[Remote, ...]
    strangers: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def written(self) -> tuple[Local, ...]:
        return self.new + self.changed

    @property
    def groups(self) -> dict[str, tuple[Local, ...] | tuple[Remote, ...]]:
        """What becomes of files, for who tells it."""
        return {"new": self.new, "changed": self.changed, "deleted": self.deleted, "same": self.same}

    @property
    def empty(self) -> bool:
        return not (self.written or self.deleted)


def compare(here: Iterable[Local], there: Mapping[str, Remote], listed: Mapping[str, Any]) -> Plan:
    """here: what is to be there; there: what is; listed: `files` of the list that lies there, empty when
    there is none."""
    wanted = {file.name: file for file in sorted(here, key=lambda file: file.name)}
    both = [(file, there[name]) for name, file in wanted.items() if name in there]
    changed = [
        (file, remote) for file, remote in both if not _same(remote, file.sha256, lambda file=file: file.blob)
    ]
    gone = [there[name] for name in sorted(listed) if name in there and name not in wanted and name != LIST]
    return Plan(
        tuple(file for name, file in wanted.items() if name not in there),
        tuple(file for file, _ in changed),
        tuple(file for file, remote in both if (file, remote) not in changed),
        tuple(remote for remote in gone if _ours(remote, listed)),
        tuple(remote.name for _, remote in changed if not _ours(remote, listed)),
        tuple(remote.name for remote in gone if not _ours(remote, listed)),
    )


def listing(files: Iterable[Local], facts: Mapping[str, Any]) -> Local:
    """The list that goes with some files. Blobs are told of small files only: shards are large ones, and are
    read once less."""
    entries = {file.name: _listed(file) for file in sorted(files, key=lambda file: file.name)}
    data = (json.dumps({**facts, "files": entries}, indent=1) + "\n").encode()
    return Local(LIST, None, len(data), hashlib.sha256(data).hexdigest(), data)


def listed_in(data: bytes) -> dict[str, Any]:
    """`files` of a list; empty for what is none."""
    try:
        files = json.loads(data)["files"]
        return {str(name): entry for name, entry in files.items() if isinstance(entry, dict)}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def blob(data: bytes) -> str:
    """Git's name of some contents."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - the name that git gives, no seal


def _listed(file: Local) -> dict[str, Any]:
    entry = {"size": file.size, "sha256": file.sha256}
    return entry if file.name.endswith(".parquet") else {**entry, "blob": file.blob}


def _same(remote: Remote, sha256: object, blob_of: Any) -> bool:
    return remote.sha256 == sha256 if remote.sha256 is not None else remote.blob == blob_of()


def _ours(remote: Remote, listed: Mapping[str, Any]) -> bool:
    """Whether a file is what an earlier push wrote. The list itself has no entry: nobody else writes one."""
    entry = listed.get(remote.name)
    return (
        remote.name == LIST
        if entry is None
        else _same(remote, entry.get("sha256"), lambda: entry.get("blob"))
    )
