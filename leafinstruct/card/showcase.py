"""A few examples for the card, with their images: one of each task, the first whose record and images may all
be shown.

A shard's rows lie in the order of a hash, so its first rows are drawn at random, and the same ones in every
build. Who states no license, or one that does not let anybody hand on changed copies, is not shown. Images
are decoded, scaled and written anew as PNG, so none of the file's own bytes (EXIF, a payload behind the end)
reach `examples/`. Memory: one row group.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from leafinstruct.card.license import showable
from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.records.public import PublishedShard, open_shard
from leafinstruct.records.text.joining import joined
from leafinstruct.runtime.artifact import writing

FOLDER = "examples"
SIDE = 256
"""Longer side of a shown image, pixels: twelve of them stay below 3 MB."""
IMAGES, PARTS = 4, 6
"""Images of one example and parts of one turn, at most; the rest is counted. Texts that follow each other are
one part."""

SCANNED = 4096
"""Rows whose licenses are read at a time."""

_RIGHTS = ["id", "license", "image_info.list.element.license"]

Shown = dict[str, Any]


def show(folder: Path, shards: Mapping[str, Sequence[Path]]) -> list[Shown]:
    """Write the images and return what the card tells of each example. shards: task -> its files, those to
    look in first before others.

    Returns `id`, `task`, `url`, `license`, `source` and `turns`: role, parts (a text, or {image: path in the
    folder}), left (number left out).
    """
    found = [_prepared(folder, row) for paths in shards.values() if (row := _first(paths)) is not None]
    wanted = {
        part["image"]
        for example in found
        for turn in example["turns"]
        for part in turn["parts"]
        if isinstance(part, dict)
    }
    for path in (folder / FOLDER).glob("*"):
        if f"{FOLDER}/{path.name}" not in wanted:
            path.unlink()
    return found


def _first(paths: Sequence[Path]) -> dict[str, Any] | None:
    for path in paths:
        shard = open_shard(path)
        for group in range(shard.row_groups):
            at = _place(shard, group)
            if at is not None:
                return _row(shard, group, at)
    return None


def _place(shard: PublishedShard, group: int) -> int | None:
    """Number of the first showable row in a row group."""
    rows = (row for batch in shard.batches(_RIGHTS, SCANNED, [group]) for row in batch.to_pylist())
    return next((at for at, row in enumerate(rows) if _may_be_shown(row)), None)


def _may_be_shown(row: Mapping[str, Any]) -> bool:
    return bool(row["image_info"]) and all(
        map(showable, (row["license"], *(info["license"] for info in row["image_info"])))
    )


def _row(shard: PublishedShard, group: int, at: int) -> dict[str, Any]:
    columns = ["id", "task", "source", "url", "license", "messages", "images"]
    for batch in shard.batches(columns, groups=[group]):
        if at < batch.num_rows:
            (row,) = batch.slice(at, 1).to_pylist()
            return dict(row)
        at -= batch.num_rows
    raise AssertionError("the row is in this group")


def _prepared(folder: Path, row: Mapping[str, Any]) -> Shown:
    images = _images(folder, row)
    turns = [{"role": turn["role"], **_parts(turn["content"], images)} for turn in row["messages"]]
    return {**{name: row[name] for name in ("id", "task", "source", "url", "license")}, "turns": turns}


def _parts(content: Sequence[Mapping[str, Any]], images: Iterator[dict[str, str] | None]) -> dict[str, Any]:
    """`parts` to show and how many are `left`. Takes one of `images` for each image part, shown or not, as
    they are told in order."""
    runs: list[Any] = []
    for kind, run in groupby(content, key=lambda part: part["type"]):
        parts = list(run)
        runs += (
            [joined([part["text"] for part in parts])] if kind == "text" else [next(images) for _ in parts]
        )
    shown = [part for part in runs[:PARTS] if part is not None]
    return {"parts": shown, "left": len(runs) - len(shown)}


def _images(folder: Path, row: Mapping[str, Any]) -> Iterator[dict[str, str] | None]:
    """One entry an image of the row, in order: where it was written, or None for one that is not shown."""
    for number, image in enumerate(row["images"]):
        name = f"{FOLDER}/{row['id']}-{number + 1}.png"
        data = _png(image["bytes"]) if number < IMAGES else None
        if data is None:
            yield None
            continue
        with writing(folder / name) as temporary:
            temporary.write_bytes(data)
        yield {"image": name}


def _png(data: bytes) -> bytes | None:
    image = decode(data, SIDE)
    if isinstance(image, Undecodable):
        return None
    buffer = io.BytesIO()
    # pixels only: `info` would be written, too
    Image.frombytes("RGB", image.size, image.tobytes()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
