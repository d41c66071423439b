"""Send one request: a body goes out, a Reply or a fault comes back. The only module that knows openai,
aiohttp or the key.

The SDK provides the protocol (headers, proxies, TLS, connection pool) with `max_retries=0`, because only
exchange.py retries. It is called below its typed methods: `post(cast_to=object)` skips the walk over request
and response types. With the aiohttp transport that makes 1,570 requests/s in one process against a server
answering in 50 ms, 128 in flight (0.53 ms CPU each); the typed method on the SDK's default transport makes
590 (1.67 ms). uvloop added nothing. Through the whole client, cache and retries included: 830 (1.05 ms).

A server is not trusted with memory or prompts. At most 8 MiB of a body are read, errors and unpacked gzip
included. A hook of the HTTP client counts them, since the SDK reads every body completely before it returns
anything (its streaming interface covers only answers of status 200). Redirects are not followed, because they
would carry document and images to a URL that no recipe names. The hook costs nothing measurable (0.95 ms CPU
a request through the whole client, with and without).

Imported only by a client whose provider is not `offline`, and connected only with its first request.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from leafinstruct.errors import RecipeError
from leafinstruct.llm import clock
from leafinstruct.llm.answers.thinking import Thinking
from leafinstruct.llm.config import LlmConfig, from_environment
from leafinstruct.llm.faults.declines import Repeated
from leafinstruct.llm.faults.faults import (
    FEW,
    SEVERAL,
    BusyError,
    Quote,
    connection_fault,
    first_choice,
    is_web_page,
    status_fault,
)
from leafinstruct.llm.protocol.context import Context
from leafinstruct.llm.protocol.negotiation import Negotiation
from leafinstruct.llm.request import Usage
from leafinstruct.llm.tokens import cached_tokens, read_usage

_CONNECT = 30.0  # seconds to connect; a host that drops packets then counts as silent, not as slow
# of one body, unpacked: far above the longest answer, and 128 requests in flight hold 1 GiB at worst
_MOST_BYTES = 8 << 20

FINISHED = ("", "stop", "length", "content_filter", "tool_calls", "function_call")
"""Finish reasons of the protocol."""
_FINISH = {
    **dict.fromkeys(
        ("eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "stop_token"), "stop"
    ),
    **dict.fromkeys(
        ("max_tokens", "model_length", "max_length", "max_output_tokens", "model_context_window_exceeded"),
        "length",
    ),
    **dict.fromkeys(
        (
            "safety",
            "recitation",
            "prohibited_content",
            "blocklist",
            "spii",
            "sensitive",
            "refusal",
            "image_safety",
            "content_filtered",
        ),
        "content_filter",
    ),
}
"""Other names of the same finish reasons: Gemini, Anthropic, Cohere, Mistral, TGI, Zhipu."""
_OUTAGES = (
    "error",
    "abort",
    "aborted",
    "cancelled",
    "network_error",
    "insufficient_system_resource",
    "timeout",
    "eval_error",
)

# With OPENAI_LOG=debug the SDK would log whole requests, documents included, and its transport logs a line
# per request.
for _name in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's completion: `text` may be anything, `finish` is its finish_reason, `refusal` is its
    message if it declined to answer."""

    text: str
    finish: str
    refusal: str
    usage: Usage | None
    read: int
    """Prompt tokens that the server counted, those from its own cache included; 0 if it reports none."""


