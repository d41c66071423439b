"""Images of a row -> items, each encoded once: a cache on disk (codes.py) in front of the backbone's image
encoder.

A key is (sha256 of the image's bytes, grid); an identity is the image encoder's weights and how it writes
what it sees, so neither the context nor the texts of a dataset matter, and all runs share the folder. Two
processes may both encode an image that neither knew.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image
from torch import Tensor

from leafinstruct.backbones.backbone import Backbone, Item, Resizing, Segment
from leafinstruct.errors import RecipeError
from leafinstruct.images.decode import Undecodable, decode, probe
from leafinstruct.runtime.artifact import digest
from leafinstruct.train.data.codes import Codes, Grid

CODE = 1
"""Raised when the same image and the same weights give other items than before."""
_ENDLESS = 1 << 16
"""Pixels of a side: a square that every budget makes smaller; a power of two, so that the root of a square
budget comes out whole."""


def identity(backbone: Backbone) -> str:
    """16 hex digits over all that shapes an image's items: weights of its encoder, the ids it is written
    with, this code, Pillow's resampling."""
    layout = backbone.image_layout(None)
    written = [
        layout.begin,
        layout.steps,
        layout.codes.tolist(),
        [int(item) for item in backbone.encode(["0123456789*"])],
    ]
    return digest({"code": CODE, "weights": backbone.sees, "written": written, "pillow": PIL.__version__})


class Images:
    """A backbone's view of images. encoded: how many were, by the encoder itself."""

    def __init__(
        self, backbone: Backbone, budget: int | None = None, floor: int = 256, folder: Path | None = None
    ) -> None:
        """budget, floor: patches of an image, see TrainConfig. folder: of the cache, None for none.

        Raises RecipeError for a budget that the backbone cannot keep.
        """
        self._backbone = backbone
        self._usual = sum(step is None for step in backbone.image_layout(None).steps)
        self._resizing = backbone if isinstance(backbone, Resizing) else None
        if budget is not None and self._resizing is None and budget < self._usual:
            raise RecipeError(
                f"train.image_tokens: every image of this backbone is {self._usual:,} patches, and "
                f"{budget:,} are too few for one"
            )
        if budget is not None and self._resizing is not None and budget > self._usual:
            raise RecipeError(
                f"train.image_tokens: {budget:,} are more than this backbone's images have, "
                f"{self._usual:,} patches"
            )
        self.budget = budget if budget is not None and self._resizing is not None else self._usual
        self.floor = min(floor, self.budget) if self._resizing is not None else self.budget
        self._known = Codes(folder / identity(backbone)) if folder is not None else None
        self._lengths: dict[Grid | None, int] = {}
        self._start = len(backbone.encode([]))
        self.encoded = 0

    @property
    def budgets(self) -> list[int]:
        """Areas to try, from the budget down to the floor by halves: few, so that rows of all lengths share
        what is cached."""
        found = [self.budget]
        while found[-1] > self.floor:
            found.append(max(self.floor, found[-1] // 2))
        return found

    def grid(self, size: tuple[int, int], patches: int) -> Grid | None:
        """Of an image of (width, height) pixels; None where all images have one."""
        return self._resizing.grid_of(size, patches) if self._resizing is not None else None

    def drawn(self, patches: int) -> Grid | None:
        """Of an image that is drawn: a square of at most so many; None for the backbone's usual one."""
        return self.grid((_ENDLESS, _ENDLESS), patches) if patches < self._usual else None

    def shaped(self, segments: Sequence[Segment], patches: int) -> list[Segment]:
        """A prompt whose images have the area that they have in rows."""
        return [
            part if isinstance(part, str) else self._shaped(part, self.grid(part.size, patches))
            for part in segments
        ]

    def length(self, grid: Grid | None) -> int:
        """Items of an image, marks included."""
        if grid not in self._lengths:
            self._lengths[grid] = 1 + len(self._backbone.image_layout(grid).steps)
        return self._lengths[grid]

    def size(self, data: bytes) -> tuple[int, int] | Undecodable:
        """(width, height) in pixels, from the header."""
        found = probe(data)
        return found if isinstance(found, Undecodable) else (found.width, found.height)

    def items(self, data: bytes, grid: Grid | None) -> list[Item] | Undecodable:
        """An image with its marks, `length(grid)` items."""
        key = hashlib.sha256(data).digest(), grid
        kept = self._known.get(key) if self._known is not None else None
        if kept is not None:
            return _items(kept)
        image = decode(data)
        if isinstance(image, Undecodable):
            return image
        found = self._encode(image, grid)
        if self._known is not None:
            self._known.put(key, _bytes(found))
        return found

    def repaired(self) -> dict[str, dict[str, int]]:
        """Damaged records of the cache that were dropped since the last call, as a report holds them."""
        if self._known is None or not self._known.repaired:
            return {}
        count, self._known.repaired = self._known.repaired, 0
        return {"repaired": {"encoded images": count}}

    def _encode(self, image: Image.Image, grid: Grid | None) -> list[Item]:
        self.encoded += 1
        found = self._backbone.encode([self._shaped(image, grid)])[self._start :]
        assert len(found) == self.length(grid), "an image is written as its script says"
        return found

    def _shaped(self, image: Image.Image, grid: Grid | None) -> Image.Image:
        return (
            self._resizing.shaped(image, grid) if self._resizing is not None and grid is not None else image
        )


def _bytes(items: Sequence[Item]) -> bytes:
    """count, width, ids as int32 with -1 at vectors, vectors as float32; little-endian."""
    vectors = [item.detach().float().cpu().numpy() for item in items if isinstance(item, Tensor)]
    ids = np.array([-1 if isinstance(item, Tensor) else item for item in items], "<i4")
    flat = np.stack(vectors).astype("<f4") if vectors else np.zeros((0, 0), "<f4")
    return struct.pack("<II", len(ids), flat.shape[1]) + ids.tobytes() + flat.tobytes()


def _items(data: bytes) -> list[Item]:
    count, width = struct.unpack_from("<II", data)
    ids = np.frombuffer(data, "<i4", count, 8)
    vectors = iter(
        torch.from_numpy(np.frombuffer(data, "<f4", -1, 8 + 4 * count).reshape(-1, width).copy())
        if width
        else ()
    )
    return [next(vectors) if number < 0 else int(number) for number in ids]
