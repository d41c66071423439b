"""Which weights these are, without reading tens of gigabytes at every start: names, sizes and samples of
their files.

Two trainings of one model have the same names and sizes, and differ in every piece of their bytes. A change
of a few bytes somewhere between the samples is not seen; hashing whole files was refused, because 14 GB take
most of a minute from a fast disk and many from a shared one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from leafinstruct.backbones import tiny
from leafinstruct.runtime.artifact import digest, file_sha256

BLOCKS, BLOCK = 65, 1 << 14
"""Evenly spread pieces that are looked at, and bytes of each: the whole of a file of a megabyte."""


def identity(name: str, weights: str) -> str:
    """Of a backbone of that name. weights: a folder, or the packaged base, whose files are hashed whole.

    Cards say nothing of the weights, and hidden folders hold the state of a download: both are left out.
    """
    if weights == tiny.NAME:
        return digest(
            {
                "name": name,
                "weights": sorted(
                    (path.name, file_sha256(path)) for path in tiny.FOLDER.iterdir() if path.suffix != ".md"
                ),
            }
        )
    folder = Path(weights)
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    meant = [
        path
        for path in names
        if path.suffix != ".md" and not any(part.startswith(".") for part in path.parts)
    ]
    return digest(
        {"name": name, "weights": sorted((path.as_posix(), *_sampled(folder / path)) for path in meant)}
    )


def _sampled(path: Path) -> tuple[int, str]:
    """Bytes, and sha256 of the samples."""
    size, found = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        for number in range(BLOCKS):
            file.seek(max(0, size - BLOCK) * number // (BLOCKS - 1))
            found.update(file.read(BLOCK))
    return size, found.hexdigest()
