"""Measure what a build makes of 40 documents under each of about 45 conditions of a language model's server.

    python benchmarks/provider_conditions.py [--only NAME] [--json FILE]
    PYTHONPATH=CHECKOUT python benchmarks/provider_conditions.py        measures another checkout

Each condition is a server on this machine that answers as a provider does, and `leaf build --stage filter` as
a user runs it, at default concurrency. The right answer about document n is n % 5 + 1 with the reason
"document n", so a draft or a quotation that is taken for the answer counts as wrong.

    outcome    done (exit code 0) or stopped (1): then nothing is stored for the others, and the same command
               continues
    true       documents with the right answer; wrong: with another one
    lost       documents without an answer after a finished stage; pending: after a stopped one, to be asked
    requests   what the server counted
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from aiohttp import web
from PIL import Image

DOCUMENTS = 40
ASPECTS = (
    *("text_quality", "narrative_coherence", "image_consistency"),
    *("instruction_value", "completeness", "safety"),
)
STEPS = (
    "Cut the wood to length with a saw.",
    "Glue the two long sides to the base.",
    "Let it dry in the sun for a day.",
)
LEAF = [sys.executable, "-c", "from leafinstruct.cli import main; main()"]


@dataclass
class Asked:
    """One request. number: from 1; document: its number; images: how many it shows; seconds: since the
    first request."""

    number: int
    body: dict[str, Any]
    seconds: float
    text: str = ""
    document: int = 0
    images: int = 0
    data: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        contents = [message["content"] for message in self.body["messages"]]
        parts = [
            part
            for content in contents
            for part in (content if isinstance(content, list) else [{"type": "text", "text": content}])
        ]
        self.text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        self.data = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        self.images = len(self.data)
        found = re.search(r"Number (\d+)\.", self.text)
        self.document = int(found[1]) if found else -1

    @property
    def form(self) -> str:
        return str(self.body.get("response_format", {}).get("type", "text"))


Step = Callable[[Asked], Any]
"""None for the right answer, a string for another text, (status, body) for an error, or a coroutine of one
of these."""


def value(asked: Asked, score: int | None = None) -> dict[str, Any]:
    grade = {"reason": f"document {asked.document}", "score": score or asked.document % 5 + 1}
    listed = re.findall(r"^Images to score: (.+?)\.", asked.text, re.MULTILINE)
    # the prompt has examples before the document
    images = re.findall(r"\d+", listed[-1]) if asked.images else []
    return dict.fromkeys(ASPECTS, grade) | {"images": [{"image": int(n), **grade} for n in images]}


def right(asked: Asked) -> str:
    return json.dumps(value(asked))


def error(
    message: str, code: object = None, kind: str | None = None, param: str | None = None
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def after(count: int, status: int, body: Any) -> Step:
    """Answer the first `count` requests, decline all others."""
    return lambda asked: (status, body) if asked.number > count else None


def unless(fits: Callable[[Asked], bool], status: int, body: Any) -> Step:
    return lambda asked: None if fits(asked) else (status, body)


def every(count: int, outcome: Any) -> Step:
    return lambda asked: outcome if asked.number % count == 0 else None


def completion(
    text: str | None, finish: str = "stop", usage: dict[str, int] | None = None, **more: Any
) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}, **more}
    tokens = usage or {"prompt_tokens": 2900, "completion_tokens": 200, "total_tokens": 3100}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        "usage": tokens,
    }


LONG = (
    "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens. Please "
    "reduce the length of the messages."
)
AZURE = error(
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    "content_filter",
)
AZURE["error"]["innererror"] = {"code": "ResponsibleAIPolicyViolation"}
LIST_OF_GEMINI = [
    {
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"reason": "API_KEY_INVALID"}],
        }
    }
]
NO_LIMIT = error(
    (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead."
    ),
    "unsupported_parameter",
    "invalid_request_error",
    "max_tokens",
)
NO_TEMPERATURE = error(
    (
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value "
        "is supported."
    ),
    "unsupported_value",
    "invalid_request_error",
    "temperature",
)
NO_SCHEMA = error(
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    None,
    None,
    "response_format",
)
LLAMA = error(
    "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'input': 'json_schema'}]",
    None,
    "internal_server_error",
)


async def one_at_a_time(_: Asked, lock: asyncio.Lock = asyncio.Lock()) -> None:  # noqa: B008 - one for the server
    async with lock:
        await asyncio.sleep(0.15)


def newest(asked: Asked) -> Any:
    """OpenAI's reasoning models."""
    return (
        (400, NO_LIMIT)
        if "max_tokens" in asked.body
        else (400, NO_TEMPERATURE)
        if "temperature" in asked.body
        else None
    )


