"""The layout of one forward pass: which rows are text, which are patches, and the neighbors of each patch.

It is built once and shared by all layers. A convolution is then a gather and a sum over K neighbors:
`neighbors(shape)[n, t]` is the row of neighbor t of patch n. Several images, mixed shapes, partial images,
padding and a KV cache change only this table. Rows are numbered: patches of earlier chunks first, then those
of this chunk, then one row of zeros for everything outside the image.

Neighbors are looked up on a canvas, a table of every image's grid with a border as wide as the kernel. So no
pairs are compared, and no row or image can see into another.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """The neighbors of a patch.

    offsets: (dy, dx) of each neighbor, the patch itself first; random: number of further neighbors, earlier
    patches chosen at random with `seed`.
    """

    offsets: tuple[tuple[int, int], ...]
    random: int = 0
    seed: int = 0

    @property
    def count(self) -> int:
        """K, the number of neighbors."""
        return len(self.offsets) + self.random

    @property
    def reach(self) -> int:
        """The largest distance in rows or columns."""
        return max(abs(step) for place in self.offsets for step in place)


def neighborhood(shape: str, kernel: int, seed: int = 0) -> Neighborhood:
    """Return the neighbors of a kernel. shape: see MossConfig.neighbors; top_left has k^2, raster (k - 1)(2k
    -
    1) + k."""
    span = range(kernel)
    if shape == "shuffled":
        return Neighborhood(((0, 0),), kernel * kernel - 1, seed)
    if shape == "raster":
        above = [(-dy, dx) for dy in span for dx in range(1 - kernel, kernel) if dy or dx <= 0]
        return Neighborhood(tuple(sorted(above, key=lambda place: place != (0, 0))))
    if shape == "symmetric":
        around = [(dy - kernel // 2, dx - kernel // 2) for dy in span for dx in span]
        return Neighborhood(tuple(sorted(around, key=lambda place: place != (0, 0))))
    return Neighborhood(tuple((-dy, -dx) for dy in span for dx in span))


class Layout:
    """The rows of one forward pass, counted over the flattened (B, T)."""

    def __init__(self, positions: Tensor, history: Tensor | None = None) -> None:
        """positions: patch_pos of this chunk, (B, T, 3). history: patch_pos of the cached patches, (B, R, 3),
        -1 where a sequence has fewer."""
        self.batch, self.length = positions.shape[:2]
        flat = positions.reshape(-1, 3)
        is_patch = flat[:, 0] >= 0
        self.text = (~is_patch).nonzero()[:, 0]
        """Indices of text rows, (N_text,) int64."""
        self.image = is_patch.nonzero()[:, 0]
        """Indices of patches, (N_image,) int64."""
        self.positions = positions
        self._history = history if history is not None else positions.new_full((self.batch, 0, 3), -1)
        self._tables: dict[Neighborhood, Tensor] = {}

    @property
    def cached(self) -> int:
        """B * R: the number of cached rows, which are numbered before this chunk's patches."""
        return int(self.batch * self._history.shape[1])

    def neighbors(self, shape: Neighborhood) -> Tensor:
        """Return (N_image, K) int64: the rows of each patch's neighbors; cached + N_image is the row of
        zeros."""
        if shape not in self._tables:
            self._tables[shape] = self._build(shape)
        return self._tables[shape]

    def _build(self, shape: Neighborhood) -> Tensor:
        rows = torch.arange(self.batch, device=self.positions.device)
        entries = torch.cat([self._history.reshape(-1, 3), self.positions.reshape(-1, 3)[self.image]])
        owner = torch.cat([rows.repeat_interleave(self._history.shape[1]), self.image // self.length])
        nothing = len(entries)
        real = (entries[:, 0] >= 0).nonzero()[:, 0]
        if not len(self.image):
            return entries.new_empty((0, shape.count))
        place, reach = entries[real], shape.reach
        height, width = int(place[:, 1].max()) + 1, int(place[:, 2].max()) + 1
        _, group = torch.stack([owner[real], place[:, 0]]).unique(dim=1, return_inverse=True)
        canvas = entries.new_full((int(group.max()) + 1, height + 2 * reach, width + 2 * reach), nothing)
        canvas[group, place[:, 1] + reach, place[:, 2] + reach] = real
        mine = real >= self.cached
        group, y, x = group[mine], place[mine, 1], place[mine, 2]
        found = [canvas[group, y + reach + dy, x + reach + dx] for dy, dx in shape.offsets]
        if shape.random:
            found += self._random(shape, canvas, group, y, x, nothing)
        return torch.stack(found, dim=1)

    def _random(
        self, shape: Neighborhood, canvas: Tensor, group: Tensor, y: Tensor, x: Tensor, nothing: int
    ) -> list[Tensor]:
        """Choose earlier patches of the same image by a hash of the patch's number and the seed: the same
        ones on every device and for every prefix."""
        inside = canvas[:, : canvas.shape[1], :] != nothing
        widths = inside.any(1).sum(1)[group]
        number = y * widths + x
        found = []
        for at in range(shape.random):
            chosen = _hash(number * 1_000_003 + at * 7_919 + shape.seed) % number.clamp(min=1)
            earlier = canvas[group, chosen // widths, chosen % widths]
            found.append(torch.where(number > 0, earlier, torch.full_like(earlier, nothing)))
        return found

    def kept(self, shapes: list[Neighborhood]) -> tuple[Tensor, Tensor]:
        """Return what the next chunk may need: rows (B, R) in the numbering of `neighbors`, the row of zeros
        where a sequence has fewer; and their positions (B, R, 3)."""
        rank = torch.full((self.batch * self.length,), -1, dtype=torch.long, device=self.positions.device)
        rank[self.image] = self.cached + torch.arange(len(self.image), device=rank.device)
        before = torch.arange(self.cached, device=rank.device).view(self.batch, -1)
        rows = torch.cat([before, rank.view(self.batch, self.length)], dim=1)
        places = torch.cat([self._history, self.positions], dim=1)
        last = places[..., 0].max(dim=1, keepdim=True).values  # the only image that can continue
        wanted = (places[..., 0] == last) & (last >= 0)
        order = (
            torch.arange(rows.shape[1], device=rank.device)
            .where(wanted, torch.full_like(rows, -1))
            .sort(dim=1)
            .indices
        )
        width = int(places[..., 2].max()) + 1
        need = (
            rows.shape[1]
            if any(shape.random for shape in shapes)
            else max((shape.reach for shape in shapes), default=0) * (width + 1)
        )
        order = order[:, max(0, order.shape[1] - min(need, int(wanted.sum(1).max()))) :]
        wanted, rows = wanted.gather(1, order), rows.gather(1, order)
        places = places.gather(1, order[..., None].expand(-1, -1, 3))
        nothing = self.cached + len(self.image)
        return rows.where(wanted, torch.full_like(rows, nothing)), places.where(
            wanted[..., None], torch.full_like(places, -1)
        )


def _hash(number: Tensor) -> Tensor:
    """Hash int64 numbers to well-mixed non-negative ones (the 32-bit finalizer of MurmurHash3)."""
    number = (number ^ (number >> 16)) & 0xFFFFFFFF
    number = (number * 0x85EBCA6B) & 0xFFFFFFFF
    number = number ^ (number >> 13)
    number = (number * 0xC2B2AE35) & 0xFFFFFFFF
    return number ^ (number >> 16)
