"""Measure the language-model client in requests a second, with cache, retries and validation, against a local
server that answers in 50 ms.

    python benchmarks/answers.py --in-flight 128 --requests 4000

The ceiling is in-flight / 50 ms. The same run measures the bare SDK (typed method, its default transport),
which a caller would use without this package. The server runs in its own process, so that its work is not
counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aiohttp import web

from leafinstruct.llm.client import Client
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Message, Request

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score"],
    "properties": {"score": {"type": "integer"}},
}
PORT = 8124
URL = f"http://127.0.0.1:{PORT}/v1"


def serve() -> None:
    message = {"role": "assistant", "content": json.dumps({"score": 4})}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
    ).encode()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(0.05)
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    web.run_app(app, host="127.0.0.1", port=PORT, access_log=None, print=None)


def text(number: int) -> str:
    return f"{'A sentence of the document. ' * 60}{number}"


async def ours(count: int, in_flight: int) -> float:
    config = LlmConfig(provider="openai", base_url=URL, model="m", max_in_flight=in_flight)
    with tempfile.TemporaryDirectory() as folder:
        client = Client(config, Path(folder))
        requests = [
            Request("judge", (Message("user", (text(number),)),), SCHEMA, dict, "none")
            for number in range(count)
        ]
        await client.ask(requests[0])
        started = time.perf_counter()
        answers = await asyncio.gather(*map(client.ask, requests[1:]))
        rate = (count - 1) / (time.perf_counter() - started)
        await client.close()
    assert all(answer.state == "ok" for answer in answers)
    return rate


async def bare(count: int, in_flight: int) -> float:
    from openai import AsyncOpenAI

    client, slots = AsyncOpenAI(base_url=URL, api_key="none", max_retries=0), asyncio.Semaphore(in_flight)

    async def ask(number: int) -> None:
        async with slots:
            await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text(number)}]
            )

    await ask(0)
    started = time.perf_counter()
    await asyncio.gather(*map(ask, range(1, count)))
    rate = (count - 1) / (time.perf_counter() - started)
    await client.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-flight", type=int, default=128)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve"])
    try:
        time.sleep(2)
        rates = {
            "bare SDK": asyncio.run(bare(arguments.requests, arguments.in_flight)),
            "ours": asyncio.run(ours(arguments.requests, arguments.in_flight)),
        }
    finally:
        server.terminate()
    for name, rate in rates.items():
        print(
            f"{name:>9}: {rate:6,.0f} requests/s, {rate / rates['bare SDK']:.2f} of the bare SDK "
            f"(ceiling {arguments.in_flight / 0.05:,.0f})"
        )


if __name__ == "__main__":
    main()
