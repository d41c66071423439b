"""What a language model was asked about each document, and its cost: filter/asked-*, rewrite/asked-*.

A row links a document to its answer in the cache and to its exchange in the journal (llm/). Answers from the
cache are listed with their original costs: reports give the cost of the dataset, not of the last command. As
in fetches-*, the rows depend on the moment, so no row of the dataset, digest or fingerprint contains them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from leafinstruct.records.table import Row, read
from leafinstruct.runtime.stage_report import Cost

ASKED = pa.schema(
    [
        *((name, pa.string()) for name in ("document_id", "key", "state", "model", "detail")),
        *((name, pa.int64()) for name in ("requests", "input_tokens", "output_tokens")),
        ("estimated", pa.bool_()),
        ("dollars", pa.float64()),
    ]
)
"""key: of the answer in llm/cache.py. Costs are null if they were not recorded; dollars also if the price was
unknown."""

ROUNDS = pa.schema([*ASKED, ("example", pa.string()), ("round", pa.int32()), ("purpose", pa.string())])
"""rewrite/asked-*: all questions about an example in their order. example: its id. round: 0, then 1 for each
time it went back to the rewriter. purpose: `rewrite` or `examine`."""

COSTS = ("requests", "input_tokens", "output_tokens", "estimated", "dollars")
"""Costs of an answer, as columns of ASKED and fields of llm.request.Paid."""


def row_of(document: str, answer: Mapping[str, Any]) -> Row:
    """Row of one answer. answer: the fields of llm.request.Answer."""
    paid = answer["paid"] or {}
    cost = {name: paid.get(name) for name in COSTS}
    return {
        "document_id": document,
        **{name: answer[name] for name in ("key", "state", "model", "detail")},
        **cost,
    }


def cost_of(path: Path) -> Cost:
    """Costs of the answers of an asked-* file, each key once (see `summed`)."""
    rows = {row["key"]: row for row in read(path)} if path.exists() else {}
    return summed(list(rows.values()))


class Asked(NamedTuple):
    """One question of an asked-* file whose cost was recorded. number: among those about its document, from
    0; purpose: `judge`, `rewrite` or `examine`."""

    document_id: str
    number: int
    purpose: str
    requests: int
    input_tokens: int
    output_tokens: int


def questions(path: Path) -> Iterator[Asked]:
    """Yield the questions of an asked-* file in their order, each key once (see `summed`), without those that
    were not paid for."""
    numbers: Counter[str] = Counter()
    seen = set[str]()
    for row in read(path) if path.exists() else ():
        name = row["document_id"]
        if row["requests"] and row["key"] not in seen:
            seen.add(row["key"])
            purpose = row.get("purpose") or "judge"
            yield Asked(name, numbers[name], purpose, *(row[cost] for cost in COSTS[:3]))
        numbers[name] += 1


def unanswered(path: Path) -> dict[str, dict[str, int]]:
    """Count the questions without an answer in an asked-* file: state -> message -> count. Numbers are
    removed from messages, so that similar ones count together."""
    found: dict[str, Counter[str]] = {}
    for row in read(path) if path.exists() else ():
        if row["state"] != "ok":
            found.setdefault(row["state"], Counter())[re.sub(r"\d[\d,.]*", "#", row["detail"])] += 1
    return {state: dict(messages) for state, messages in sorted(found.items())}


def summed(costs: Sequence[Cost | Row]) -> Cost:
    """The sum of costs: `questions` (default: one each) and COSTS.

    A cost without `requests` was not recorded: it adds nothing and makes the sum an estimate. Dollars are
    None if those of any cost are None.
    """
    known = [cost for cost in costs if cost["requests"] is not None]
    dollars = [cost["dollars"] for cost in costs if cost["dollars"] is not None]
    return {
        "questions": sum(cost.get("questions", 1) for cost in costs),
        "requests": sum(cost["requests"] for cost in known),
        "input_tokens": sum(cost["input_tokens"] for cost in known),
        "output_tokens": sum(cost["output_tokens"] for cost in known),
        "estimated": any(cost["estimated"] for cost in known) or len(known) < len(costs),
        "dollars": round(sum(dollars), 6) if len(dollars) == len(costs) else None,
    }
