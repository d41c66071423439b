"""Backend `clip`: clip-anytorch, which opens every published OpenAI checkpoint and any other of that form.

CLIP's text transformer is causal and reads its vector at the end token, so padding after it changes only the
rounding: cosines differ by less than 1e-6.

bfloat16: weights of matrices, convolutions and attention; normalizations stay float32, as in the published
half-precision models. benchmarks/alignment.py measures speed and difference.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct import _torchvision as torchvision_import
from leafinstruct.errors import RecipeError
from leafinstruct.filter.embedders.tower import Piece, windows
from leafinstruct.filter.embedders.weights import Weights

_INITIALIZERS = {"normal_", "uniform_"}
"""Methods of tensors that initialize parameters."""


def load_clip() -> Any:
    """The `clip` module."""
    torchvision_import.mend()
    with warnings.catch_warnings():
        # constraints.txt pins a setuptools that has it
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import clip

    return clip


class ClipTower:
    """A model of clip-anytorch. See Tower."""

    pad = 0
    width: int | None = None

    def __init__(self, weights: Weights, device: str) -> None:
        """Load the model. Raises RecipeError if the name is unknown, or the weights cannot be opened or
        downloaded."""
        import torch

        clip = load_clip()
        from clip.simple_tokenizer import SimpleTokenizer

        self._torch, self._device = torch, device
        if weights.file is None and weights.name not in clip.available_models():
            known = ", ".join(clip.available_models())
            raise RecipeError(
                f"filter.alignment.model: {weights.name!r} is neither a file nor one of {known}"
            )
        try:
            # clip tries TorchScript before a plain state dict, and torch deprecates the try
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r".*torch\.jit\.load.*", DeprecationWarning)
                warnings.filterwarnings("ignore", ".*is not a JIT archive.*", UserWarning)
                # loaded for the CPU, where clip makes the weights float32
                with _uninitialized():
                    model, self._preprocess = clip.load(weights.file or weights.name, device="cpu", jit=False)
        except (OSError, RuntimeError, KeyError, AttributeError, UnpicklingError, EOFError) as error:
            raise RecipeError(
                f"filter.alignment.model: {weights.name} cannot be opened "
                f"({str(error).splitlines()[0][:200]}); "
                "a published name needs the network once, a path must be a CLIP state dict"
            ) from error
        rows = model.token_embedding.weight.detach()
        self._known = (rows != 0).any(dim=1).numpy()  # (vocabulary,): rows that were trained
        if weights.dtype == "bfloat16":
            _lower(torch, model)
        self._model = model.eval().to(device)
        self._tokenizer = SimpleTokenizer()
        self._ends = tuple(self._tokenizer.encoder[name] for name in ("<|startoftext|>", "<|endoftext|>"))
        self._size = int(model.context_length) - 2

    def pieces(self, text: str) -> list[Piece]:
        """See Tower."""
        start, end = self._ends
        return [(start, *window, end) for window in windows(text, self._encode, self._size)]

    def unknown(self, tokens: Sequence[int]) -> float:
        """See Tower. A row of the embedding that is all zeros was never trained."""
        words = [token for token in tokens if token not in self._ends]
        return 1 - float(np.mean(self._known[words])) if words else 0.0

    def prepared(self, image: Pil.Image) -> Any:
        """See Tower."""
        return self._preprocess(image)

    def of_images(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """See Tower."""
        with self._torch.inference_mode():
            pixels = self._torch.stack(list(prepared)).to(self._device)  # (B, 3, side, side)
            rows: NDArray[np.float32] = self._model.encode_image(pixels).float().cpu().numpy()
        return rows

    def of_texts(self, tokens: NDArray[np.int64], real: NDArray[np.int64]) -> NDArray[np.float32]:  # noqa: ARG002 - the attention is causal
        """See Tower."""
        with self._torch.inference_mode():
            ids = self._torch.from_numpy(tokens).to(self._device)
            rows: NDArray[np.float32] = self._model.encode_text(ids).float().cpu().numpy()
        return rows

    def _encode(self, text: str) -> list[int]:
        # the tokenizer would read a literal <|endoftext|> in a document as its control token
        return list(self._tokenizer.encode(text.replace("<|", "< |")))


def _uninitialized() -> Any:
    """A context in which torch initializes no parameters: clip then loads all of them from the file,
    strictly. Saves 2 of 3.2 CPU-s per process for a model of ViT-B/32's size."""
    from torch.overrides import TorchFunctionMode

    class Uninitialized(TorchFunctionMode):  # type: ignore[misc]  # torch is not followed
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = kwargs or {}
            if getattr(func, "__module__", "") == "torch.nn.init" or func.__name__ in _INITIALIZERS:
                return given["tensor"] if "tensor" in given else args[0]
            return func(*args, **given)

    return Uninitialized()


def _lower(torch: Any, model: Any) -> None:
    """Make the weights bfloat16, except those of normalizations and of the token embedding, which clip casts
    itself."""
    apart = (torch.nn.LayerNorm, torch.nn.BatchNorm2d, torch.nn.Embedding)
    for module in model.modules():
        if not isinstance(module, apart):
            for weight in module.parameters(recurse=False):
                weight.data = weight.data.to(torch.bfloat16)
