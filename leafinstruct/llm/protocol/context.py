"""Detect silently cut prompts: servers with a small context window cut prompts without an error (Ollama:
num_ctx, 2,048 or 4,096 tokens by default).

A count of prompt tokens is suspicious if

- it is lower than 0.8 x the number of words that the prompt adds to the one before (a tokenizer makes at
  least one token of a word; a server may leave out what its own cache holds, at most the common beginning of
  two prompts),
- or no earlier count was higher, the prompt may be longer, and the count is a multiple of 256, as context
  windows are, or equal to the count of a prompt of another length.

The proof is one more request, with 1,000 common words before the same prompt, so that no cache contains it.
The prompt is cut if that does not raise the count, or if the count is below half of the words: no tokenizer
is that coarse. So an honest server is never stopped, and gets about one such request in a run (one count in
85 is such a number, and of n counts about ln n are the highest so far). A server that declines long prompts
(400) does not cut them. Counts below 256 are no context window and prove nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from leafinstruct.llm.protocol.wire import WireMessage, WirePart
from leafinstruct.llm.request import Request
from leafinstruct.llm.tokens import estimate_tokens

_LEAST = 256  # tokens; no context window is smaller
_FEW, _COARSEST = 0.8, 0.5  # tokens a word: below the first, words may be missing; below the second, they are
_WINDOW = 256  # a count at a multiple of it, or one beside it, may be the size of a window
# estimated tokens a counted token; below it, the server counts more than was sent, and cuts nothing
_LONGER = 0.7
_OTHER = 0.05  # share by which estimates of prompts of another length differ
_RISE = 250  # tokens; the filler raises an honest count by about as many as it has words
_FILLER_WORDS = 1_000
_COMMON = ("water", "house", "light", "paper", "table", "green", "river", "stone", "bread", "night")
FILLER = " ".join(_COMMON * (_FILLER_WORDS // len(_COMMON)))
"""1,000 words, put before a prompt."""


class Context:
    """What one server's counts reveal about its context window."""

    def __init__(self) -> None:
        # the highest count of a prompt that was read whole, and its estimate
        self._read, self._estimate = 0, 0
        self._few = _FEW  # lowered by a proof that this server's tokens are longer
        self._before = ""  # text of the prompt before
        self._proving = asyncio.Lock()  # one proof at a time: it is valid for all that wait

    async def fault(
        self, request: Request, counted: int, longer: Callable[[], Awaitable[int | None]]
    ) -> str | None:
        """Return what is wrong if the prompt was cut, in words that follow the server's URL. Call once for
        each prompt.

        counted: the server's prompt tokens, those from its cache included.
        longer: asks again with the filler; returns the count, 0 if there is none, None if the server declines
            that prompt.
        """
        if not self._is_suspicious(request, counted):
            return None
        async with self._proving:
            if self._is_settled(request, counted):
                return None
            with_filler = await longer()
            if with_filler is None:
                self._is_whole(request, counted)  # it reports prompts that are too long
            if not with_filler or not self._is_cut(request, counted, with_filler):
                return None
            return (
                f"cuts prompts silently: it counts {counted:,} tokens, and {with_filler:,} "
                "with 1,000 "
                "words more. Raise its context length (Ollama: num_ctx or OLLAMA_CONTEXT_LENGTH; "
                "llama.cpp: --ctx-size; others: context or "
                "max-model length) and run the same command again; answers to cut prompts are not saved."
            )

    def _is_suspicious(self, request: Request, counted: int) -> bool:
        text, before = _text(request), self._before
        self._before = text
        if text == before or counted < _LEAST:
            return False
        if self._lacks_words(request, counted) and counted < self._few * _words_added(text, before):
            return True
        if counted < self._read:
            return False
        estimate = estimate_tokens(request)
        other = abs(estimate - self._estimate) > _OTHER * estimate
        if estimate > _LONGER * counted and (
            (counted == self._read and other) or (counted + 1) % _WINDOW <= 2
        ):
            return True
        self._read, self._estimate = counted, estimate
        return False

    def _lacks_words(self, request: Request, counted: int) -> bool:
        """Whether the count is too low for the number of words."""
        return counted < self._few * len(_text(request).split())

    def _is_settled(self, request: Request, counted: int) -> bool:
        """Whether a proof for another prompt is also valid for this one."""
        return counted < self._read and not self._lacks_words(request, counted)

    def _is_cut(self, request: Request, counted: int, with_filler: int) -> bool:
        """Return the proof's result from the counts of one prompt without and with the filler."""
        words = len(_text(request).split())
        if with_filler < max(counted + _RISE, _COARSEST * (words + _FILLER_WORDS)):
            return True
        self._is_whole(request, counted)
        return False

    def _is_whole(self, request: Request, counted: int) -> None:
        """Record that a prompt of this count was read completely."""
        self._read = max(self._read, counted + _RISE)
        self._few = min(self._few, 0.9 * counted / max(1, len(_text(request).split())))


def with_filler(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Put the filler at the very beginning of the messages, so that no server's cache contains the prompt."""
    first, *rest = messages
    content = first["content"]
    longer: str | list[WirePart] = (
        f"{FILLER}\n\n{content}" if isinstance(content, str) else [{"type": "text", "text": FILLER}, *content]
    )
    return [{"role": first["role"], "content": longer}, *rest]


def _words_added(text: str, before: str) -> int:
    """Count the words after the common beginning of both texts."""
    common = next(
        (at for at, (one, other) in enumerate(zip(text, before, strict=False)) if one != other),
        min(len(text), len(before)),
    )
    return len(text[common:].split())


def _text(request: Request) -> str:
    return "\n\n".join(
        part for message in request.messages for part in message.parts if isinstance(part, str)
    )
