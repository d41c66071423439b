"""Classifiers of transformers: the probability of each label of a checkpoint, for images or for texts.

A checkpoint for one label per item gives a softmax of its outputs, one for several (`multi_label`) or with a
single output a sigmoid, as the pipelines of transformers do; one for regression (some models of aesthetics)
gives its output unchanged.

The value of a document is the largest over its texts, since one insult in a long page is one. A text longer
than the model's context is split at its sentences, and nothing is cut. Equal texts are classified once, in
batches sorted by length and padded to their own longest; a mask hides the padding.

Tolerance: in another batch a probability differs in the rounding of float32, by less than 1e-5, so a stored
one by at most one step of 1e-4; with bfloat16 probabilities differ by less than 0.02
(tests/filter/test_classifiers.py).
Cost: benchmarks/classifiers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image as Pil

from leafinstruct.filter.embedders.batches import Rows, each, prepared
from leafinstruct.filter.embedders.pretrained import model_of, part_of
from leafinstruct.filter.embedders.tower import framed, windows
from leafinstruct.filter.predictors.predictor import Checkpoint, check_label, is_regression
from leafinstruct.filter.predictors.tokens import Tokens, in_batches


class Classifier:
    """A loaded classifier: the model, and how its outputs are read."""

    def __init__(self, auto: Any, checkpoint: Checkpoint, device: str) -> None:
        """Load the model. Raises RecipeError if it cannot be downloaded or opened."""
        import torch

        self._torch, self._device, self.checkpoint = torch, device, checkpoint
        weights = checkpoint.weights
        self._model = model_of(auto, weights, device, f"{checkpoint.option}.model")
        self._dtype = getattr(torch, weights.dtype)
        config = self._model.config
        several = config.problem_type == "multi_label_classification" or config.num_labels == 1
        self._read: Callable[[Any], Any] = (
            (lambda outputs: outputs)
            if is_regression({"problem_type": config.problem_type})
            else torch.sigmoid
            if several
            else lambda outputs: torch.softmax(outputs, dim=-1)
        )

    def index(self, label: str, checkpoint: Checkpoint | None = None) -> int:
        """The column of a label. checkpoint: this one, as another key of the recipe names it. Raises
        RecipeError if there is none."""
        check_label(checkpoint or self.checkpoint, label, {"label2id": self._model.config.label2id})
        return int(self._model.config.label2id[label])

    def _outputs(self, inputs: dict[str, Any]) -> Rows:
        """(B, labels) of a batch."""
        with self._torch.inference_mode():
            rows: Rows = self._read(self._model(**inputs).logits.float()).cpu().numpy()
        return rows


class ImageClassifier(Classifier):
    """A loaded classifier of images.

    threads: that decode and prepare images while the model computes; 0: none, which is right where the model
    itself uses the cores.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu", threads: int = 0) -> None:
        super().__init__("AutoModelForImageClassification", checkpoint, device)
        self._processor = part_of("AutoImageProcessor", checkpoint.weights, f"{checkpoint.option}.model")
        self._threads = threads

    def images(self, images: Iterable[Any], opened: Callable[[Any], Pil.Image]) -> list[Rows | str]:
        """The values of all labels, (labels,) for each image, or why there are none. opened: makes the RGB
        image of an item."""

        def prepare(item: Any) -> Any:
            return self._processor(images=opened(item), return_tensors="pt")

        return prepared(images, prepare, self._forward, self.checkpoint.batch_size, self._threads)

    def _forward(self, batch: Sequence[Any]) -> Rows:
        # some processors give masks and shapes beside the pixels
        inputs = {name: self._torch.cat([one[name] for one in batch]).to(self._device) for name in batch[0]}
        inputs["pixel_values"] = inputs["pixel_values"].to(self._dtype)
        return self._outputs(inputs)


class TextClassifier(Classifier):
    """A loaded classifier of texts."""

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu") -> None:
        super().__init__("AutoModelForSequenceClassification", checkpoint, device)
        tokenizer = part_of("AutoTokenizer", checkpoint.weights, f"{checkpoint.option}.model")
        self._tokens = Tokens(tokenizer)
        self._before, self._after = framed(tokenizer)
        self._size = self._tokens.context(self._model.config) - len(self._before) - len(self._after)

    def documents(self, documents: Iterable[Sequence[str]]) -> list[Rows | str]:
        """The largest values of all labels over the texts of each document, (labels,), or why there are none.
        A document without text has NaN."""
        pieces = [
            [
                (*self._before, *window, *self._after)
                for text in texts
                for window in windows(text, self._tokens.encode, self._size)
                if window
            ]
            for texts in documents
        ]
        rows = in_batches(pieces, lambda batch: each(batch, self._forward), self.checkpoint.batch_size)
        empty = np.full(self._model.config.num_labels, np.nan, np.float32)
        return [_largest([rows[piece] for piece in own]) if own else empty for own in pieces]

    def _forward(self, batch: Sequence[tuple[int, ...]]) -> Rows:
        return self._outputs(self._tokens.tensors(batch, self._device))


def _largest(rows: Sequence[Rows | str]) -> Rows | str:
    fault = next((row for row in rows if isinstance(row, str)), None)
    if fault is not None:
        return fault
    largest: Rows = np.max(np.stack(rows), axis=0)
    return largest
