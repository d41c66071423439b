"""Carry bytes to the server of one `llm` section and back. The only module that knows openai and the key.

The SDK is configured once and gives its headers, authentication included. The requests themselves go through
aiohttp, as bytes: the SDK copies and walks each request and response several times, which this package does
not need, since it builds and checks bodies itself, and only exchange.py retries.

CPU milliseconds of a request with 1.7 kB of text, 128 in flight, server answering in 50 ms (benchmarks/
answers.py, two cores shared with other work): aiohttp alone 0.15, this package in all 0.46 (1,450 requests a
second), the SDK's `post` without types 0.6, its typed method 2.1 (450 requests a second).

A server is not trusted with memory or prompts. At most 8 MiB of a body are read, errors and unpacked gzip
included. Redirects are not followed, because they would carry document and images to a URL that no recipe
names, and cookies are not kept. Certificates and proxies come from the variables that the SDK reads
(SSL_CERT_FILE, HTTPS_PROXY, NO_PROXY and so on); ~/.netrc is not read.

Imported only by a client whose provider is not `offline`, and connected only with its first request.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2
import openai
from multidict import CIMultiDict

from leafinstruct.errors import RecipeError
from leafinstruct.llm import clock
from leafinstruct.llm.config import LlmConfig, from_environment
from leafinstruct.llm.faults.faults import BusyError, Quote, connection_fault

_CONNECT = 30.0  # seconds to connect; a host that drops packets then counts as silent, not as slow
# seconds that an unused connection is kept: uvicorn closes it after 5, and a request that is sent at that
# moment is lost
_KEEP_ALIVE = 4.0
# of one body, unpacked: far above the longest answer, and 128 requests in flight hold 1 GiB at worst
_MOST_BYTES = 8 << 20
_LEFT_OUT = ("X-Stainless-", "OpenAI-Organization", "OpenAI-Project", "Content-Type")
_JSON = {"Content-Type": "application/json"}
_PIECE = 4096  # bytes that are unpacked at once: gzip makes at most 1,000 times as many of them

# With OPENAI_LOG=debug the SDK would log whole requests, documents included, and its transport logs a line
# per request.
for _name in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Response:
    """A server's response of any status. body: read whole and unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def content(self) -> object:
        """Return the parsed JSON; the text if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")


class Transport:
    """The connection of one client."""

    def __init__(self, config: LlmConfig) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None
        self._query = {"api-version": config.api_version} if config.api_version else None
        # extra_body with values from the environment, which no journal may hold
        self._secret_body: dict[str, object] = {}
        self.quote = Quote("")
        """Removes the key from what the server sends."""

    async def post(self, path: str, body: Mapping[str, Any], seconds: float) -> Response:
        """Send one request as JSON, for at most `seconds` from connecting to the last byte. See `send`."""
        self._open()
        filled = {**body, **self._secret_body} if self._secret_body else body
        data = json.dumps(filled, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return await self.send("POST", path, seconds, data)

    async def send(
        self,
        method: str,
        path: str,
        seconds: float,
        data: bytes | aiohttp.FormData | None = None,
        into: Callable[[bytes], None] | None = None,
    ) -> Response:
        """Send one request.

        path: after llm.base_url, from its slash on. data: JSON, or a form.
        into: gets the lines of a successful response's body instead, each without its end.
        Raises BusyError, or RecipeError if the key is not set. aiohttp's own exceptions hold the request
        with its Authorization header, so these are raised outside of them and keep no reference.
        """
        session = self._open()
        try:
            async with (
                clock.CLOCK.limit(seconds),
                session.request(
                    method,
                    f"{self._config.base_url}{path}",
                    params=self._query,
                    data=data,
                    headers=_JSON if isinstance(data, bytes) else None,
                    proxy=self._proxy,
                    allow_redirects=False,
                ) as response,
            ):
                if into is not None and response.status < 300:
                    await _read_lines(response, into)
                    return Response(response.status, response.headers, b"")
                return Response(response.status, response.headers, await _read(response))
        except BusyError as error:
            # without the traceback, which references the request
            fault = BusyError(str(error), lost=error.lost)
        except aiohttp.ClientError as error:  # before TimeoutError, which its timeout to connect is too
            fault = connection_fault(error)
        except TimeoutError:
            fault = BusyError(f"no answer within {seconds:.3g} s", lost=True, silent=True, load="slow")
        except (OSError, ValueError, httpx2.HTTPError) as error:
            fault = connection_fault(error)
        raise fault

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        """Connect lazily, in the running loop. Raises RecipeError."""
        if self._session is None:
            key = _key(self._config)
            headers, hidden = from_environment(self._config.headers, "headers")
            extra, more = from_environment(self._config.extra_body, "extra_body")
            self._secret_body = extra if more else {}
            self.quote = Quote(key, (*hidden, *more))
            is_secure = str(self._config.base_url).startswith("https:")
            self._proxy = _proxy(str(self._config.base_url))
            self._session = aiohttp.ClientSession(
                headers=_headers(self._config, key, headers),
                connector=aiohttp.TCPConnector(
                    limit=0,  # gate.py limits them
                    keepalive_timeout=_KEEP_ALIVE,
                    ssl=httpx2.create_ssl_context() if is_secure else True,
                ),
                # post() limits the time of a try, since the transport's own timeout restarts with each byte
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=min(_CONNECT, self._config.timeout / 2)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # _read bounds what is unpacked
            )
        return self._session


def _headers(config: LlmConfig, key: str, more: Mapping[str, object]) -> CIMultiDict[str]:
    """Return the headers of every request: the SDK's, then the recipe's. The SDK's own variables
    (OPENAI_API_KEY, OPENAI_ORG_ID, ...) belong to another server and are ignored, and its headers about this
    machine (X-Stainless-*) are no server's business."""
    sdk = openai.AsyncOpenAI(
        base_url=config.base_url, api_key=key or "none", http_client=openai.DefaultAioHttpClient()
    )
    own = {**sdk.default_headers, **_authorization(config, key, sdk.auth_headers)}
    headers = CIMultiDict(
        {
            name: value
            for name, value in own.items()
            if isinstance(value, str) and not name.startswith(_LEFT_OUT)
        }
    )
    headers.update({name: str(value) for name, value in more.items()})
    return headers


