"""What a language model was asked about each document, and what that took: filter/asked-*, rewrite/asked-*.

A row leads from a document to its answer in the cache and to its exchange in the journal (llm/). Costs stand
here although a build that found the answer in the cache paid nothing: what is told is what the dataset cost,
not what the last command did. Things of the moment, as in fetches-*: no row of the dataset, no digest and no
fingerprint holds them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from leafinstruct.records.table import Row, read

ASKED = pa.schema(
    [
        *((name, pa.string()) for name in ("document_id", "key", "state", "model", "detail")),
        *((name, pa.int64()) for name in ("requests", "input_tokens", "output_tokens")),
        ("estimated", pa.bool_()),
        ("dollars", pa.float64()),
    ]
)
"""key: of the answer in llm/cache.py; costs are null where they were not kept, dollars also where the price
was unknown."""

COSTS = ("requests", "input_tokens", "output_tokens", "estimated", "dollars")
"""What an answer took, as columns of ASKED and fields of llm.request.Paid."""


def row_of(document: str, answer: Mapping[str, Any]) -> Row:
    """answer: the fields of llm.request.Answer."""
    paid = answer["paid"] or {}
    cost = {name: paid.get(name) for name in COSTS}
    return {
        "document_id": document,
        **{name: answer[name] for name in ("key", "state", "model", "detail")},
        **cost,
    }


def cost_of(path: Path) -> Row:
    """What the answers of an asked-* file took, each key once (see `summed`)."""
    rows = {row["key"]: row for row in read(path)} if path.exists() else {}
    return summed(list(rows.values()))


def unanswered(path: Path) -> dict[str, dict[str, int]]:
    """Of an asked-* file: state of questions without an answer -> message -> how many. Numbers are left out
    of messages, so that equal ones count together."""
    found: dict[str, Counter[str]] = {}
    for row in read(path) if path.exists() else ():
        if row["state"] != "ok":
            found.setdefault(row["state"], Counter())[re.sub(r"\d[\d,.]*", "#", row["detail"])] += 1
    return {state: dict(messages) for state, messages in sorted(found.items())}


def summed(costs: Sequence[Mapping[str, Any]]) -> Row:
    """The sum of costs: `questions` (one each, unless it is told), and COSTS.

    A cost without `requests` was not kept: it adds nothing and makes the sum an estimate. Dollars are None as
    soon as those of one are.
    """
    known = [cost for cost in costs if cost["requests"] is not None]
    dollars = [cost["dollars"] for cost in costs]
    return {
        "questions": sum(cost.get("questions", 1) for cost in costs),
        **{name: sum(cost[name] for cost in known) for name in ("requests", "input_tokens", "output_tokens")},
        "estimated": any(cost["estimated"] for cost in known) or len(known) < len(costs),
        "dollars": None if None in dollars else round(sum(dollars), 6),
    }
