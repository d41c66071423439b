"""Collect requests into batches, submit them, and hand each its answer.

    send -> already in a batch of an earlier run? wait for it
         -> else a line of the open file; full, or nobody adds to it any more: upload -> journal -> create
         -> journal -> poll -> results -> the waiting requests

To the tries of a question (exchange.py) a batch is a slow server: what fails the schema, is declined or has
expired is in the next batch, and answers go into the same cache by the same keys as those of direct requests.
When every question of a batch has its answer, its files are deleted at the provider; those of a run that was
killed before, by the next one that asks something.

An item is a hash of the question's key, its repair turns and its limit. So a later run finds what it asked,
whatever terms were negotiated. A batch counts as read when every question in it has its answer: if a run is
killed before, the next one replays it without a new request.

A file takes 50,000 requests or 200 MB (images included), OpenAI's bounds. It is written to disk at once,
since images as text take a third more than their bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import tempfile
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.llm import clock
from leafinstruct.llm.batch.api import ENDPOINT, FINAL, BatchApi, GoneError
from leafinstruct.llm.batch.jobs import Job, Jobs
from leafinstruct.llm.config import BatchConfig, LlmConfig
from leafinstruct.llm.faults.decline_words import Kind
from leafinstruct.llm.faults.faults import BusyError, DeclinedError
from leafinstruct.llm.protocol.negotiation import Terms
from leafinstruct.llm.protocol.server import Reply, Server

_QUIET = 2.0  # seconds without a new request before the open file is complete
# the same while questions of this run are elsewhere: with another process, or waiting for the budget
_PATIENCE = 60.0
_CLOSING = 10.0  # seconds to wait for files to be deleted; the next run deletes the others
_LIMITED = ("token_limit_exceeded", "rate_limit_exceeded", "request_limit_exceeded")
_STATUSES = ("validating", "in_progress", "finalizing", "cancelling", *FINAL)
_RESTARTS = 100  # of a batch that exceeds the tokens in the provider's queue; with the longest pause, hours

Outcome = tuple[int, object] | Exception
"""HTTP status and body of a request in a batch, or why there is none."""


class BatchError(BusyError):
    """No answer in this batch. final: nor in another one of this run."""

    def __init__(self, detail: str, *, final: bool = False, lost: bool = False) -> None:
        super().__init__(detail, lost=lost)
        self.final = final


@dataclass
class _Running:
    """A batch. futures: outcomes by item; left: items of questions without an answer; task: reads it, None
    until someone asks for an item; answered, status: as the provider reports them."""

    job: Job
    futures: dict[str, asyncio.Future[Outcome]]
    left: set[str]
    task: asyncio.Task[None] | None = None
    answered: int = 0
    status: str = "uploading"


@dataclass
class _Open:
    """The file that is being collected."""

    file: BinaryIO
    futures: dict[str, asyncio.Future[Outcome]] = field(default_factory=dict)
    size: int = 0
    terms: dict[str, Terms] = field(default_factory=dict)


def item_of(key: str, turns: Sequence[Mapping[str, object]], limit: int) -> str:
    """Return the custom_id of a try: 64 hex digits, OpenAI's limit. key: of the question."""
    return hashlib.sha256(json.dumps([key, turns, limit], sort_keys=True).encode()).hexdigest()