def only_text(asked: Asked) -> Any:
    return (
        (400, error("Unrecognized request argument supplied: response_format"))
        if asked.form != "text"
        else None
    )


def strict(asked: Asked) -> Any:
    """OpenAI's former strict mode, which knew no bounds."""
    found = re.search(
        r'"(minLength|maxLength|minimum|maximum|minItems|pattern)"',
        json.dumps(asked.body.get("response_format", {})),
    )
    message = (
        "Invalid schema for response_format 'judge': In context=('properties', 'score'), "
        f"'{found[1] if found else ''}' is not permitted."
    )
    return (400, error(message, None, "invalid_request_error", "response_format")) if found else None


def draft(before: str, after_: str) -> Step:
    """A draft with the score 5 in everything, then the answer."""
    return lambda asked: f"{before}{json.dumps(value(asked, 5))}{after_}{right(asked)}"


def cut_prompt(asked: Asked) -> Any:
    """A context of 512 tokens that the server does not report; the judge's prompt is longer."""
    return (
        200,
        completion(
            json.dumps(value(asked, 3)),
            usage={"prompt_tokens": 512, "completion_tokens": 90, "total_tokens": 602},
        ),
    )


XAI = {
    "code": "Some resource has been exhausted",
    "error": "Your team has either used all available credits or reached its monthly spending limit.",
}
CONDITIONS: dict[str, Step] = {
    # 2: account
    "credit ends after 10 (Anthropic, 400)": after(
        10,
        400,
        error(
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
            None,
            "invalid_request_error",
        ),
    ),
    "credit ends after 10 (DeepSeek, 402)": after(
        10, 402, error("Insufficient Balance", "invalid_request_error", "unknown_error")
    ),
    "credit ends after 10 (OpenAI, 429)": after(
        10, 429, error("You exceeded your current quota.", "insufficient_quota", "insufficient_quota")
    ),
    "credit ends after 10 (SiliconFlow, 403)": after(
        10, 403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}
    ),
    "credit ends after 10 (xAI, 429)": after(10, 429, XAI),
    "account suspended after 10 (Fireworks, 412)": after(
        10,
        412,
        error(
            "Account acme is suspended, possibly due to reaching the monthly spending limit.",
            "PRECONDITION_FAILED",
            "error",
        ),
    ),
    "credit ends in a body of status 200 (OpenRouter)": after(
        10, 200, {"error": {"code": 402, "message": "Insufficient credits. Add more."}}
    ),
    "key is not valid (Gemini, 400)": after(0, 400, LIST_OF_GEMINI),
    "key is wrong (xAI, 400)": after(
        0, 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"}
    ),
    "organization restricted after 10 (Groq, 400)": after(
        10,
        400,
        error(
            "Organization has been restricted. Please reach out to support.",
            "organization_restricted",
            "invalid_request_error",
        ),
    ),
    "region not supported (OpenAI, 403)": after(
        0,
        403,
        error(
            "Country, region, or territory not supported",
            "unsupported_country_region_territory",
            "request_forbidden",
        ),
    ),
    # 2: settings
    "model unloaded after 10 (LM Studio, 400)": after(10, 400, {"error": "Model unloaded."}),
    "model does not exist (SiliconFlow, 400)": after(
        0, 400, {"code": 20012, "message": "Model does not exist. Please check it carefully."}
    ),
    "model not served any more after 10 (vLLM, 404)": after(
        10, 404, {"object": "error", "message": "The model `m` does not exist.", "code": 404}
    ),
    "no images for this model (OpenRouter, 404)": unless(
        lambda asked: not asked.images, 404, error("No endpoints found that support image input", 404)
    ),
    "no images for this model (llama.cpp, 500)": unless(
        lambda asked: not asked.images,
        500,
        error(
            "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
            500,
            "server_error",
        ),
    ),
    "PNG is not read (400)": unless(
        lambda asked: not any("image/png" in url for url in asked.data),
        400,
        error("Unsupported image format.", "invalid_image_format"),
    ),
    "the same unknown refusal after 10 (400)": lambda asked: (
        (400, error(f"Request {asked.number}-af{asked.number} rejected by policy engine"))
        if asked.number > 10
        else None
    ),
    "unknown refusal of one document (400)": unless(
        lambda asked: asked.document != 7, 400, error("Bad things happen.")
    ),
    # 2: size
    "one image a request (vLLM, 400)": unless(
        lambda asked: asked.images <= 1,
        400,
        {"object": "error", "message": "At most 1 image(s) may be provided in one request.", "code": 400},
    ),
    "context overflow above one image (400)": unless(
        lambda asked: asked.images <= 1, 400, error(LONG, "context_length_exceeded")
    ),
    "body too large above one image (nginx, 413)": unless(
        lambda asked: asked.images <= 1, 413, "<h1>413 Request Entity Too Large</h1>"
    ),
    "5 documents overflow however small (400)": unless(
        lambda asked: asked.document >= 5, 400, error(LONG, "context_length_exceeded")
    ),
    # 2: content
    "the first 8 documents are filtered (Azure, 400)": unless(lambda asked: asked.document >= 8, 400, AZURE),
    "5 documents are refused by content inspection (DashScope, 400)": unless(
        lambda asked: asked.document >= 5,
        400,
        error("Input data may contain inappropriate content.", "data_inspection_failed"),
    ),
    "finish_reason error, every third": every(3, (200, completion("", "error"))),
    "429 in a body of status 200, every third (OpenRouter)": every(
        3, (200, {"error": {"code": 429, "message": "Rate limited upstream"}})
    ),
    # 3
    "max_tokens is refused (400)": lambda asked: (400, NO_LIMIT) if "max_tokens" in asked.body else None,
    "max_tokens and temperature are refused (400)": newest,
    "json_schema is refused (400)": lambda asked: (400, NO_SCHEMA) if asked.form == "json_schema" else None,
    "response_format is unknown (400)": only_text,
    "bounds in a schema are refused (400)": strict,
    "json_schema gives 500 (llama-cpp-python)": lambda asked: (
        (500, LLAMA) if asked.form == "json_schema" else None
    ),
    "500 with an empty body for 3 s": lambda asked: (
        (500, error("Internal Server Error")) if asked.seconds < 3 else None
    ),
    "503 while loading for 3 s": lambda asked: (
        (503, error("Loading model", 503, "unavailable_error")) if asked.seconds < 3 else None
    ),
    "the first answer is empty": lambda asked: "" if asked.number == 1 else None,
    # 4
    "a draft in <think>": draft("<think>maybe ", "</think>"),
    "a draft before an orphan </think>": draft("maybe ", "</think>"),
    "a draft in a channel (gpt-oss)": draft(
        "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"
    ),
    "a trailing comma": lambda asked: right(asked)[:-1] + ",}",
    "thinking uses up max_tokens": lambda _: (200, completion("", "length")),
    # 5
    "one request at a time (0.15 s each)": one_at_a_time,
    "429 with Retry-After, every fourth": every(4, (429, error("slow down"), {"Retry-After": "1"})),
    "500 with HTML, permanently": lambda _: (500, "<html><body>Internal Server Error</body></html>"),
    "prompts are cut to 512 tokens without an error": cut_prompt,
}


