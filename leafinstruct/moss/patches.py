"""Find the image patches of a sequence and their positions in the image: token ids -> patch_pos.

patch_pos[b, t] = (image within the row, y, x), or -1 three times for other tokens: text, padding, tokens that
begin or end an image or a row of it. This is all that the adapter knows of images, so a backbone without
image ids (patches given as vectors) passes it itself.

Chameleon's images have one shape. Emu3's have many, with a token after each row. Emu2's patches are vectors,
each with a placeholder id. `of_model` reads all three from the model's config.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Patches:
    """How a model writes images.

    ids: inclusive ranges of patch ids; grid: (height, width) of every image, or None when end_of_line, an id,
    ends each row.
    """

    ids: tuple[tuple[int, int], ...]
    grid: tuple[int, int] | None = None
    end_of_line: int | None = None

    def __post_init__(self) -> None:
        if (self.grid is None) == (self.end_of_line is None):
            raise ValueError("image patches need either a grid or a token that ends each row")

    def positions(self, input_ids: Tensor, starts: Tensor | None = None) -> Tensor:
        """Compute patch_pos, (B, T, 3) int64. input_ids: (B, T), the sequence from its beginning.

        starts: (B, T) bool, the first tokens of documents that share a row; no image continues across one.
        """
        patch = torch.zeros_like(input_ids, dtype=torch.bool)
        for low, high in self.ids:
            patch |= (input_ids >= low) & (input_ids <= high)
        line = input_ids == self.end_of_line if self.end_of_line is not None else torch.zeros_like(patch)
        inside = patch | line
        follows = _before(inside) if starts is None else _before(inside) & ~starts
        begins = patch & ~follows
        order = _since(patch, begins)  # 0, 1, 2 ... over the patches of a run
        if self.grid is not None:
            height, width = self.grid
            # two images may be adjacent, without a token between them
            begins = patch & (order % (height * width) == 0)
            within = order % (height * width)
            y, x = within // width, within % width
        else:
            y = _since(line, begins) + 1  # number of rows that ended before
            x = _since(patch, begins | _before(line))
        image = begins.long().cumsum(1) - 1
        found = torch.stack([image, y, x], dim=-1)
        return torch.where(patch[..., None], found, torch.full_like(found, -1))


def of_model(config: Any) -> Patches | None:
    """Return how a transformers model writes images, by its config; None for an unknown model."""
    kind = getattr(config, "model_type", None)
    if kind == "chameleon":
        names = config.vocabulary_map
        codes = sorted(number for name, number in names.items() if name.startswith("IMGIMG"))
        side = config.vq_config.resolution // 2 ** (len(config.vq_config.channel_multiplier) - 1)
        placeholder = [(names["<image>"],) * 2] if "<image>" in names else []
        return Patches((*_ranges(codes), *placeholder), grid=(side, side))
    if kind == "emu3":
        names = config.vocabulary_map
        codes = sorted(number for name, number in names.items() if name.startswith("<|visual token"))
        return Patches(tuple(_ranges(codes)), end_of_line=names["<|extra_200|>"])
    if kind == "emu2":
        side = round(config.vision_config["n_query"] ** 0.5)
        return Patches(((config.image_token_id,) * 2,), grid=(side, side))
    return None


def check_filled(positions: Tensor, grid: tuple[int, int] | None, starts: Tensor | None = None) -> None:
    """Raise ValueError for an incomplete image, unless its sequence ends with it. positions: (B, T, 3).
    starts: see Patches.positions."""
    rows, times = (positions[..., 0] >= 0).nonzero(as_tuple=True)
    if not len(rows):
        return
    image, y, x = positions[rows, times].unbind(-1)
    _, which = torch.stack([rows, image]).unique(dim=1, return_inverse=True)
    zeros = torch.zeros(int(which.max()) + 1, dtype=torch.long, device=positions.device)
    count = zeros.index_add(0, which, torch.ones_like(which))
    height, width = (
        zeros.scatter_reduce(0, which, y, "amax") + 1,
        zeros.scatter_reduce(0, which, x, "amax") + 1,
    )
    wanted = height * width if grid is None else torch.full_like(count, grid[0] * grid[1])
    ends = torch.cat(
        [
            torch.zeros_like(positions[:, 1:, 0]) if starts is None else starts[:, 1:],
            torch.ones_like(positions[:, :1, 0]),
        ],
        dim=1,
    )
    open_ = (
        ends[zeros.scatter_reduce(0, which, rows, "amax"), zeros.scatter_reduce(0, which, times, "amax")] > 0
    )
    wrong = ((count != wanted) & ~open_).nonzero()
    if len(wrong):
        first = int(wrong[0])
        shape = f"{grid[0]} x {grid[1]}" if grid else f"{int(height[first])} x {int(width[first])}"
        raise ValueError(
            f"an image of {int(count[first])} patches does not fill its grid of {shape}, and tokens follow "
            "it; give whole images, or put a cut one at the end of its sequence"
        )


def _before(flags: Tensor) -> Tensor:
    """Return the flag of the previous position for each position. flags: (B, T) bool."""
    return torch.cat([torch.zeros_like(flags[:, :1]), flags[:, :-1]], dim=1)


def _since(flags: Tensor, begins: Tensor) -> Tensor:
    """Number the flags since the last beginning: 0 for the first, -1 before any. flags, begins: (B, T) bool.
    Returns (B, T) int64."""
    count = flags.long().cumsum(1)
    at_beginning = torch.where(begins, count - flags.long(), torch.zeros_like(count))
    return count - at_beginning.cummax(1).values - 1


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Merge sorted numbers into inclusive ranges."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
