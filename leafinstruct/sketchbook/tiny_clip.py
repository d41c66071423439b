"""`leaf:tiny-clip-1`: a CLIP of 1.5 M parameters that knows Sketchbook and nothing else, shipped in the
wheel.

It lets the whole pipeline, its tests and its demo score alignment without a download. The checkpoint has
clip's own form, is opened by `clip.load` like any other, and travels as xz beside this module. It is unpacked
once into a cache folder; bytes are trusted by their sha256 alone, checked before anything opens the file, so
a cut, stale or planted file in the cache is replaced rather than read.
Training: `scripts/train_tiny_clip.py`; what it can and cannot do: `tiny-clip-1.md`.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import tempfile
from pathlib import Path

from leafinstruct.errors import SourceError

NAME = "leaf:tiny-clip-1"

SHA256 = "26314a9bdc3d3477284cc25c682d46a1d24e4071d5248bea9ef2bd8ba39c60a9"
"""Of the unpacked checkpoint."""

PACKED = Path(__file__).with_name("tiny-clip-1.pt.xz")


def unpack(cache: Path) -> Path:
    """The checkpoint as a file in `cache`, written when it is missing or not what SHA256 says.

    Safe among processes: each writes a temporary file of its own and renames it, and all write the same
    bytes. Raises SourceError when the cache cannot be read or written, ValueError when the packaged file
    itself is damaged.
    """
    try:
        return _unpacked(cache)
    except OSError as error:
        raise SourceError(
            f"{cache}: the packaged CLIP cannot be unpacked: {error.strerror or error}; check this folder"
        ) from error


def _unpacked(cache: Path) -> Path:
    path = cache / f"tiny-clip-1-{SHA256[:12]}.pt"
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256:
        return path
    data = lzma.decompress(PACKED.read_bytes())
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError(f"{PACKED.name}: the packaged weights are damaged; install leafinstruct again")
    cache.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=cache, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path
