"""The journal: every exchange with a server word for word, one line each, for `leaf explain` only.

    <cache>/exchanges-<random>.jsonl
        {"key", "purpose", "model", "at", "state", "detail", "sent", "tries", "paid"}

    sent    body of the last try (repair turns and schema included), each image by the sha256 of its bytes
    tries   for every try: seconds since the first, the raw text received (null if none), why it was rejected

The answer cache stores only good answers, and no questions. The journal also stores answers that were
rejected: a user who finds a document dropped as `answer_unparsed` wants to see those. Chosen over rebuilding
the question from the recipe, which would show what the current code and prompt would ask, not what was asked.
Cost: about 4 KB an exchange (a document's text, once for each question) and 0.1 ms of CPU. The files may be
deleted at any time; only `leaf explain` reads them. No header is written, so no key is. Keys that a server
echoes are removed before they reach the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from leafinstruct.llm import lines
from leafinstruct.llm.cache import JOURNAL, paid_row
from leafinstruct.llm.request import Answer, Request


class Try(TypedDict):
    """One request. seconds: since the first. text: the raw answer, None if there was none. fault: why it was
    rejected, empty for the answer that was taken."""

    seconds: float
    text: str | None
    fault: str


class Journal:
    """This process's file of the journal in a folder of answers."""

    def __init__(self, folder: Path) -> None:
        self._own = lines.Appender(folder, JOURNAL)

    def put(self, request: Request, answer: Answer, sent: Mapping[str, object], tries: Sequence[Try]) -> None:
        """Append one exchange that ended in an answer, good or bad. Raises SourceError if it cannot be
        written to disk."""
        entry = {
            "purpose": request.purpose,
            "model": answer.model,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "state": answer.state,
            "detail": answer.detail,
            "sent": sent,
            "tries": tries,
            "paid": None if answer.paid is None else paid_row(answer.paid),
        }
        self._own.append(answer.key, entry)

    def close(self) -> None:
        self._own.close()


def exchanges(folder: Path, key: str) -> Iterator[dict[str, object]]:
    """Yield all exchanges about one question, of all runs that share the folder, in no particular order.
    Raises SourceError for an unreadable folder."""
    return lines.find(folder, JOURNAL, key)
