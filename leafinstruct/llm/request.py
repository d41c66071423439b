"""Requests and answers as plain values: no network, no model.

A request states everything that shapes its answer (messages, images, schema, sample index) and brings the
answerer that is used without a model. `check` holds what a JSON schema cannot express ("placeholder 3 is
missing"); its reason is sent back to the model, which then repairs its answer. The parts of a message are in
the order in which the model sees text and images.

An answer has a state, because a failure is not a verdict:

    ok          there is a value
    failed      no answer was received; ask again later
    declined    the server declined this request for an unknown reason; ask again later
    refused     the model or its provider's content filter refuses to answer
    unparsed    no valid answer after repairs
    too_large   the server declines the request for its size, even the smallest question about the document

The next run asks again after `failed` and `declined`. The other states are kept until `leaf build
--retry-refused`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

AnswerState = Literal["ok", "failed", "declined", "refused", "unparsed", "too_large"]

Excess = Literal["length", "images", "pixels", "format"]
"""What a server reports as too large: the whole request, the number of images, or their size; or a format
that it cannot read."""


@dataclass(frozen=True)
class SentImage:
    """The encoded bytes exactly as sent, and their media type, e.g. `image/jpeg`."""

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

    purpose: who asks (`judge`, `rewrite`), for messages and counts; not in the cache key.
    schema: JSON schema (draft 2020-12) of the answer object. Servers with strict schemas require every
        property and `additionalProperties: false`.
    offline: pure function that answers without a model. It may use only what the messages contain, because
        its answer is cached under them.
    offline_name: its identity, `offline-rules@4`; a change of its rules raises the number.
    check: None for a good answer, else the reason, in words that a model can act on. Pure, like `offline`.
    sample: index among several answers to the same question.
    smaller: returns the same question with less of what is too large, None if there is none. It is cached as
        a question of its own. Pure.
    shown: what this question shows of its document, "" for all that the settings allow.
    absent: default values of properties that an answer may leave out, by name. Without them a readable answer
        would be requested again.
    """

    purpose: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    offline: Callable[[], Mapping[str, object]]
    offline_name: str
    check: Callable[[Mapping[str, object]], str | None] | None = None
    sample: int = 0
    absent: Mapping[str, object] = field(default_factory=dict)
    smaller: Callable[[Excess], Request | None] | None = None
    shown: str = ""

    @property
    def images(self) -> int:
        """Number of images in the messages."""
        return sum(isinstance(part, SentImage) for message in self.messages for part in message.parts)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of all tries of a request; `estimated` if the server gave no count."""

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
    """Cost of an answer, all tries together. `dollars` is None if the price was unknown; offline answers
    cost nothing."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    dollars: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `value` is set exactly if `state` is `ok`.

    detail: why there is no value, or what a reduced question shows.
    usage: tokens of this run, none if `cached`.
    key: of the answer cache and the journal.
    paid: cost of the answer when it was given, cached or not (None: not recorded).
    """

    state: AnswerState
    value: Mapping[str, object] | None
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
