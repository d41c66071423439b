"""MossLayer: a linear layer of the decoder with a text half and an image half.

    text row i      h_i = W x_i + s_t B_t A_t x_i
    image row p     h_p = W x_p + s_i B_i conv(A_i; X)_p        X: the patches of the image, on their grid

with the convolution over K neighbors (see layout)

    full_space      sum_t A_i[t] x_nbr(p,t)                A_i: (K, r, d), the paper's
    rank            sum_t G[t] A_i x_nbr(p,t)              G: (K, r, r), starts as the identity at the patch
                                                           itself
    depthwise       sum_t g[t] * (A_i x_nbr(p,t))          g: (K, r), starts likewise

Each half selects its rows by index, so text never passes through the convolution's weights, nor patches
through the text weights. Both halves are always part of the graph, even with no rows, so every parameter has
a gradient in every process. The projection comes before the gather: K r numbers a patch are moved, not K d.
Chosen by measurement (benchmarks/moss.py): selection by index and `index_add`; one stacked product over all
rows is faster at rank 8 and slower from 32 on.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everywhere
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import resolve_quantization_backend
from torch import Tensor, nn

from leafinstruct.moss.config import MossConfig
from leafinstruct.moss.layout import Layout, Neighborhood, neighborhood
from leafinstruct.moss.running import Pass, Running


class _AddRows(torch.autograd.Function):
    """Compute out.view(-1, d)[index] += rows in place. torch's own index_add keeps the rows for its backward,
    which only needs the index: for both halves this is as much memory again as the layer's output."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, index: Tensor, rows: Tensor) -> Tensor:
        """out: (..., d); index: (n,) over its flattened rows, each once; rows: (n, d)."""
        ctx.save_for_backward(index)
        ctx.mark_dirty(out)
        out.view(-1, out.shape[-1]).index_add_(0, index, rows)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor]:
        """The gradient of rows is that of the indexed rows of out."""
        (index,) = ctx.saved_tensors
        return gradient, None, gradient.reshape(-1, gradient.shape[-1])[index]


