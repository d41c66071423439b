"""What was said between us and a server, word for word: one line an exchange, for `leaf explain`. Nobody else
reads it.

    <cache>/exchanges-<random>.jsonl     {"key", "purpose", "model", "at", "state", "detail", "sent", "tries", "paid"}

    sent    the body of the last try as it went out (repair turns and schema included), each image by the sha256 of the bytes sent
    tries   of every try: seconds since the first, the raw text that came back (null when nothing did), what was said against it

The answer cache holds good answers alone, and no question; here stand also answers that were given up on,
which is what a person asks about who finds a document dropped as `answer_unparsed`. Rebuilding the question
from the recipe was refused: it would show what today's code and prompt would ask, not what was asked. Cost:
about 4 KB an exchange (a document's text, once for each question), 0.1 ms of CPU; the files may be deleted at
any time, and only `leaf explain` will miss them. No header is written, so no key is; what a server quotes of
our key is scrubbed before it comes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leafinstruct.llm import lines
from leafinstruct.llm.cache import JOURNAL
from leafinstruct.llm.request import Answer, Request


class Journal:
    """This process's part of the journal in a folder of answers."""

    def __init__(self, folder: Path) -> None:
        self._own = lines.Appender(folder, JOURNAL)

    def put(
        self, request: Request, answer: Answer, sent: Mapping[str, Any], tries: Sequence[Mapping[str, Any]]
    ) -> None:
        """One exchange that ended in an answer, good or bad. Raises SourceError when the disk does not take
        it."""
        entry = {
            "purpose": request.purpose,
            "model": answer.model,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "state": answer.state,
            "detail": answer.detail,
            "sent": sent,
            "tries": tries,
            "paid": None if answer.paid is None else asdict(answer.paid),
        }
        self._own.append(answer.key, entry)

    def close(self) -> None:
        self._own.close()


def exchanges(folder: Path, key: str) -> Iterator[dict[str, Any]]:
    """All exchanges about one question, of all runs that share the folder, in no order of time. Raises
    SourceError for an unreadable folder."""
    return lines.find(folder, JOURNAL, key)
