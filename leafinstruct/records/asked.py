"""What a language model was asked about each document, and what that took: filter/asked-*, rewrite/asked-*.

A row leads from a document to its answer in the cache and to its exchange in the journal (llm/). Costs stand here although a build that found
the answer in the cache paid nothing: what is told is what the dataset cost, not what the last command did. Things of the moment, as in fetches-*:
no row of the dataset, no digest and no fingerprint holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
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
"""key: of the answer in llm/cache.py; costs are null where they were not kept, dollars also where the price was unknown."""


def row_of(document: str, answer: Mapping[str, Any]) -> Row:
    """answer: the fields of llm.request.Answer."""
    paid = answer["paid"] or {}
    cost = {name: paid.get(name) for name in ("requests", "input_tokens", "output_tokens", "estimated", "dollars")}
    return {"document_id": document, **{name: answer[name] for name in ("key", "state", "model", "detail")}, **cost}


def cost_of(path: Path) -> Row:
    """What the answers of an asked-* file took, each key once: `questions`, `requests`, tokens, `estimated`, `dollars` (null when one is unknown)."""
    rows = {row["key"]: row for row in read(path)} if path.exists() else {}
    known = [row for row in rows.values() if row["requests"] is not None]
    dollars = [row["dollars"] for row in rows.values()]
    return {
        "questions": len(rows),
        **{name: sum(row[name] for row in known) for name in ("requests", "input_tokens", "output_tokens")},
        "estimated": any(row["estimated"] for row in known) or len(known) < len(rows),
        "dollars": None if None in dollars else round(sum(dollars), 6),
    }
