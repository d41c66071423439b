"""The dataset card: a template of data_cards/ filled with what the build really did. Every number comes from the artifacts' records.

Nearly everything is a count under a name of ours; what a page or a recipe named (licences, sources) passes the filter `cell`, so that a page cannot
write the card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from leafinstruct.artifact import Artifact, total
from leafinstruct.cards import fill
from leafinstruct.records import table

HUB_LICENSES = frozenset(
    (
        "Apache-2.0",
        "MIT",
        "CC0-1.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-3.0",
        "CC-BY-SA-4.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-SA-4.0",
        "CC-BY-ND-4.0",
    )
)
"""SPDX names that the Hub takes, in lower case, as a dataset's `license`."""

SHOWN = 20
"""Licences and sources that are named; the rest is one sum."""


def render(template: str, recipe: str, out: Artifact, rewrite: Artifact, facts: Mapping[str, Any]) -> str:
    """The card's text. Raises RecipeError when the template uses a name that is not there or is not Jinja."""
    return fill(template, contents(recipe, out, rewrite, facts), "shard.card")


def contents(recipe: str, out: Artifact, rewrite: Artifact, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a template may name."""
    shards = list(out.reports())
    licenses, sources = _tally(rewrite)
    return {
        "recipe": recipe,
        "facts": dict(facts),
        **history(rewrite),
        "shard": total(shards).counts,
        "tasks": _configurations(shards),
        "splits": sorted({name.partition(".")[2] for name in _prefixes(shards)}),
        "licenses": _largest(licenses),
        "hub_license": _hub_license(licenses),
        "sources": _largest(sources),
        "size_category": _size_category(total(shards).counts["rows"]),
    }


def history(rewrite: Artifact) -> dict[str, Any]:
    """What the card tells of the stages before shard, from their records. It can change while the examples do not (a page more that could
    not be read), so shard fingerprints it."""
    filtered = rewrite.upstream
    assert filtered is not None, "rewrite was made from filter"
    assert filtered.upstream is not None, "filter was made from ingest"
    ingest, kept, rewritten = (_done(stage) for stage in (filtered.upstream, filtered, rewrite))
    return {
        "ingest": ingest["counts"],
        "unreadable": _most_common(Counter(ingest["reasons"]) + Counter(ingest["picture_reasons"])),
        "filter": kept["counts"],
        "dropped": _most_common(kept["reasons"]),
        "pictures_dropped": _most_common(kept["picture_reasons"]),
        "rewrite": rewritten["counts"],
        "rewrite_dropped": _most_common(rewritten["reasons"]),
        "rules": [{**rule, "drop": _costs(rule)} for rule in kept["rules"]],
        "models": {**kept["models"], **rewritten["models"]},
        "weights": kept["weights"],
        "prompts": {**kept["prompts"], **rewritten["prompts"]},
        "toy": kept["toy"],
    }


def _done(stage: Artifact) -> dict[str, Any]:
    record = stage.record
    assert record is not None, f"{stage.stage} is done"
    return record


def _most_common(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most first, equals by name: the order of a dictionary never reaches the card."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The SHOWN largest and the sum of the others."""
    ordered = _most_common(counts)
    others = ordered[SHOWN:]
    return [*ordered[:SHOWN], *([(f"{len(others):,} others", sum(count for _, count in others))] if others else [])]


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


def _costs(rule: Mapping[str, Any]) -> str:
    """What a failing picture costs under a rule; nothing to say for a score of the document."""
    return rule.get("drop", "itself") if rule["level"] == "image" else ""


def _hub_license(licenses: Mapping[str, int]) -> str:
    """The Hub's `license` key: its own name where all records state one licence that it knows, `unknown` where none does, else `other`."""
    if set(licenses) == {"unknown"}:
        return "unknown"
    (name, *others) = licenses
    return name.lower() if not others and name in HUB_LICENSES else "other"


def _size_category(rows: int) -> str:
    """The Hub's `size_categories` label."""
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
    return next((label for bound, label in bounds if rows < bound), "n>10M")
