"""Answers that were paid for once, kept for ever: append-only files (lines.py) and an index in memory.

    <cache>/answers-<random>.jsonl       one per writer, one line per answer: {"key": ..., "model", "purpose", "text", "value", "paid"}

The index (key -> file, offset; about 250 bytes an answer) is rebuilt from the lines when first needed,
300,000 of them a second; only hits are parsed. Before that, every line is checked against its digest and
damaged ones are dropped; a hit is checked again when it is read. So an answer whose bytes changed is asked
for again, and `repaired` counts it. `paid` is what the answer took when it was given, so that a build which
finds it here still knows what it cost.

Only schema-valid answers come in. On the way out the client validates again, since schemas and checks change:
the stored `value`, else `text` parsed anew (a mended parser costs no money). So one key may stand in several
lines, and the first that holds is taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.llm import lines
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Paid, Request, SentImage
from leafinstruct.runtime import sealed
from leafinstruct.runtime.damage import Damage

STEM, JOURNAL = "answers", "exchanges"


@dataclass(frozen=True, slots=True)
class Stored:
    """One answer as it lies: the object, the raw text, and what it took (None in caches made before that was
    kept)."""

    value: dict[str, Any]
    text: str
    paid: Paid | None


def cache_key(config: LlmConfig, request: Request) -> str:
    """64 hex digits over everything that shapes an answer, and nothing else.

    In: the model (declared revision, else base_url + model; offline: the answerer's name), sampling and
    extra_body, messages with each image as its sha256, logical schema, sample index. Out: purpose, pace,
    timeouts, price, headers, and how the schema travels (json_schema or words).
    """
    model: dict[str, Any]
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


def _part(part: str | SentImage) -> str | list[str]:
    return [part.sha256, part.media_type] if isinstance(part, SentImage) else part


def stored(folder: Path, key: str) -> Iterator[Stored]:
    """Every answer under a key, for one look: without the index, which a whole run pays for. Raises
    SourceError for an unreadable folder."""
    for entry in lines.find(folder, STEM, key):
        if (held := _held(entry)) is not None:
            yield held


def verify(folder: Path) -> Iterator[Damage]:
    """Damaged answers and exchanges of a folder, which are dropped; none where there is no folder."""
    yield from lines.verify(folder, STEM, "what it answered is asked again by the `leaf build` that needs it")
    yield from lines.verify(folder, JOURNAL, "only `leaf explain` misses it")


def erase(
    folder: Path,
    keys: Set[str],
    kept: Set[str],
    quotes: Callable[[dict[str, Any]], bool],
    dry_run: bool = False,
) -> tuple[int, int]:
    """Overwrite answers and exchanges; returns how many of each. Raises OSError. No build may run meanwhile.

    keys: of questions about what is taken out; kept: of questions about documents that remain, never erased;
    quotes: whether an entry of another question, of an earlier recipe, holds text that is taken out.
    """

    def is_meant(entry: dict[str, Any]) -> bool:
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
    """One folder of answers, as one process sees it: what others write after the first look is seen after
    `refresh`."""

    def __init__(self, folder: Path) -> None:
        """folder: made with the first answer; need not exist."""
        self._folder = folder
        self._files: list[Path] = []
        # key -> (number of the file, offset in bytes), ...
        self._index: dict[bytes, tuple[tuple[int, int], ...]] | None = None
        # file -> size and offset of its last whole line at the last look
        self._seen: dict[Path, tuple[int, int]] = {}
        self._own = lines.Appender(folder, STEM)
        self.repaired = 0
        """Damaged entries that were dropped."""

    def get(self, key: str) -> Iterator[Stored]:
        """Every answer under the key, in a fixed order. Raises SourceError for an unreadable folder."""
        for number, offset in self._places().get(bytes.fromhex(key), ()):
            entry = self._read(self._files[number], offset, key)
            if entry is None:
                self.repaired += 1
            else:
                yield entry

    def put(
        self, key: str, model: str, purpose: str, value: dict[str, Any], text: str, paid: Paid | None = None
    ) -> None:
        """Appends one answer. Raises SourceError when the disk does not take it."""
        places = self._places()
        first = self._own.path is None
        entry = {
            "model": model,
            "purpose": purpose,
            "text": text,
            "value": value,
            "paid": None if paid is None else asdict(paid),
        }
        offset = self._own.append(key, entry)
        if first and self._own.path is not None:
            self._files.append(self._own.path)  # its number in the index is the last
        digest = bytes.fromhex(key)
        places[digest] = (*places.get(digest, ()), (len(self._files) - 1, offset))

    def refresh(self) -> None:
        """See what others stored since the last look, at the cost of reading the new lines. Raises
        SourceError for an unreadable folder."""
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
        """(key, (number, offset)) of each line from the last one that was seen."""
        size, last = path.stat().st_size, self._seen.get(path, (0, 0))[1]
        for digest, offset in lines.scan(path, last):
            last = offset
            yield digest, (number, offset)
        self._seen[path] = size, last

    def close(self) -> None:
        self._own.close()

    def _places(self) -> dict[bytes, tuple[tuple[int, int], ...]]:
        """The index, built from the files, in order of their names, when first needed."""
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
        """The entry at the offset, or None for a line that is not what it was when it was indexed."""
        try:
            entry = lines.at(path, offset)
        except OSError:
            return None  # asked again: a cache that lost a line is a smaller cache, not a broken run
        return _held(entry) if entry is not None and entry.get("key") == key else None


def _held(entry: Any) -> Stored | None:
    """A line as an answer, None when it is none."""
    try:
        paid = None if entry.get("paid") is None else Paid(**entry["paid"])
        held = Stored(entry["value"], entry["text"], paid)
    except (KeyError, TypeError, AttributeError):
        return None
    return held if isinstance(held.value, dict) and isinstance(held.text, str) else None
