"""Identity of a file: its size and the sha256 of its bytes, never its times.

A copied run or a touched file is what it was, and a file whose bytes changed under its old times is another
one. Hashing costs 0.5 s of CPU per GB, so identities are remembered under the file's state: size, times of
its content (mtime) and of its inode (ctime), and number of its inode, as in git's index. A state is in no key
and no published file; it only avoids hashing again. A program that restores mtime changes ctime, which it
cannot set. A file that changed in the last RECENT seconds is hashed each time, because a write in the same
tick of the disk's clock would leave its state as it is.

Remembered in this process (about 500 bytes a file), and by callers that keep `known` on disk and `remember`
it later. Files of LARGE bytes also in a folder that processes share, so that 16 workers hash an archive once.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from leafinstruct.runtime.files import file_sha256, load, save
from leafinstruct.runtime.store.path import ObjectPath

RECENT = 2.0
"""Seconds. The coarsest clock of a common file system ticks once in 2 s (FAT), of NFS once in 1 s."""
LARGE = 8_000_000
"""Bytes that take longer to hash than a small file takes to read."""
_known: dict[Path, tuple[str, str]] = {}


def state(path: Path) -> str:
    """Size, times and inode of a file, which change when it is written; size and tag of an object in a store.
    Raises OSError."""
    if isinstance(path, ObjectPath):
        return path.head.state
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def identity(path: Path, shared: Path | None = None) -> str:
    """`<size> <sha256>` of a file, `<size> tag:<tag>` of an object in a store, which is not read for it.
    shared: a folder to remember large files in. Raises OSError."""
    if isinstance(path, ObjectPath):
        return f"{path.head.size} tag:{path.head.tag}"
    now = state(path)
    known = _known.get(path)
    if known is not None and known[0] == now:
        return known[1]
    size = int(now.partition(" ")[0])
    note = None if shared is None or size < LARGE else _note(shared, path, now)
    noted = None if note is None else load(note)
    if noted is not None:
        _known[path] = now, str(noted["identity"])
        return _known[path][1]
    found = f"{size} {file_sha256(path)}"
    if state(path) == now and time.time() - path.stat().st_ctime > RECENT:
        _known[path] = now, found
        if note is not None:
            save(note, {"identity": found})
    return found


def known(path: Path) -> tuple[str, str] | None:
    """State and identity of a file that was hashed in this process; None if it was not, or changed lately."""
    return _known.get(path)


def is_known(path: Path) -> bool:
    """Whether `identity` of a file needs no hashing now. Raises OSError."""
    found = _known.get(path)
    return found is not None and found[0] == state(path)


def remember(path: Path, then: str, found: str) -> None:
    """Take over what `known` returned earlier, if the file is in that state now."""
    try:
        if state(path) == then:
            _known[path] = then, found
    except OSError:  # the file is gone
        pass


def forget(path: Path) -> None:
    """Hash a file again the next time."""
    _known.pop(path, None)


def _note(folder: Path, path: Path, now: str) -> Path:
    name = hashlib.sha256(f"{path}\0{now}".encode(errors="surrogateescape")).hexdigest()
    return folder / "hashed" / name[:2] / f"{name[:24]}.json"
