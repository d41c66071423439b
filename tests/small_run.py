"""A small but complete run, the servers that it asks, and verbs in forked processes: for the tests of damage
and of kills, and for their benchmark.

A verb runs in a fork of this process, which has imported everything and computed nothing: it costs what the
verb costs, and no start. Its parts run in that one process, by the same tasks. So a kill at the n-th
operation on a file is the same kill each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from e2e.test_build_llm import example, is_judge
from hub_repos import ReposHub
from llm.judging import verdict
from making import InlineEngine, mmc4, png, recipe
from serving import Answering, Serving

MOST = 2
"""Requests to the model in flight."""
STEPS = (
    "First, draw a red wall on the green grass.",
    "Then add a brown roof on top of the wall.",
    "Finally, paint a blue door in it.",
)
TOKEN = "hf_secretsecretsecret"


class World(Serving):
    """The web and the language model: images by name, and an answer that depends on the question alone.
    asked: requests by what they ask."""

    def __init__(self) -> None:
        super().__init__(_Endpoint)
        self.asked: Counter[str] = Counter()


def _tokens(messages: list[dict[str, Any]]) -> int:
    """Tokens of a prompt as a server may count them: four characters each, and 255 an image."""
    parts = [
        part
        for message in messages
        for part in (message["content"] if isinstance(message["content"], list) else [message["content"]])
    ]
    texts = [part if isinstance(part, str) else part.get("text") for part in parts]
    return sum(255 if text is None else len(text) // 4 for text in texts)


class _Endpoint(Answering):
    server: World

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        found = self.path.endswith(".png")
        self.send(
            200 if found else 404,
            png(dot=sum(self.path.encode()) % 60) if found else b"",
            ("Content-Type", "image/png" if found else "text/plain"),
        )

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(data)
        self.server.asked[
            f"model {hashlib.sha256(json.dumps(body['messages']).encode()).hexdigest()[:16]}"
        ] += 1
        value = verdict(body) if is_judge(body) else example(body)
        message = {"role": "assistant", "content": json.dumps(value)}
        answer = {
            "id": "a",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": _tokens(body["messages"]), "completion_tokens": 50},
        }
        self.send(200, json.dumps(answer).encode(), ("Content-Type", "application/json"))


def prepared(folder: Path, world: World, drawn: int = 8, videos: int = 1, own: int = 3) -> Path:
    """Sources and a recipe: drawn pages in four formats and a video, images on the web, and images in the
    cells of a Parquet file."""
    folder.mkdir(parents=True, exist_ok=True)
    web = [
        {"raw_url": f"http://{world.name}/{number}-{at}.png", "matched_text_index": at}
        for number in range(own)
        for at in range(3)
    ]
    lines = [
        {
            "url": f"https://host{number}.example/{number}",
            "text_list": [f"{step} Page {number} of the web." for step in STEPS],
            "image_info": web[3 * number : 3 * number + 3],
        }
        for number in range(own)
    ]
    (folder / "web.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    mmc4(
        folder / "files",
        {
            f"https://site{number}.example/": [
                (f"{step} File {number}.", png((9 + number, 60 * at, 90), dot=at))
                for at, step in enumerate(STEPS)
            ]
            for number in range(own)
        },
    )
    cells = [
        {f"t{at}": f"{step} Row {number}." for at, step in enumerate(STEPS)}
        | {f"i{at}": {"bytes": png((30 * number, 200, 50 * at), dot=at), "path": None} for at in range(3)}
        for number in range(own)
    ]
    pq.write_table(pa.Table.from_pylist(cells), folder / "cells.parquet")
    sources = [
        {"kind": "sketchbook", "seed": 7, "documents": drawn, "videos": videos, "image_px": 64},
        {"kind": "mmc4", "name": "web", "path": "web.jsonl", "license": "CC0-1.0"},
        {"kind": "mmc4", "name": "files", "path": "files", "license": "CC0-1.0"},
        {
            "kind": "hub",
            "name": "cells",
            "path": "cells.parquet",
            "license": "CC0-1.0",
            "segments": [{key: f"{key[0]}{at}"} for at in range(3) for key in ("text", "image")],
        },
    ]
    return recipe(
        folder,
        part_size=4,
        ingest={"sources": sources},
        filter={
            "min_words": 10,
            "min_images": 2,
            "rules": [
                {"score": "text.links", "max": 5},
                {"score": "duplicate.text", "max": 0},
                {"score": "judge.text_quality", "min": 3, "model": "m"},
            ],
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "images": {"fetch": {"contact": "crew@example.org", "allow_hosts": [world.name]}},
        },
        llm={
            "provider": "openai",
            "base_url": f"http://{world.name}/v1",
            "model": "m",
            "max_in_flight": MOST,
        },
        rewrite={"tasks": ["guide", "continuation"], "refine": None},
        shard={"splits": {"train": 0.8, "validation": 0.2}, "max_bytes": 60_000},
        push={"allow": ["toy"]},
    )


@dataclass(frozen=True)
class Done:
    """How a verb ended. code: -9 after SIGKILL."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def messages(self) -> list[str]:
        """Lines on stderr that are no progress."""
        return [line for line in self.err.splitlines() if line.strip() and not _progress(line)]


