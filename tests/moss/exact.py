"""Laws that are exact in real numbers, tested with numbers that are nearly real.

In float32 the error of a law depends on the CPU: another kernel adds in another order. In float64 every error
that comes from the arithmetic is below 1e-12, and every mistake in the code is as large as ever.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor

ROUNDINGS = 4096
"""More than the longest chain of additions and products in a tiny model, its softmax and its norms
included."""
STEPS = 64
"""The same of one loss, a cross-entropy over the vocabulary or a mean of squares, and its gradient."""


def exact(model: Any) -> Any:
    """The model in float64, its norms too: those of transformers compute in float32 whatever they are
    given."""
    model.double()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = MethodType(_norm, module)
    return model


def _norm(self: Any, x: Tensor) -> Tensor:
    return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon)


def close(one: Tensor, other: Tensor, rounded: torch.dtype | None = None) -> None:
    """Equal up to roundings, each of which is at most the type's epsilon times the largest value around.

    rounded: the type of a step in between, such as the float32 in which losses are computed.
    """
    assert one.dtype == other.dtype
    bound = ROUNDINGS * torch.finfo(other.dtype).eps
    if rounded is not None:
        bound += STEPS * torch.finfo(rounded).eps
    torch.testing.assert_close(one, other, atol=bound * max(1.0, other.detach().abs().max().item()), rtol=0)
