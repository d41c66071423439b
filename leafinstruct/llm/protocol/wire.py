"""Write a request in the chat-completions protocol: messages, images, the required form of the answer. Pure
functions.

Servers accept the schema in different ways, so there are four forms, from strict to bare:

    SCHEMA   response_format json_schema              enforced while decoding: OpenAI, vLLM, Ollama, llama.cpp
    OBJECT   response_format json_object with schema  llama-cpp-python, Fireworks; the schema is also sent in
                                                      words, since other servers ignore it
    PLAIN    response_format json_object              DeepSeek, Groq, OpenAI's older models, which reject the
                                                      key `schema`
    TEXT     no response_format, schema in words      everything else; the parser finds the object

The form is transport and does not enter a cache key. `response_format` carries the subset of the schema that
strict modes share (wire_schema.py); the words carry all of it. Words are added to the END of the last user
message, not as a message of their own, since many chat templates insist on strictly alternating roles. Images
are data: URLs, in their places among the text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NotRequired, TypedDict

from leafinstruct.llm.answers.parse import answer_part
from leafinstruct.llm.protocol.wire_schema import wire_schema
from leafinstruct.llm.quoting import unmarked
from leafinstruct.llm.request import Message, Request, SentImage

# characters of a bad answer that are sent back; llm.max_tokens bounds it, but not at every server
_ECHO = 16_000


class Form(IntEnum):
    """How the schema is sent; a higher number requires less of the server."""

    SCHEMA = 0
    OBJECT = 1
    PLAIN = 2
    TEXT = 3


class WirePart(TypedDict):
    """A part of a message: a text, an image as a data: URL, or (in the journal) an image by name."""

    type: str
    text: NotRequired[str]
    image_url: NotRequired[dict[str, str]]
    sha256: NotRequired[str]
    media_type: NotRequired[str]
    bytes: NotRequired[int]


class WireMessage(TypedDict):
    """One message of the request's body."""

    role: str
    content: str | list[WirePart]


def wire_messages(
    request: Request,
    form: Form,
    turns: Sequence[WireMessage],
    image: Callable[[SentImage], WirePart] | None = None,
) -> list[WireMessage]:
    """Return the request's messages, then `turns` (bad answers and their reasons), with the schema in words
    if the form needs it.

    image: how an image is written, by default as a data: URL.
    """
    messages = [_message(message, image or _image) for message in request.messages]
    messages += turns
    if form is Form.SCHEMA or turns:  # a repair turn carries the words itself
        return messages
    last = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=None)
    if last is None:
        return [*messages, {"role": "user", "content": in_words(request)}]
    content = messages[last]["content"]
    parts = [*([_text(content)] if isinstance(content, str) else content), _text(in_words(request))]
    # One string if there are no images, since text-only servers reject a list of parts.
    plain = all(part["type"] == "text" for part in parts)
    messages[last] = {
        "role": "user",
        "content": "\n\n".join(part["text"] for part in parts) if plain else parts,
    }
    return messages


def response_format(request: Request, form: Form, *, integer_enums: bool = True) -> dict[str, object]:
    """Return the body's `response_format` entry, or nothing. integer_enums: see wire_schema."""
    sent = wire_schema(request.schema, integer_enums=integer_enums)
    if form is Form.SCHEMA:
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", request.purpose)[:64] or "answer"
        schema = {"name": name, "strict": True, "schema": sent}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if form is Form.OBJECT:
        return {"response_format": {"type": "json_object", "schema": sent}}
    if form is Form.PLAIN:
        return {"response_format": {"type": "json_object"}}
    return {}


def repair_turns(request: Request, text: str, reason: str) -> list[WireMessage]:
    """Return the model's bad answer and the rule that it violates: at temperature 0 the bare question would
    only give the same answer again.

    The answer goes without its thoughts and, since it may quote the document, without special tokens. The
    rule comes first and is never cut.
    """
    answer = unmarked(answer_part(text))
    shown = answer if len(answer) <= _ECHO else f"{answer[:_ECHO]} [cut here]"
    return [
        {"role": "assistant", "content": shown or "(no answer)"},
        {"role": "user", "content": f"Rule: {reason}. Your answer above cannot be used. {in_words(request)}"},
    ]


def in_words(request: Request) -> str:
    """Describe the required form, for servers that do not enforce it."""
    schema = json.dumps(request.schema, ensure_ascii=False, sort_keys=True)
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema: {schema}"


def named(image: SentImage) -> WirePart:
    """Return an image by its name instead of its bytes, for the journal."""
    return {"type": "image", "sha256": image.sha256, "media_type": image.media_type, "bytes": len(image.data)}


def _message(message: Message, image: Callable[[SentImage], WirePart]) -> WireMessage:
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": "\n\n".join(_sendable(str(part)) for part in message.parts)}
    parts = [image(part) if isinstance(part, SentImage) else _text(_sendable(part)) for part in message.parts]
    return {"role": message.role, "content": parts}


def _text(text: str) -> WirePart:
    return {"type": "text", "text": text}


def _image(image: SentImage) -> WirePart:
    data = base64.b64encode(image.data).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:{image.media_type};base64,{data}"}}


def _sendable(text: str) -> str:
    """Replace half surrogate pairs, which broken pages contain and UTF-8 cannot encode, by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
