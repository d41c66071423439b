"""Backend `transformers`: any dual encoder (CLIP, SigLIP, SigLIP 2, ALIGN-like ...) from a folder that
`save_pretrained` wrote, or from a repository of the Hub at a commit.

Weights are read from safetensors only, and no code of a repository runs. Texts of models of the SigLIP family
are padded to the context, as in their training: they read their vector at the last position. For others a
mask hides the padding, so a batch is padded to its own longest text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.errors import RecipeError
from leafinstruct.filter.embedders.pretrained import model_of, part_of
from leafinstruct.filter.embedders.tower import Piece, framed, windows
from leafinstruct.filter.embedders.weights import Weights


class DualEncoderTower:
    """A model of transformers with `get_text_features` and `get_image_features`. See Tower."""

    def __init__(self, weights: Weights, device: str) -> None:
        """Load the model. Raises RecipeError if the weights are missing or no dual encoder, or cannot be
        downloaded."""
        import torch

        option = "filter.alignment.model"
        model = model_of("AutoModel", weights, device, option)
        self._tokenizer = part_of("AutoTokenizer", weights, option)
        self._processor = part_of("AutoImageProcessor", weights, option)
        if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
            raise RecipeError(
                f"{option}: {weights.name} is a {type(model).__name__}, no dual encoder of "
                "images and texts; choose a model of the kind CLIP or SigLIP"
            )
        self._torch, self._device, self._dtype = torch, device, getattr(torch, weights.dtype)
        self._model = model
        context = int(model.config.text_config.max_position_embeddings)
        self._before, self._after = framed(self._tokenizer)
        self._size = context - len(self._before) - len(self._after)
        self.pad = int(self._tokenizer.pad_token_id or 0)
        self._padded = str(model.config.model_type).startswith("siglip")
        self.width: int | None = context if self._padded else None
        # the side matters only where no mask hides the padding
        self._from_left = self._padded and self._tokenizer.padding_side == "left"

    def pieces(self, text: str) -> list[Piece]:
        """See Tower."""
        return [(*self._before, *window, *self._after) for window in windows(text, self._encode, self._size)]

    def unknown(self, tokens: Sequence[int]) -> float:  # noqa: ARG002 - the protocol
        """Return 0: published weights have no untrained rows that could be recognized."""
        return 0.0

    def prepared(self, image: Pil.Image) -> Any:
        """See Tower. Some processors give masks and shapes beside the pixels."""
        return self._processor(images=image, return_tensors="pt")

    def of_images(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """See Tower."""
        inputs = {
            name: self._torch.cat([one[name] for one in prepared]).to(self._device) for name in prepared[0]
        }
        inputs["pixel_values"] = inputs["pixel_values"].to(self._dtype)
        with self._torch.inference_mode():
            return self._rows(self._model.get_image_features(**inputs))

    def of_texts(self, tokens: NDArray[np.int64], real: NDArray[np.int64]) -> NDArray[np.float32]:
        """See Tower."""
        if self._from_left:
            shifts = tokens.shape[1] - real.sum(axis=1)
            tokens = np.stack([np.roll(row, shift) for row, shift in zip(tokens, shifts, strict=True)])
        inputs = {"input_ids": self._torch.from_numpy(tokens).to(self._device)}
        if not self._padded:  # SigLIP was trained without a mask
            inputs["attention_mask"] = self._torch.from_numpy(real).to(self._device)
        with self._torch.inference_mode():
            return self._rows(self._model.get_text_features(**inputs))

    @staticmethod
    def _rows(output: Any) -> NDArray[np.float32]:
        """(B, d). transformers 5 returns the vectors as `pooler_output`."""
        rows: NDArray[np.float32] = getattr(output, "pooler_output", output).float().cpu().numpy()
        return rows

    def _encode(self, text: str) -> list[int]:
        # the tokenizer would read a literal </s> or <|endoftext|> in a document as a control token
        return list(
            self._tokenizer(text.replace("<", "< "), add_special_tokens=False, verbose=False).input_ids
        )
