"""A repository of the Hugging Face Hub as a store of files to read: `hf://datasets/org/name@revision/folder`.

Read through huggingface_hub's own file system, a dependency already (obstore knows no Hub); it retries and
knows the token. The commit of the revision is looked up once and all files are read at that commit, so a push
by somebody else changes nothing in the middle of a build. Writing is `leaf push`: one commit, not one put a
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leafinstruct.errors import SourceError
from leafinstruct.runtime import hub
from leafinstruct.runtime.store.base import Head

if TYPE_CHECKING:
    from huggingface_hub import HfFileSystem

_URL = re.compile(r"(hf://(datasets|models|spaces)/([\w.-]+/[\w.-]+?)(?:@([^/]+))?)(?:/(.*))?")
_TYPES = {"datasets": "dataset", "models": "model", "spaces": "space"}


@dataclass(frozen=True, slots=True)
class Repository:
    """The files of one commit of a repository (Store). url: as the recipe names it."""

    url: str
    _root: str
    _files: HfFileSystem = field(repr=False, compare=False)

    @staticmethod
    def split(url: str) -> tuple[str, str]:
        """Return the repository of a URL, and the name of a file in it. Raises SourceError for another
        form."""
        found = _URL.fullmatch(url)
        if found is None:
            raise SourceError(f"{url}: not a place on the Hub; write hf://datasets/ORG/NAME/FOLDER")
        return found[1], found[5] or ""

    @classmethod
    def open(cls, url: str) -> Repository:
        """Look up the commit. Raises SourceError if the Hub refuses or does not answer."""
        from huggingface_hub import HfApi, HfFileSystem

        found = _URL.fullmatch(url)
        assert found is not None, "split made it"
        with hub.downloading(url, SourceError):
            info = HfApi().repo_info(found[3], repo_type=_TYPES[found[2]], revision=found[4])
        folder = "" if found[2] == "models" else f"{found[2]}/"
        return cls(url, f"{folder}{found[3]}@{info.sha}", HfFileSystem(use_listings_cache=False))

    def head(self, key: str) -> Head:
        with self._asking(key):
            found = self._files.info(f"{self._root}/{key}")
        if found["type"] != "file":
            raise FileNotFoundError(2, "no such file", f"{self.url}/{key}")
        return self._state(found)

    def get(self, key: str, start: int, stop: int, head: Head) -> bytes:  # noqa: ARG002 - a commit does not change
        if start >= stop:
            return b""
        with self._asking(key):
            data = bytes(self._files.cat_file(f"{self._root}/{key}", start=start, end=stop))
        if len(data) != stop - start:
            raise SourceError(
                f"{self.url}/{key}, offset {start:,}: {len(data):,} bytes instead of {stop - start:,}; "
                "run the same command again"
            )
        return data

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        place = f"{self._root}/{prefix}".rstrip("/")
        try:
            with self._asking(prefix):
                found = self._files.find(place, detail=True)
        except FileNotFoundError:
            return
        assert isinstance(found, dict), "asked for with detail"
        for name, entry in found.items():
            yield name.removeprefix(f"{self._root}/"), self._state(entry)

    def _state(self, found: dict[str, Any]) -> Head:
        lfs = found.get("lfs")
        return Head(int(found["size"]), f"{lfs['sha256'] if lfs else found['blob_id']}")

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Turn an error of the Hub's client into SourceError; a missing file keeps its type."""
        try:
            with hub.downloading(f"{self.url}/{key}", SourceError):
                yield
        except SourceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise FileNotFoundError(2, "no such file", f"{self.url}/{key}") from None
            raise