class Collector:
    """The batches of one client."""

    def __init__(self, config: LlmConfig, batch: BatchConfig, server: Server, folder: Path) -> None:
        """folder: of the answers. Reads which batches earlier runs submitted. Raises SourceError."""
        self._batch, self._server, self._folder = batch, server, folder
        self._api = BatchApi(config, batch, server.transport)
        self._jobs = Jobs(folder, config.answerer)
        self._running: list[_Running] = []
        self._known: dict[str, _Running] = {}  # items of batches of earlier runs that nobody asked for yet
        self._open: _Open | None = None
        self._closing: asyncio.Task[None] | None = None
        self._deleting: set[asyncio.Task[None]] = set()
        self._arrivals = self._waiting = 0
        self.questions: Callable[[], int] = lambda: 0
        """Returns how many questions of this client have no answer yet."""
        try:
            unread, read = self._jobs.known()
        except OSError as error:
            raise SourceError(
                f"{folder}: the journal of batches cannot be read: {error.strerror}."
            ) from error
        loop = asyncio.get_running_loop()
        for job in read:
            self._delete(_Running(job, {}, set()))
        for job in unread:
            running = _Running(job, {item: loop.create_future() for item in job.items}, set(job.items))
            self._running.append(running)
            self._known |= dict.fromkeys(job.items, running)
            for purpose, terms in job.terms.items():
                server.negotiation.settle(purpose, terms)

    @property
    def state(self) -> str:
        """What the submitted batches do now, for the progress line; "" without one."""
        running = [one for one in self._running if one.task is not None and not one.task.done()]
        if not running:
            return ""
        total, answered = sum(len(one.futures) for one in running), sum(one.answered for one in running)
        name = (
            f"batch {running[0].job.batch} ({running[0].status})"
            if len(running) == 1
            else (f"{len(running)} batches")
        )
        return f"{name}, {answered:,} of {total:,} requests answered"

    def knows(self, item: str) -> bool:
        """Whether a batch of an earlier run has this item."""
        return item in self._known

    async def send(self, item: str, purpose: str, terms: Terms, body: Mapping[str, Any]) -> Reply:
        """Send one request in a batch. Raises what Server.send raises, and BatchError."""
        if (running := self._known.pop(item, None)) is None:
            future = self._collect(item, purpose, terms, body)
        else:
            future = running.futures[item]
            if running.task is None:
                running.task = asyncio.create_task(self._guarded(running, self._read))
        self._waiting += 1
        try:
            outcome = await future
        finally:
            self._waiting -= 1
        if isinstance(outcome, BatchError):
            raise BatchError(str(outcome), final=outcome.final, lost=outcome.lost)
        if isinstance(outcome, LeafInstructError):
            raise type(outcome)(str(outcome))  # an exception of its own for each request
        if isinstance(outcome, Exception):
            raise outcome
        return self._server.completion(outcome[0], {}, outcome[1], body)

    def finished(self, items: Collection[str]) -> None:
        """Record that a question has its answer, or never will. items: of its tries."""
        for running in self._running:
            mine = running.left.intersection(items)
            running.left -= mine
            if not mine or not running.job.file:
                continue
            if running.left:
                self._jobs.answered(running.job, mine)
            else:
                self._jobs.put(running.job, "read")
                self._delete(running)

    def _delete(self, running: _Running) -> None:
        """Begin to delete the files of a batch that is read."""
        task = asyncio.create_task(self._deleted(running))
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    async def _deleted(self, running: _Running) -> None:
        """Delete them. What fails is left to the next run: no answer depends on it."""
        if running.task is not None:
            await asyncio.wait([running.task])  # it may still read the end of a file
        with contextlib.suppress(LeafInstructError):
            if all([await self._api.delete(file) for file in running.job.files]):
                self._jobs.put(running.job, "deleted")

    async def close(self) -> None:
        """Stop waiting, after files are deleted. Submitted batches go on at the provider."""
        if self._deleting:
            await asyncio.wait(self._deleting, timeout=_CLOSING)
        tasks = [one.task for one in self._running if one.task is not None]
        tasks += [*self._deleting, *([self._closing] if self._closing is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._open is not None:
            self._open.file.close()
            self._open = None
        self._jobs.close()

    def _collect(
        self, item: str, purpose: str, terms: Terms, body: Mapping[str, Any]
    ) -> asyncio.Future[Outcome]:
        """Add a request to the open file."""
        entry = {"custom_id": item, "method": "POST", "url": ENDPOINT, "body": body}
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        most = self._batch.max_megabytes * 1_000_000
        if len(line) > most:
            raise DeclinedError(
                f"a request of {len(line) / 1e6:,.1f} MB is larger than llm.batch.max_megabytes "
                f"({self._batch.max_megabytes})",
                Kind.PIXELS,
            )
        if self._open is not None and self._open.size + len(line) > most:
            self._submit()
        try:
            if self._open is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed when it is sent
                self._open = _Open(cast("BinaryIO", file))
            self._open.file.write(line)
        except OSError as error:
            raise SourceError(
                f"{self._folder}: a batch cannot be collected: {error.strerror}. Free some space and run "
                "again."
            ) from error
        future = self._open.futures[item] = asyncio.get_running_loop().create_future()
        self._open.size += len(line)
        self._open.terms[purpose] = terms
        self._arrivals += 1
        if len(self._open.futures) >= self._batch.max_requests:
            self._submit()
        elif self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self._submit_when_quiet())
        return future

    async def _submit_when_quiet(self) -> None:
        quiet = 0.0
        while self._open is not None:
            before = self._arrivals
            await clock.CLOCK.sleep(_QUIET)
            quiet = quiet + _QUIET if self._arrivals == before else 0.0
            if quiet and (self._waiting >= self.questions() or quiet >= _PATIENCE):
                self._submit()

    def _submit(self) -> None:
        """Send the open file on its way."""
        collected, self._open = self._open, None
        if collected is None:
            return
        job = Job("", "", tuple(collected.futures), collected.terms)
        running = _Running(job, collected.futures, set(job.items))
        self._running.append(running)
        running.task = asyncio.create_task(self._guarded(running, partial(self._upload, collected.file)))

    async def _upload(self, file: BinaryIO, running: _Running) -> None:
        with file:
            file.flush()
            name = f"leaf-{hashlib.sha256(''.join(running.job.items).encode()).hexdigest()[:16]}.jsonl"
            running.job = replace(running.job, file=await self._api.upload(file, name))
        self._jobs.put(running.job)  # before the batch exists: it is found by its file
        await self._read(running, fresh=True)

    async def _guarded(self, running: _Running, work: Callable[[_Running], Awaitable[None]]) -> None:
        """Give every item an outcome, whatever happens but a cancellation."""
        try:
            await work(running)
        except GoneError as gone:
            # its questions are asked again, in a batch that exists
            self._rest(running, BatchError(f"the batch is gone: {gone}", lost=True))
        except Exception as error:  # raised by each `send` that waits
            self._rest(running, error)

    async def _read(self, running: _Running, fresh: bool = False) -> None:
        """Wait for a batch and read its results. One that exceeds the tokens in the provider's queue is
        created again, later."""
        failed: set[str] = set()
        for _ in range(_RESTARTS):
            if not running.job.batch:
                batch = await self._api.start(running.job.file, failed=failed, fresh=fresh and not failed)
                running.job = replace(running.job, batch=batch)
                self._jobs.put(running.job)
            found = await self._api.wait(running.job.batch, partial(_note, running))
            code, error = _complaint(found)
            if found.get("status") != "failed" or code not in _LIMITED:
                break
            failed.add(running.job.batch)
            running.job, running.status = (
                replace(running.job, batch=""),
                "waits: the provider's queue is full",
            )
            await clock.CLOCK.sleep(10 * self._batch.poll)
        why = self._quoted(error) if error else ""
        named = [found.get(name) for name in ("output_file_id", "error_file_id")]
        results = tuple(file for file in named if isinstance(file, str) and file)
        running.job = replace(running.job, results=results)  # before the last question has its answer
        for file in results:
            try:
                await self._api.results(file, partial(self._deliver, running))
            except GoneError as gone:
                why = f"its results are gone: {gone}"
        status = str(found.get("status"))
        self._rest(
            running,
            BatchError(
                f"batch {running.job.batch} {status}{f': {why}' if why else ', without this request'}",
                final=status in ("failed", "cancelled"),
                lost=status == "completed",
            ),
        )

    def _deliver(self, running: _Running, line: bytes) -> None:
        """Hand one line of results to its request; lines that are cut or of no request are passed over."""
        try:
            entry = json.loads(line)
            item, response, error = entry["custom_id"], entry.get("response"), entry.get("error")
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return
        future = running.futures.get(item) if isinstance(item, str) else None
        if future is None or future.done():
            return
        if isinstance(response, Mapping) and isinstance(response.get("status_code"), int):
            future.set_result((response["status_code"], response.get("body")))
        else:
            inner = error if isinstance(error, Mapping) else {}
            code = self._server.transport.quote.line(inner.get("code") or "no response")
            future.set_result(BatchError(f"{code}: {self._quoted(inner)}"))

    def _quoted(self, error: Mapping[str, object]) -> str:
        return self._server.transport.quote.line(error.get("message") or "without a reason")

    def _rest(self, running: _Running, outcome: Outcome) -> None:
        """Give the items without a result this outcome."""
        for future in running.futures.values():
            if not future.done():
                future.set_result(outcome)


def _note(running: _Running, found: Mapping[str, object]) -> None:
    """Record what the provider reports about a batch, for the progress line."""
    counts, status = found.get("request_counts"), found.get("status")
    running.status = status if isinstance(status, str) and status in _STATUSES else "unknown status"
    if isinstance(counts, Mapping):
        answered = [counts.get(name) for name in ("completed", "failed")]
        running.answered = sum(count for count in answered if isinstance(count, int))


def _complaint(found: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """Return the code and the body of the first error of a batch."""
    errors = found.get("errors")
    data = errors.get("data") if isinstance(errors, Mapping) else None
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], Mapping) else {}
    return str(first.get("code")), first
