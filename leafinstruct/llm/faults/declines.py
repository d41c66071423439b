"""Classify a server's error: about the account, the settings, the request's size, its content, one of its
fields, or the server's load.

    CREDIT KEY ACCOUNT    pay, set another key, or contact the provider      the run stops, resumable
    MODEL VISION SETTING  the server lacks a model or value of the recipe    the run stops, resumable
    LENGTH IMAGES PIXELS  too long, too many images, or too large ones       a smaller request is sent
    FORMAT                the server cannot read an image                    the images are sent as JPEG
    FIELD FORM            a field of this request is not supported           sent without it (negotiation.py)
    CONTENT               the provider's filter rejects this document        a verdict: `refused`
    BAD_ANSWER            the server discarded what the model generated      retried, then `unparsed`
    LATER                 overloaded, loading, rate limit                    retried later
    UNKNOWN               anything else                                      `declined`; equal ones stop the
    run

Providers word the same error differently, and the HTTP status says little: used-up credit is 400 (Anthropic),
402 (DeepSeek, OpenRouter), 403 (SiliconFlow), 412 (Fireworks) or 429 (OpenAI, Moonshot); an invalid key is
400 at Gemini and xAI. So structured fields (code, type, status, reason) decide first, then the message, then
the HTTP status.

A message may quote the document, and a page may contain any of these phrases. So only the fields that hold
messages are read, up to 600 characters each, without quotations of more than 60 characters; echoed input is
never read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leafinstruct.errors import ProviderError
from leafinstruct.llm.faults import decline_words as data
from leafinstruct.llm.faults.decline_words import Kind


@dataclass(frozen=True, slots=True)
class Complaint:
    """The meaningful parts of an error body, in lower case.

    codes: values of code, type, status, reason and the like.
    params: fields of the request that the server names.
    words: its messages.
    """

    codes: frozenset[str]
    params: tuple[str, ...]
    words: str

    def names(self, field: str) -> bool:
        """Whether the error is about this field of the request."""
        return any(re.split(r"[.\[]", param)[0] == field for param in self.params) or bool(
            re.search(rf"(?<![a-z_]){re.escape(field.lower())}(?![a-z_])", self.words)
        )

    @property
    def unsupported(self) -> bool:
        """Whether something is not supported, as opposed to too large."""
        return bool(self.codes & data.UNSUPPORTED_CODES) or bool(data.UNSUPPORTED.search(self.words))


_CODE_KEYS = {"code", "type", "status", "reason", "error_type", "errorcode", "quotaid", "status_code"}
_WORD_KEYS = {"message", "msg", "detail", "error", "error_description", "status_msg", "title", "errormessage"}
_PARAM_KEYS = {"param", "loc"}
_ECHO_KEYS = {"input", "messages", "prompt", "failed_generation", "request", "body", "given", "ctx"}
_OUTAGES = (502, 503, 504, 520, 522, 524, 529)  # from a gateway or a loading server, never about a field
_MOST = 600  # characters of one message
_DEEP = 10
_MESSAGE = re.compile(r"""(?:message|msg|error|detail)\\?["']\s*:\s*\\?$""")
_QUOTED = re.compile(r"""(?<!\w)("|'|`)(?:(?!\1).){60,}(?:\1|$)""", re.DOTALL)


def complaint(body: object) -> Complaint:
    """Read an error body of any shape: an object, a list of one (Gemini), JSON within a string
    (OpenRouter), plain text, HTML."""
    codes: set[str] = set()
    params: list[str] = []
    words: list[str] = []
    for role, text in _walk(body, 0):
        if role == "code":
            codes.add(text.lower())
        elif role == "param":
            params.append(text.lower())
        else:
            words.append(_QUOTED.sub(_unless_message, text[:_MOST]))
    return Complaint(frozenset(codes), tuple(params), " ".join(" ".join(words).lower().split()))


def _unless_message(quoted: re.Match[str]) -> str:
    """Remove a quotation, unless it is the message of an error within a message, as gateways pass it on."""
    return quoted[0] if _MESSAGE.search(quoted.string, 0, quoted.start()) else "..."


