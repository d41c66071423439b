"""The answer cache: answers that were paid for once are kept in append-only files (lines.py), with an index
in memory.

    <cache>/answers-<random>.jsonl   one file per writer, one line per answer:
                                     {"key": ..., "model", "purpose", "text", "value", "paid"}

The index (key -> file and offset, about 250 bytes an answer) is built from the lines when it is first needed,
300,000 lines a second; only hits are parsed. Before that, every line is checked against its digest, and
damaged lines are dropped. A hit is checked again when it is read. An answer whose bytes changed is therefore
asked for again and counted in `repaired`. `paid` is the cost at the time of the answer, so that a build which
finds it here can still report it.

Only schema-valid answers are stored. The client validates again when it reads, because schemas and checks
change: it parses `text` again, so a better parser costs no money. One key can occur in several lines; the
first valid one is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.llm import lines
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Paid, Request, SentImage
from leafinstruct.runtime import sealed
from leafinstruct.runtime.files import Damage

STEM, JOURNAL = "answers", "exchanges"


@dataclass(frozen=True, slots=True)
class Stored:
    """One cached answer: the object, the raw text, and the cost (None in caches written before it was
    recorded)."""

    value: Mapping[str, object]
    text: str
    paid: Paid | None


def cache_key(config: LlmConfig, request: Request) -> str:
    """Return 64 hex digits over everything that shapes an answer, and nothing else.

    Included: the model (declared revision, else base_url + model; offline: the answerer's name), sampling and
    extra_body, messages with each image as its sha256, logical schema, sample index. Not included: purpose,
    pace, timeouts, price, headers, and how the schema is sent (json_schema or words).
    """
    model: dict[str, object]
    if config.provider == "offline":
        model = {"offline": request.offline_name}
    else:
        who = (
            {"revision": config.revision}
            if config.revision
            else {"base_url": config.base_url, "model": config.model}
        )
        model = {**who, **config.sampling}
    question = {
        "model": model,
        "messages": [[message.role, *map(_part, message.parts)] for message in request.messages],
        "schema": request.schema,
        "sample": request.sample,
    }
    return hashlib.sha256(
        json.dumps(question, sort_keys=True, separators=(",", ":")).encode("ascii")
    ).hexdigest()


def paid_row(paid: Paid) -> dict[str, int | float | bool | None]:
    """Return the fields by name; dataclasses.asdict takes ten times as long."""
    return {name: getattr(paid, name) for name in Paid.__slots__}


def _part(part: str | SentImage) -> str | list[str]:
    return [part.sha256, part.media_type] if isinstance(part, SentImage) else part


def stored(folder: Path, key: str) -> Iterator[Stored]:
    """Yield every answer under one key, without building the index. Raises SourceError for an unreadable
    folder."""
    for entry in lines.find(folder, STEM, key):
        if (cached := _cached(entry)) is not None:
            yield cached


def verify(folder: Path) -> Iterator[Damage]:
    """Find and drop the damaged answers and exchanges of a folder; yields nothing if the folder does not
    exist."""
    yield from lines.verify(folder, STEM, "the next `leaf build` that needs the answer asks again")
    yield from lines.verify(folder, JOURNAL, "only `leaf explain` uses it")


def erase(
    folder: Path,
    keys: Set[str],
    kept: Set[str],
    quotes: Callable[[dict[str, object]], bool],
    dry_run: bool = False,
) -> tuple[int, int]:
    """Overwrite answers and exchanges; return how many of each. No build may run meanwhile. Raises OSError.

    keys: of questions about the removed documents.
    kept: of questions about documents that remain; these are never erased.
    quotes: whether an entry of any other question (of an earlier recipe) contains text that is removed.
    """

    def is_meant(entry: dict[str, object]) -> bool:
        key = entry.get("key")
        return key in keys or key in orphans or (key not in kept and quotes(entry))

    orphans: set[str] = set()
    for path in lines.files(folder, JOURNAL):
        for _, line in sealed.lines(path):
            entry = sealed.unsealed_or_opened(line or b"")
            if entry is not None and is_meant(entry):
                orphans.add(str(entry.get("key")))
    answers = sum(sealed.erase(path, is_meant, dry_run) for path in lines.files(folder, STEM))
    return answers, sum(sealed.erase(path, is_meant, dry_run) for path in lines.files(folder, JOURNAL))


class AnswerCache:
    """One folder of answers, as one process sees it. Answers of other processes become visible with
    `refresh`."""

    def __init__(self, folder: Path) -> None:
        """folder: need not exist; created with the first answer."""
        self._folder = folder
        self._files: list[Path] = []
        # key -> (number of the file, offset in bytes), ...
        self._index: dict[bytes, tuple[tuple[int, int], ...]] | None = None
        # file -> its size, and the offset of its last whole line, when it was last read
        self._seen: dict[Path, tuple[int, int]] = {}
        self._own = lines.Appender(folder, STEM)
        self.repaired = 0
        """Damaged entries that were dropped."""

    def get(self, key: str) -> Iterator[Stored]:
        """Yield every answer under the key, in a fixed order. Raises SourceError for an unreadable folder."""
        for number, offset in self._places().get(bytes.fromhex(key), ()):
            entry = self._read(self._files[number], offset, key)
            if entry is None:
                self.repaired += 1
            else:
                yield entry

    def put(
        self,
        key: str,
        model: str,
        purpose: str,
        value: Mapping[str, object],
        text: str,
        paid: Paid | None = None,
    ) -> None:
        """Append one answer. Raises SourceError if it cannot be written to disk."""
        places = self._places()
        first = self._own.path is None
        entry = {
            "model": model,
            "purpose": purpose,
            "text": text,
            "value": value,
            "paid": None if paid is None else paid_row(paid),
        }
        offset = self._own.append(key, entry)
        if first and self._own.path is not None:
            self._files.append(self._own.path)  # the last number of the index
        digest = bytes.fromhex(key)
        places[digest] = (*places.get(digest, ()), (len(self._files) - 1, offset))

    def refresh(self) -> None:
        """Read the lines that others stored since the last call. Raises SourceError for an unreadable
        folder."""
        index = self._places()
        numbers = {path: number for number, path in enumerate(self._files)}
        try:
            for path in lines.files(self._folder, STEM):
                if path == self._own.path or path.stat().st_size == self._seen.get(path, (0, 0))[0]:
                    continue
                number = numbers.setdefault(path, len(self._files))
                if number == len(self._files):
                    self._files.append(path)
                for digest, place in self._scan(path, number):
                    if place not in index.get(digest, ()):
                        index[digest] = (*index.get(digest, ()), place)
        except OSError as error:
            raise SourceError(
                f"{error.filename}: the answer cache cannot be read: {error.strerror}."
            ) from error

    def _scan(self, path: Path, number: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Yield (key, (number, offset)) of each line from the last known one on."""
        size, last = path.stat().st_size, self._seen.get(path, (0, 0))[1]
        for digest, offset in lines.scan(path, last):
            last = offset
            yield digest, (number, offset)
        self._seen[path] = size, last

    def close(self) -> None:
        self._own.close()

    def _places(self) -> dict[bytes, tuple[tuple[int, int], ...]]:
        """The index, built when first needed from the files in order of their names."""
        if self._index is None:
            index: dict[bytes, tuple[tuple[int, int], ...]] = {}
            try:
                self.repaired += sum(lines.mend(self._folder, stem) for stem in (STEM, JOURNAL))
                self._files = lines.files(self._folder, STEM)
                for number, path in enumerate(self._files):
                    for digest, place in self._scan(path, number):
                        index[digest] = (*index.get(digest, ()), place)
            except OSError as error:
                raise SourceError(
                    f"{error.filename}: the answer cache cannot be read: {error.strerror}."
                ) from error
            self._index = index
        return self._index

    @staticmethod
    def _read(path: Path, offset: int, key: str) -> Stored | None:
        """Return the entry at the offset, None if the line changed since it was indexed."""
        try:
            entry = lines.at(path, offset)
        except OSError:
            return None  # the question is asked again
        return _cached(entry) if entry is not None and entry.get("key") == key else None


def _cached(entry: Any) -> Stored | None:
    try:
        paid = None if entry.get("paid") is None else Paid(**entry["paid"])
        cached = Stored(entry["value"], entry["text"], paid)
    except (KeyError, TypeError, AttributeError):
        return None
    return cached if isinstance(cached.value, dict) and isinstance(cached.text, str) else None
