"""The protocols of a store: a place of objects with names, on a disk, in a bucket, or on the Hub.

An object is written whole by one put, so a reader sees all of it or nothing. It is read by ranges of one
state (`Head`): if it was replaced meanwhile, reading fails instead of mixing bytes. Nothing depends on times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leafinstruct.errors import SourceError

SCHEMES = ("s3", "gs", "hf")
"""Schemes of URLs that a recipe may name."""


class UnsafeKeyError(SourceError):
    """A key that a store can never read, such as one with a control character."""


@dataclass(frozen=True, slots=True)
class Head:
    """The state of an object.

    size: in bytes. tag: what its store computes from its content: the ETag in a bucket, the sha256 on a disk,
    commit and content hash on the Hub. Two states with equal size and tag are the same content.
    """

    size: int
    tag: str

    @property
    def state(self) -> str:
        """Size and tag as one string."""
        return f"{self.size} {self.tag}"


class Store(Protocol):
    """Objects below one place. Keys are relative names with forward slashes.

    Every method raises SourceError (place, key, reason, hint) when the store refuses, or does not answer
    after all retries. No error, log line or key of results contains credentials.
    """

    @property
    def url(self) -> str:
        """The place, as a recipe names it: `s3://bucket`."""

    def head(self, key: str) -> Head:
        """Return the state of an object. Raises FileNotFoundError if there is none."""

    def get(self, key: str, start: int, stop: int, head: Head) -> bytes:
        """Return the bytes start to stop - 1 of an object in a known state, which has as many.

        Raises FileNotFoundError if it no longer exists, SourceError if its state is another one.
        """

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        """Yield the objects in a folder and its subfolders. prefix: a folder without a final slash; empty for
        all."""


class Target(Store, Protocol):
    """A store that can be written."""

    def put(self, key: str, file: Path, sha256: str) -> None:
        """Write a file as an object, which replaces one of this key. sha256: of the file, kept with the
        object."""

    def create(self, key: str, file: Path, sha256: str) -> bool:
        """Write a file as an object unless one of this key exists. Returns whether it was written."""

    def sha256(self, key: str) -> str | None:
        """Return the sha256 that was kept with an object; None if there is no object, or it has none."""

    def delete(self, key: str) -> None:
        """Delete an object, if it exists."""
