"""`leaf push --to`: write a dataset to a prefix of a bucket, or to a folder.

    list       .leaf-push.json names the files of the old and of the new version, so that an interruption
               loses none
    open       SHA256SUMS is deleted: the prefix holds no whole dataset now
    files      shards, then the files beside them, README.md as the last one; what is there already is not
               sent
    close      SHA256SUMS is written: all files that it names are whole
    clean up   files of the old version that the new one lacks are deleted, then .leaf-push.json names the
               new ones

So a reader who finds SHA256SUMS finds every file that it names, and one whose files do not match it read
while it was written. A new prefix for each version (`s3://data/lessons/v2`) never changes under a reader.
Each object keeps its sha256 as metadata: a push that was interrupted, from this machine or another one, sends
only what is missing.

Rejected: a commit in the manner of the Hub, which buckets do not have; ETags for comparing, which are no hash
of an object sent in parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leafinstruct.errors import PublishError
from leafinstruct.publish import plan
from leafinstruct.publish.checks import few
from leafinstruct.publish.plan import LIST, Local, Plan, Remote
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.store import opened
from leafinstruct.runtime.store.base import Target

SUMS = "SHA256SUMS"


class Prefix:
    """The place of a dataset. url: `s3://bucket/prefix`, or a folder."""

    def __init__(self, url: str) -> None:
        """Raises SourceError if it cannot be written."""
        self.url = url
        self._store: Target
        self._store, key = opened.target_of(url)
        self._prefix = f"{key.rstrip('/')}/" if key.rstrip("/") else ""

    def compare(self, here: list[Local]) -> Plan:
        """Compare local files with those of the prefix. A file that `.leaf-push.json` does not name is
        foreign."""
        there = self._there()
        names = {name: {"sha256": there[name].sha256} for name in self._listed() if name in there}
        return plan.compare(here, {name: file for name, file in there.items() if name != LIST}, names)

    def write(
        self, here: list[Local], facts: Mapping[str, Any], on_step: Callable[[int, int, int], None]
    ) -> None:
        """Make the prefix hold these files. facts: for `.leaf-push.json`. Raises SourceError."""
        change, listed = self.compare(here), self._listed()
        if change.empty and listed.keys() == {file.name for file in here}:
            return
        final = plan.listing(here, facts)
        both = json.loads(final.data)
        both["files"] = {**{name: {} for name in listed}, **both["files"]}
        self._save(json.dumps(both).encode())
        files = sorted(change.written, key=_order)
        if files:
            sums = sorted((file for file in here if _is_sums(file)), key=_order)
            for file in reversed(sums):
                self._store.delete(self._prefix + file.name)
            files = [*(file for file in files if not _is_sums(file)), *sums]
        sent = 0
        for done, file in enumerate(files):
            on_step(done, len(files), sent)
            assert file.path is not None, "only the list has no file"
            self._store.put(self._prefix + file.name, file.path, file.sha256)
            sent += file.size
        on_step(len(files), len(files), sent)
        with last_write():
            for gone in change.deleted:
                self._store.delete(self._prefix + gone.name)
            self._save(final.data)

    def _save(self, data: bytes) -> None:
        with TemporaryDirectory(prefix="leaf-") as folder:
            file = Path(folder) / LIST
            file.write_bytes(data)
            self._store.put(self._prefix + LIST, file, hashlib.sha256(data).hexdigest())

    def _listed(self) -> dict[str, Any]:
        """The names in `.leaf-push.json`; empty if there is none."""
        key = self._prefix + LIST
        try:
            head = self._store.head(key)
            return dict(plan.listed_in(self._store.get(key, 0, head.size, head)))
        except FileNotFoundError:
            return {}

    def _there(self) -> dict[str, Remote]:
        found = {}
        for key, head in self._store.list(self._prefix.rstrip("/")):
            name = key.removeprefix(self._prefix)
            found[name] = Remote(name, head.size, self._store.sha256(key) or "", "")
        return found


def refuse_strangers(change: Plan, url: str) -> None:
    """Raise PublishError for foreign files that would be replaced."""
    if change.strangers:
        raise PublishError(
            f"--to {url}: not written by leaf: {few(change.strangers)}; "
            "give --overwrite to replace, or another prefix"
        )


def _is_sums(file: Local) -> bool:
    return file.name.rpartition("/")[2] == SUMS


def _order(file: Local) -> tuple[int, str]:
    """Shards, files beside them, the card, checksums of subfolders, the checksums."""
    if _is_sums(file):
        return (4 if file.name == SUMS else 3), file.name
    if file.name == "README.md":
        return 2, file.name
    return (0 if file.name.endswith(".parquet") else 1), file.name
