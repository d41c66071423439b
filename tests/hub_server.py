"""A small Hub of datasets on this machine: the endpoints that `datasets` and huggingface_hub ask, for one
dataset of one Parquet file."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable

from serving import Answering, Serving

FILE = "data/train-00000-of-00001.parquet"
COMMIT = "1f0e5c1d2b3a49586776859493a2b1c0d1e2f304"


class Hub(Serving):
    """Serves one dataset while entered. `asked`: requests by kind; `trouble`: called before each, answers
    (status, headers) instead or None; `cuts`: so many answers with a range of the file break off in the
    middle."""

    def __init__(self, name: str, file: bytes) -> None:
        super().__init__(_Endpoint)
        self.dataset = name
        self.file = file
        self.asked: Counter[str] = Counter()
        self.tokens: set[str] = set()
        self.trouble: Callable[[str], tuple[int, dict[str, str]] | None] = lambda _: None
        self.cuts = 0


class _Endpoint(Answering):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind = "file" if "/resolve/" in path else "api"
        self.server.asked[kind] += 1
        self.server.tokens.add(self.headers.get("Authorization", ""))
        if trouble := self.server.trouble(path):
            self.send(trouble[0], b"{}", *trouble[1].items())
        elif self.server.dataset not in path:
            self.send(404, b"{}", ("X-Error-Code", "RepoNotFound"))
        elif path.endswith(".parquet") and kind == "file":
            self._file()
        elif kind == "file":
            self.send(404, b"", ("X-Error-Code", "EntryNotFound"))
        elif "/tree/" in path or "/paths-info/" in path:
            oid, size = hashlib.sha1(self.server.file).hexdigest(), len(self.server.file)
            folder = (
                []
                if path.endswith("/data")
                else [{"type": "directory", "path": "data", "size": 0, "oid": oid}]
            )
            inside = "recursive=true" in self.path.lower() or path.endswith("/data") or "/paths-info/" in path
            self._json(
                [*folder, *([{"type": "file", "path": FILE, "size": size, "oid": oid}] if inside else [])]
            )
        elif re.search(rf"/revision/|/datasets/{self.server.dataset}$", path):
            siblings = [{"rfilename": FILE}]
            self._json(
                {
                    "id": self.server.dataset,
                    "sha": COMMIT,
                    "private": False,
                    "gated": False,
                    "siblings": siblings,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
            )
        else:
            self.send(404, b"{}")

    def do_POST(self) -> None:
        self.do_GET()

    def _file(self) -> None:
        data = self.server.file
        headers = [
            ("ETag", f'"{hashlib.sha1(data).hexdigest()}"'),
            ("X-Repo-Commit", COMMIT),
            ("Accept-Ranges", "bytes"),
        ]
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, stop = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
            if self.server.cuts and start:
                self.server.cuts -= 1
                self.send(206, data[start : (start + stop) // 2], *headers, size=stop + 1 - start)
                self.close_connection = True
                return
            self.send(
                206, data[start : stop + 1], *headers, ("Content-Range", f"bytes {start}-{stop}/{len(data)}")
            )
        else:
            self.send(200, data, *headers)

    def _json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), ("Content-Type", "application/json"))