class Server:
    """The connection of one client, and what was learned about the server."""

    def __init__(self, config: LlmConfig) -> None:
        self._config = config
        self._sdk: openai.AsyncOpenAI | None = None
        self._headers: dict[str, str | openai.Omit] = {}
        # extra_body with values from the environment, which no journal may hold
        self._secret_body: dict[str, object] = {}
        self._quote = Quote("")
        self.negotiation = Negotiation(ignores_form=config.served_by.ignores_form)
        self.accepted = 0
        """Completions received."""
        self.repeated = Repeated()
        self.thinking = Thinking(config)
        self.heard = 0.0
        """Monotonic time of the last response of any kind."""
        self.down: str | None = None
        """Set once the server gave no answer for a whole deadline; no other question then waits that long."""
        self.unanswered = 0
        """Questions that reached their deadline unanswered since the last completion."""
        self.hopeless = 0
        """Responses in a row of kinds that a working server never sends; see BusyError."""
        self.context = Context()
        self.observe: Callable[[Mapping[str, str]], None] = lambda _headers: None
        """Called with the headers of every response."""

    async def send(self, body: Mapping[str, Any], seconds: float) -> Reply:
        """Send one request, for at most `seconds` from connecting to the last byte.

        Raises BusyError, DeclinedError; ProviderError if no request can succeed; RecipeError if the key is
        not set. The SDK's own exceptions hold the request with its Authorization header, so these are raised
        outside of them and keep no reference.
        """
        sdk = self._open()
        fault: Exception
        try:
            async with clock.CLOCK.limit(seconds):
                filled = {**body, **self._secret_body} if self._secret_body else body
                payload = await sdk.post(
                    "/chat/completions", cast_to=object, body=filled, options={"headers": self._headers}
                )
        except BusyError as error:
            self.heard = clock.CLOCK.now()
            # without the traceback, which references the request
            fault = BusyError(str(error), lost=error.lost, hopeless=error.hopeless)
        except TimeoutError:
            fault = BusyError(f"no answer within {seconds:.3g} s", lost=True, silent=True, load="slow")
        except openai.APIStatusError as error:
            self.heard = clock.CLOCK.now()
            fault = status_fault(
                self._config, self._quote, error.status_code, error.response.headers, _body(error), body
            )
        except openai.APIConnectionError as error:
            fault = connection_fault(error)
        except (ValueError, RecursionError, openai.APIError) as error:
            self.heard = clock.CLOCK.now()
            fault = (
                _web_page()
                if is_web_page(getattr(error, "doc", ""))
                else BusyError("a body that is cut or not JSON", lost=True)
            )
        else:
            self.heard = clock.CLOCK.now()
            if (inner := _inner_error(payload)) is None:
                return self._reply(payload)
            code, inner_body = inner
            fault = status_fault(self._config, self._quote, code, {}, inner_body, body)
        raise fault

    async def close(self) -> None:
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    def _open(self) -> openai.AsyncOpenAI:
        """Connect lazily, in the running loop. The SDK's own variables (OPENAI_API_KEY, OPENAI_ORG_ID,
        ...) belong to another server and are ignored."""
        if self._sdk is None:
            key = _key(self._config)
            headers, hidden = from_environment(self._config.headers, "headers")
            extra, more = from_environment(self._config.extra_body, "extra_body")
            self._secret_body = extra if more else {}
            self._quote = Quote(key, (*hidden, *more))
            self._headers = {
                **_authorization(self._config, key),
                "OpenAI-Organization": openai.omit,
                "OpenAI-Project": openai.omit,
                **{
                    name.title() if name.lower() == "authorization" else name: str(value)
                    for name, value in headers.items()
                },
            }
            self._sdk = openai.AsyncOpenAI(
                base_url=self._config.base_url,
                api_key="sent in the headers of each request",
                max_retries=0,
                default_query={"api-version": self._config.api_version} if self._config.api_version else None,
                # send() limits the time of a try, since the transport's own timeout restarts with each byte.
                timeout=openai.Timeout(None, connect=min(_CONNECT, self._config.timeout / 2)),
                http_client=openai.DefaultAioHttpClient(
                    follow_redirects=False, event_hooks={"response": [self._listen, _bound]}
                ),
            )
        return self._sdk

    async def _listen(self, response: httpx2.Response) -> None:
        self.observe(response.headers)

    def _reply(self, payload: object) -> Reply:
        if is_web_page(payload):
            raise _web_page()
        choice = first_choice(payload)
        if choice is None or not isinstance(payload, Mapping):
            raise BusyError(
                f"a body that is no completion: {self._quote.line(payload)}", lost=True, hopeless=SEVERAL
            )
        message = choice["message"]
        reason = str(choice.get("finish_reason") or "").lower()
        finish = _FINISH.get(reason, reason)
        if finish in _OUTAGES:
            raise BusyError(f"an answer that ended with {reason!r}", lost=True, hopeless=SEVERAL)
        self.accepted += 1
        self.repeated.clear()
        self.unanswered = self.hopeless = 0
        usage = read_usage(payload.get("usage"))
        return Reply(
            text=self._quote.scrub(_content(message.get("content"))),
            finish=finish,
            refusal=self._quote.line(message["refusal"]) if message.get("refusal") else "",
            usage=usage,
            read=usage.input_tokens + cached_tokens(payload["usage"]) if usage else 0,
        )