def _walk(value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield "words", value
        at = value.find("{", 0, _MOST)  # start of an error that a gateway passes on
        if at >= 0 and depth < _DEEP:
            yield from _walk(_json(value, at), depth + 1)
    elif isinstance(value, list) and depth < _DEEP:
        for item in value[:8]:
            if not isinstance(item, str):
                yield from _walk(item, depth + 1)
    elif isinstance(value, Mapping) and depth < _DEEP:
        for key, item in value.items():
            name = str(key).lower()
            if name in _ECHO_KEYS:
                continue
            if name in _CODE_KEYS and isinstance(item, (str, int)):
                yield "code", str(item)
            elif name in _PARAM_KEYS:
                yield from (
                    ("param", str(part))
                    for part in (item if isinstance(item, list) else [item])
                    if part and part != "body"
                )
            elif isinstance(item, str):
                if name in _WORD_KEYS or name == "raw":
                    yield from _walk(item, depth + 1)
            else:
                yield from _walk(item, depth + 1)


def _json(text: str, at: int) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return None


def kind_of(status: int, message: Complaint, sent: Mapping[str, Any]) -> Kind:
    """Classify an error. sent: the request's body, since a field matters only if this request sent it."""
    if status == 429 and any("perday" in code for code in message.codes):
        return Kind.CREDIT  # Gemini states only in the details whether the quota is per minute or per day
    if "rate_limit_exceeded" in message.codes and (found := _by_words(message, data.REQUEST_WORDS)):
        return found  # OpenAI and Groq: larger than a whole minute's tokens
    if found := _by_code(message, data.SURE_CODES):
        return found
    if found := _by_words(message, data.ACCOUNT_WORDS):
        return Kind.LATER if status == 429 and data.PASSING.search(message.words) else found
    if found := _by_code(message, data.CODES):
        return found
    if data.PATIENCE.search(message.words):
        return Kind.LATER
    field = field_of(message, sent) if status != 429 else None
    if field == "response_format" and status not in _OUTAGES:
        return Kind.FORM
    if field and message.codes & data.UNSUPPORTED_CODES:
        return Kind.FIELD
    if found := _by_words(message, data.REQUEST_WORDS):
        return found
    if field and status < 500:
        return Kind.FIELD
    if message.codes & data.UNSUPPORTED_CODES:
        return Kind.SETTING
    if found := _by_words(message, data.OTHER_WORDS):
        return found
    return data.STATUS.get(status, Kind.LATER if status >= 500 else Kind.UNKNOWN)


def field_of(message: Complaint, sent: Mapping[str, Any]) -> str | None:
    """Return the field of `sent` that is not supported, None if the error names none."""
    others = (name for name in sent if name not in ("model", "messages", "response_format"))
    named = next(filter(message.names, others), None) if message.unsupported else None
    # a name such as guided_json is no word about the form
    words = message.words.replace(named.lower(), "") if named else message.words
    about_form = message.unsupported or data.FORM_FAULT.search(words)
    if "response_format" in sent and (
        (data.FORM.search(words) and about_form)
        or (named is None and message.unsupported and message.names("response_format"))
    ):
        return "response_format"
    return named


def asks_to_wait(message: Complaint) -> bool:
    """Whether the server is overloaded or loading, whatever the status."""
    return _by_code(message, data.CODES) is Kind.LATER or bool(data.PATIENCE.search(message.words))


def normal(message: str) -> str:
    """Return a message without what differs between two equal ones: numbers, identifiers, quotations."""
    text = re.sub(r"""(?<!\w)("|'|`)(?:(?!\1).)*\1""", "*", message.lower())
    return " ".join(re.sub(r"\b(?=\w*\d)[\w-]+", "#", text).split())


def _by_code(message: Complaint, table: tuple[tuple[Kind, frozenset[str]], ...]) -> Kind | None:
    return next((kind for kind, codes in table if message.codes & codes), None)


def _by_words(message: Complaint, table: tuple[tuple[Kind, re.Pattern[str]], ...]) -> Kind | None:
    return next((kind for kind, pattern in table if pattern.search(message.words)), None)


class Repeated:
    """Counts equal declines in a row, without a completion in between: these are about the account or the
    settings, however they are worded."""

    MOST = 8

    def __init__(self) -> None:
        self._message, self._times = "", 0

    def clear(self) -> None:
        """Start again: a request was answered."""
        self._message, self._times = "", 0

    def seen(self, message: str) -> bool:
        """Whether the last decline was equal to this one."""
        return self._times > 0 and self._message == normal(message)

    def check(self, base_url: str | None, message: str, hint: str) -> None:
        """Count a decline. Raises ProviderError for the last one allowed in a row. hint: what to do,
        without a period."""
        self._times = self._times + 1 if self.seen(message) else 1
        self._message = normal(message)
        if self._times >= self.MOST:
            raise ProviderError(
                f"{base_url} declines every request: {message.removesuffix('.')}. Answers so far are "
                f"saved. {hint}, then run the same command again."
            )
