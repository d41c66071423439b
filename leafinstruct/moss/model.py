"""MossModel: a decoder whose linear layers are MossLayers, which learn at each forward pass which rows are
patches.

A hook before the top model's forward begins a pass and makes its layout from `input_ids` (or takes
`patch_pos`); a hook after it ends the pass. Layers look up the pass of their own thread (running), so one
model serves several threads. Gradient checkpointing runs parts of a pass again later, perhaps after another
pass has begun and in a thread of autograd. Therefore the checkpointing function of each block is wrapped once
and gives the second run the layout of the first. A hook on each block would not work, because transformers
checkpoints `forward`, below the hooks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypedDict

import torch
from peft.tuners.tuners_utils import BaseTuner
from peft.utils import get_quantization_kwargs
from torch import Tensor, nn

from leafinstruct.moss import conv_cache
from leafinstruct.moss.config import MossConfig, MossConfigError
from leafinstruct.moss.four_bit import keep_4bit_layout
from leafinstruct.moss.layer import MossLayer
from leafinstruct.moss.layout import Layout, neighborhood
from leafinstruct.moss.patches import Patches, check_filled, of_model
from leafinstruct.moss.running import Pass, Running

_DECODERS = {
    "chameleon": r"(.*\.)?layers\.\d+\.(self_attn|mlp)\.\w+",
    "emu2": r"(.*\.)?decoder\.lm\.model\.layers\.\d+\.(self_attn|mlp)\.\w+",
    "emu3": r"(.*\.)?text_model\.(model\.)?layers\.\d+\.(self_attn|mlp)\.\w+",
}
"""model_type -> linear layers of the decoder. These models also hold an image encoder with attention
layers."""
_DEFAULT = r"(.*\.)?layers\.\d+\.self_attn\.(q|k|v|o)_proj"


def default_targets(kind: str | None) -> str:
    """Return a regular expression over whole module names: the attention projections of a model_type's
    decoder."""
    return (
        _DECODERS[kind].replace(r"(self_attn|mlp)\.\w+", r"self_attn\.(q|k|v|o)_proj")
        if kind in _DECODERS
        else _DEFAULT
    )


class _Inputs(TypedDict, total=False):
    """The arguments of a model's forward pass that matter here. patch_pos: (B, T, 3), see patches."""

    input_ids: Tensor | None
    patch_pos: Tensor | None
    position_ids: Tensor | None
    labels: Tensor | None
    past_key_values: conv_cache.KvCache | None
    use_cache: bool | None