class _Bounded(httpx2.AsyncByteStream):
    """The unpacked body of a response, up to _MOST_BYTES. The transport closes a connection whose body was
    not read to its end."""

    def __init__(self, response: httpx2.Response) -> None:
        self._packed = httpx2.Response(response.status_code, headers=response.headers, stream=response.stream)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async with contextlib.aclosing(self._packed.aiter_bytes()) as parts:
            async for part in parts:
                size += len(part)
                if size > _MOST_BYTES:
                    raise _too_large()
                yield part

    async def aclose(self) -> None:
        await self._packed.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Replace a body that is not read yet by a _Bounded. Raises BusyError if its announced length is
    already too large."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > _MOST_BYTES:
        raise _too_large()
    response.stream = _Bounded(response)
    response.headers.pop("content-encoding", None)  # else the SDK would unpack it once more


def _web_page() -> BusyError:
    return BusyError(
        "a web page instead of a completion, as of a login, a proxy or a web site under llm.base_url",
        hopeless=FEW,
    )


def _too_large() -> BusyError:
    return BusyError(f"an answer above {_MOST_BYTES >> 20} MB", lost=True)


def _authorization(config: LlmConfig, key: str) -> dict[str, str | openai.Omit]:
    """Return the header that carries the key, without the one that the SDK would send."""
    name = config.served_by.key_header
    if name == "Authorization":
        return {name: f"Bearer {key}" if key else openai.omit}
    return {"Authorization": openai.omit, **({name: key} if key else {})}


def _key(config: LlmConfig) -> str:
    """Return the key, "" if the recipe names no variable. Raises RecipeError."""
    if config.key_env is None:
        return ""
    key = os.environ.get(config.key_env, "").strip()
    if not key:
        raise RecipeError(
            f"llm.key_env: the environment variable {config.key_env} is not set; export "
            f"{config.key_env}=... and run again"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise RecipeError(
            f"llm.key_env: {config.key_env} holds characters that no key has; export it again without "
            "quotes or blanks"
        )
    return key


def _body(error: openai.APIStatusError) -> object:
    """Return the whole error body; the SDK keeps only its inner part."""
    try:
        return error.response.json()
    except (ValueError, RecursionError):
        return error.response.text


def _inner_error(payload: object) -> tuple[int, object] | None:
    """Return the HTTP status and body of an error that came with status 200, as OpenRouter and MiniMax
    send it; None if there is none."""
    if not isinstance(payload, Mapping):
        return None
    choices = payload.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    error = payload.get("error") or first.get("error") or (payload.get("base_resp") if not choices else None)
    if not error:
        return None
    code = error.get("code") if isinstance(error, Mapping) else None
    try:
        status = int(code) if isinstance(code, (int, str)) else 0
    except ValueError:
        status = 0
    return (status if 400 <= status <= 599 else 502), {"error": error}


def _content(content: object) -> str:
    """Return the answer's text; some servers send a part or a list of parts, and null if there is none.

    Parts with thoughts are left out, like the fields beside `content` that hold them (reasoning,
    reasoning_content, reasoning_details).
    """
    parts = (
        content
        if isinstance(content, list)
        else [{"text": content}]
        if isinstance(content, str)
        else [content]
    )
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and _is_answer(part)]
    return "".join(text for text in texts if isinstance(text, str))


def _is_answer(part: Mapping[str, Any]) -> bool:
    return part.get("type", "text") in ("text", "output_text") and not part.get("thought")
