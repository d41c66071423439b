"""The dataset card: a template of data_cards/ filled with what the build really did. Every number comes from the artifacts' records.

Chosen: Jinja2 in its sandbox without autoescape, because the card is Markdown; whatever came from a web page (reasons, hosts) is a count under
a name of ours, never page text, so nothing hostile is rendered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from leafinstruct.artifact import Artifact, total
from leafinstruct.errors import RecipeError
from leafinstruct.records import table


def render(template: str, recipe: str, out: Artifact, rewrite: Artifact, facts: Mapping[str, Any]) -> str:
    """The card's text. Raises RecipeError when the template uses a name that is not there or is not Jinja."""
    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    try:
        return environment.from_string(template).render(**contents(recipe, out, rewrite, facts))
    except TemplateError as error:
        raise RecipeError(f"shard.card: the template cannot be filled: {error}") from error


def contents(recipe: str, out: Artifact, rewrite: Artifact, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a template may name."""
    filtered = rewrite.upstream
    assert filtered is not None, "rewrite was made from filter"
    ingested = filtered.upstream
    assert ingested is not None, "filter was made from ingest"
    records = {stage.stage: stage.record or {} for stage in (ingested, filtered, rewrite)}
    totals = {stage.stage: stage.totals() for stage in (ingested, filtered, rewrite)}
    shards = list(out.reports())
    licenses, sources = _tally(rewrite)
    return {
        "recipe": recipe,
        "facts": dict(facts),
        "ingest": totals["ingest"].counts,
        "unreadable": totals["ingest"].reasons.most_common(),
        "filter": totals["filter"].counts,
        "dropped": totals["filter"].reasons.most_common(),
        "pictures_dropped": totals["filter"].picture_reasons.most_common(),
        "rewrite": totals["rewrite"].counts,
        "rewrite_dropped": totals["rewrite"].reasons.most_common(),
        "shard": total(shards).counts,
        "tasks": _configurations(shards),
        "splits": sorted({name.partition(".")[2] for name in _prefixes(shards)}),
        "rules": records["filter"].get("rules", []),
        "models": {**records["filter"].get("models", {}), **records["rewrite"].get("models", {})},
        "weights": records["filter"].get("weights"),
        "prompts": {**records["filter"].get("prompts", {}), **records["rewrite"].get("prompts", {})},
        "toy": records["filter"].get("toy", False),
        "licenses": licenses.most_common(),
        "sources": sources.most_common(),
        "size_category": _size_category(total(shards).counts["rows"]),
    }


def _configurations(shards: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """task -> split -> rows and bytes."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for report in shards:
        task, _, split = report["part"].rpartition("-of-")[0].rpartition("-")[0].partition(".")
        cell = found.setdefault(task, {}).setdefault(split, {"rows": 0, "bytes": 0})
        cell["rows"] += report["counts"]["rows"]
        cell["bytes"] += report["counts"]["bytes"]
    return found


def _prefixes(shards: list[dict[str, Any]]) -> list[str]:
    return [report["part"].rpartition("-of-")[0].rpartition("-")[0] for report in shards]


def _tally(rewrite: Artifact) -> tuple[Counter[str], Counter[str]]:
    """Examples by licence and by source; an unknown licence is a state of its own, never guessed."""
    licenses: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for part in rewrite.parts():
        for row in table.read(rewrite.file("examples", part), ["license", "source"]):
            licenses[row["license"] or "unknown"] += 1
            sources[row["source"]] += 1
    return licenses, sources


def _size_category(rows: int) -> str:
    """The Hub's `size_categories` label."""
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
    return next((label for bound, label in bounds if rows < bound), "n>10M")
