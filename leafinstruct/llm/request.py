"""What is asked and what comes back: plain values, no network, no model.

A request says everything that shapes its answer (messages, images, schema, sample index) and brings the
answerer that stands in when there is no model. `check` holds what a JSON schema cannot say ("placeholder 3 is
missing"); its reason is sent back to the model, which then repairs its answer. The order of a message's parts
is the order in which the model sees text and images.

An answer has a state, because a failure is not a verdict:

    ok          there is a value
    failed      nobody answered; ask again later
    declined    the server declined this request for a reason that we do not understand; ask again later
    refused     the model or its provider's content filter will not answer this
    unparsed    no valid answer after repair
    too_large   the server takes no request of this size, not even the smallest question about it

The first two without a value are no verdicts and are asked again by the next run; the others stand until
`leaf build --retry-refused`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

AnswerState = Literal["ok", "failed", "declined", "refused", "unparsed", "too_large"]

Excess = Literal["length", "images", "pixels", "format"]
"""What a server says is too much: the whole request, the number of images, their size; or that it cannot read
the format of one."""


@dataclass(frozen=True)
class SentImage:
    """Encoded bytes exactly as they are sent, and their media type, e.g. `image/jpeg`."""

    data: bytes
    media_type: str

    @cached_property
    def sha256(self) -> str:
        """64 hex digits over `data`."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Message:
    """One turn: text and images in reading order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | SentImage, ...]


@dataclass(frozen=True, eq=False)
class Request:
    """A question whose answer is one JSON object.

    purpose: who asks (`judge`, `rewrite`), for messages and counts; it does not enter the cache key.
    schema: JSON schema (draft 2020-12) of the answer object. Servers with strict schemas want every property
    required and
        `additionalProperties: false`.
    offline: pure function that answers without a model. It may know no more than the messages say, because
    its answer is cached under them.
    offline_name: its identity, `offline-rules@4`; a change of its rules raises the number.
    check: None for a good answer, else the reason, in words that a model can act on. Pure, as `offline`.
    sample: index among several answers wanted to the same question.
    smaller: the same question with less of what is too much, None if there is none; a question of its own,
    with its own place in the cache. Pure.
    shown: what this question shows of its document, "" for all that the settings allow.
    absent: values of properties that an answer may leave out, by name: without them a readable answer would
    be asked for again.
    """

    purpose: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    offline: Callable[[], dict[str, Any]]
    offline_name: str
    check: Callable[[dict[str, Any]], str | None] | None = None
    sample: int = 0
    absent: Mapping[str, str] = field(default_factory=dict)
    smaller: Callable[[Excess], Request | None] | None = None
    shown: str = ""

    @property
    def images(self) -> int:
        """Number of images that it shows."""
        return sum(isinstance(part, SentImage) for message in self.messages for part in message.parts)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of all tries of a request; `estimated` where the server gave no count."""

    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Paid:
    """What an answer took, all tries together; `dollars` None where the price was unknown. An offline answer
    took nothing."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    dollars: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is there exactly if state is `ok`; `detail` says why it is not, or what a question shows that
    had to be made smaller; `usage` is what it took now, nothing if `cached`.

    key: under which the cache and the journal know it; paid: what it took when it was given, cached or not
    (None: not kept).
    """

    state: AnswerState
    value: dict[str, Any] | None
    model: str
    detail: str = ""
    usage: Usage = Usage()
    cached: bool = False
    key: str = ""
    paid: Paid | None = None

    @property
    def retryable(self) -> bool:
        """True where asking again later may help."""
        return self.state in ("failed", "declined")