class _Checkpointing:
    """Wrap a block's checkpointing function (inner) so that the second run belongs to the pass of the first.
    A class, so that it is copied with the model."""

    def __init__(self, inner: Callable[..., Any], running: Running) -> None:
        self.inner, self.running = inner, running

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As inner."""
        now = self.running.now
        layout = now.layout if now is not None else None

        def again(*inputs: Any, **named: Any) -> Any:
            with self.running.within(Pass(layout)):
                return function(*inputs, **named)

        return self.inner(again, *args, **kwargs)


class MossModel(BaseTuner):
    """A model with MoSS adapters, as get_peft_model makes it."""

    prefix: str = "moss_"
    tuner_layer_cls = MossLayer
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _pre_injection_hook(self, model: nn.Module, config: MossConfig, adapter_name: str) -> None:  # noqa: ARG002 - PEFT's signature
        keep_4bit_layout(model)
        if not hasattr(self, "moss_running"):
            self.moss_running = Running()
            self._before_hook = model.register_forward_pre_hook(self._before, prepend=True, with_kwargs=True)
            self._after_hook = model.register_forward_hook(self._after, always_call=True)

    def _prepare_adapter_config(
        self, peft_config: MossConfig, model_config: Mapping[str, str | None]
    ) -> MossConfig:
        if peft_config.target_modules is None:
            peft_config.target_modules = default_targets(model_config.get("model_type"))
        return peft_config

    def _create_and_replace(
        self,
        peft_config: MossConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **_: Any,
    ) -> None:
        kind = getattr(getattr(self.model, "config", None), "model_type", None)
        if kind in _DECODERS and not re.fullmatch(_DECODERS[kind], current_key):
            raise MossConfigError(
                f"target_modules matches {current_key}, which is outside the decoder of {kind}; the "
                f"decoder's linear layers match {_DECODERS[kind]}"
            )
        if isinstance(target, MossLayer):
            target.update_layer(adapter_name, peft_config)
            return
        layer = MossLayer(target, current_key, self.moss_running, **get_quantization_kwargs(self))
        layer.update_layer(adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    def _routed(self) -> list[MossConfig]:
        """Return the configurations of the active adapters that route; none while adapters are disabled."""
        layer = next((module for module in self.model.modules() if isinstance(module, MossLayer)), None)
        if layer is None or layer.disable_adapters:
            return []
        return [
            config
            for name in layer.active_adapters
            if (config := self.peft_config.get(name)) is not None and config.routed
        ]

    def _before(
        self, module: nn.Module, args: tuple[Tensor, ...], kwargs: _Inputs
    ) -> tuple[tuple[Tensor, ...], _Inputs]:
        now = Pass()
        self.moss_running.begin(now)  # first, because the other hook ends the pass even when this one raises
        given = kwargs.pop("patch_pos", None)
        configs = self._routed()
        if not configs:
            return args, kwargs
        past = kwargs.get("past_key_values")
        conv = conv_cache.of(past)
        if conv is None and kwargs.get("use_cache") is not False and not torch.is_grad_enabled():
            conv = conv_cache.ConvCache()
        ids = kwargs.get("input_ids", args[0] if args else None)
        patches = self._patches(configs[0])
        starts = _starts(kwargs.get("position_ids"), ids) if conv is None else None
        positions = given if given is not None else self._positions(ids, patches, conv, starts)
        if conv is None or not conv.seen:
            check_filled(positions, patches.grid if patches is not None and given is None else None, starts)
        self._check_labels(configs, positions, kwargs.get("labels"))
        now.conv, now.layout = (
            conv,
            (layout := Layout(positions, conv.positions if conv is not None else None)),
        )
        if conv is not None:
            now.kept, conv.positions = layout.kept(
                [
                    neighborhood(config.neighbors, config.kernel_size, config.neighbors_seed)
                    for config in configs
                    if config.convolves
                ]
            )
            conv.seen += positions.shape[1]
        for block in module.modules():
            inner = block.__dict__.get("_gradient_checkpointing_func")
            if inner is not None and not (
                isinstance(inner, _Checkpointing) and inner.running is self.moss_running
            ):
                block._gradient_checkpointing_func = _Checkpointing(inner, self.moss_running)
        return args, kwargs

    def _after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:  # noqa: ARG002 - torch's signature
        now, cache = self.moss_running.now, getattr(output, "past_key_values", None)
        if now is not None and now.conv is not None and cache is not None:
            conv_cache.attach(now.conv, cache)
        self.moss_running.end()

    def _patches(self, config: MossConfig) -> Patches | None:
        if config.image_tokens is None:
            return of_model(getattr(self.model, "config", None))
        grid = (config.image_grid[0], config.image_grid[1]) if config.image_grid is not None else None
        return Patches(tuple((low, high) for low, high in config.image_tokens), grid, config.end_of_line)

    def _positions(
        self,
        ids: Tensor | None,
        patches: Patches | None,
        conv: conv_cache.ConvCache | None,
        starts: Tensor | None,
    ) -> Tensor:
        if ids is None:
            raise ValueError(
                "inputs_embeds do not show which rows are patches: pass patch_pos, (B, T, 3) of (image, "
                "y, x), -1 for text"
            )
        if patches is None:
            raise ValueError(
                "this model's config does not define which ids are image patches: set image_tokens and "
                "image_grid in MossConfig, or pass patch_pos"
            )
        if conv is None:
            return patches.positions(ids, starts)
        conv.ids = ids if conv.ids is None else torch.cat([conv.ids, ids], dim=1)
        return patches.positions(conv.ids)[:, -ids.shape[1] :]

    @staticmethod
    def _check_labels(configs: list[MossConfig], positions: Tensor, labels: Tensor | None) -> None:
        blind = labels is None or all(
            config.neighbors != "symmetric" or not config.convolves for config in configs
        )
        if not blind and bool(((labels != -100) & (positions[..., 0] >= 0)).any()):
            raise ValueError(
                "symmetric neighbors include later patches, so the model could lower a loss on patches by "
                "copying the answer; label patches -100, or use top_left neighbors"
            )

    def merge_adapter(
        self,
        adapter_names: list[str] | None = None,
        safe_merge: bool = False,
        modality: Literal["text"] = "text",
    ) -> None:
        """Add the text halves of adapters to the weights, exactly. Text rows then need no adapter, image rows
        a correction of rank r_image + r_text.

        Raises ValueError for another modality: the image half depends on neighbors and fits no single weight.
        """
        if modality != "text":
            raise ValueError(
                f"modality {modality!r}: only the text half can be merged, because image rows depend on "
                "their neighbors"
            )
        super().merge_adapter(adapter_names=adapter_names, safe_merge=safe_merge)

    def merge_and_unload(
        self, progressbar: bool = False, safe_merge: bool = False, adapter_names: list[str] | None = None
    ) -> nn.Module:
        """Merge adapters of method `lora` and return the base model. Raises ValueError for other methods."""
        names = adapter_names or self.active_adapters
        if routed := [name for name in names if self.peft_config[name].routed]:
            raise ValueError(
                f"adapter {routed[0]} treats text and patches differently, so it cannot be merged into one "
                'weight; merge_adapter(modality="text") merges the text half and keeps the adapter '
                "for patches"
            )
        return super().merge_and_unload(
            progressbar=progressbar, safe_merge=safe_merge, adapter_names=adapter_names
        )

    def _unload_and_optionally_merge(self, *args: Any, **kwargs: Any) -> nn.Module:
        model: nn.Module = super()._unload_and_optionally_merge(*args, **kwargs)
        self._before_hook.remove()
        self._after_hook.remove()
        return model


def _starts(position_ids: Tensor | None, ids: Tensor | None) -> Tensor | None:
    """Return where documents packed into a row begin: at position 0, as in transformers. None unless each
    token has a position."""
    if position_ids is None or ids is None or position_ids.shape != ids.shape:
        return None
    return position_ids == 0
