"""A small Hub of models on this machine: what huggingface_hub asks to make a repository, to upload a folder in one commit, to read it back."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from hub_server import Serving

COMMIT = "2f0e5c1d2b3a49586776859493a2b1c0d1e2f304"


class ModelHub(Serving):
    """Serves while entered. repos: name -> {"private", "files"}; asked: requests by method and kind; tokens: those shown; trouble: called before each
    request with method and path, answers a status instead or None."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Endpoint)
        self.repos: dict[str, dict[str, Any]] = {}
        self.large: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.tokens: set[str] = set()
        self.trouble: Callable[[str, str], int | None] = lambda *_: None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def logged_in(self, home: Path, token: str) -> dict[str, str]:
        """The environment of somebody who has a token of this Hub."""
        return {**self.variables(home), "HF_TOKEN": token}


class _Endpoint(BaseHTTPRequestHandler):
    server: ModelHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_PUT(self) -> None:
        self.do_POST()

    def _answer(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        self.server.tokens.add(self.headers.get("Authorization", ""))
        kind = next((word for word in ("create", "preupload", "batch", "lfs", "commit", "resolve", "tree") if f"/{word}" in path), "api")
        self.server.asked[f"{self.command} {kind}"] += 1
        if (status := self.server.trouble(self.command, path)) is not None:
            self._json({"error": "trouble"}, status)
        elif kind == "create":
            self._create(json.loads(body))
        elif kind == "preupload":
            modes = [(file["path"], "lfs" if file["path"].endswith(".safetensors") else "regular") for file in json.loads(body)["files"]]
            self._json({"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes]})
        elif kind == "batch":
            wanted = json.loads(body)["objects"]
            hrefs = [{**item, "actions": {"upload": {"href": f"{self.server.address}/lfs/{item['oid']}", "header": {}}}} for item in wanted]
            self._json({"transfer": "basic", "objects": hrefs})
        elif kind == "lfs":
            self.server.large[path.rpartition("/")[2]] = body
            self._json({})
        elif "validate-yaml" in path:
            self._json({})
        else:
            self._of_a_repository(kind, path, body)

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        known = name in self.server.repos
        if not known:
            self.server.repos[name] = {"private": wanted.get("visibility") == "private", "files": {}}
        self._json({"url": f"{self.server.address}/{name}", "id": name}, 409 if known else 200)

    def _of_a_repository(self, kind: str, path: str, body: bytes) -> None:
        name = next((name for name in self.server.repos if f"/{name}" in path), None)
        if name is None:
            self._send(404, b"{}", ("X-Error-Code", "RepoNotFound"))
            return
        files = self.server.repos[name]["files"]
        if kind == "commit":
            self._commit(name, body)
        elif kind == "resolve":
            wanted = re.sub(rf"^/{name}/resolve/[^/]+/", "", path)
            data = files.get(wanted)
            if data is None:
                self._send(404, b"", ("X-Error-Code", "EntryNotFound"))
            else:
                self._send(200, data, ("ETag", f'"{hashlib.sha1(data).hexdigest()}"'), ("X-Repo-Commit", COMMIT))
        elif kind == "tree":
            self._json(
                [{"type": "file", "path": at, "size": len(data), "oid": hashlib.sha1(data).hexdigest()} for at, data in files.items()]
            )
        else:
            private = self.server.repos[name]["private"]
            siblings = [{"rfilename": at} for at in files]
            self._json(
                {
                    "id": name,
                    "sha": COMMIT,
                    "private": private,
                    "gated": False,
                    "siblings": siblings,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
            )

    def _commit(self, name: str, body: bytes) -> None:
        files = dict(self.server.repos[name]["files"])
        for entry in map(json.loads, body.splitlines()):
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        self.server.repos[name]["files"] = files
        self._json({"commitUrl": f"{self.server.address}/{name}/commit/{COMMIT}", "commitOid": COMMIT, "pullRequestUrl": None})

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), ("Content-Type", "application/json"))

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
