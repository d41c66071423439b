"""Convert the images of a row to items, with a cache on disk (codes.py) before the backbone's image encoder.

The key is (sha256 of the image's bytes, grid). The folder depends on the identity: the image encoder's
weights and the ids of the image layout. Context and texts do not matter, so all runs share the cache. Two
processes may both encode an image that neither had in its cache.
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

CODE = 2
"""Increased when the same image and the same weights give other items than before."""
_ENDLESS = 1 << 16
"""Side in pixels of a square larger than every budget; a power of two, so that a square budget gives a whole
root."""


def identity(backbone: Backbone) -> str:
    """Return 16 hex digits over all that determines an image's items: the encoder's weights, the ids of its
    layout, CODE, Pillow's version (resampling)."""
    layout = backbone.image_layout(None)
    written = [
        layout.begin,
        layout.steps,
        layout.codes.tolist(),
        [int(item) for item in backbone.encode(["0123456789*"])],
    ]
    return digest(
        {"code": CODE, "weights": backbone.encoder_identity, "written": written, "pillow": PIL.__version__}
    )


class Images:
    """Sizes and items of images for a backbone. encoded: number of calls of the image encoder."""

    def __init__(
        self, backbone: Backbone, budget: int | None = None, floor: int = 256, folder: Path | None = None
    ) -> None:
        """budget, floor: patches of an image, see image_tokens and image_floor of TrainConfig. folder: the
        cache, None for none.

        Raises RecipeError for a budget that the backbone does not support.
        """
        self._backbone = backbone
        self._usual = sum(step is None for step in backbone.image_layout(None).steps)
        self._resizing = backbone if isinstance(backbone, Resizing) else None
        if budget is not None and self._resizing is None and budget < self._usual:
            raise RecipeError(
                f"train.image_tokens: every image of this backbone has {self._usual:,} patches, so "
                f"{budget:,} "
                "are too few"
            )
        if budget is not None and self._resizing is not None and budget > self._usual:
            raise RecipeError(
                f"train.image_tokens: {budget:,} are more than the {self._usual:,} patches of this "
                "backbone's "
                "images"
            )
        self.budget = budget if budget is not None and self._resizing is not None else self._usual
        self.floor = min(floor, self.budget) if self._resizing is not None else self.budget
        self._known = Codes(folder / identity(backbone)) if folder is not None else None
        self._lengths: dict[Grid | None, int] = {}
        self._start = len(backbone.encode([]))
        self.encoded = 0

    @property
    def budgets(self) -> list[int]:
        """Numbers of patches to try, halved from the budget down to the floor: few, so that rows of all
        lengths share cached images."""
        found = [self.budget]
        while found[-1] > self.floor:
            found.append(max(self.floor, found[-1] // 2))
        return found

    def grid(self, size: tuple[int, int], patches: int) -> Grid | None:
        """Return the grid of an image of (width, height) pixels; None when all images have the same one."""
        return self._resizing.grid_of(size, patches) if self._resizing is not None else None

    def generated_grid(self, patches: int) -> Grid | None:
        """Return the grid of a generated image: a square of at most `patches`; None for the backbone's usual
        one."""
        return self.grid((_ENDLESS, _ENDLESS), patches) if patches < self._usual else None

    def shaped(self, segments: Sequence[Segment], patches: int) -> list[Segment]:
        """Return a prompt with its images resized as in training rows."""
        return [
            part if isinstance(part, str) else self._shaped(part, self.grid(part.size, patches))
            for part in segments
        ]

    def length(self, grid: Grid | None) -> int:
        """Return the number of items of an image, with special tokens."""
        if grid not in self._lengths:
            self._lengths[grid] = 1 + len(self._backbone.image_layout(grid).steps)
        return self._lengths[grid]

    def size(self, data: bytes) -> tuple[int, int] | Undecodable:
        """Return (width, height) in pixels, read from the header."""
        found = probe(data)
        return found if isinstance(found, Undecodable) else (found.width, found.height)

    def items(self, data: bytes, grid: Grid | None) -> list[Item] | Undecodable:
        """Return the `length(grid)` items of an image, with special tokens."""
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
        """Return the number of damaged cache records dropped since the last call, in the form of a report."""
        if self._known is None or not self._known.repaired:
            return {}
        count, self._known.repaired = self._known.repaired, 0
        return {"repaired": {"encoded images": count}}

    def _encode(self, image: Image.Image, grid: Grid | None) -> list[Item]:
        self.encoded += 1
        found = self._backbone.encode([self._shaped(image, grid)])[self._start :]
        assert len(found) == self.length(grid), "an encoded image follows its layout"
        return found

    def _shaped(self, image: Image.Image, grid: Grid | None) -> Image.Image:
        return (
            self._resizing.shaped(image, grid) if self._resizing is not None and grid is not None else image
        )


def _bytes(items: Sequence[Item]) -> bytes:
    """Serialize items: count, width, ids as int32 with -1 for vectors, vectors as float32; little-endian."""
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
