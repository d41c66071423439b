"""Identify weights by the names, sizes and samples of their files, without reading tens of gigabytes.

Two trainings of one model have files of the same names and sizes whose bytes differ everywhere. A change of a
few bytes between the samples goes unnoticed. Refused: hashing whole files, because 14 GB take most of a
minute from a fast disk and many minutes from a shared one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from leafinstruct.backbones import tiny
from leafinstruct.runtime.artifact import digest
from leafinstruct.runtime.files import file_sha256

BLOCKS, BLOCK = 65, 1 << 14
"""Number of evenly spread samples, and bytes of each; a file of one megabyte is covered completely."""


def identity(name: str, weights: str) -> str:
    """Return the identity of a backbone's weights. weights: a folder, or the packaged base, whose files are
    hashed completely. Cards and hidden folders (the state of a download) are ignored."""
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
    """Return the size of a file in bytes, and the sha256 of its samples."""
    size, found = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        for number in range(BLOCKS):
            file.seek(max(0, size - BLOCK) * number // (BLOCKS - 1))
            found.update(file.read(BLOCK))
    return size, found.hexdigest()