def _progress(line: str) -> bool:
    return line.startswith("leaf: ") and " of " in line and line.count(":") >= 3


class _Engine(InlineEngine):
    """Takes the place of LocalEngine."""

    def __init__(self, _: int | None = None) -> None:
        super().__init__()

    def __enter__(self) -> _Engine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def warm() -> None:
    """Import what the verbs import, in this process, so that its forks need not."""
    import datasets  # noqa: F401
    import openai  # noqa: F401
    import torch

    import leafinstruct.cli
    import leafinstruct.export.run
    import leafinstruct.filter.embedders.clip
    import leafinstruct.filter.stage
    import leafinstruct.ingest.stage
    import leafinstruct.publish.push
    import leafinstruct.rewrite.stage
    import leafinstruct.shard.stage

    leafinstruct.filter.embedders.clip.load_clip()
    torch.set_num_threads(1)


def run(
    folder: Path,
    *arguments: str,
    before: Callable[[], None] = lambda: None,
    seconds: float = 300,
    name: str = "",
) -> Done:
    """One verb in a fork of this process. before: called in it first. name: of the files of its output, for
    several at a time."""
    began = time.monotonic()
    out, err = folder / f".out{name}", folder / f".err{name}"
    child = os.fork()
    if child == 0:
        _child(folder, arguments, before, out, err)
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() - began > seconds:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    code = os.waitstatus_to_exitcode(ended[1])
    return Done(
        code, out.read_text(errors="replace"), err.read_text(errors="replace"), time.monotonic() - began
    )


def _child(folder: Path, arguments: Sequence[str], before: Callable[[], None], out: Path, err: Path) -> None:
    code: Any = 70
    try:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        os.chdir(folder)
        from leafinstruct.runtime.engine import local

        local.LocalEngine = _Engine  # type: ignore[assignment, misc]
        sys.argv = ["leaf", *arguments]
        from leafinstruct.cli import main

        before()
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def killing(folder: Path, at: int) -> Callable[[], None]:
    """For `run`: SIGKILL this process right before its operation number `at` on a file below a folder, which
    opens, renames, removes or makes one."""

    def install() -> None:
        left = [at]
        place = str(folder)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _EVENTS and any(
                isinstance(name, str | os.PathLike) and os.fspath(name).startswith(place)
                for name in arguments[:2]
            ):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)

    return install


def counting(folder: Path, out: Path) -> Callable[[], None]:
    """For `run`: count the operations that `killing` counts, and write the count at the end."""

    def install() -> None:
        total = [0]
        place, file = str(folder), os.open(out, os.O_WRONLY | os.O_CREAT)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _EVENTS and any(
                isinstance(name, str | os.PathLike) and os.fspath(name).startswith(place)
                for name in arguments[:2]
            ):
                total[0] += 1
                os.pwrite(file, b"%9d" % total[0], 0)

        sys.addaudithook(hook)

    return install


_EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}
)


def published(shards: Path) -> dict[str, str]:
    """sha256 of every file of a dataset that goes out."""
    files = [path for path in sorted(shards.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    kept = [path for path in files if path.suffix != ".json" or path.name in ("croissant.json", "build.json")]
    return {
        str(path.relative_to(shards)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in kept
        if not path.name.startswith(("rows-", "keys-"))
    }


@contextmanager
def hub(home: Path) -> Iterator[ReposHub]:
    """A Hub on this machine, for this process and its forks, until the block ends."""
    from huggingface_hub import constants

    with ReposHub() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.logged_in(home, TOKEN).items():
            patch.setenv(name, value)
        patch.setattr(constants, "ENDPOINT", server.url)
        patch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server


def restored(pristine: Path, runs: Path) -> None:
    """Put a copy of the finished run in place, with its times."""
    shutil.rmtree(runs, ignore_errors=True)
    shutil.copytree(pristine, runs, copy_function=shutil.copy2)
