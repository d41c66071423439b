"""CPU time of fetching images over local HTTP, against img2dataset: the same server and images, one run.

    python benchmarks/fetch.py FOLDER [--images 2000] [--peer PATH/bin/python]

A server in its own process serves the JPEGs of FOLDER, each under many URLs. CPU milliseconds an image are
user and system time of the fetching process. leafinstruct checks IP addresses, keeps bytes and a log with
their sha256. img2dataset is its download function as its downloader calls it, one of 32 threads an image,
without decoding or writing. Only leafinstruct reads robots.txt, once.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import subprocess
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from leafinstruct.images.config import FetchConfig
from leafinstruct.images.web.client import Web
from leafinstruct.images.web.store import Store

PEER = """
import sys, time
from multiprocessing.pool import ThreadPool
from img2dataset.downloader import download_image_with_retry
urls = [(n, line.strip()) for n, line in enumerate(open(sys.argv[1]))]
started, began = time.process_time(), time.perf_counter()
with ThreadPool(32) as pool:
    got = sum(stream is not None for _, stream, _ in pool.imap_unordered(
        lambda item: download_image_with_retry(item, timeout=10, retries=0, user_agent_token=None, disallowed_header_directives=[]), urls))
print(got, time.process_time() - started, time.perf_counter() - began)
"""  # noqa: E501


class Quiet(SimpleHTTPRequestHandler):
    """Serve the files of a folder for any query, over persistent connections."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def serve(folder: str, port: Any) -> None:
    """Serve until killed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    port.value = server.server_address[1]
    server.serve_forever()


async def fetched(urls: list[str], folder: Path, host: str) -> tuple[int, int]:
    """Return the number of images fetched, and the maximum number of threads."""
    web = Web(
        FetchConfig(contact="bench@example.org", allow_hosts=(host,), per_host=32, in_flight=2_000),
        Store(folder),
    )
    tasks = [asyncio.ensure_future(web.fetch(url)) for url in urls]
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, threading.active_count())
        await asyncio.sleep(0.05)
    await web.close()
    return sum(task.result().sha256 is not None for task in tasks), most


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--peer", type=Path)
    arguments = parser.parse_args()
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.get_context("fork").Process(
        target=serve, args=(str(arguments.folder), port), daemon=True
    )
    server.start()
    while not port.value:
        time.sleep(0.01)
    names = sorted(
        path.relative_to(arguments.folder).as_posix()
        for path in arguments.folder.rglob("*.jpg")
        if " " not in path.name
    )
    host = f"127.0.0.1:{port.value}"
    urls = [f"http://{host}/{names[index % len(names)]}?{index}" for index in range(arguments.images)]
    with tempfile.TemporaryDirectory() as folder:
        started, began = time.process_time(), time.perf_counter()
        got, threads = asyncio.run(fetched(urls, Path(folder) / "store", host))
        cpu, wall = time.process_time() - started, time.perf_counter() - began
        print(
            f"leafinstruct: {got} of {len(urls)} in {wall:.1f} s, {1000 * cpu / len(urls):.2f} ms "
            f"CPU an image, at most {threads} threads"
        )
        if arguments.peer is None:
            print("img2dataset: not given (--peer)")
            return
        listed = Path(folder) / "urls.txt"
        listed.write_text("\n".join(urls), encoding="utf-8")
        command = [str(arguments.peer), "-c", PEER, str(listed)]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    peer = float(words[1])
    print(
        f"img2dataset:  {words[0]} of {len(urls)} in {float(words[2]):.1f} s, "
        f"{1000 * peer / len(urls):.2f} ms CPU an image, 32 threads"
    )
    print(f"CPU an image: img2dataset needs {peer / cpu:.2f} times ours")


if __name__ == "__main__":
    main()
