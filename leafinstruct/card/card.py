"""The dataset card: a template of data_cards/, filled with figures from records, reports and shards.

Names that come from pages or recipes (licenses, sources, texts) pass the filter `cell`, so that no page can
inject Markdown into the card. The front matter is built as data (front.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import yaml

from leafinstruct.card.distribution import Distribution
from leafinstruct.card.front import Splits, front_matter, order
from leafinstruct.card.limits import limits
from leafinstruct.card.showcase import ShownExample
from leafinstruct.card.tally import Tally
from leafinstruct.card.template import fill
from leafinstruct.records import license
from leafinstruct.records.text.language_names import UNDETERMINED, named
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.record import Record

SHOWN = 20
"""Maximum number of licenses, sources and languages that are listed; the others are summed."""

Rows = list[tuple[str | None, int, int]]
"""Name (None: not stated), records, images."""


def render(template: str, contents: Mapping[str, Any]) -> str:
    """Fill a card template. Raises RecipeError if the template uses an unknown name or is not valid Jinja."""
    return fill(template, contents, "shard.card")


def contents(
    name: str,
    recipe: Mapping[str, Any],
    stages: Mapping[str, Any],
    facts: Mapping[str, Any],
    splits: Splits,
    tally: Tally,
    scored: Mapping[str, Distribution],
    examples: Sequence[ShownExample],
) -> dict[str, Any]:
    """All names that a template may use, except `costs` and `variety`, which come from build.json.

    name: `name@version`. stages: from `history`. facts: from the shard stage's record. scored: scores of all
    documents; tally.scores are those of published rows.
    """
    states = sum((found.states for found in tally.scores.values()), Counter[str]())
    origins = sorted({source["repo"] for source in recipe["ingest"]["sources"] if source.get("repo")})
    listing = yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=120)
    return {
        "front_matter": front_matter(
            name,
            splits,
            license.hub_fields(tally.rights),
            tally.languages,
            tally.sides,
            origins,
            facts.get("preference", {}).get("splits"),
        ),
        "recipe": name,
        "facts": dict(facts),
        **stages,
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
                named(code): (stages["languages"].get(code or UNDETERMINED, 0), rows)
                for code, rows in tally.languages.items()
            }
        ),
        "rules": [_rule(rule, scored) for rule in stages["rules"]],
        "scores": [
            (score, _bounds(score, stages["rules"]), _score(found), _score(tally.scores.get(score)))
            for score, found in [*scored.items(), *_of_examples(scored, tally)]
        ],
        "examples": [asdict(example) for example in examples],
        "limits": limits(stages, facts, tally.rights, states),
        "listing": listing,
        "fetches": recipe["filter"]["images"]["fetch"] is not None,
        "fence": "`" * max(3, 1 + max((len(run) for run in re.findall("`+", listing)), default=0)),
    }


def history(rewrite: Artifact) -> dict[str, Any]:
    """What the card states about the stages before shard, from their records.

    It can change while the examples do not (one more unreadable page), so it is part of shard's fingerprint.
    """
    ingest, kept, rewritten = (done(stage) for stage in chain(rewrite))
    return {
        "ingest": ingest["counts"],
        "unreadable": _most_common(Counter(ingest["reasons"]) + Counter(ingest["image_reasons"])),
        "filter": kept["counts"],
        "dropped": _most_common(kept["reasons"]),
        "images_dropped": _most_common(kept["image_reasons"]),
        "languages": _kept_languages(chain(rewrite)[1], "kept"),
        "unaligned": _kept_languages(chain(rewrite)[1], "unaligned"),
        "unpredicted": _kept_languages(chain(rewrite)[1], "unpredicted"),
        "unfetched": kept.get("unfetched", 0),
        "unscreened": kept.get("unscreened", []),
        "personal_data": cast("Mapping[str, Any]", kept["fingerprint"]["filter"])["personal_data"],
        "edits": kept.get("edits", {}),
        "rewrite": rewritten["counts"],
        "rewrite_dropped": _most_common(rewritten["reasons"]),
        "rewrite_model": rewritten["models"]["rewrite"],
        "offline_rewrite": not rewritten["prompts"],
        "checks": cast("Mapping[str, Any]", rewritten["fingerprint"]["rewrite"])["checks"],
        "rules": [{**rule, "drop": _dropped(rule)} for rule in kept["rules"]],
        "models": {**kept["models"], **rewritten["models"]},
        "weights": kept["weights"],
        "prompts": {**kept["prompts"], **rewritten["prompts"]},
        "questions": rewritten["questions"],
        "toy": kept["toy"],
        **({"reference": kept["reference"]} if "reference" in kept else {}),
        "agreement": kept.get("agreement", []),
        "outputs": {record["stage"]: record["output"] for record in (ingest, kept, rewritten)},
    }


def _kept_languages(filtered: Artifact, which: str) -> dict[str, int]:
    """Documents that filter kept, by language (including `undetermined`). which: `kept`; or those for
    whose language alignment (`unaligned`) or another model's score (`unpredicted`) was not computed."""
    found = Counter[str]()
    for report in filtered.reports():
        found.update(report.languages[which])
    return dict(sorted(found.items()))


def chain(rewrite: Artifact) -> tuple[Artifact, Artifact, Artifact]:
    """The stages ingest, filter and rewrite."""
    filtered = rewrite.upstream
    assert filtered is not None, "rewrite is built from filter"
    assert filtered.upstream is not None, "filter is built from ingest"
    return filtered.upstream, filtered, rewrite


def done(stage: Artifact) -> Record:
    """The record of a finished stage."""
    record = stage.record
    assert record is not None, f"{stage.stage} is finished"
    return record


def _most_common(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts in descending order, ties by name, so that the card does not depend on dictionary order."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _largest(counted: Mapping[Any, tuple[int, int]]) -> Rows:
    """The SHOWN largest entries and the sum of the others."""
    ordered = [(name, *counts) for name, counts in license.most_first(counted)]
    others = ordered[SHOWN:]
    if not others:
        return ordered
    summed = f"{len(others):,} others", sum(row[1] for row in others), sum(row[2] for row in others)
    return [*ordered[:SHOWN], summed]


def _of_examples(scored: Mapping[str, Distribution], tally: Tally) -> list[tuple[str, Distribution | None]]:
    """The scores that only published rows have, since rewrite gave them to finished examples."""
    return [(score, None) for score in sorted(tally.scores.keys() - scored.keys())]


def _rule(rule: Mapping[str, Any], scored: Mapping[str, Distribution]) -> dict[str, Any]:
    """A rule with its effect: number of cells with or without a value (`scored`), and how many of them failed
    (`failing`)."""
    found = scored.get(rule["score"], Distribution())
    cells = sum(found.states.values())
    return {**rule, "scored": cells, "failing": cells - found.passed[rule.get("min"), rule.get("max")]}


def _bounds(score: str, rules: list[dict[str, Any]]) -> str:
    """The bounds that rules set for a score, in words."""
    signs = (("min", "at least"), ("max", "at most"))
    return ", ".join(
        f"{sign} {rule[side]:g}"
        for rule in rules
        if rule["score"] == score
        for side, sign in signs
        if side in rule
    )


def _score(found: Distribution | None) -> dict[str, float]:
    """Number of values and their quantiles; only the number if there are no values."""
    return {"count": 0} if found is None else {"count": found.states["ok"], **found.quantiles()}


def _dropped(rule: Mapping[str, Any]) -> str:
    """What is dropped when an image fails a rule; empty for a score of the document."""
    return rule.get("drop", "itself") if rule["level"] == "image" else ""
