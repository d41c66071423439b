"""Choose ranks that give every method the same number of trainable parameters, for a fair comparison.

Each half of a linear layer d_in -> d_out costs r (d_in + d_out) parameters; a full-space convolution
r (K d_in + d_out); one in rank space r^2 K more, a depthwise one r K more. Both ranks of a configuration are
changed together to reach the budget, then r_text alone for the remainder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn

from leafinstruct.moss.config import MossConfig, MossConfigError
from leafinstruct.moss.layout import neighborhood

MAX_RANK = 4096


@dataclass(frozen=True, slots=True)
class Matched:
    """Matched configurations and their numbers of parameters, by name; budget: the target number. `str` gives
    a table."""

    configs: dict[str, MossConfig]
    parameters: dict[str, int]
    budget: int

    def __str__(self) -> str:
        lines = [f"{'adapter':<20} {'r_text':>6} {'r_image':>7} {'parameters':>12} {'of budget':>9}"]
        for name, config in self.configs.items():
            image = str(config.r_image) if config.routed else "-"
            share = self.parameters[name] / self.budget
            lines.append(
                f"{name:<20} {config.r_text:>6} {image:>7} {self.parameters[name]:>12,} {share:>9.3f}"
            )
        return "\n".join(lines)


def match_params(model: nn.Module, configs: Mapping[str, MossConfig], to: str) -> Matched:
    """Return the configurations with ranks that give each as many trainable parameters as `to` has. model:
    the base without an adapter.

    Raises MossConfigError when `to` is not among them, or when target_modules matches no linear layer.
    """
    if to not in configs:
        raise MossConfigError(f"{to!r} is not one of {', '.join(configs)}")
    budget = count(model, configs[to])
    found = {
        name: config if name == to else _fitted(model, config, budget) for name, config in configs.items()
    }
    return Matched(found, {name: count(model, config) for name, config in found.items()}, budget)


def count(model: nn.Module, config: MossConfig) -> int:
    """Return the number of trainable parameters of an adapter on a base model. Raises MossConfigError."""
    return sum(_of_layer(config, *shape) for shape in _shapes(model, config))


def _shapes(model: nn.Module, config: MossConfig) -> list[tuple[int, int]]:
    if not isinstance(config.target_modules, str):
        raise MossConfigError("target_modules must be a regular expression here")
    hit = [module for name, module in model.named_modules() if re.fullmatch(config.target_modules, name)]
    shapes = [(module.in_features, module.out_features) for module in hit if isinstance(module, nn.Linear)]
    if not shapes:
        raise MossConfigError(
            f"target_modules {config.target_modules!r} matches no linear layer of the model"
        )
    return shapes


def _of_layer(config: MossConfig, d_in: int, d_out: int) -> int:
    text = config.r_text * (d_in + d_out)
    if not config.routed:
        return text
    wide = neighborhood(config.neighbors, config.kernel_size).count if config.convolves else 1
    rank = config.r_image
    if config.conv_mode == "full_space" or not config.convolves:
        return text + rank * (wide * d_in + d_out)
    return text + rank * (d_in + d_out) + wide * rank * (rank if config.conv_mode == "rank" else 1)


def _fitted(model: nn.Module, config: MossConfig, budget: int) -> MossConfig:
    def ranked(text: int, image: int) -> MossConfig:
        alpha_text = config.alpha_text / config.r_text * text
        alpha_image = config.alpha_image / config.r_image * image
        return replace(config, r_text=text, r_image=image, alpha_text=alpha_text, alpha_image=alpha_image)

    def parameters(text: int, image: int) -> int:
        return count(model, ranked(text, image))

    both = 1
    while both < MAX_RANK and parameters(both + 1, both + 1) <= budget:
        both += 1
    text = both
    while text < MAX_RANK and abs(parameters(text + 1, both) - budget) < abs(parameters(text, both) - budget):
        text += 1
    return ranked(text, both)
