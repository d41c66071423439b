"""Was the whole prompt read? Servers with a small context window cut prompts without an error (Ollama: num_ctx, 2,048 or 4,096 tokens by default).

A count of prompt tokens arouses suspicion when no earlier request was counted higher, and

    it is lower than 0.8 x the number of words that the prompt adds to the one before (a tokenizer makes at least one token of a word; a
    server may leave out what its own cache holds, which is at most what two prompts begin with),
    or it is a round number, as context windows are, or a different prompt was counted exactly as high.

The proof is one more request, with 1,000 short words before the same prompt: it raises the count of a server that reads all of it. So an honest
server is never stopped, and is asked for a proof about once in a run (one count in 25 is round, and of n counts about ln n are the highest so
far). A server that declines what is too long (400) cuts nothing. Counts below 256 are no context window and prove nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from leafinstruct.llm.request import Request

_LEAST = 256  # tokens; no context window is smaller
_FEW = 0.8  # tokens a word; below it words are missing
_WINDOWS = (256, 100)  # a count at a multiple of these, or one beside it, may be the size of a window
_RISE = 250  # tokens by which the filler raises an honest count; it has 1,000 words
FILLER = " ".join("abcdefghijklmnopqrst" * 50)
"""1,000 words, put before a prompt."""


class Context:
    """What one server's counts say about its context window."""

    def __init__(self) -> None:
        self._read = 0  # the highest count of a prompt that was read whole
        self._before = ""  # text of the prompt before
        self.proving = asyncio.Lock()
        """One proof at a time: it answers for all who wait."""

    def is_suspicious(self, request: Request, counted: int) -> bool:
        """counted: the server's prompt tokens, those from its cache included."""
        text, before = _text(request), self._before
        self._before = text
        if text == before or not self.is_new(counted):
            return False
        near_window = any((counted + 1) % window <= 2 for window in _WINDOWS)
        if near_window or counted == self._read or counted < _FEW * _words_added(text, before):
            return True
        self._read = counted
        return False

    def is_new(self, counted: int) -> bool:
        """Whether no higher count is known to be of a whole prompt."""
        return counted >= max(_LEAST, self._read)

    def is_cut(self, counted: int, with_filler: int) -> bool:
        """The proof's result: the counts of one prompt without and with the filler."""
        if with_filler < counted + _RISE:
            return True
        self._read = with_filler
        return False

    def is_whole(self, counted: int) -> None:
        """A prompt of this count was read whole."""
        self._read = max(self._read, counted + 1)


def with_filler(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages, the filler at the very beginning, where no server's cache holds it."""
    first, *rest = messages
    content = first["content"]
    longer = f"{FILLER}\n\n{content}" if isinstance(content, str) else [{"type": "text", "text": FILLER}, *content]
    return [{**first, "content": longer}, *rest]


def _words_added(text: str, before: str) -> int:
    """Words after what both texts begin with."""
    common = next((at for at, (one, other) in enumerate(zip(text, before, strict=False)) if one != other), min(len(text), len(before)))
    return len(text[common:].split())


def _text(request: Request) -> str:
    return "\n\n".join(part for message in request.messages for part in message.parts if isinstance(part, str))
