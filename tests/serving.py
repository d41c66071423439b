"""What the HTTP servers of the tests share: a thread while entered, answers without delay, no log."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Serving(ThreadingHTTPServer):
    """Serves 127.0.0.1 in a thread while entered."""

    daemon_threads = True

    def __init__(self, handler: type[Answering]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def __enter__(self) -> Self:
        # a short poll: `shutdown` waits for its end
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed, or that does not like the certificate, ends its connection."""

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.name}"

    def variables(self, home: Any) -> dict[str, str]:
        """The environment in which the Hub is this server."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }


class Answering(BaseHTTPRequestHandler):
    """Keeps connections open, and sends an answer at once: head and body are two packets, and without this
    option the second waits 40 ms for the client's word that it has the first."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def send(self, status: int, body: bytes, *headers: tuple[str, str], size: int | None = None) -> None:
        """An answer with its length. size: the length that its head states, if another."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No line for each request."""
