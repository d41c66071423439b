"""Backend `open_clip`: SigLIP, SigLIP 2, DFN, EVA, MetaCLIP and the other models of open_clip_torch.

Optional: `pip install 'leafinstruct[open_clip]'` (MIT license), with timm for SigLIP and EVA. Every text is
padded to the context: some of its text towers read their vector at the last position, and none takes shorter
rows. Checkpoints are read as plain tensors, so no file runs code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct import _torchvision as torchvision_import
from leafinstruct.errors import RecipeError, suggestion
from leafinstruct.filter.embedders.tower import Piece, framed, windows
from leafinstruct.filter.embedders.weights import COMMIT, Weights
from leafinstruct.runtime import hub

_PRECISION = {"float32": "fp32", "bfloat16": "bf16"}


class OpenClipTower:
    """A model of open_clip. See Tower."""

    def __init__(self, weights: Weights, device: str) -> None:
        """Load the model. Raises RecipeError if open_clip is not installed, the name is unknown, or the
        weights cannot be opened or downloaded."""
        import torch

        open_clip = _library()
        self._torch, self._device = torch, device
        self._dtype = getattr(torch, weights.dtype)
        name, tag = _source(open_clip, weights)
        try:
            model, self._preprocess = open_clip.create_model_from_pretrained(
                name, pretrained=tag, precision=_PRECISION[weights.dtype], device=device
            )
            tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:  # the library raises many kinds for a file that does not fit
            raise RecipeError(
                f"filter.alignment.model: {weights.name} cannot be opened by open_clip "
                f"({hub.message(error)}); a tag needs the network once, a folder needs weights that fit its "
                "open_clip_config.json"
            ) from error
        self._model = model.eval()
        context = int(model.context_length)
        self.width: int | None = context
        self._clean = tokenizer.clean_fn
        inner = getattr(tokenizer, "tokenizer", None)  # of transformers; else open_clip's own
        self._before: Piece
        self._after: Piece
        if inner is None:
            self._bare, self.pad = tokenizer.encode, 0
            self._before, self._after = (tokenizer.sot_token_id,), (tokenizer.eot_token_id,)
        else:
            self._bare = lambda text: list(inner(text, add_special_tokens=False).input_ids)
            self.pad = int(inner.pad_token_id)
            self._before, self._after = framed(inner)
            if tokenizer.strip_sep_token:
                self._after = tuple(0 if token == inner.sep_token_id else token for token in self._after)
        self._size = context - len(self._before) - len(self._after)

    def pieces(self, text: str) -> list[Piece]:
        """See Tower."""
        return [(*self._before, *window, *self._after) for window in windows(text, self._encode, self._size)]

    def unknown(self, tokens: Sequence[int]) -> float:  # noqa: ARG002 - the protocol
        """Return 0: published weights have no untrained rows that could be recognized."""
        return 0.0

    def prepared(self, image: Pil.Image) -> Any:
        """See Tower."""
        return self._preprocess(image)

    def of_images(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """See Tower."""
        with self._torch.inference_mode():
            pixels = self._torch.stack(list(prepared)).to(self._device, self._dtype)
            rows: NDArray[np.float32] = self._model.encode_image(pixels).float().cpu().numpy()
        return rows

    def of_texts(self, tokens: NDArray[np.int64], real: NDArray[np.int64]) -> NDArray[np.float32]:  # noqa: ARG002 - its towers mask padding themselves
        """See Tower."""
        with self._torch.inference_mode():
            ids = self._torch.from_numpy(tokens).to(self._device)
            rows: NDArray[np.float32] = self._model.encode_text(ids).float().cpu().numpy()
        return rows

    def _encode(self, text: str) -> list[int]:
        # tokenizers would read a literal <end_of_text> or <eos> in a document as a control token
        return list(self._bare(self._clean(text.replace("<", "< "))))


def _library() -> Any:
    torchvision_import.mend()
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"filter.alignment.backend: open_clip needs {error.name}; run: pip install "
            "'leafinstruct[open_clip]'"
        ) from error
    return open_clip


def _source(open_clip: Any, weights: Weights) -> tuple[str, str | None]:
    """Name and tag as open_clip takes them. A repository is downloaded at its commit."""
    if weights.file is not None:
        return f"local-dir:{weights.file}", None
    if found := COMMIT.fullmatch(weights.name):
        files = ["*.json", "*.txt", "*.model", "open_clip_*.safetensors", "open_clip_*.bin"]
        folder: Path = hub.snapshot(
            found["repo"], files, "filter.alignment.model", RecipeError, "model", found["commit"]
        )
        return f"local-dir:{folder}", None
    architecture, _, tag = weights.name.rpartition("/")
    known = [f"{name}/{of}" for name, of in open_clip.list_pretrained()]
    if weights.name not in known:
        raise RecipeError(
            f"filter.alignment.model: {weights.name!r} is no ARCHITECTURE/TAG of open_clip; "
            f"{suggestion(weights.name, known)}"
        )
    return architecture, tag
