"""One try: a body goes out, a Reply or a fault comes back. The only file that knows openai, aiohttp or the
key.

The SDK carries the protocol (headers, proxies, TLS, connection pool) with `max_retries=0`, because retrying
belongs to exchange.py alone, and is called below its typed methods: `post(cast_to=object)` skips the walk
over request and response types. With the aiohttp transport that makes 1,570 requests/s in one process against
a server answering in 50 ms, 128 in flight (0.53 ms CPU each); the typed method on the SDK's default transport
590 (1.67 ms). uvloop added nothing on top. Through the whole client, cache and retries included: 830 (1.05
ms).

A server is not trusted with our memory or our prompts: a body is read up to 8 MiB, errors and unpacked gzip
included, by a hook of the HTTP client, as the SDK reads every body whole before it hands anything out (its
streaming door covers only answers of status 200). Redirects are not followed, as they carry document and
images to an address that no recipe names. The count costs nothing measurable (0.95 ms CPU a request through
the whole client, with and without).

Imported only by a client whose provider is `openai`, and connected only with its first request.
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

_CONNECT = 30.0  # seconds to a connection; a host that swallows packets then counts as silent, not as slow
# of one body, unpacked: far above the longest answer, and 128 requests in flight hold 1 GiB at worst
_MOST_BYTES = 8 << 20

FINISHED = ("", "stop", "length", "content_filter", "tool_calls", "function_call")
"""Ends of an answer, in the words of the protocol."""
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
"""Other names of the same ends: Gemini, Anthropic, Cohere, Mistral, TGI, Zhipu."""
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
    """What a server said: `text` may be anything, `finish` is its finish_reason, `refusal` its own words if
    it declined to answer."""

    text: str
    finish: str
    refusal: str
    usage: Usage | None
    read: int
    """Tokens of the prompt that the server counted, those from its own cache included; 0 where it does not
    say."""


class Server:
    """The connection of one client, and what was learnt about the server on the way."""

    def __init__(self, config: LlmConfig) -> None:
        self._config = config
        self._sdk: openai.AsyncOpenAI | None = None
        self._headers: dict[str, Any] = {}
        # extra_body with values from the environment, which no journal may hold
        self._secret_body: dict[str, Any] = {}
        self._quote = Quote("")
        self.negotiation = Negotiation()
        self.accepted = 0
        """Completions received."""
        self.repeated = Repeated()
        self.thinking = Thinking(config)
        self.heard = 0.0
        """Monotonic time of the last response of any kind."""
        self.down: str | None = None
        """Set once the server gave no answer for a whole deadline: nobody else waits that long again."""
        self.unanswered = 0
        """Questions that got no answer until their deadline, since the last completion."""
        self.hopeless = 0
        """Responses in a row of kinds that a working server never sends; see BusyError."""
        self.context = Context()
        self.heed: Callable[[Mapping[str, str]], None] = lambda _headers: None
        """Called with the headers of every response."""

    async def send(self, body: Mapping[str, Any], seconds: float) -> Reply:
        """One request, at most `seconds` long from connecting to the last byte.

        Raises BusyError, DeclinedError; ProviderError if no request can succeed; RecipeError if the key is
        not set. The SDK's own exceptions hold the request with its Authorization header, so ours are raised
        outside of theirs and keep no reference.
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
            # without the traceback, whose frames hold the request
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
            code, said = inner
            fault = status_fault(self._config, self._quote, code, {}, said, body)
        raise fault

    async def close(self) -> None:
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    def _open(self) -> openai.AsyncOpenAI:
        """Connects lazily, in the loop that runs; the SDK's own variables (OPENAI_API_KEY, OPENAI_ORG_ID,
        ...) are for another server."""
        if self._sdk is None:
            key = _key(self._config)
            headers, hidden = from_environment(self._config.headers, "headers")
            extra, more = from_environment(self._config.extra_body, "extra_body")
            self._secret_body = extra if more else {}
            self._quote = Quote(key, (*hidden, *more))
            self._headers = {
                "Authorization": f"Bearer {key}" if key else openai.omit,
                "OpenAI-Organization": openai.omit,
                "OpenAI-Project": openai.omit,
                **{
                    name.title() if name.lower() == "authorization" else name: value
                    for name, value in headers.items()
                },
            }
            self._sdk = openai.AsyncOpenAI(
                base_url=self._config.base_url,
                api_key="sent in the headers of each request",
                max_retries=0,
                # send() owns the time of a try, as the transport's own timeout starts anew with each byte.
                timeout=openai.Timeout(None, connect=min(_CONNECT, self._config.timeout / 2)),
                http_client=openai.DefaultAioHttpClient(
                    follow_redirects=False, event_hooks={"response": [self._listen, _bound]}
                ),
            )
        return self._sdk

    async def _listen(self, response: httpx2.Response) -> None:
        self.heed(response.headers)

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
    """The unpacked body of a response, up to _MOST_BYTES; the transport closes a connection whose body was
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
    """Puts a _Bounded in the place of a body that nobody has read yet. Raises BusyError if its announced
    length is too large already."""
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


def _key(config: LlmConfig) -> str:
    """The key, or "" if the recipe names no variable."""
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
            f"llm.key_env: {config.key_env} holds characters that no key has; export it again, without "
            "quotes or blanks"
        )
    return key


def _body(error: openai.APIStatusError) -> object:
    """The whole error body; the SDK keeps only its inner part."""
    try:
        return error.response.json()
    except (ValueError, RecursionError):
        return error.response.text


def _inner_error(payload: object) -> tuple[int, object] | None:
    """The HTTP status and body of an error that came with status 200, as OpenRouter and MiniMax send it; None
    where there is none."""
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
    """The answer's text; some servers send a part or a list of parts, and null where there is none.

    Parts that hold thoughts are left out, as are the fields beside `content` that do (reasoning,
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
