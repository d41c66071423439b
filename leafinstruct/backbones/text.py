"""Text of documents as ids: a control string within it (`<eoss>`, `<|image start|>`) is written out as
letters, never as the control id.

Documents are hostile: one that says `</s>` must not end an answer, nor one that says `<image>` make room for
an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leafinstruct.errors import BackboneError


def encode(tokenizer: Any, text: str) -> list[int]:
    """Ids without any special one. tokenizer: of transformers. Raises BackboneError for a tokenizer that
    cannot write control strings as letters."""
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


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of ids, control ids left out."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True)).strip() if ids else ""
