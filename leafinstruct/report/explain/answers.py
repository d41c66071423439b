"""Questions to a language model about a record: the prompt as sent, the answer as received, the cost.

    key, model, state, detail   of the answer that the stage used
    paid                        requests, tokens and dollars of the answer; null if not recorded
    answers                     from the cache, by key: raw `text`, parsed `value`
    exchanges                   from the journal (llm/journal.py): `sent` with images by sha256, and every try
                                with its raw text

`exchanges` is empty for offline answerers, which send nothing, for deleted journals, and for caches that are
older than journals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leafinstruct.llm import journal
from leafinstruct.llm.cache import stored
from leafinstruct.records.asked import COSTS, summed
from leafinstruct.records.files.lookup import one_of, values_where
from leafinstruct.runtime.artifact import Artifact

Asked = dict[str, Any]
"""One question, with the keys of the module's docstring."""
_ANSWER = ("key", "model", "state", "detail")


def rounds(stage: Artifact, part: str, document: str, folder: Path) -> list[Asked]:
    """The questions of rewrite about one document, each with its example, round and purpose, in their order.
    folder: of the answer cache."""
    path, names = stage.file("asked", part), ("example", "round", "purpose")
    found = values_where(path, "document_id", one_of({document}), *names, *_ANSWER, *COSTS)
    return [{**dict(zip(names, row, strict=False)), **_question(folder, row[len(names) :])} for row in found]


def asked(stage: Artifact, part: str, document: str, folder: Path) -> list[Asked]:
    """The questions of filter about one document: of several judges and samples, several. folder: of the
    answer cache."""
    path = stage.file("asked", part)
    found = values_where(path, "document_id", one_of({document}), *_ANSWER, *COSTS)
    return [_question(folder, row) for row in found]


def _question(folder: Path, row: Sequence[Any]) -> Asked:
    """A question with its answer and exchanges. row: the columns _ANSWER, then COSTS."""
    key, costs = row[0], dict(zip(COSTS, row[len(_ANSWER) :], strict=True))
    exchanges = sorted(journal.exchanges(folder, key), key=lambda entry: str(entry["at"]))
    return {
        **dict(zip(_ANSWER, row, strict=False)),
        "paid": None if costs["requests"] is None else costs,
        "answers": [{"text": answer.text, "value": answer.value} for answer in stored(folder, key)],
        "exchanges": [{name: value for name, value in entry.items() if name != "key"} for entry in exchanges],
    }


def cost(questions: Sequence[Asked]) -> dict[str, Any]:
    """Sum of the costs. `dollars` is None if the price of a question is unknown; an unsent one costs 0."""
    whole = summed([question["paid"] or dict.fromkeys(COSTS) for question in questions])
    return {name: value for name, value in whole.items() if name in COSTS}
