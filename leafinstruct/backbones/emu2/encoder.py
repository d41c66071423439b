"""The image encoder of Emu2: EVA-CLIP's vision transformer, with the keys of the published weights
(`visual.*`).

Positions are learned; queries and values have biases, keys have none; there is no final norm, and each
block's norms come after its halves (`postnorm`). Published: 448 px, patches of 14, width 1792, 64 blocks.
Sources: EVA-CLIP (arXiv 2303.15389), Emu2 (arXiv 2312.13286, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu, linear, scaled_dot_product_attention

from leafinstruct.errors import BackboneError

UNKNOWN = ("rope", "naiveswiglu", "subln", "init_value", "global_average_pool")
"""Settings of other EVA models, with which the weights have another meaning."""


class Eva(nn.Module):
    """Encodes images to vectors on a grid."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """config: `vision_config` as published. Raises BackboneError for settings that Emu2 does not have."""
        super().__init__()
        if odd := [name for name in UNKNOWN if config.get(name)]:
            raise BackboneError(
                f"vision_config.{odd[0]} is {config[odd[0]]}; Emu2's encoder has no such setting, and other "
                "kinds of EVA are not supported"
            )
        width, side = int(config["width"]), int(config["image_size"]) // int(config["patch_size"])
        self.side = round(int(config["n_query"]) ** 0.5)
        """Vectors along each side of the grid."""
        if side % self.side or self.side**2 != config["n_query"]:
            raise BackboneError(
                f"n_query {config['n_query']} is not a square grid over {side} x {side} patches"
            )
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, config["patch_size"], config["patch_size"])
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, side * side + 1, width))
        self.blocks = nn.ModuleList(_Block(width, config) for _ in range(config["layers"]))

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels, (B, 3, S, S), normalized as CLIP's, to (B, n_query, width) in reading order: patches
        are averaged over squares."""
        patches = self.patch_embed.proj(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        side = round((x.shape[1] - 1) ** 0.5)
        grid = x[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        return avg_pool2d(grid, side // self.side).flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, width: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        eps = float(config.get("layer_norm_eps", 1e-6))
        self.postnorm = bool(config["postnorm"])
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attn = _Attention(width, width // int(config["head_width"]), bool(config["qkv_bias"]))
        self.mlp = nn.Module()
        hidden = int(width * config["mlp_ratio"])
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def _mlp(self, x: Tensor) -> Tensor:
        found: Tensor = self.mlp.fc2(gelu(self.mlp.fc1(x)))
        return found

    def forward(self, x: Tensor) -> Tensor:
        if self.postnorm:
            x = x + self.norm1(self.attn(x))
            return x + self.norm2(self._mlp(x))
        x = x + self.attn(self.norm1(x))
        return x + self._mlp(self.norm2(x))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = (nn.Parameter(torch.zeros(width)) if bias else None for _ in range(2))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, N, width)."""
        bias = (
            None
            if self.q_bias is None
            else torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        )
        q, k, v = (
            linear(x, self.qkv.weight, bias).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )  # each (B, heads, N, width / heads)
        found: Tensor = self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return found
