"""A small Hub of models and datasets on this machine: what huggingface_hub asks to make a repository, to
upload files, to commit, tag and read back.

Repositories have commits, branches and tags; large files lie in a storage of their own, which keeps what no
commit names yet.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from serving import Answering, Serving

ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
LARGE = (".safetensors", ".parquet")


@dataclass
class Repo:
    """commits: id -> files, in order; branches and tags: name -> id."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes]:
        """What main holds, but for what the Hub put there itself."""
        return {
            name: data
            for name, data in self.commits[self.branches["main"]].items()
            if name != ".gitattributes"
        }

    def commit(self, branch: str, files: dict[str, bytes], message: str = "by hand") -> str:
        identity = hashlib.sha1(f"{branch} {len(self.commits)} {message}".encode()).hexdigest()
        self.commits[identity] = files
        self.branches[branch] = identity
        self.messages.append(message)
        return identity

    def write(self, **files: bytes | None) -> str:
        """Somebody else commits to main; None deletes."""
        whole = {
            **self.commits[self.branches["main"]],
            **{name.replace("__", "."): data for name, data in files.items()},
        }
        return self.commit("main", {name: data for name, data in whole.items() if data is not None})

    def at(self, revision: str) -> str | None:
        return (
            self.branches.get(revision)
            or self.tags.get(revision)
            or (revision if revision in self.commits else None)
        )


class ReposHub(Serving):
    """Serves while entered. repos: name -> Repo; large: what was uploaded, by sha256; sent: bytes of large
    files that came, also of those cut off; asked: requests by method and kind; tokens: those shown;
    trouble: called before each request with method and path, answers a status, (status, headers), `cut`
    for a connection that ends in the middle, or None; after: called with the kind when a request was
    carried out."""

    def __init__(self) -> None:
        super().__init__(_Endpoint)
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.sent = 0
        self.asked: Counter[str] = Counter()
        self.tokens: set[str] = set()
        self.trouble: Callable[[str, str], Any] = lambda *_: None
        self.after: Callable[[str], Any] = lambda _: None

    def logged_in(self, home: Path, token: str) -> dict[str, str]:
        """The environment of somebody who has a token of this Hub."""
        return {**self.variables(home), "HF_TOKEN": token}

    def make(self, name: str, private: bool) -> Repo:
        self.repos[name] = Repo(private)
        self.repos[name].commit("main", {".gitattributes": ATTRIBUTES}, "initial commit")
        return self.repos[name]


