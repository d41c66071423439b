"""What an error of a server speaks of: the account, the settings, the size of the request, its content, a
field of it, or the moment.

    CREDIT KEY ACCOUNT      somebody has to pay, to give another key, to talk to the provider        the run stops, resumable
    MODEL VISION SETTING    the recipe names a model or a value that this server does not serve      the run stops, resumable
    LENGTH IMAGES PIXELS    the request is too long, has too many images or too large ones           a smaller request is sent
    FORMAT                  an image that the server cannot read                                     the images are encoded anew
    FIELD FORM              a field that this request sent is not supported                          it is sent without (negotiation.py)
    CONTENT                 the provider's filter objects to this document                           a verdict: `refused`
    BAD_ANSWER              the server discarded what the model generated                            asked again, then `unparsed`
    LATER                   overloaded, loading, rate limit                                          asked again later
    UNKNOWN                 anything else                                                            `declined`; equal ones stop the run

Providers word the same thing differently, and the HTTP status says little: an ended credit is 400
(Anthropic), 402 (DeepSeek, OpenRouter), 403 (SiliconFlow), 412 (Fireworks) or 429 (OpenAI, Moonshot); a key
that is not valid is 400 at Gemini and xAI. So structured fields (code, type, status, reason) decide first,
then the words of the message, then the HTTP status.

A message may quote the document, and a page may hold any of these phrases. So only the fields that hold
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
    """The parts of an error body that mean something, in lower case.

    codes: values of code, type, status, reason and the like; params: fields of the request that the server
    names; words: its messages.
    """

    codes: frozenset[str]
    params: tuple[str, ...]
    words: str

    def names(self, field: str) -> bool:
        """Whether the server speaks of this field of the request."""
        return any(re.split(r"[.\[]", param)[0] == field for param in self.params) or bool(
            re.search(rf"(?<![a-z_]){re.escape(field.lower())}(?![a-z_])", self.words)
        )

    @property
    def unsupported(self) -> bool:
        """Whether it says that something is not supported, as opposed to too large."""
        return bool(self.codes & data.UNSUPPORTED_CODES) or bool(data.UNSUPPORTED.search(self.words))


_CODE_KEYS = {"code", "type", "status", "reason", "error_type", "errorcode", "quotaid", "status_code"}
_WORD_KEYS = {"message", "msg", "detail", "error", "error_description", "status_msg", "title", "errormessage"}
_PARAM_KEYS = {"param", "loc"}
_ECHO_KEYS = {"input", "messages", "prompt", "failed_generation", "request", "body", "given", "ctx"}
_OUTAGES = (502, 503, 504, 520, 522, 524, 529)  # of a gateway or of a server that loads: never about a field
_MOST = 600  # characters of one message
_DEEP = 10
_MESSAGE = re.compile(r"""(?:message|msg|error|detail)\\?["']\s*:\s*\\?$""")
_QUOTED = re.compile(r"""(?<!\w)("|'|`)(?:(?!\1).){60,}(?:\1|$)""", re.DOTALL)


def complaint(body: object) -> Complaint:
    """The meaningful parts of an error body of any shape: an object, a list of one (Gemini), JSON within a
    string (OpenRouter), plain text, HTML."""
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
    """Nothing in place of a quotation, but not of the message of an error within a message, as gateways pass
    it on."""
    return quoted[0] if _MESSAGE.search(quoted.string, 0, quoted.start()) else "..."


def _walk(value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield "words", value
        at = value.find("{", 0, _MOST)  # of an error that a gateway passes on
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


def kind_of(status: int, said: Complaint, sent: Mapping[str, Any]) -> Kind:
    """What an error speaks of. sent: the body of the request, since a field matters only if this request sent
    it."""
    if status == 429 and any("perday" in code for code in said.codes):
        return Kind.CREDIT  # Gemini names the quota, of a minute or of a day, in the details alone
    if "rate_limit_exceeded" in said.codes and (found := _by_words(said, data.REQUEST_WORDS)):
        return found  # OpenAI and Groq: larger than a whole minute's tokens
    if found := _by_code(said, data.SURE_CODES):
        return found
    if found := _by_words(said, data.ACCOUNT_WORDS):
        return Kind.LATER if status == 429 and data.PASSING.search(said.words) else found
    if found := _by_code(said, data.CODES):
        return found
    if data.PATIENCE.search(said.words):
        return Kind.LATER
    field = field_of(said, sent) if status != 429 else None
    if field == "response_format" and status not in _OUTAGES:
        return Kind.FORM
    if field and said.codes & data.UNSUPPORTED_CODES:
        return Kind.FIELD
    if found := _by_words(said, data.REQUEST_WORDS):
        return found
    if field and status < 500:
        return Kind.FIELD
    if said.codes & data.UNSUPPORTED_CODES:
        return Kind.SETTING
    if found := _by_words(said, data.OTHER_WORDS):
        return found
    return data.STATUS.get(status, Kind.LATER if status >= 500 else Kind.UNKNOWN)


def field_of(said: Complaint, sent: Mapping[str, Any]) -> str | None:
    """The field of `sent` that is not supported, None if the server speaks of none."""
    if (
        "response_format" in sent
        and data.FORM.search(said.words)
        and (said.unsupported or data.FORM_FAULT.search(said.words))
    ):
        return "response_format"
    if not said.unsupported:
        return None
    return next((name for name in sent if name not in ("model", "messages") and said.names(name)), None)


def asks_to_wait(said: Complaint) -> bool:
    """Whether an error says that the server is overloaded or loading, whatever its status."""
    return _by_code(said, data.CODES) is Kind.LATER or bool(data.PATIENCE.search(said.words))


def normal(message: str) -> str:
    """A message without what differs between two equal ones: numbers, identifiers, quotations."""
    text = re.sub(r"""(?<!\w)("|'|`)(?:(?!\1).)*\1""", "*", message.lower())
    return " ".join(re.sub(r"\b(?=\w*\d)[\w-]+", "#", text).split())


def _by_code(said: Complaint, table: tuple[tuple[Kind, frozenset[str]], ...]) -> Kind | None:
    return next((kind for kind, codes in table if said.codes & codes), None)


def _by_words(said: Complaint, table: tuple[tuple[Kind, re.Pattern[str]], ...]) -> Kind | None:
    return next((kind for kind, pattern in table if pattern.search(said.words)), None)


class Repeated:
    """Equal declines in a row, without a completion in between: they are about the account or the settings,
    whatever their words."""

    MOST = 8

    def __init__(self) -> None:
        self._message, self._times = "", 0

    def clear(self) -> None:
        """A request was answered."""
        self._message, self._times = "", 0

    def seen(self, message: str) -> bool:
        """Whether the last decline was equal to this one."""
        return self._times > 0 and self._message == normal(message)

    def check(self, base_url: str | None, message: str, hint: str) -> None:
        """Count a decline. Raises ProviderError for the last that is allowed in a row. hint: what to do,
        without a period."""
        self._times = self._times + 1 if self.seen(message) else 1
        self._message = normal(message)
        if self._times >= self.MOST:
            raise ProviderError(
                f"{base_url} declines every request: {message.removesuffix('.')}. Answers so far are "
                f"kept. {hint}, then run the same command again."
            )
