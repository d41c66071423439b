"""A real HTTP server that speaks files and batches beside chat completions, as OpenAI documents them.

A batch is final after `polls` looks at it. `answer` decides about each request in it by its body. Faults take
the place of the first matching request's response, before or after its work is done.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from llm.misbehaving import GOOD, Body, Misbehaving, completion

Result = tuple[int, Body] | Body
"""Status and body of a request in a batch, or the `error` of one without a response."""


def well(_body: Body) -> Result:
    return 200, completion(json.dumps(GOOD))


@dataclass
class Fault:
    """method, path: of the request, a prefix; step: responds instead; after: the work is done first; met: set
    once it is."""

    method: str
    path: str
    step: Callable[[web.Request], Awaitable[web.StreamResponse]]
    after: bool = False
    met: threading.Event = field(default_factory=threading.Event)


def instead(code: int, message: str = "no", headers: dict[str, str] | None = None) -> Any:
    async def step(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": message}}, status=code, headers=headers)

    return step


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@dataclass
class BatchServer(Misbehaving):
    """Scripted server. status: of every batch in the end; errors: of one that fails; unanswered: number of
    its last requests, of one that expires or is cancelled; files: all that were ever there; deleted: those
    that are not any longer; asked, heads: all requests but completions."""

    polls: int = 2
    status: str | Callable[[], str] = "completed"
    errors: list[Body] = field(default_factory=list)
    answer: Callable[[Body], Result] = well
    unanswered: int = 0
    faults: list[Fault] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    batches: list[Body] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)

    def requests_in(self, number: int) -> list[Body]:
        """The lines of the file of the batch of this number."""
        return [json.loads(line) for line in self.files[self.batches[number]["input_file_id"]].splitlines()]

    def uploads(self) -> int:
        return sum(one == ("POST", "/v1/files") for one in self.asked)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 28, middlewares=[self._faulty])
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._content)
        app.router.add_delete("/v1/files/{id}", self._delete)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self.look)
        return app

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        self.heads.append(dict(request.headers))
        for fault in self.faults:
            if request.method == fault.method and request.path.startswith(fault.path):
                self.faults.remove(fault)
                if fault.after:
                    await handler(request)
                fault.met.set()
                return await fault.step(request)
        response: web.StreamResponse = await handler(request)
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        file = form["file"]
        assert isinstance(file, web.FileField)
        name = f"file-{len(self.files)}"
        with file.file:
            self.files[name] = file.file.read()
        return web.json_response({"id": name, "object": "file", "purpose": "batch"})

    async def _content(self, request: web.Request) -> web.Response:
        data = self.files.get(request.match_info["id"])
        if data is None or request.match_info["id"] in self.deleted:
            return web.json_response({"error": {"message": "No such File object"}}, status=404)
        return web.Response(body=data, content_type="application/octet-stream")

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self.files or name in self.deleted:
            return web.json_response({"error": {"message": "No such File object"}}, status=404)
        self.deleted.append(name)
        return web.json_response({"id": name, "object": "file", "deleted": True})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["endpoint"] == "/v1/chat/completions"
        assert body["completion_window"] == "24h"
        if body["input_file_id"] not in self.files or body["input_file_id"] in self.deleted:
            return web.json_response({"error": {"message": "No such File object"}}, status=404)
        batch = {"id": f"batch_{len(self.batches)}", "object": "batch", "status": "validating", "looks": 0}
        self.batches.append({**batch, "input_file_id": body["input_file_id"]})
        return web.json_response(self.batches[-1])

    async def _list(self, request: web.Request) -> web.Response:
        data = self.batches[::-1]
        if after := request.query.get("after"):
            data = data[[batch["id"] for batch in data].index(after) + 1 :]
        page = data[:1]  # the smallest page
        return web.json_response({"object": "list", "data": page, "has_more": len(data) > 1})

    async def look(self, request: web.Request) -> web.Response:
        batch = next((one for one in self.batches if one["id"] == request.match_info["id"]), None)
        if batch is None:
            return web.json_response({"error": {"message": "No batch found"}}, status=404)
        batch["looks"] += 1
        if batch["looks"] >= self.polls and batch["status"] in ("validating", "in_progress"):
            self._end(batch)
        elif batch["looks"] > 1 and batch["status"] == "validating":
            batch["status"] = "in_progress"
        return web.json_response(batch)

    def _end(self, batch: Body) -> None:
        status = batch["status"] = self.status if isinstance(self.status, str) else self.status()
        if status == "failed":
            batch["errors"] = {"object": "list", "data": self.errors}
            return
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        good, bad = [], []
        for number, line in enumerate(lines):
            if number >= len(lines) - self.unanswered:
                result: Result = {"code": f"batch_{status}", "message": "not answered in time"}
                if status == "cancelled":
                    continue
            else:
                result = self.answer(line["body"])
            entry = {"id": f"r{number}", "custom_id": line["custom_id"], "response": None, "error": None}
            if isinstance(result, tuple):
                entry["response"] = {"status_code": result[0], "request_id": "r", "body": result[1]}
            else:
                entry["error"] = result
            (good if isinstance(result, tuple) and result[0] == 200 else bad).append(entry)
        for name, entries in (("output", good[::-1]), ("error", bad)):  # in any order
            if entries:
                batch[f"{name}_file_id"] = f"file-{len(self.files)}"
                self.files[f"file-{len(self.files)}"] = b"".join(
                    json.dumps(entry).encode() + b"\n" for entry in entries
                )
        counts = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        batch["request_counts"] = counts


@contextlib.contextmanager
def batching(now: Callable[[], float] = time.monotonic) -> Iterator[BatchServer]:
    """A server that runs while the block does."""
    server = BatchServer(now=now)
    thread: threading.Thread = server.start()
    try:
        yield server
    finally:
        server.stop(thread)
