"""The requests of OpenAI's Batch API: upload a file, create a batch, poll it, read its results.

    POST /files                purpose `batch`, one JSON object a line: custom_id, method, url, body
    GET  /batches              is there a batch of this file already? A lost response is no lost batch
    POST /batches              input_file_id, endpoint, completion_window
    GET  /batches/{id}         until its status is final, with growing pauses
    GET  /files/{id}/content   results and errors, a line for each request, in any order
    DELETE /files/{id}         requests and results, once every answer is in the cache

Source: OpenAI's API reference, "Batch" and "Files".

Outages and rate limits are waited for, until `llm.deadline` has passed without an answer; then the run stops,
and the batch goes on without it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import BinaryIO
from urllib.parse import quote

import aiohttp

from leafinstruct.errors import ProviderError
from leafinstruct.llm import clock
from leafinstruct.llm.config import BatchConfig, LlmConfig
from leafinstruct.llm.faults.again import AgainError, pause
from leafinstruct.llm.faults.faults import BusyError, status_fault
from leafinstruct.llm.protocol.transport import Response, Transport

ENDPOINT = "/v1/chat/completions"
FINAL = ("completed", "failed", "expired", "cancelled")
_WINDOW = "24h"  # the only one that OpenAI offers
_GROWTH, _SLOWEST = 1.5, 10.0  # of the pauses between polls; the longest is 10 x the first
_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)  # it is shown in the progress line
_PAGES, _PAGE = 20, 100  # of the list of batches
_NOT_DELETED = (404, 405, 410, 501)  # no such file, or no deletion at this server


class GoneError(Exception):
    """The server does not have this file or batch (any longer)."""


class BatchApi:
    """The batches of one server."""

    def __init__(self, config: LlmConfig, batch: BatchConfig, transport: Transport) -> None:
        self._config, self._batch, self._transport = config, batch, transport

    async def upload(self, file: BinaryIO, name: str) -> str:
        """Upload requests and return the file's id. Raises ProviderError."""

        async def once() -> Response:
            file.seek(0)
            form = aiohttp.FormData()
            form.add_field("purpose", "batch")
            handle = os.fdopen(os.dup(file.fileno()), "rb")  # aiohttp closes what it has sent
            form.add_field("file", handle, filename=name, content_type="application/jsonl")
            return await self._transport.send("POST", "/files", self._config.deadline, form)

        try:
            return _identity(await self._call(once))
        except GoneError as gone:
            raise ProviderError(
                f"{self._config.base_url} has no Batch API ({gone}). Remove llm.batch from the recipe."
            ) from None

    async def start(self, file: str, *, failed: set[str], fresh: bool) -> str:
        """Return the id of the batch of an uploaded file; create it unless there is one. failed: ids that do
        not count; fresh: the file was uploaded just now. Raises ProviderError, GoneError."""
        body = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": _WINDOW}
        content = json.dumps(body).encode()
        began, tries = clock.CLOCK.now(), 0
        while True:
            if tries or not fresh:  # the response to an earlier request may be lost, and not the batch
                async for batch in self._listed():
                    if batch.get("input_file_id") == file and batch.get("id") not in failed:
                        return _identity(batch)
            try:
                created = await self._transport.send("POST", "/batches", self._config.timeout, content)
                return _identity(self._content(created))
            except BusyError as busy:
                tries += 1
                await self._pause(busy, began, tries)

    async def wait(
        self, batch: str, on_status: Callable[[Mapping[str, object]], None]
    ) -> Mapping[str, object]:
        """Poll a batch until its status is final and return it. Raises ProviderError, GoneError."""
        seconds = self._batch.poll
        while True:
            found = await self._get(f"/batches/{quote(batch, safe='')}")
            on_status(found)
            if found.get("status") in FINAL:
                return found
            await clock.CLOCK.sleep(seconds)
            seconds = min(seconds * _GROWTH, _SLOWEST * self._batch.poll)

    async def results(self, file: str, into: Callable[[bytes], None]) -> None:
        """Pass the lines of a file of results on. After an interruption all lines come again. Raises
        ProviderError, GoneError."""

        async def once() -> Response:
            path = f"/files/{quote(file, safe='')}/content"
            return await self._transport.send("GET", path, self._config.deadline, into=into)

        await self._call(once, is_json=False)

    async def delete(self, file: str) -> bool:
        """Delete a file. Returns whether that need not be tried again: it is deleted or gone, or the server
        deletes no files. Raises RecipeError."""
        try:
            path = f"/files/{quote(file, safe='')}"
            response = await self._transport.send("DELETE", path, self._config.timeout)
        except BusyError:
            return False
        return response.status < 300 or response.status in _NOT_DELETED

    async def _listed(self) -> AsyncIterator[Mapping[str, object]]:
        """Yield the batches of this account, the newest first."""
        after = ""
        for _ in range(_PAGES):
            try:
                page = await self._get(f"/batches?limit={_PAGE}{after}")
            except GoneError:  # a server without a list
                return
            data = page.get("data")
            batches = [one for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
            for batch in batches:
                yield batch
            if not page.get("has_more") or not batches:
                return
            after = f"&after={quote(str(batches[-1].get('id')), safe='')}"

    async def _get(self, path: str) -> Mapping[str, object]:
        return await self._call(lambda: self._transport.send("GET", path, self._config.timeout))

    async def _call(
        self, once: Callable[[], Awaitable[Response]], *, is_json: bool = True
    ) -> Mapping[str, object]:
        """Repeat a request until it is answered. Returns the JSON object, {} unless is_json."""
        began, tries = clock.CLOCK.now(), 0
        while True:
            try:
                return self._content(await once(), is_json)
            except BusyError as busy:
                tries += 1
                await self._pause(busy, began, tries)

    async def _pause(self, busy: BusyError, began: float, tries: int) -> None:
        """Wait before the next try. Raises ProviderError if it would be after the deadline."""
        seconds = pause(AgainError("", busy.after), tries)
        if clock.CLOCK.now() - began + seconds > self._config.deadline:
            raise ProviderError(
                f"{self._config.base_url}: the Batch API does not answer: {busy}; {tries} tries. "
                "Run the same command again: a batch that was submitted goes on, and its answers are "
                "read then."
            ) from None
        await clock.CLOCK.sleep(seconds)

    def _content(self, response: Response, is_json: bool = True) -> Mapping[str, object]:
        """Return the JSON object of a response. Raises BusyError, ProviderError, GoneError."""
        content = response.content() if is_json or response.status >= 300 else {}
        if response.status == 404:
            raise GoneError(f"HTTP 404: {self._transport.quote.line(content)}")
        if response.status < 300:
            if isinstance(content, Mapping):
                return content
            raise BusyError("a body that is no JSON object")
        fault = status_fault(
            self._config, self._transport.quote, response.status, response.headers, content, {}
        )
        if isinstance(fault, BusyError | ProviderError):
            raise fault
        raise ProviderError(
            f"{self._config.base_url}: the Batch API declines a request: {fault}. Check llm.batch, the key "
            "and the account."
        )


def _identity(found: Mapping[str, object]) -> str:
    """Return the id of a file or batch. Raises ProviderError."""
    name = found.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ProviderError("the Batch API answered without an id; check llm.base_url")
    return name
