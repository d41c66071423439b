"""An S3 server of its own package (moto) for the tests: one request at a time, with faults in front of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Self
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from leafinstruct.runtime.store import bucket, opened

Answer = Callable[..., Any]
Fault = Callable[[dict[str, Any], Answer], Iterable[bytes] | None]
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@cache
def _application() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """No line for each request."""


class S3:
    """A server while entered. requests: method, path and range of each request. fault: answers a request
    itself, or returns None to have it answered."""

    def __init__(self, monkeypatch: Any) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.fault: Fault | None = None
        self._app = _application()
        self._server = make_server("127.0.0.1", 0, self._answer, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        for name, value in {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        self.client = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        with urlopen(Request(f"{self.url}/moto-api/reset", method="POST")):
            self.requests.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Answer) -> Iterable[bytes]:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_RANGE", "")))
        answered = None if self.fault is None else self.fault(environ, start)
        return self.forward(environ, start) if answered is None else answered

    def forward(self, environ: dict[str, Any], start: Answer) -> Iterable[bytes]:
        found: Iterable[bytes] = self._app(environ, start)
        return found

    def bucket(self, name: str = "crawl") -> str:
        """Make an empty bucket, and return its URL."""
        self.client.create_bucket(Bucket=name)
        return f"s3://{name}"

    def put(self, key: str, data: bytes, bucket: str = "crawl") -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def upload(self, folder: Any, prefix: str = "", bucket: str = "crawl") -> None:
        """Put all files of a folder."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(f"{prefix}{file.relative_to(folder).as_posix()}", file.read_bytes(), bucket)

    def data(self, key: str, bucket: str = "crawl") -> bytes:
        body: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, bucket: str = "crawl") -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def refusing(status: str, code: str = "", times: int = 1_000_000, method: str = "") -> Fault:
    """Answer the next requests with an error."""
    left = [times]

    def fault(environ: dict[str, Any], start: Answer) -> Iterable[bytes] | None:
        if not left[0] or (method and environ["REQUEST_METHOD"] != method):
            return None
        left[0] -= 1
        environ["wsgi.input"].read(
            int(environ.get("CONTENT_LENGTH") or 0)
        )  # else the client waits to send it
        start(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code></Error>".encode() if code else b""]

    return fault


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, retries: int) -> Iterator[S3]:
    """A server with the bucket `crawl`, of which this process knows nothing before and after. retries: of the
    client, with pauses of a millisecond."""
    monkeypatch.setattr(bucket, "RETRIES", retries)
    monkeypatch.setattr(bucket, "FIRST_PAUSE", bucket.timedelta(milliseconds=1))
    opened.close()
    with S3(monkeypatch) as server:
        server.bucket()
        yield server
    opened.close()