class Server:
    """Answers on a free port, in its own thread."""

    def __init__(self) -> None:
        self.step: Step = lambda _: None
        self.requests, self._began = 0, 0.0
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()

    def begin(self, step: Step) -> None:
        self.step, self.requests, self._began = step, 0, 0.0

    async def _serve(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await asyncio.Event().wait()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests += 1
        self._began = self._began or time.monotonic()
        asked = Asked(self.requests, body, time.monotonic() - self._began)
        outcome = self.step(asked)
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        else:
            await asyncio.sleep(0.02)
        if outcome is None or isinstance(outcome, str):
            return web.json_response(completion(right(asked) if outcome is None else outcome))
        status, answer, *headers = outcome
        if isinstance(answer, str):
            return web.Response(status=status, text=answer, content_type="text/html")
        return web.json_response(answer, status=status, headers=headers[0] if headers else None)


def corpus(folder: Path) -> None:
    """Documents of three steps, each with an image, in the format of MMC4."""
    (folder / "images").mkdir(parents=True)
    lines = []
    for number in range(DOCUMENTS):
        infos = []
        for index in range(len(STEPS)):
            image = Image.new("RGB", (96, 64), (40 + 5 * number, 80 * index, 90))
            image.paste((20, 20, 120), (2 * index, 4, 2 * index + 20, 40))
            image.save(buffer := io.BytesIO(), "PNG")
            (folder / "images" / f"{number}-{index}.png").write_bytes(buffer.getvalue())
            infos.append(
                {
                    "image_name": f"{number}-{index}.png",
                    "raw_url": f"https://a.example/{number}-{index}.png",
                    "matched_text_index": index,
                }
            )
        texts = [f"{step} Number {number}." for step in STEPS]
        lines.append(
            json.dumps({"url": f"https://a.example/{number}", "text_list": texts, "image_info": infos})
        )
    (folder / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(name: str, server: Server) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        corpus(folder / "data")
        recipe = {
            "name": "t",
            "workdir": ".",
            "ingest": {"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
            "filter": {"min_words": 10, "rules": []},
            "llm": {
                "provider": "openai",
                "base_url": f"http://127.0.0.1:{server.port}/v1",
                "model": "m",
                "timeout": 3,
                "deadline": 15,
            },
        }
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        server.begin(CONDITIONS[name])
        done = subprocess.run(
            [*LEAF, "build", "recipe.yaml", "--stage", "filter", "--workers", "1"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        requests = server.requests
        found: dict[int, int] = {}
        if done.returncode == 0:
            rows = [
                row
                for path in (folder / "runs/t/filter").rglob("scores-*.parquet")
                for row in pq.read_table(path).to_pylist()
            ]
            for row in rows:
                if row["name"] == "judge.text_quality" and row["value"] is not None:
                    found[int(re.sub(r"\D", "", row["detail"]) or -1)] = int(row["value"])
        else:
            for path in (folder / "runs/.answers").glob("answers-*.jsonl"):
                for line in path.read_text(encoding="utf-8").splitlines():
                    cell = json.loads(line)["value"]["text_quality"]
                    found[int(re.sub(r"\D", "", cell["reason"]) or -1)] = cell["score"]
    true = sum(score == document % 5 + 1 for document, score in found.items())
    left = DOCUMENTS - len(found)
    stopped = done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    last = lines[-1].replace(f"127.0.0.1:{server.port}", "HOST") if lines else ""
    return {
        "condition": name,
        "outcome": "stopped" if stopped else "done",
        "true": true,
        "wrong": len(found) - true,
        "lost": 0 if stopped else left,
        "pending": left if stopped else 0,
        "requests": requests,
        "exit": done.returncode,
        "last": last,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="Measure conditions whose name contains this text.")
    parser.add_argument("--json", type=Path, help="Also write the rows to this file, one per line.")
    arguments = parser.parse_args()
    server, rows = Server(), []
    print(
        "| condition | outcome | true | wrong | lost | pending | requests | exit | last line "
        "|\n|---|---|---|---|---|---|---|---|---|"
    )
    for name in CONDITIONS:
        if arguments.only in name:
            row = measure(name, server)
            rows.append(row)
            print(
                "| " + " | ".join(str(cell).replace("|", "\\|")[:160] for cell in row.values()) + " |",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
