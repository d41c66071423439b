"""The stores that this process has opened, the states of objects that it knows, and the blocks that it keeps.

A state is asked for once and then holds for the whole process: every block is read on the condition that it
is still the same, so a file is read as it was planned or not at all. A plan forgets the states of what it
lists, and so sees changes. A worker is given the states of the plan (`remember`).

Blocks. An object is read in blocks of BLOCK bytes; a process keeps the last KEPT of them, for all objects.
Where reading goes on behind the last block, the next request asks for twice as many, at most AHEAD: a large
file costs one request per 16 MB, and an image out of the middle of an archive one block. Rejected: one
request per read (FastWARC reads 64 kB at a time), and a copy of each file on the disk (the crawl is larger
than the disk).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from leafinstruct.errors import SourceError
from leafinstruct.runtime.store.base import SCHEMES, Head, Store, Target
from leafinstruct.runtime.store.bucket import Bucket
from leafinstruct.runtime.store.disk import Folder

_URL = re.compile(rf"(?:{'|'.join(SCHEMES)}):/+")
BLOCK = 1 << 20
AHEAD = 16
"""Maximum blocks of one request."""
KEPT = 48
"""Blocks that a process keeps: 48 MB."""

_heads: dict[str, Head | None] = {}
"""URL -> state; None for an object that does not exist."""
_folders: dict[str, bool] = {}
"""URL -> whether objects lie below it."""
_blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
"""(URL, tag, number) -> block, the one used last at the end."""
_next: dict[str, tuple[int, int]] = {}
"""URL -> the block behind the last request of the object, and the number of blocks of that request."""


def is_url(path: str) -> bool:
    """Whether a path of a recipe names an object or a folder of a store, not of the disk."""
    return _URL.match(path) is not None


def store_of(url: str) -> tuple[Store, str]:
    """Return the store of a URL, and the key of its object there. Raises SourceError if it cannot be
    opened."""
    parts = urlsplit(url)
    if parts.scheme == "hf":
        from leafinstruct.runtime.store.hub import Repository

        place, key = Repository.split(url)
        return _opened(place), key
    key = url.removeprefix(f"{parts.scheme}://{parts.netloc}").lstrip("/")  # keys may contain `?` and `#`
    return _opened(f"{parts.scheme}://{parts.netloc}"), key


@lru_cache(maxsize=16)
def _opened(place: str) -> Store:
    if place.startswith("hf://"):
        from leafinstruct.runtime.store.hub import Repository

        return Repository.open(place)
    return Bucket.open(place)


def target_of(url: str) -> tuple[Target, str]:
    """Return the store of a URL that can be written, or a folder of the disk, and the key there. Raises
    SourceError for a repository of the Hub, and as `store_of`."""
    if not is_url(url):
        return Folder(Path(url).absolute()), ""
    if url.startswith("hf:"):
        raise SourceError(
            f"{url}: a repository is written in one commit; use `leaf push RECIPE --repo ORG/NAME`"
        )
    store, key = store_of(url)
    assert isinstance(store, Bucket), "the other schemes are buckets"
    return store, key


def close() -> None:
    """Forget all stores, states and blocks."""
    _opened.cache_clear()
    for kept in (_heads, _folders, _blocks, _next):
        kept.clear()


def head(url: str) -> Head:
    """Return the state of an object as this process first saw it. Raises FileNotFoundError, SourceError."""
    if url not in _heads:
        store, key = store_of(url)
        try:
            _heads[url] = store.head(key)
        except FileNotFoundError:
            _heads[url] = None
    if (found := _heads[url]) is None:
        raise FileNotFoundError(2, "no such object", url)
    return found


def is_folder(url: str) -> bool:
    """Whether objects lie below a name, as this process first saw it. Raises SourceError."""
    if url not in _folders:
        store, key = store_of(url)
        _folders[url] = next(store.list(key.rstrip("/")), None) is not None
    return _folders[url]


def remember(states: Iterable[tuple[str, Head]]) -> None:
    """Read these objects only in these states."""
    _heads.update(states)


def forget(url: str) -> None:
    """Ask again for the state of an object or a folder, and of everything below it."""
    for states in (_heads, _folders):
        for known in [known for known in states if f"{known}/".startswith(f"{url.rstrip('/')}/")]:
            del states[known]


def listed(url: str) -> Iterator[tuple[str, Head]]:
    """Yield key and state of the objects below a folder, as they are now, sorted; what was known of them is
    forgotten. Keys are relative to the folder."""
    store, key = store_of(url)
    forget(url)
    prefix = key.rstrip("/")
    for name, state in sorted(store.list(prefix), key=lambda item: item[0]):
        yield name.removeprefix(f"{prefix}/") if prefix else name, state


def read(url: str, start: int, size: int) -> bytes:
    """Return at most `size` bytes of an object from `start` on, of one block; empty at its end."""
    state = head(url)
    if start >= state.size or size <= 0:
        return b""
    number = start // BLOCK
    block = _block(url, state, number)
    at = start - number * BLOCK
    return block[at : at + size]


def _block(url: str, state: Head, number: int) -> bytes:
    if (kept := _blocks.get((url, state.tag, number))) is not None:
        _blocks.move_to_end((url, state.tag, number))
        return kept
    behind, last = _next.get(url, (-1, 0))
    count = min(AHEAD, 2 * last) if number == behind else 1
    store, key = store_of(url)
    stop = min(state.size, (number + count) * BLOCK)
    try:
        data = store.get(key, number * BLOCK, stop, state)
    except (SourceError, FileNotFoundError):
        _heads.pop(url, None)  # it may have changed
        raise
    pieces = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    _next[url] = (number + len(pieces), count)
    if len(_next) > KEPT:
        del _next[next(iter(_next))]
    for place, piece in reversed(list(enumerate(pieces, number))):  # the first block is dropped last
        _blocks[url, state.tag, place] = piece
    while len(_blocks) > KEPT:
        _blocks.popitem(last=False)
    return pieces[0]