class MossLayer(nn.Module, BaseTunerLayer):
    """A linear layer and its adapters."""

    adapter_layer_names = ("moss_text_A", "moss_text_B", "moss_image_A", "moss_image_B", "moss_kernel")
    other_param_names = ("moss_configs", "moss_dropout", "moss_neighborhoods")

    def __init__(self, base_layer: nn.Module, key: str, running: Running, **kwargs: Any) -> None:
        """key: the layer's name in its model. Raises TypeError unless base_layer is a linear layer."""
        super().__init__()
        self.base_layer = base_layer
        self.quantization_backend = resolve_quantization_backend(
            base_layer, get_apply_tensor_subclass=kwargs.get("get_apply_tensor_subclass")
        )
        if not isinstance(base_layer, nn.Linear) and self.quantization_backend is None:
            raise TypeError(f"{key} is {type(base_layer).__name__}; MoSS adapts linear layers")
        self.in_features, self.out_features = int(base_layer.in_features), int(base_layer.out_features)
        self.moss_key, self.moss_running = key, running
        self.moss_configs: dict[str, MossConfig] = {}
        self.moss_neighborhoods: dict[str, Neighborhood] = {}
        self.moss_dropout = nn.ModuleDict()
        self.moss_text_A, self.moss_text_B = nn.ParameterDict(), nn.ParameterDict()
        self.moss_image_A, self.moss_image_B = nn.ParameterDict(), nn.ParameterDict()
        self.moss_kernel = nn.ParameterDict()
        self._disable_adapters = False
        self.merged_adapters: list[str] = []

    def update_layer(self, name: str, config: MossConfig) -> None:
        """Add an adapter, or reinitialize one."""
        self.moss_configs[name] = config
        self.moss_dropout[name] = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.moss_text_A[name] = nn.Parameter(torch.empty(config.r_text, self.in_features))
        self.moss_text_B[name] = nn.Parameter(torch.empty(self.out_features, config.r_text))
        if config.routed:
            shape = (
                neighborhood(config.neighbors, config.kernel_size, config.neighbors_seed)
                if config.convolves
                else neighborhood("top_left", 1)
            )
            self.moss_neighborhoods[name] = shape
            wide = shape.count if config.conv_mode == "full_space" else 1
            self.moss_image_A[name] = nn.Parameter(torch.empty(wide * config.r_image, self.in_features))
            self.moss_image_B[name] = nn.Parameter(torch.empty(self.out_features, config.r_image))
            if config.convolves and config.conv_mode != "full_space":
                last = (config.r_image,) * (2 if config.conv_mode == "rank" else 1)
                self.moss_kernel[name] = nn.Parameter(torch.empty(shape.count, *last))
        self._start(name, random=config.init == "random")
        self._move_adapter_to_device_of_base_layer(name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def _start(self, name: str, random: bool) -> None:
        """Initialize A as LoRA does (uniform by fan-in) and B with zeros, or with random numbers."""
        for down in (self.moss_text_A, self.moss_image_A):
            if name in down:
                nn.init.kaiming_uniform_(down[name], a=math.sqrt(5))
        for up in (self.moss_text_B, self.moss_image_B):
            if name in up:
                nn.init.normal_(up[name], std=0.1) if random else nn.init.zeros_(up[name])
        if name in self.moss_kernel:
            kernel = self.moss_kernel[name]
            nn.init.normal_(kernel, std=0.2) if random else nn.init.zeros_(kernel)
            with torch.no_grad():
                kernel[0] += torch.eye(kernel.shape[-1], device=kernel.device) if kernel.ndim == 3 else 1.0

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """x: (..., d_in) with B * T rows. Returns (..., d_out) in the base layer's type."""
        if self.disable_adapters and self.merged:
            self.unmerge()
        out: Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return out
        for name in self.active_adapters:
            if name in self.moss_configs:
                out = self._adapted(name, x, out)
        return out

    def _adapted(self, name: str, x: Tensor, out: Tensor) -> Tensor:
        config, merged = self.moss_configs[name], name in self.merged_adapters
        down, up = self.moss_text_A[name], self.moss_text_B[name]
        scale = config.alpha_text / config.r_text
        if not config.routed:
            return (
                out
                if merged
                else out + (scale * F.linear(F.linear(self._input(name, x), down), up)).to(out.dtype)
            )
        now, layout = self._pass(x)
        if merged and not len(layout.image) and not layout.cached and not torch.is_grad_enabled():
            return out
        words, patches = now.split(layout, self._input(name, x))
        if type(self.base_layer) is not nn.Linear:
            out = (
                out.clone()
            )  # only a plain linear layer's output is surely unshared and can be changed in place
        image = F.linear(
            config.alpha_image / config.r_image * self._convolved(name, patches, now, layout),
            self.moss_image_B[name],
        )
        if merged:  # W includes the text half, so it is subtracted for patches
            image = image - scale * F.linear(F.linear(patches, down), up)
        else:
            text = F.linear(scale * F.linear(words, down), up)
            out = _AddRows.apply(out, layout.text, text.to(out.dtype))
        return _AddRows.apply(out, layout.image, image.to(out.dtype))

    def _input(self, name: str, x: Tensor) -> Tensor:
        x = self.moss_dropout[name](x)
        return (
            x
            if torch.is_autocast_enabled(x.device.type)
            else self._cast_input_dtype(x, self.moss_text_A[name].dtype)
        )

    def _pass(self, x: Tensor) -> tuple[Pass, Layout]:
        now = self.moss_running.now
        layout = now.layout if now is not None else None
        if now is None or layout is None:
            raise RuntimeError(
                f"{self.moss_key}: the layer runs outside a forward pass of the adapted model; call the "
                "model itself, not a part of it"
            )
        if x.numel() // self.in_features != layout.batch * layout.length:
            raise RuntimeError(
                f"{self.moss_key} gets {x.numel() // self.in_features} rows, but the sequence has "
                f"{layout.batch} x {layout.length}: the layer is not part of the decoder; restrict "
                "target_modules to the decoder's layers"
            )
        return now, layout

    def _convolved(self, name: str, patches: Tensor, now: Pass, layout: Layout) -> Tensor:
        """patches: (N, d_in). Returns (N, r_image)."""
        config, shape = self.moss_configs[name], self.moss_neighborhoods[name]
        projected = F.linear(patches, self.moss_image_A[name])  # (N, K r), or (N, r)
        if not config.convolves:
            return projected
        known = torch.cat(
            [
                *self._cached(name, projected, now, layout),
                projected,
                projected.new_zeros(1, projected.shape[1]),
            ]
        )
        self._store(name, known, now)
        table, rank = layout.neighbors(shape), config.r_image
        if config.conv_mode == "full_space":
            known = known.view(-1, shape.count, rank)
            return sum(
                (known[table[:, at], at] for at in range(1, shape.count)),
                projected.view(-1, shape.count, rank)[:, 0],
            )
        kernel = self.moss_kernel[name].to(projected.dtype)
        if config.conv_mode == "depthwise":
            return sum(
                (known[table[:, at]] * kernel[at] for at in range(1, shape.count)), projected * kernel[0]
            )
        return F.linear(known[table].flatten(1), kernel.transpose(0, 1).flatten(1))  # (N, K r) x (r, K r)

    def _cached(self, name: str, projected: Tensor, now: Pass, layout: Layout) -> list[Tensor]:
        conv = now.conv
        rows = conv.rows.get((self.moss_key, name)) if conv is not None else None
        if rows is not None:
            return [rows.reshape(-1, projected.shape[1]).to(projected.dtype)]
        return [projected.new_zeros(layout.cached, projected.shape[1])] if layout.cached else []

    def _store(self, name: str, known: Tensor, now: Pass) -> None:
        if now.conv is not None and now.kept is not None:
            now.conv.rows[self.moss_key, name] = known.detach()[now.kept.flatten()].view(
                *now.kept.shape, known.shape[1]
            )

    def get_delta_weight(self, name: str) -> Tensor:
        """Return s_t B_t A_t, (d_out, d_in): the text half, which can be merged into the weight."""
        config = self.moss_configs[name]
        return config.alpha_text / config.r_text * (self.moss_text_B[name] @ self.moss_text_A[name])

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Add the text halves to W. Raises ValueError for quantized weights, and with safe_merge when the sum
        is not finite."""
        if self.quantization_backend is not None:
            raise ValueError(
                f"{self.moss_key} is quantized, so merging would round the text half; load the base "
                "unquantized to merge"
            )
        base = self.get_base_layer()
        for name in self.active_adapters if adapter_names is None else adapter_names:
            if name in self.moss_configs and name not in self.merged_adapters:
                merged = base.weight.data + self.get_delta_weight(name).to(base.weight.dtype)
                if safe_merge and not torch.isfinite(merged).all():
                    raise ValueError(f"{self.moss_key}: the merged weight of adapter {name} is not finite")
                base.weight.data = merged
                self.merged_adapters.append(name)

    def unmerge(self) -> None:
        """Subtract the merged text halves from W."""
        base = self.get_base_layer()
        while self.merged_adapters:
            base.weight.data -= self.get_delta_weight(self.merged_adapters.pop()).to(base.weight.dtype)
