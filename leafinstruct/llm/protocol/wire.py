"""A request in the words of the chat-completions protocol: messages, images, the wanted form of the answer.
Pure functions.

Servers differ in how they take the schema, so there are four forms, from strict to bare:

    SCHEMA   response_format json_schema                OpenAI, vLLM, Ollama, llama.cpp's own server; enforced while decoding
    OBJECT   response_format json_object with schema    llama-cpp-python, Fireworks; the schema is stated in words too, as others ignore it
    PLAIN    response_format json_object                DeepSeek, Groq, OpenAI's older models, which refuse the key `schema`
    TEXT     no response_format, the schema in words    everything else; the parser finds the object

The form is transport and shapes no cache key. A schema travels in the subset that strict modes share
(wire_schema.py); words state it whole. Words are added to the END of the last user message, not as a message
of their own: many chat templates insist on strictly alternating roles. Images travel as data: URLs in their
true places among the text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from leafinstruct.llm.answers.parse import answer_part
from leafinstruct.llm.protocol.wire_schema import wire_schema
from leafinstruct.llm.quoting import unmarked
from leafinstruct.llm.request import Message, Request, SentImage

# characters of a bad answer that are sent back; llm.max_tokens bounds it, but not at every server
_ECHO = 16_000


class Form(IntEnum):
    """How the schema is told; a higher number asks less of the server."""

    SCHEMA = 0
    OBJECT = 1
    PLAIN = 2
    TEXT = 3


def wire_messages(
    request: Request,
    form: Form,
    turns: list[dict[str, Any]],
    image: Callable[[SentImage], dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """The request's messages, then `turns` (bad answers and their reasons), with the schema in words where
    the form needs it.

    image: how an image is put, by default as a data: URL.
    """
    messages = [_message(message, image or _image) for message in request.messages] + turns
    if form is Form.SCHEMA or turns:  # a repair turn carries the words itself
        return messages
    last = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=None)
    if last is None:
        return [*messages, {"role": "user", "content": in_words(request)}]
    content = messages[last]["content"]
    told = [*([_text(content)] if isinstance(content, str) else content), _text(in_words(request))]
    # A string where there are only strings: plain-text servers refuse a list of parts.
    plain = all(part["type"] == "text" for part in told)
    messages[last] = {
        "role": "user",
        "content": "\n\n".join(part["text"] for part in told) if plain else told,
    }
    return messages


def response_format(request: Request, form: Form) -> dict[str, Any]:
    """The body's `response_format` entry, or nothing."""
    if form is Form.SCHEMA:
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", request.purpose)[:64] or "answer"
        schema = {"name": name, "strict": True, "schema": wire_schema(request.schema)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if form is Form.OBJECT:
        return {"response_format": {"type": "json_object", "schema": wire_schema(request.schema)}}
    if form is Form.PLAIN:
        return {"response_format": {"type": "json_object"}}
    return {}


def repair_turns(request: Request, text: str, reason: str) -> list[dict[str, Any]]:
    """The model's own bad answer and the rule that it breaks: at temperature 0 the bare question would only
    bring the same answer.

    The answer goes without its thoughts and, as it may quote the document, without special tokens. The rule
    comes first and is never cut.
    """
    answer = unmarked(answer_part(text))
    shown = answer if len(answer) <= _ECHO else f"{answer[:_ECHO]} [cut here]"
    return [
        {"role": "assistant", "content": shown or "(no answer)"},
        {"role": "user", "content": f"Rule: {reason}. Your answer above cannot be used. {in_words(request)}"},
    ]


def in_words(request: Request) -> str:
    """The wanted form, for servers that do not enforce it."""
    schema = json.dumps(request.schema, ensure_ascii=False, sort_keys=True)
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema: {schema}"


def named(image: SentImage) -> dict[str, Any]:
    """An image by its name instead of its bytes, for the journal."""
    return {"type": "image", "sha256": image.sha256, "media_type": image.media_type, "bytes": len(image.data)}


def _message(message: Message, image: Callable[[SentImage], dict[str, Any]]) -> dict[str, Any]:
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": "\n\n".join(_sendable(str(part)) for part in message.parts)}
    parts = [image(part) if isinstance(part, SentImage) else _text(_sendable(part)) for part in message.parts]
    return {"role": message.role, "content": parts}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(image: SentImage) -> dict[str, Any]:
    data = base64.b64encode(image.data).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:{image.media_type};base64,{data}"}}


def _sendable(text: str) -> str:
    """Half surrogate pairs, which broken pages hold and UTF-8 cannot carry, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
