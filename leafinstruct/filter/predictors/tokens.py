"""Texts as token ids and batches of them, for predictors that read texts.

Documents may be hostile: a control token written in a text (`</s>`, `[SEP]`) is read as letters, and the
window of a model is never left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from leafinstruct.filter.embedders.batches import Rows

Window = tuple[int, ...]
"""Token ids that a model reads at once."""

WINDOW = 512
"""Maximum tokens that are read at once, if the model's own context is not smaller. The cost of attention
grows with its square."""

SPREAD = 1.25
"""Length of the longest window of a batch over that of its shortest, at most. Padding costs as much as text:
batches of 8 texts of 20 to 300 tokens without this bound were slower than one text at a time."""


class Tokens:
    """The tokenizer of a checkpoint."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._control = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        self.pad = int(tokenizer.pad_token_id or 0)

    def encode(self, text: str) -> list[int]:
        """The ids of a text without special tokens, in any length."""
        ids = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        ).input_ids
        # slow tokenizers read control tokens all the same
        return [int(found) for found in ids if found not in self._control]

    def context(self, config: Any) -> int:
        """Tokens that a model reads at once. config: of the model."""
        of_model = getattr(config, "max_position_embeddings", None) or WINDOW
        of_tokenizer = self._tokenizer.model_max_length  # RoBERTa has fewer places than positions
        return int(min(of_model, of_tokenizer, WINDOW))

    def tensors(self, windows: Sequence[Window], device: str) -> dict[str, Any]:
        """`input_ids` and `attention_mask` of a batch, (B, L), padded on the right to its longest window."""
        import torch

        width = max(map(len, windows))
        ids = torch.full((len(windows), width), self.pad)
        real = torch.zeros_like(ids)
        for at, window in enumerate(windows):
            ids[at, : len(window)], real[at, : len(window)] = torch.tensor(window), 1
        return {"input_ids": ids.to(device), "attention_mask": real.to(device)}


def in_batches(
    groups: Iterable[Iterable[Window]], rows_of: Callable[[Sequence[Window]], list[Rows | str]], size: int
) -> dict[Window, Rows | str]:
    """Window -> its row, or why it has none. Equal windows are computed once, those of similar length
    together, so that batches need little padding and do not depend on the order of the documents."""
    windows = {window for group in groups for window in group}
    found: dict[Window, Rows | str] = {}
    batch: list[Window] = []
    for window in (*sorted(windows, key=lambda window: (len(window), window)), None):
        if batch and (window is None or len(batch) == size or len(window) > SPREAD * len(batch[0])):
            found |= zip(batch, rows_of(batch), strict=True)
            batch = []
        if window is not None:
            batch.append(window)
    return found