class _Endpoint(Answering):
    server: ReposHub

    def do_GET(self) -> None:
        self._answer(b"", self.server.trouble(self.command, self.path.partition("?")[0]))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._answer(self._body(), self.server.trouble("POST", self.path.partition("?")[0]))

    def do_PUT(self) -> None:
        trouble = self.server.trouble("PUT", self.path.partition("?")[0])
        if trouble == "cut":
            self.server.asked["PUT lfs"] += 1
            self.server.sent += len(self.rfile.read(int(self.headers["Content-Length"]) // 2))
            self.close_connection = True
            return
        self._answer(self._body(), trouble)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes, trouble: Any) -> None:
        path = self.path.partition("?")[0]
        self.server.tokens.add(self.headers.get("Authorization", ""))
        words = (
            "create",
            "preupload",
            "batch",
            "verify",
            "lfs",
            "commit",
            "resolve",
            "tree",
            "refs",
            "tag",
            "branch",
            "paths-info",
        )
        kind = next((word for word in words if re.search(rf"/{word}(/|$)", path)), "api")
        self.server.asked[f"{self.command} {kind}"] += 1
        if trouble == "cut":
            self.close_connection = True
        elif trouble is not None:
            status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
            self.send(status, b'{"error": "trouble"}', *headers.items())
        elif kind == "create":
            self._create(json.loads(body))
        elif kind == "batch":
            self._batch(json.loads(body)["objects"])
        elif kind == "verify":
            self._json({}, 200 if json.loads(body)["oid"] in self.server.large else 404)
        elif kind == "lfs":
            self._store(path.rpartition("/")[2], body)
        elif "validate-yaml" in path:
            self._json({"errors": [], "warnings": []})
        elif "whoami" in path:
            self._json({"name": "me"})
        else:
            self._of_a_repository(kind, path, body)
        self.server.after(kind)

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        known = name in self.server.repos
        if not known:
            self.server.make(name, wanted.get("visibility") == "private")
        self._json({"url": f"{self.server.url}/{name}", "id": name}, 409 if known else 200)

    def _batch(self, wanted: list[dict[str, Any]]) -> None:
        def answer(item: dict[str, Any]) -> dict[str, Any]:
            if item["oid"] in self.server.large:
                return item
            upload = {
                "href": f"{self.server.url}/lfs/{item['oid']}?X-Amz-Signature=signed-secret",
                "header": {},
            }
            return {
                **item,
                "actions": {"upload": upload, "verify": {"href": f"{self.server.url}/verify", "header": {}}},
            }

        self._json({"transfer": "basic", "objects": [answer(item) for item in wanted]})

    def _store(self, oid: str, body: bytes) -> None:
        self.server.sent += len(body)
        whole = hashlib.sha256(body).hexdigest() == oid
        if whole:
            self.server.large[oid] = body
        self._json({}, 200 if whole else 400)

    def _of_a_repository(self, kind: str, path: str, body: bytes) -> None:
        name = next((name for name in self.server.repos if f"/{name}" in path), None)
        if name is None:
            self.send(404, b"{}", ("X-Error-Code", "RepoNotFound"))
            return
        repo = self.server.repos[name]
        if repo.private and not self.headers.get("Authorization"):
            # as for one that is not there
            self.send(401, b'{"error": "Invalid username or password."}', ("X-Error-Code", "RepoNotFound"))
            return
        match = re.search(
            rf"{name}/(?:resolve|tree|revision|commit|preupload|branch|tag|paths-info)/([^/]+)", path
        )
        revision = unquote(match[1]) if match else "main"
        if kind == "preupload":
            modes = [
                (file["path"], "lfs" if file["path"].endswith(LARGE) else "regular")
                for file in json.loads(body)["files"]
            ]
            self._json(
                {"files": [{"path": at, "uploadMode": mode, "shouldIgnore": False} for at, mode in modes]}
            )
        elif kind == "refs":
            refs = [
                [{"name": at, "ref": at, "targetCommit": commit} for at, commit in each.items()]
                for each in (repo.branches, repo.tags)
            ]
            self._json({"branches": refs[0], "tags": refs[1], "converts": []})
        elif kind == "branch":
            start = repo.at(json.loads(body or b"{}").get("startingPoint") or "main")
            repo.branches[revision] = start or repo.branches["main"]
            self._json({})
        elif (commit := repo.at(revision)) is None:
            self.send(404, b"{}", ("X-Error-Code", "RevisionNotFound"))
        elif kind == "tag":
            wanted = json.loads(body)["tag"]
            exists = wanted in repo.tags
            repo.tags.setdefault(wanted, commit)  # before the answer, after which a test looks
            self._json({}, 409 if exists else 200)
        elif kind == "commit":
            self._commit(repo, name, revision, body)
        elif kind == "resolve":
            self._file(repo, commit, unquote(path.split(f"/resolve/{match[1] if match else ''}/", 1)[1]))
        elif kind in ("tree", "paths-info"):
            folder = (
                unquote(path.split(f"/tree/{match[1] if match else ''}", 1)[-1]) if kind == "tree" else ""
            )
            asked = parse_qs(body.decode()).get("paths", []) if kind == "paths-info" else []
            self._json(
                [
                    _entry(at, data)
                    for at, data in repo.commits[commit].items()
                    if f"/{at}".startswith(f"{folder.rstrip('/')}/") and (not asked or at in asked)
                ]
            )
        else:
            facts = {
                "id": name,
                "sha": commit,
                "private": repo.private,
                "gated": False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
            }
            self._json({**facts, "siblings": [{"rfilename": at} for at in repo.commits[commit]]})

    def _file(self, repo: Repo, commit: str, at: str) -> None:
        data = repo.commits[commit].get(at)
        if data is None:
            self.send(404, b"", ("X-Error-Code", "EntryNotFound"), ("X-Repo-Commit", commit))
            return
        headers = [
            ("ETag", f'"{hashlib.sha1(data).hexdigest()}"'),
            ("X-Repo-Commit", commit),
            ("Accept-Ranges", "bytes"),
        ]
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, stop = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
            self.send(
                206, data[start : stop + 1], *headers, ("Content-Range", f"bytes {start}-{stop}/{len(data)}")
            )
        else:
            self.send(200, data, *headers)

    def _commit(self, repo: Repo, name: str, branch: str, body: bytes) -> None:
        entries = [json.loads(line) for line in body.splitlines()]
        parent = entries[0]["value"].get("parentCommit")
        if parent is not None and parent != repo.branches.get(branch):
            self._json({"error": "A commit has happened since. Please refresh and try again."}, 412)
            return
        files = dict(repo.commits[repo.branches[branch]])
        for entry in entries:
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        oid = repo.commit(branch, files, entries[0]["value"]["summary"])
        if self.server.trouble("ANSWER", self.path) == "cut":
            self.close_connection = True
            return
        self._json(
            {"commitUrl": f"{self.server.url}/{name}/commit/{oid}", "commitOid": oid, "pullRequestUrl": None}
        )

    def _json(self, value: object, status: int = 200) -> None:
        self.send(status, json.dumps(value).encode(), ("Content-Type", "application/json"))


def _entry(at: str, data: bytes) -> dict[str, Any]:
    entry = {
        "type": "file",
        "path": at,
        "size": len(data),
        "oid": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
    }
    if at.endswith(LARGE):
        entry |= {"lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}}
    return entry
