"""A real web server that misbehaves on request, byte by byte: the path selects what it sends. Runs in its own
thread."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator

from making import png

IMAGE = png()
FILES = ("/robots.txt", "/.well-known/tdmrep.json")


class Wild:
    """`asked`: requests by path; `at_once`: the most that were in hand at a time; `scripts`: path -> answers
    for its first requests, in turn; `hold`: seconds before each answer; `together`: no image is answered
    before so many requests are there at a time."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.times: list[float] = []
        self.at_once = self._now = 0
        self.robots: tuple[int, str] = (404, "")
        self.tdmrep: tuple[int, str] = (404, "")
        self.scripts: dict[str, list[bytes]] = {}
        self.agents: set[str] = set()
        self.hold = 0.0
        self.together = 0
        self._full = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def images(self) -> Counter[str]:
        """Requests by path, without those for robots.txt and tdmrep.json."""
        return Counter({path: count for path, count in self.asked.items() if path not in FILES})

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(300)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                self.asked[path] += 1
                self.times.append(time.monotonic())
                self.agents |= {
                    line.partition(": ")[2]
                    for line in head.split("\r\n")
                    if line.lower().startswith("user-agent")
                }
                self._now += 1
                self.at_once = max(self.at_once, self._now)
                try:
                    if self._now >= self.together:
                        self._full.set()
                    if path not in FILES:
                        # then the test fails, instead of waiting for ever
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._full.wait(), 60)
                    await asyncio.sleep(self.hold)
                    going_on = await self._answer(path, writer)
                finally:
                    self._now -= 1
                if not going_on:
                    break
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection may go on."""
        if self.scripts.get(path):
            writer.write(self.scripts[path].pop(0))
        elif path == "/robots.txt":
            writer.write(answer(self.robots[1].encode(), self.robots[0], "text/plain"))
        elif path == "/.well-known/tdmrep.json":
            writer.write(answer(self.tdmrep[1].encode(), self.tdmrep[0], "application/json"))
        elif path.startswith("/drip"):
            writer.write(head(len(IMAGE)))
            for byte in IMAGE:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
        elif path == "/silent":
            await asyncio.sleep(60)
        elif path.startswith("/endless"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
        elif path == "/cut":
            writer.write(head(len(IMAGE)) + IMAGE[: len(IMAGE) // 2])
            await writer.drain()
            return False
        elif path == "/slammed":
            return False
        else:
            writer.write(FIXED.get(path) or answer(IMAGE))
        await writer.drain()
        return True


def head(length: int, status: int = 200, media: str = "image/png", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {media}", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(body: bytes, status: int = 200, media: str = "image/png", *more: str) -> bytes:
    return head(len(body), status, media, *more) + body


def redirect(target: str) -> bytes:
    return answer(b"", 302, "text/plain", f"Location: {target}")


FIXED: dict[str, bytes] = {
    "/page": answer(b"<html>not here</html>", 200, "text/html; charset=utf-8"),
    "/nothing": answer(b"", 404, "text/plain"),
    "/gone": answer(b"", 410, "text/plain"),
    "/forbidden": answer(b"", 403, "text/plain"),
    "/loop": redirect("/loop"),
    "/to-metadata": redirect("http://169.254.169.254/latest/meta-data/"),
    "/to-private": redirect("http://10.0.0.1/a.png"),
    "/to-file": redirect("file:///etc/passwd"),
    "/to-nowhere": answer(b"", 302, "text/plain"),
    "/to-image": redirect("/a.png"),
    "/noai": answer(IMAGE, 200, "image/png", "X-Robots-Tag: noindex, noai"),
    "/noimageai": answer(IMAGE, 200, "image/png", "X-Robots-Tag: somebot: noimageai"),
    "/reserved": answer(IMAGE, 200, "image/png", "tdm-reservation: 1"),
    "/zipped": answer(gzip.compress(IMAGE), 200, "image/png", "Content-Encoding: gzip"),
    "/bomb": answer(gzip.compress(bytes(80_000_000)), 200, "image/png", "Content-Encoding: gzip"),
    "/broken-zip": answer(b"no gzip at all", 200, "image/png", "Content-Encoding: gzip"),
    "/compress": answer(IMAGE, 200, "image/png", "Content-Encoding: compress"),
    "/brotli": answer(IMAGE, 200, "image/png", "Content-Encoding: br"),
    "/declared-huge": head(10_000_000_000),
    "/plain-bytes": answer(IMAGE, 200, "application/octet-stream"),
    "/huge-header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
    "/garbage": b"\x00\x01\x02 nonsense\r\n\r\n",
    "/cut-zip": answer(gzip.compress(IMAGE)[:-20], 200, "image/png", "Content-Encoding: gzip"),
    "/to-no-address": redirect("http://[::1/a.png"),
    "/to-no-port": redirect("http://a.org:99999999/a.png"),
    "/to-odd-bytes": b"HTTP/1.1 302 X\r\nLocation: http://h\xff/a.png\r\nContent-Length: 0\r\n\r\n",
    "/odd-type": answer(b"", 200).replace(b"image/png", b"te\xffxt"),
    "/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
}


@contextlib.contextmanager
def wild() -> Iterator[Wild]:
    server = Wild()
    try:
        yield server
    finally:
        server.close()
