"""What a language model was asked about a record and what it said: the question as it went out, the answer as
it came, what it took.

    key, model, state, detail      of the answer, as the stage took it
    paid                           requests, tokens, dollars when it was given; null where that was not kept
    answers                        what the cache holds under the key: raw `text`, `value` as understood
    exchanges                      what the journal holds (llm/journal.py): `sent` with images by sha256, every try with its raw text

Offline answerers send nothing, so they have no exchange. Journals may be deleted, and caches older than they
have none: then `exchanges` is empty and the answer stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leafinstruct.llm import journal
from leafinstruct.llm.cache import stored
from leafinstruct.records.asked import COSTS, summed
from leafinstruct.records.files.lookup import one_of, rows_where
from leafinstruct.runtime.artifact import Artifact


def asked(stage: Artifact, part: str, document: str, folder: Path) -> dict[str, Any] | None:
    """The question of one stage about one document, None when there was none. folder: of the answer cache."""
    for _, row in rows_where(stage.file("asked", part), "document_id", one_of({document})):
        exchanges = sorted(journal.exchanges(folder, row["key"]), key=lambda entry: str(entry["at"]))
        return {
            **{name: row[name] for name in ("key", "model", "state", "detail")},
            "paid": None if row["requests"] is None else {name: row[name] for name in COSTS},
            "answers": [{"text": held.text, "value": held.value} for held in stored(folder, row["key"])],
            "exchanges": [
                {name: value for name, value in entry.items() if name != "key"} for entry in exchanges
            ],
        }
    return None


def cost(questions: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    """The sum; dollars None as soon as one is not known. A question that never went out costs nothing."""
    whole = summed(
        [question["paid"] or dict.fromkeys(COSTS) for question in questions if question is not None]
    )
    return {name: whole[name] for name in COSTS}
