"""Read the same sources from a disk and from a local S3 server: CPU of the reader per document, and requests.

    python benchmarks/buckets.py FOLDER     FOLDER has web.warc.gz and obelics/*.parquet

The server (moto, one request at a time) is another process, and its CPU is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import boto3
import obstore

import leafinstruct
from leafinstruct.images.read import fetch
from leafinstruct.runtime.store import opened

SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
import sys
sys.stdin.read()
"""
SOURCES = {"warc": "web.warc.gz", "obelics": "obelics/*.parquet"}
ROUNDS = 5


def main(folder: Path) -> None:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
        }
        client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        client.create_bucket(Bucket="crawl")
        beside = [path for path in (folder / "obelics").rglob("*") if path.is_file()]
        for file in (folder / "web.warc.gz", *beside):
            client.upload_file(str(file), "crawl", file.relative_to(folder).as_posix())
        for kind, path in SOURCES.items():
            for place in (str(folder), "s3://crawl"):
                print(kind, "disk " if place == str(folder) else "S3   ", _read(kind, f"{place}/{path}"))
        server.stdin.close()


def _read(kind: str, path: str) -> str:
    """Read a source ROUNDS times, once more before for what is loaded first; describe the cost."""
    best, documents, images = 0.0, 0, 0
    for attempt in range(ROUNDS + 1):
        opened.close()
        asked = _counting()
        began = time.process_time()
        reading = leafinstruct.read({"kind": kind, "path": path})
        read = list(reading)
        refs = [image.ref for document in read for image in document.images if image.ref.file]
        assert all(isinstance(fetch(ref, reading.roots[kind]), bytes) for ref in refs)
        spent = time.process_time() - began
        if attempt:
            best = min(best or spent, spent)
        documents, images = len(read), len(refs)
    return (
        f"{documents} documents, {images} images, {1e3 * best / documents:.2f} ms of CPU a document, "
        f"requests: {dict(asked) or 'none'}"
    )


def _counting() -> Counter[str]:
    """Count the requests from now on."""
    asked: Counter[str] = Counter()
    for name in ("get", "head", "list"):
        real = getattr(obstore, name)
        real = getattr(real, "__wrapped__", real)

        def counted(*given: object, _real: object = real, _name: str = name, **more: object) -> object:
            asked[_name] += 1
            return _real(*given, **more)  # type: ignore[operator]

        counted.__wrapped__ = real  # type: ignore[attr-defined]
        setattr(obstore, name, counted)
    return asked


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
