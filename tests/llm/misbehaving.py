"""A real HTTP server that speaks chat completions, and misbehaves on request.

It runs in a thread with its own loop, so that clients meet real sockets: dropped connections, bodies cut in
the middle, silence. Each request takes the next step of the script; after the last one every answer is
`always`, or good. What came in is kept for the tests to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from llm.fake_clock import FakeClock

GOOD = {"score": 4, "reason": "the steps follow each other"}

Body = dict[str, Any]
Step = Callable[[web.Request, Body], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request as it arrived."""

    body: Body
    headers: dict[str, str]
    at: float
    path: str = ""
    """With its query."""

    @property
    def text(self) -> str:
        """All text of its messages."""
        return json.dumps(self.body["messages"])


@dataclass
class Misbehaving:
    """Scripted server; `url` is what goes into base_url."""

    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    always: Step | None = None
    port: int = 0
    most_at_once: int = 0
    now: Callable[[], float] = time.monotonic
    _now: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *steps: Step) -> None:
        self.steps[:] = steps

    def start(self) -> threading.Thread:
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        thread.start()
        assert ready.wait(300)
        return thread

    def stop(self, thread: threading.Thread) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join(300)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    def application(self) -> web.Application:
        """The application, before chat completions are added."""
        return web.Application(client_max_size=1 << 26)

    async def _listen(self) -> None:
        app = self.application()
        app.router.add_post("/{root:.+}/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(Seen(body, dict(request.headers), self.now(), request.path_qs))
        step = self.steps.pop(0) if self.steps else self.always or good()
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await step(request, body)
        finally:
            self._now -= 1


def completion(content: object, finish: str = "stop", usage: Body | None = None, **message: object) -> Body:
    """A chat completion as OpenAI documents it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": usage or {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def good(value: object = GOOD, delay: float = 0.0, usage: Body | None = None) -> Step:
    return say(json.dumps(value), delay=delay, usage=usage)


def say(
    text: object, finish: str = "stop", delay: float = 0.0, usage: Body | None = None, **message: object
) -> Step:
    """Exactly this text as the model's answer."""

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        await asyncio.sleep(delay)
        return web.json_response(completion(text, finish, usage, **message))

    return step


def together(count: int) -> Step:
    """A good answer, as soon as `count` requests have been there at once."""
    here, full = 0, asyncio.Event()

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        nonlocal here
        here += 1
        if here == count:
            full.set()
        with contextlib.suppress(TimeoutError):  # then the test fails, instead of waiting for ever
            await asyncio.wait_for(full.wait(), 60)
        here -= 1
        return web.json_response(completion(json.dumps(GOOD)))

    return step


def after_gate(gate: threading.Event) -> Step:
    """A good answer, as soon as the gate is open."""

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        await asyncio.to_thread(gate.wait, 60)
        return web.json_response(completion(json.dumps(GOOD)))

    return step


def status(code: int, body: object = None, headers: dict[str, str] | None = None) -> Step:
    """An HTTP error with a JSON body, or a text one if `body` is a string."""

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(status=code, text=body, content_type="text/html", headers=headers)
        return web.json_response(
            body if body is not None else {"error": {"message": "no"}}, status=code, headers=headers
        )

    return step


def raw(
    data: bytes,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    code: int = 200,
) -> Step:
    """Any body, with HTTP 200 unless set otherwise."""

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        return web.Response(body=data, content_type=content_type, headers=headers, status=code)

    return step


def cut() -> Step:
    """Promises a long body and hangs up in the middle of it."""

    async def step(request: web.Request, _body: Body) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(json.dumps(completion(json.dumps(GOOD))).encode()[:60])
        assert request.transport is not None
        request.transport.close()
        return response

    return step


def flood(size: int, sent: list[int], headers: dict[str, str] | None = None) -> Step:
    """HTTP 200 and `size` zeros in pieces, as fast as they are taken; each piece's size goes into `sent`."""

    async def step(request: web.Request, _body: Body) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", **(headers or {})})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while sum(sent) < size:
                await response.write(bytes(1 << 18))
                sent.append(1 << 18)
        return response

    return step


def trickle(count: int, after: Callable[[int], None]) -> Step:
    """A byte now and then, `count` of them before the answer, so that no read ever times out. after: called
    with the number of each."""

    async def step(request: web.Request, _body: Body) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for number in range(count):
            await response.write(b" ")
            after(number)
            await asyncio.sleep(0.02)
        await response.write(json.dumps(completion(json.dumps(GOOD))).encode())
        return response

    return step


def one_at_a_time(clock: FakeClock, seconds: float, timeout: float, answered: Callable[[], int]) -> Step:
    """A server that queues: each answer takes `seconds` of the clock, and requests whose client gave up are
    passed over.

    answered: how many answers the client has taken in; the next is not begun before.
    """
    turn, given = asyncio.Lock(), 0

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        nonlocal given
        came = clock.time
        async with turn:
            for _ in range(1000):  # an answer whose client gave up at the same moment is never taken in
                if answered() >= given:
                    break
                await asyncio.sleep(0.001)
            given = answered()
            clock.advance(seconds if clock.time - came < timeout else 0)
            await asyncio.sleep(0.02)  # is cancelled if the client gave up
            if clock.time - came < timeout:
                given += 1
                return web.json_response(completion(json.dumps(GOOD)))
        await asyncio.sleep(60)
        raise AssertionError("the client waits longer than its timeout")

    return step


def depending(choose: Callable[[Body], Step]) -> Step:
    """A server that looks at the request first."""

    async def step(request: web.Request, body: Body) -> web.StreamResponse:
        return await choose(body)(request, body)

    return step


@contextlib.contextmanager
def serving(always: Step | None = None, now: Callable[[], float] = time.monotonic) -> Iterator[Misbehaving]:
    """A server that runs while the block does. always: how it answers where no steps are scripted."""
    server = Misbehaving(now=now)
    server.always = always
    thread = server.start()
    try:
        yield server
    finally:
        server.stop(thread)
