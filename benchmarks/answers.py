"""Measure the language-model client in requests a second and CPU milliseconds a request, with cache, retries
and validation.

    python benchmarks/answers.py --in-flight 128 --requests 4000 --rounds 5
    python benchmarks/answers.py --profile ours.prof           cProfile of one run of ours, for pstats

Four clients take turns, so that a busy machine slows all of them alike. The medians of the rounds are
printed, and the medians of the ratios of ours to the others in the same round. CPU time is that of this
process, which runs only the client.

    plain     aiohttp with a body of bytes, the answer parsed as JSON, nothing else: what Python's HTTP can do
    ours      the client of this package: cache key, gate, budget, retries, schema check, cache, journal
    raw SDK   openai's `post` below its typed methods, with its aiohttp transport
    SDK       openai's typed method with its default transport, which a caller without this package uses

The local server answers in 50 ms, so the ceiling is in-flight / 50 ms. It is a bare asyncio protocol in its
own process. The rate of `plain` shows that it is not the bottleneck.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import openai

from leafinstruct.llm.client import Client
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Message, Request

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score"],
    "properties": {"score": {"type": "integer"}},
}
DELAY = 0.05  # seconds


class Answering(asyncio.Protocol):
    """HTTP/1.1 with one answer to everything, DELAY after the request's last byte."""

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if separator and len(rest) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            self.buffer = b""
            asyncio.get_running_loop().call_later(DELAY, self.transport.write, ANSWER)


def completion() -> bytes:
    message = {"role": "assistant", "content": json.dumps({"score": 4})}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 500, "completion_tokens": 6, "total_tokens": 506}
    answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    body = json.dumps({**answer, "usage": usage}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWER = completion()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def text(number: int) -> str:
    return f"{'A sentence of the document. ' * 60}{number}"


def body(number: int) -> dict[str, object]:
    schema = {"type": "json_schema", "json_schema": {"name": "judge", "strict": True, "schema": SCHEMA}}
    messages = [{"role": "user", "content": text(number)}]
    return {
        "model": "m",
        "messages": messages,
        "temperature": 0,
        "max_tokens": 2048,
        "response_format": schema,
    }


@dataclass(frozen=True)
class Run:
    """requests: number; in_flight: maximum at once; url: of the server; profile: file to write, or None."""

    requests: int
    in_flight: int
    url: str
    profile: Path | None = None

    async def measure(self, ask: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
        """Return requests a second, and CPU milliseconds a request. ask: sends the request of a number."""
        slots = asyncio.Semaphore(self.in_flight)

        async def limited(number: int) -> None:
            async with slots:
                await ask(number)

        await ask(0)
        await asyncio.gather(*map(limited, range(1, 1 + self.in_flight)))  # connects
        numbers = range(1 + self.in_flight, 1 + self.in_flight + self.requests)
        profiler = cProfile.Profile()
        began, cpu = time.perf_counter(), time.process_time()
        if self.profile is not None:
            profiler.enable()
        await asyncio.gather(*map(limited, numbers))
        profiler.disable()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        if self.profile is not None:
            profiler.dump_stats(self.profile)
        return self.requests / seconds, 1000 * cpu / self.requests


async def plain(run: Run) -> tuple[float, float]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> None:
            data = json.dumps(body(number)).encode()
            async with session.post(f"{run.url}/chat/completions", data=data) as response:
                json.loads(await response.read())

        return await run.measure(ask)


async def ours(run: Run) -> tuple[float, float]:
    config = LlmConfig(provider="openai", base_url=run.url, model="m", max_in_flight=run.in_flight)
    with tempfile.TemporaryDirectory() as folder:
        client = Client(config, Path(folder))

        async def ask(number: int) -> None:
            request = Request("judge", (Message("user", (text(number),)),), SCHEMA, dict, "none")
            answer = await client.ask(request)
            assert answer.state == "ok", answer

        try:
            return await run.measure(ask)
        finally:
            await client.close()


async def raw_sdk(run: Run) -> tuple[float, float]:
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(
        base_url=run.url, api_key="none", max_retries=0, http_client=http
    ) as client:
        return await run.measure(
            lambda number: client.post("/chat/completions", cast_to=object, body=body(number))
        )


async def sdk(run: Run) -> tuple[float, float]:
    async with openai.AsyncOpenAI(base_url=run.url, api_key="none", max_retries=0) as client:
        return await run.measure(lambda number: client.chat.completions.create(**body(number)))  # type: ignore[call-overload]


CLIENTS = {"plain": plain, "ours": ours, "raw SDK": raw_sdk, "SDK": sdk}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--in-flight", type=int, default=128)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=[*CLIENTS], default=[*CLIENTS])
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        run = Run(arguments.requests, arguments.in_flight, url, arguments.profile)
        if arguments.profile is not None:
            print(asyncio.run(ours(run)))
            return
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in arguments.only}
        for _ in range(arguments.rounds):
            for name, found in results.items():
                found.append(asyncio.run(CLIENTS[name](run)))
    finally:
        server.terminate()
        server.wait()
    print(
        f"{'':>8}  requests/s  CPU ms/request  ours: x its rate  x its CPU     (medians, "
        f"{arguments.rounds} rounds; ceiling {arguments.in_flight / DELAY:,.0f}/s)"
    )
    for name, found in results.items():
        rate, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        ratios = zip(results.get("ours", found), found, strict=True)
        faster, costlier = (
            statistics.median(column)
            for column in zip(*((mine[0] / its[0], mine[1] / its[1]) for mine, its in ratios), strict=True)
        )
        print(f"{name:>8}  {rate:10,.0f}  {cpu:14.3f}  {faster:16.2f}  {costlier:9.2f}")


if __name__ == "__main__":
    main()
