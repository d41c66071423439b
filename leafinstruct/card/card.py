"""The dataset card: a template of data_cards/ filled with what the build really did. Every number comes from
the artifacts: records, reports, shards.

Nearly everything is a count under a name of ours; what a page or a recipe named (licenses, sources, texts)
passes the filter `cell`, so that a page cannot write the card, and the front matter is made as data
(front.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml

from leafinstruct.card import license
from leafinstruct.card.distribution import Distribution
from leafinstruct.card.front import Splits, front_matter, order
from leafinstruct.card.limits import limits
from leafinstruct.card.tally import Tally
from leafinstruct.card.template import fill
from leafinstruct.records.text.language_names import UNDETERMINED, named
from leafinstruct.runtime.artifact import Artifact

SHOWN = 20
"""Licenses and sources that are named; the rest is one sum."""

Rows = list[tuple[str | None, int, int]]
"""Name (None: not stated), records, images."""


def render(template: str, contents: Mapping[str, Any]) -> str:
    """The card's text. Raises RecipeError when the template uses a name that is not there or is not Jinja."""
    return fill(template, contents, "shard.card")


def contents(
    name: str,
    recipe: Mapping[str, Any],
    told: Mapping[str, Any],
    facts: Mapping[str, Any],
    splits: Splits,
    tally: Tally,
    scored: Mapping[str, Distribution],
    examples: list[dict[str, Any]],
) -> dict[str, Any]:
    """Everything that a template may name but `costs` and `variety`, which build.json holds. name:
    `name@version`; told: `history`; scored: of all documents, tally.scores of published rows."""
    states = sum((found.states for found in tally.scores.values()), Counter[str]())
    origins = sorted({source["repo"] for source in recipe["ingest"]["sources"] if source.get("repo")})
    listing = yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=120)
    return {
        "front_matter": front_matter(
            name, splits, license.hub_fields(tally.rights), tally.languages, tally.sides, origins
        ),
        "recipe": name,
        "facts": dict(facts),
        **told,
        "splits": splits,
        "order": order,
        "rows": tally.rows,
        "images": sum(tally.source_images.values()),
        "megabytes": sum(cell["bytes"] for parts in splits.values() for cell in parts.values()) / 1e6,
        "sources": _largest(
            {source: (count, tally.source_images[source]) for source, count in tally.sources.items()}
        ),
        "licenses": _largest(tally.rights),
        "languages": _largest(
            {
                named(code): (told["languages"].get(code or UNDETERMINED, 0), rows)
                for code, rows in tally.languages.items()
            }
        ),
        "rules": [_rule(rule, scored) for rule in told["rules"]],
        "scores": [
            (score, _bounds(score, told["rules"]), _score(found), _score(tally.scores.get(score)))
            for score, found in scored.items()
        ],
        "examples": examples,
        "limits": limits(told, facts, tally.rights, states),
        "listing": listing,
        "fetches": recipe["filter"]["images"]["fetch"] is not None,
        "fence": "`" * max(3, 1 + max((len(run) for run in re.findall("`+", listing)), default=0)),
    }


def history(rewrite: Artifact) -> dict[str, Any]:
    """What the card tells of the stages before shard, from their records. It can change while the examples do
    not (a page more that could not be read), so shard fingerprints it."""
    ingest, kept, rewritten = (done(stage) for stage in chain(rewrite))
    return {
        "ingest": ingest["counts"],
        "unreadable": _most_common(Counter(ingest["reasons"]) + Counter(ingest["image_reasons"])),
        "filter": kept["counts"],
        "dropped": _most_common(kept["reasons"]),
        "images_dropped": _most_common(kept["image_reasons"]),
        "languages": _kept_languages(chain(rewrite)[1]),
        "unfetched": kept.get("unfetched", 0),
        "rewrite": rewritten["counts"],
        "rewrite_dropped": _most_common(rewritten["reasons"]),
        "rewrite_model": rewritten["models"]["rewrite"],
        "offline_rewrite": not rewritten["prompts"],
        "rules": [{**rule, "drop": _costs(rule)} for rule in kept["rules"]],
        "models": {**kept["models"], **rewritten["models"]},
        "weights": kept["weights"],
        "prompts": {**kept["prompts"], **rewritten["prompts"]},
        "questions": rewritten["questions"],
        "toy": kept["toy"],
        "outputs": {record["stage"]: record["output"] for record in (ingest, kept, rewritten)},
    }


def _kept_languages(filtered: Artifact) -> dict[str, int]:
    """Documents that filter kept, by language; `undetermined` is one."""
    found = Counter[str]()
    for report in filtered.reports():
        found.update(report["languages"]["kept"])
    return dict(sorted(found.items()))


def chain(rewrite: Artifact) -> tuple[Artifact, Artifact, Artifact]:
    """ingest, filter, rewrite."""
    filtered = rewrite.upstream
    assert filtered is not None, "rewrite was made from filter"
    assert filtered.upstream is not None, "filter was made from ingest"
    return filtered.upstream, filtered, rewrite


def done(stage: Artifact) -> dict[str, Any]:
    """The record of a stage that is done."""
    record = stage.record
    assert record is not None, f"{stage.stage} is done"
    return record


def _most_common(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most first, equals by name: the order of a dictionary never reaches the card."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _largest(counted: Mapping[Any, tuple[int, int]]) -> Rows:
    """The SHOWN largest and the sum of the others."""
    ordered = [(name, *counts) for name, counts in license.most_first(counted)]
    others = ordered[SHOWN:]
    rest = (
        [(f"{len(others):,} others", sum(row[1] for row in others), sum(row[2] for row in others))]
        if others
        else []
    )
    return [*ordered[:SHOWN], *rest]


def _rule(rule: Mapping[str, Any], scored: Mapping[str, Distribution]) -> dict[str, Any]:
    """A rule with what it did: cells that had a value or should have had one, and how many of them failed
    it."""
    found = scored.get(rule["score"], Distribution())
    cells = sum(found.states.values())
    return {**rule, "scored": cells, "failing": cells - found.passed[rule.get("min"), rule.get("max")]}


def _bounds(score: str, rules: list[dict[str, Any]]) -> str:
    """What the rules over a score let pass."""
    signs = (("min", "at least"), ("max", "at most"))
    return ", ".join(
        f"{sign} {rule[side]:g}"
        for rule in rules
        if rule["score"] == score
        for side, sign in signs
        if side in rule
    )


def _score(found: Distribution | None) -> dict[str, float]:
    """Number of values, and their quantiles; nothing but the number without values."""
    return {"count": 0} if found is None else {"count": found.states["ok"], **found.quantiles()}


def _costs(rule: Mapping[str, Any]) -> str:
    """What a failing image costs under a rule; nothing to say for a score of the document."""
    return rule.get("drop", "itself") if rule["level"] == "image" else ""
