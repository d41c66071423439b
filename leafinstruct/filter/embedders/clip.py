"""Backend `clip`: clip-anytorch, which opens every published OpenAI checkpoint and any other of that form.

CLIP's text transformer is causal and reads its vector at the end token, so padding after it changes only the
rounding: cosines differ by less than 1e-6.

clip imports torchvision for its image transform alone, which costs a process more than torch itself. So its
model and tokenizer are imported without it, and `preprocess` is the same transform
(tests/filter/test_clip_loading.py compares them byte by byte); clip itself is imported for a download only.
A process then pays 2.4-3.7 CPU-s before its first batch (ViT-B/32), not 4.6-5.3: benchmarks/alignment.py
--loading.

bfloat16: weights of matrices, convolutions and attention; normalizations stay float32, as in the published
half-precision models. benchmarks/alignment.py measures speed and difference.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
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

_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Of the colors of OpenAI's training images."""
_STD = (0.26862954, 0.26130258, 0.27577711)


def load_clip() -> Any:
    """The `clip` module, with torchvision."""
    torchvision_import.mend()
    with warnings.catch_warnings():
        # constraints.txt pins a setuptools that has it
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import clip

    return clip


def module_of_clip(name: str) -> Any:
    """A module of clip, `model` or `simple_tokenizer`, imported without the package and its torchvision."""
    own = f"{__name__}.{name}"  # a name of its own, so that `import clip` stays whole
    if own not in sys.modules:
        spec = importlib.util.spec_from_file_location(own, _folder() / f"{name}.py")
        assert spec is not None, "the name ends with .py"
        assert spec.loader is not None, "the name ends with .py"
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[own] = module
    return sys.modules[own]


def published_urls() -> dict[str, str]:
    """Published name -> URL of its weights, whose last folder is their sha256. Read from the source of clip,
    without an import."""
    for node in ast.parse((_folder() / "clip.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise ImportError("this clip keeps its published models elsewhere; constraints.txt pins one that fits")


def preprocess(image: Pil.Image, side: int) -> Any:
    """The tensor of an image, (3, side, side) float32: its shorter side resized to `side` (bicubic), the
    middle cropped, normalized. The bytes of the transform that clip.load returns."""
    import torch

    width, height = image.size
    short = min(width, height)
    size = int(side * width / short), int(side * height / short)
    resized = image.resize(size, Pil.Resampling.BICUBIC)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    cropped = resized.crop((left, top, left + side, top + side)).convert("RGB")
    pixels = torch.from_numpy(np.array(cropped)).permute(2, 0, 1).contiguous()  # (3, side, side)
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in (_MEAN, _STD))
    return pixels.to(torch.float32).div(255).sub_(mean).div_(std)


class ClipTower:
    """A model of clip-anytorch. See Tower."""

    pad = 0
    width: int | None = None

    def __init__(self, weights: Weights, device: str) -> None:
        """Load the model. Raises RecipeError if the name is unknown, or the weights cannot be opened or
        downloaded."""
        import torch

        self._torch, self._device = torch, device
        if weights.file is None and weights.name not in (known := published_urls()):
            raise RecipeError(
                f"filter.alignment.model: {weights.name!r} is neither a file nor one of {', '.join(known)}"
            )
        try:
            model = _opened(torch, weights.file or _downloaded(weights.name))
        except (OSError, RuntimeError, KeyError, AttributeError, UnpicklingError, EOFError) as error:
            raise RecipeError(
                f"filter.alignment.model: {weights.name} cannot be opened "
                f"({str(error).splitlines()[0][:200]}); "
                "a published name needs the network once, a path must be a CLIP state dict"
            ) from error
        self._preprocess = partial(preprocess, side=int(model.visual.input_resolution))
        rows = model.token_embedding.weight.detach()
        self._known = (rows != 0).any(dim=1).numpy()  # (vocabulary,): rows that were trained
        if weights.dtype == "bfloat16":
            _lower(torch, model)
        self._model = model.eval().to(device)
        self._tokenizer = module_of_clip("simple_tokenizer").SimpleTokenizer()
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


def _folder() -> Path:
    spec = importlib.util.find_spec("clip")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'clip'", name="clip")
    return Path(spec.origin).parent


def _downloaded(name: str) -> str:
    """The checkpoint of a published name. clip downloads it unless its own copy has the right sha256."""
    url = published_urls()[name]
    path = Path("~/.cache/clip").expanduser() / url.rpartition("/")[2]
    if path.is_file():
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() == url.split("/")[-2]:
                return str(path)
    return str(load_clip().clip._download(url, str(path.parent)))


def _opened(torch: Any, path: str) -> Any:
    """The float32 model of a TorchScript archive or a state dict, as clip.load opens it."""
    with warnings.catch_warnings():
        # torch deprecates TorchScript, in which OpenAI's checkpoints are
        warnings.filterwarnings("ignore", r".*torch\.jit\.load.*", DeprecationWarning)
        try:
            state = torch.jit.load(path, map_location="cpu").eval().state_dict()
        except RuntimeError:
            state = torch.load(path, map_location="cpu", weights_only=True)
    with _uninitialized():
        return module_of_clip("model").build_model(state).float()


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
