"""Answers that were paid for once, kept for ever: append-only files and an index in memory.

    <cache>/answers-<pid>-<random>.jsonl       one per writer, one line per answer: {"key": ..., "model", "purpose", "text", "value"}

Each writer appends whole lines to a file of its own, so any number of processes share a folder without a lock, on any file system. A line
goes out in one write, so a killed process loses at most its last one; a line without its newline is ignored. The index (key -> file,
offset; about 250 bytes an answer) is rebuilt from the lines when first needed, 300,000 of them a second; only hits are read and parsed.

Only schema-valid answers come in. On the way out the client validates again, since schemas and checks change: the stored `value`, else
`text` parsed anew (a mended parser costs no money). So one key may stand in several lines, and the first that holds is taken.

SQLite was refused (locks on network file systems, one writer at a time), and so was a file per answer (a million inodes).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Picture, Request

_LINE = re.compile(rb'\{"key":"([0-9a-f]{64})",.*\}\n', re.DOTALL)


def cache_key(config: LlmConfig, request: Request) -> str:
    """64 hex digits over everything that shapes an answer, and nothing else.

    In: the model (declared revision, else base_url + model; offline: the answerer's name), sampling parameters, messages with each picture
    as its sha256, logical schema, sample index. Out: purpose, pace, timeouts, price, and how the schema travels (json_schema or words).
    """
    model: dict[str, Any]
    if config.provider == "offline":
        model = {"offline": request.offline_name}
    else:
        who = {"revision": config.revision} if config.revision else {"base_url": config.base_url, "model": config.model}
        model = {**who, "temperature": config.temperature, "max_tokens": config.max_tokens}
    question = {
        "model": model,
        "messages": [[message.role, *map(_part, message.parts)] for message in request.messages],
        "schema": request.schema,
        "sample": request.sample,
    }
    return hashlib.sha256(json.dumps(question, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def _part(part: str | Picture) -> str | list[str]:
    return [part.sha256, part.media_type] if isinstance(part, Picture) else part


class AnswerCache:
    """One folder of answers, as one process sees it: what others write after the first look is seen by the next process."""

    def __init__(self, folder: Path) -> None:
        """folder: made with the first answer; need not exist."""
        self._folder = folder
        self._files: list[Path] = []
        self._index: dict[bytes, tuple[tuple[int, int], ...]] | None = None  # key -> (number of the file, offset in bytes), ...
        self._own: FileIO | None = None

    def get(self, key: str) -> Iterator[tuple[dict[str, Any], str]]:
        """(value, raw text) of every answer under the key, in a fixed order. Raises SourceError for an unreadable folder."""
        for number, offset in self._places().get(bytes.fromhex(key), ()):
            entry = self._read(self._files[number], offset)
            if entry is not None:
                yield entry["value"], entry["text"]

    def put(self, key: str, model: str, purpose: str, value: dict[str, Any], text: str) -> None:
        """Appends one answer. Raises SourceError when the disk does not take it."""
        entry = {"key": key, "model": model, "purpose": purpose, "text": text, "value": value}
        line = json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"
        places = self._places()
        try:
            if self._own is None:
                self._own = self._open()
            offset = self._own.tell()
            _write(self._own, line)
        except OSError as error:
            raise SourceError(f"{self._folder}: an answer cannot be stored: {error.strerror}. Free some space and run again.") from error
        digest = bytes.fromhex(key)
        places[digest] = (*places.get(digest, ()), (len(self._files) - 1, offset))

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None

    def _open(self) -> FileIO:
        """A file of this writer alone; its number in the index is the last."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"answers-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._files.append(path)
        return FileIO(path, "xb")

    def _places(self) -> dict[bytes, tuple[tuple[int, int], ...]]:
        """The index, built from the files, in order of their names, when first needed."""
        if self._index is None:
            index: dict[bytes, tuple[tuple[int, int], ...]] = {}
            try:
                self._files = sorted(self._folder.glob("answers-*.jsonl"))
                for number, path in enumerate(self._files):
                    for digest, offset in _scan(path):
                        index[digest] = (*index.get(digest, ()), (number, offset))
            except OSError as error:
                raise SourceError(f"{error.filename}: the answer cache cannot be read: {error.strerror}.") from error
            self._index = index
        return self._index

    @staticmethod
    def _read(path: Path, offset: int) -> dict[str, Any] | None:
        """The entry at the offset, or None for a line that is not what it was when it was indexed."""
        try:
            with path.open("rb") as file:
                file.seek(offset)
                entry = json.loads(file.readline())
            return entry if isinstance(entry["value"], dict) and isinstance(entry["text"], str) else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None  # asked again: a cache that lost a line is a smaller cache, not a broken run


def _scan(path: Path) -> Iterator[tuple[bytes, int]]:
    """(key, offset) of each whole line."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if match := _LINE.fullmatch(line):
                yield bytes.fromhex(match[1].decode("ascii")), offset
            offset += len(line)


def _write(file: FileIO, line: bytes) -> None:
    """Unbuffered: after it returns the kernel has the line. A disk that fills up takes a part first and raises for the rest."""
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]
