"""Send one request: a body goes out, a Reply or a fault comes back (bytes: transport.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leafinstruct.llm import clock
from leafinstruct.llm.answers.thinking import Thinking
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.faults.declines import Repeated
from leafinstruct.llm.faults.faults import (
    FEW,
    SEVERAL,
    BusyError,
    Quote,
    first_choice,
    is_web_page,
    status_fault,
)
from leafinstruct.llm.protocol.context import Context
from leafinstruct.llm.protocol.negotiation import Negotiation
from leafinstruct.llm.protocol.transport import Transport
from leafinstruct.llm.request import Usage
from leafinstruct.llm.tokens import cached_tokens, read_usage

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
        self.transport = Transport(config)
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
        not set.
        """
        try:
            response = await self.transport.post("/chat/completions", body, seconds)
        except BusyError as busy:
            if not busy.silent:
                self.heard = clock.CLOCK.now()
            raise
        self.heard = clock.CLOCK.now()
        self.observe(response.headers)
        return self.completion(response.status, response.headers, response.content(), body)

    def completion(
        self, status: int, headers: Mapping[str, str], payload: object, sent: Mapping[str, Any]
    ) -> Reply:
        """Return the completion in a response, by whatever way it came. payload: the body as parsed JSON, or
        as text; sent: the request's body. Raises like `send`."""
        code, inner = (status, payload) if status >= 300 else _inner_error(payload)
        if code:
            raise status_fault(
                self._config, self._quote, code, headers if code == status else {}, inner, sent
            )
        return self._reply(payload)

    @property
    def _quote(self) -> Quote:
        return self.transport.quote

    async def close(self) -> None:
        await self.transport.close()

    def _reply(self, payload: object) -> Reply:
        if isinstance(payload, str):
            raise (
                _web_page()
                if is_web_page(payload)
                else BusyError("a body that is cut or not JSON", lost=True)
            )
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


def _web_page() -> BusyError:
    return BusyError(
        "a web page instead of a completion, as of a login, a proxy or a web site under llm.base_url",
        hopeless=FEW,
    )


def _inner_error(payload: object) -> tuple[int, object]:
    """Return the HTTP status and body of an error that came with status 200, as OpenRouter and MiniMax
    send it; status 0 if there is none."""
    if not isinstance(payload, Mapping):
        return 0, None
    choices = payload.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    error = payload.get("error") or first.get("error") or (payload.get("base_resp") if not choices else None)
    if not error:
        return 0, None
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
