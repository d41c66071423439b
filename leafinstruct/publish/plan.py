"""Plan a push: compare the local files with those of the repository.

`.leaf-push.json`, committed with every push, holds the sha256 of each file that the push wrote. A remote file
is ours if it matches this list. A file that somebody else added or edited is foreign (`strangers`) and only
overwritten on request. Files of an earlier push that are no longer built are deleted in the same commit if
they are still ours. Chosen: a list over name patterns, since files of others may also be called README.md.
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
    """A file to be published. name: path in the repository. data: contents of a generated file without a
    path."""

    name: str
    path: Path | None
    size: int
    sha256: str
    data: bytes = b""

    @property
    def blob(self) -> str:
        """Git blob id of the contents, by which the Hub identifies files outside of LFS."""
        return blob(self.path.read_bytes() if self.path else self.data)


@dataclass(frozen=True, slots=True)
class Remote:
    """A file in the repository. sha256: of a large file (LFS, Xet), None for a file in git. blob: git blob
    id."""

    name: str
    size: int
    sha256: str | None
    blob: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes of one commit. strangers: foreign files that would be overwritten. left: files of an earlier
    push that somebody changed; they are not deleted."""

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
        """Files by kind of change, for reports."""
        return {"new": self.new, "changed": self.changed, "deleted": self.deleted, "same": self.same}

    @property
    def empty(self) -> bool:
        return not (self.written or self.deleted)


NOTHING = Plan((), (), (), (), (), ())


def compare(here: Iterable[Local], there: Mapping[str, Remote], listed: Mapping[str, Any]) -> Plan:
    """Compare local with remote files.

    here: files to be published. there: files of the repository by name. listed: `files` of its
    `.leaf-push.json`, empty if there is none.
    """
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
    """The `.leaf-push.json` for some files. Shards get no blob id, since they are large files; this saves
    reading them once more."""
    entries = {file.name: _listed(file) for file in sorted(files, key=lambda file: file.name)}
    data = (json.dumps({**facts, "files": entries}, indent=1) + "\n").encode()
    return Local(LIST, None, len(data), hashlib.sha256(data).hexdigest(), data)


def listed_in(data: bytes) -> dict[str, object]:
    """`files` of a `.leaf-push.json`; empty if it is not valid."""
    try:
        files = json.loads(data)["files"]
        return {str(name): entry for name, entry in files.items() if isinstance(entry, dict)}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def blob(data: bytes) -> str:
    """Git blob id of some contents."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - git's id, not a seal


def _listed(file: Local) -> dict[str, object]:
    entry = {"size": file.size, "sha256": file.sha256}
    return entry if file.name.endswith(".parquet") else {**entry, "blob": file.blob}


def _same(remote: Remote, sha256: object, blob_of: Any) -> bool:
    return remote.sha256 == sha256 if remote.sha256 is not None else remote.blob == blob_of()


def _ours(remote: Remote, listed: Mapping[str, Any]) -> bool:
    """Whether a file is what an earlier push wrote. The list itself has no entry; it is always ours."""
    entry = listed.get(remote.name)
    return (
        remote.name == LIST
        if entry is None
        else _same(remote, entry.get("sha256"), lambda: entry.get("blob"))
    )
