"""`leaf:tiny-clip-1`: a CLIP of 1.5 M parameters, trained on Sketchbook only and included in the wheel.

With it the pipeline, its tests and its demo can score alignment without a download. The checkpoint has clip's
own form and is opened by `clip.load`; it is stored as xz beside this module and unpacked once into a cache
folder. Its sha256 is checked before anything opens the file, so a cut, outdated or planted file in the cache
is replaced, not read.
Training: `scripts/train_tiny_clip.py`; abilities and limits: `tiny-clip-1.md`.
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
"""sha256 of the unpacked checkpoint."""

PACKED = Path(__file__).with_name("tiny-clip-1.pt.xz")


def unpack(cache: Path) -> Path:
    """Return the path of the checkpoint in `cache`, written if it is missing or does not match SHA256.

    Safe with several processes: each writes its own temporary file and renames it, and all write the same
    bytes. Raises SourceError when the cache cannot be read or written, ValueError when the packaged file is
    damaged.
    """
    try:
        return _unpacked(cache)
    except OSError as error:
        raise SourceError(
            f"{cache}: cannot unpack the packaged CLIP: {error.strerror or error}; check this folder"
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
