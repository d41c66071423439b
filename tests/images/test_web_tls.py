"""Certificates: a bad one is a verdict only beside a good one; otherwise the local clock or a proxy may be
the cause. Real servers, real handshakes."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from images.web_server import IMAGE
from serving import Answering, Serving

FETCH = """
import asyncio, json, sys
from pathlib import Path
from leafinstruct.images.config import FetchConfig
from leafinstruct.images.web.client import Web
from leafinstruct.images.web.store import Store
async def run():
    config = FetchConfig(contact="a@b.org", retries=0, robots=False, opt_out=False, allow_hosts=("localhost", "127.0.0.1"))
    web = Web(config, Store(Path(sys.argv[1])))
    found = [await web.fetch(url) for url in sys.argv[2:]]
    await web.close()
    print(json.dumps([[item.state, item.reason] for item in found]))
asyncio.run(run())
"""  # noqa: E501


class _Answer(Answering):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.send(200, IMAGE, ("Content-Type", "image/png"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def roots(authority, tmp_path_factory) -> Path:
    """What a system that trusts the authority has."""
    path = tmp_path_factory.mktemp("tls") / "roots.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def port(authority) -> Iterator[int]:
    server = Serving(_Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with server:
        yield server.server_address[1]


def fetched(folder: Path, urls: list[str], roots: Path | None) -> list[list[str]]:
    """Outcomes in turn, in a process of its own, whose system trusts these roots, or the usual ones."""
    environment = {"SSL_CERT_FILE": str(roots)} if roots is not None else {}
    command = [sys.executable, "-W", "error", "-c", FETCH, str(folder), *urls]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_a_bad_certificate_is_a_verdict_only_after_a_good_one(port, roots, tmp_path):
    # the certificate is not for the number
    good, bad = f"https://localhost:{port}/a.png", f"https://127.0.0.1:{port}/a.png"
    assert fetched(tmp_path / "a", [good], None) == [["failed", "bad_certificate"]]
    assert fetched(tmp_path / "b", [bad, good, bad], roots) == [
        ["failed", "bad_certificate"],
        ["ok", ""],
        ["ok", "bad_certificate"],
    ]


def test_a_handshake_that_breaks_may_pass(roots, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def slam() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 this is no TLS\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=slam, daemon=True)
        thread.start()
        assert fetched(tmp_path, [f"https://127.0.0.1:{server.getsockname()[1]}/a.png"], roots) == [
            ["failed", "connection"]
        ]
        thread.join()
