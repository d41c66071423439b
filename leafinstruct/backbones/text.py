"""Encode text of documents: a control string in it (`<eoss>`, `<|image start|>`) is encoded as letters, never
as the control id.

Documents may be hostile: one that contains `</s>` must not end an answer, nor one with `<image>` begin an
image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return ids without special ones. Raises BackboneError for a tokenizer that cannot encode control
    strings as letters."""
    found = [
        int(number)
        for number in tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    ]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    if special & set(found):
        raise BackboneError(
            f"the tokenizer reads {tokenizer.decode(sorted(special & set(found))[:1])!r} in a text "
            "as a control id; use a fast tokenizer"
        )
    return found


def decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """Return the text of ids, without control ids."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True)).strip() if ids else ""
