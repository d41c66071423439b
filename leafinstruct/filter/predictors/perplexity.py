"""Perplexity of a document's texts by a causal language model: how badly it predicts them.

    perplexity.texts = exp(-1/n sum of log p(token | tokens before it in its window))      at least 1

The texts of a document are joined by empty lines and read in windows of WINDOW tokens (tokens.py), so a
caption is read after the text before it, and nothing is cut. The first token of a window is predicted from
the model's begin token; a model without one predicts from the second token on. Low values are fluent prose
for the model, and also texts that repeat themselves; values depend on the tokenizer, so a rule names the
model.

Source: the usual definition, as in the guide "Perplexity of fixed-length models" of transformers, with
windows that do not overlap; CCNet (arXiv 1911.00359) filters web pages by it.
Tolerance: values are rounded to 4 significant digits. In another batch the logarithm of a value differs by
less than 1e-5, so a stored one by at most one step of the fourth digit (tests/filter/test_perplexity.py).
Cost: one forward pass; benchmarks/classifiers.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from leafinstruct.filter.embedders.batches import Rows, each
from leafinstruct.filter.embedders.pretrained import model_of, part_of
from leafinstruct.filter.predictors.predictor import Checkpoint
from leafinstruct.filter.predictors.tokens import Tokens, Window, in_batches

BETWEEN = "\n\n"
"""Between the texts of a document."""
DIGITS = 4
"""Significant digits of a stored value."""


class Perplexity:
    """A loaded causal language model."""

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu") -> None:
        """Load the model. Raises RecipeError if it cannot be downloaded or opened."""
        import torch

        self._torch, self._device, self._size = torch, device, checkpoint.batch_size
        option = f"{checkpoint.option}.model"
        self._model = model_of("AutoModelForCausalLM", checkpoint.weights, device, option)
        tokenizer = part_of("AutoTokenizer", checkpoint.weights, option)
        self._tokens = Tokens(tokenizer)
        begin = tokenizer.bos_token_id
        self._begin: Window = () if begin is None else (int(begin),)
        self._window = self._tokens.context(self._model.config) - len(self._begin)

    def documents(self, documents: Iterable[Sequence[str]]) -> list[Rows | str]:
        """The perplexity of the texts of each document, (1,), or why there is none. A document without a
        token to predict has NaN."""
        windows = [self._windows(BETWEEN.join(texts)) for texts in documents]
        sums = in_batches(windows, lambda batch: each(batch, self._forward), self._size)
        return [_joined([sums[window] for window in own]) for own in windows]

    def _windows(self, text: str) -> list[Window]:
        ids = self._tokens.encode(text)
        found = [(*self._begin, *ids[at : at + self._window]) for at in range(0, len(ids), self._window)]
        return [window for window in found if len(window) > 1]  # else no token is predicted

    def _forward(self, batch: Sequence[Window]) -> Rows:
        """(B, 2): sum of the negative log-likelihoods in nats, and number of predicted tokens."""
        inputs: dict[str, Any] = self._tokens.tensors(batch, self._device)
        ids, real = inputs["input_ids"], inputs["attention_mask"]
        with self._torch.inference_mode():
            logits = self._model(**inputs, use_cache=False).logits  # (B, L, vocabulary)
            # one window at a time, since the sums need as much memory again
            rows = [
                self._lost(some[:size], window[1 : size + 1])
                for some, window, size in zip(logits, ids, real[:, 1:].sum(dim=1), strict=True)
            ]
        return np.asarray(rows)

    def _lost(self, logits: Any, tokens: Any) -> tuple[float, int]:
        """Sum of the negative log-likelihoods of n tokens, and n. logits: (n, vocabulary)."""
        exact = logits.float()
        own = exact.gather(-1, tokens[:, None]).squeeze(-1)  # (n,)
        return float((self._torch.logsumexp(exact, dim=-1) - own).double().sum()), len(tokens)


def _joined(rows: Sequence[Rows | str]) -> Rows | str:
    fault = next((row for row in rows if isinstance(row, str)), None)
    if fault is not None:
        return fault
    if not rows:
        return np.asarray([np.nan], np.float32)
    lost, tokens = np.sum(np.stack(rows), axis=0)
    with np.errstate(over="ignore"):  # inf, which is not scored
        return np.asarray([float(f"{np.exp(lost / tokens):.{DIGITS}g}")])