def _authorization(config: LlmConfig, key: str, bearer: Mapping[str, str]) -> Mapping[str, str]:
    """Return the header that carries the key. bearer: the SDK's."""
    if not key:
        return {}
    name = config.served_by.key_header
    return bearer if name == "Authorization" else {name: key}


async def _read_lines(response: aiohttp.ClientResponse, into: Callable[[bytes], None]) -> None:
    """Pass each line of the unpacked body on. Raises BusyError for a line above _MOST_BYTES."""
    rest = b""
    async for part in _parts(response):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            into(line)
        if len(rest) > _MOST_BYTES:
            raise _too_large()
    into(rest)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the unpacked body. Raises BusyError above _MOST_BYTES. A connection whose body was not read to
    its end is closed."""
    if (response.content_length or 0) > _MOST_BYTES:
        raise _too_large()
    body = bytearray()
    async for part in _parts(response):
        body += part
        if len(body) > _MOST_BYTES:
            raise _too_large()
    return bytes(body)


def _parts(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body in pieces, without its Content-Encoding."""
    if response.headers.get("Content-Encoding", "identity") == "identity":
        return response.content.iter_any()
    stream = response.content.iter_chunked(_PIECE)
    return httpx2.Response(200, headers=response.raw_headers, content=stream).aiter_bytes()


def _too_large() -> BusyError:
    return BusyError(f"an answer above {_MOST_BYTES >> 20} MB", lost=True)


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL. aiohttp would ask in a thread before each
    request."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _key(config: LlmConfig) -> str:
    """Return the key, "" if the recipe names no variable. Raises RecipeError."""
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
            f"llm.key_env: {config.key_env} holds characters that no key has; export it again without "
            "quotes or blanks"
        )
    return key
