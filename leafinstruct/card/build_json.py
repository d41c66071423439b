"""build.json: how a dataset came about, for a machine. The same build gives the same bytes.

    recipe       as resolved, see leafinstruct/recipe/resolved.py         versions   of leafinstruct and of the libraries that shape bytes
    stages       per stage: what it was built with (settings, digest of them), counts, reasons, digest of its output
    sources      per source: kind, number of files, sha256 over the list of their sha256      rows      records and images by source
    languages    records by language, `undetermined` among them
    scores       per score: states, least, most, quantiles; `scored` of all documents, `published` of the rows
    variety      of all rows and of each task: turns, images in the prompt, distinct n-grams, most frequent question; see card/variety.py
    costs        what the language model's answers cost when they were given, from the reports' `cost`; null where none was kept
    failures     documents that were lost to something that failed                            shards    name, sha256, size, rows, images

Nothing of the moment is in it: no date, no machine, no path, no seconds. Costs come closest: they are of the
answers, not of the last command, so an answer found in the cache tells what it cost once.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from leafinstruct.card import license, variety
from leafinstruct.card.card import chain, done
from leafinstruct.card.distribution import Distribution
from leafinstruct.card.front import Splits
from leafinstruct.card.tally import Tally
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.runtime.artifact import Artifact, digest

FORMAT = "leafinstruct.build/2"

NAMED = 100
"""Failed documents that are named; all are counted."""

_OF_THE_MOMENT = ("files", "parts", "roots", "input")
"""Keys of a fingerprint that hold times and places of files, or digests of them; `input` is the output of the
stage before."""


def contents(
    name: str,
    recipe: Mapping[str, Any],
    out: Artifact,
    rewrite: Artifact,
    facts: Mapping[str, Any],
    splits: Splits,
    tally: Tally,
    scored: Mapping[str, Distribution],
) -> dict[str, Any]:
    """What build.json holds. name: `name@version`; out: shard, its shards written; facts: of its record."""
    stages = chain(rewrite)
    ingest, kept, rewritten = map(done, stages)
    return {
        "format": FORMAT,
        "dataset": name,
        "recipe": recipe,
        "limit": ingest["fingerprint"]["limit"],
        "versions": _versions([ingest, kept, out.fingerprint or {}]),
        "stages": {
            stage.stage: _stage(record)
            for stage, record in zip(stages, (ingest, kept, rewritten), strict=True)
        },
        "sources": _sources(recipe, ingest["sources"]),
        "models": {**kept["models"], **rewritten["models"]},
        "weights": kept["weights"],
        "toy": kept["toy"],
        "prompts": {**kept["prompts"], **rewritten["prompts"]},
        "questions": rewritten["questions"],
        "rules": kept["rules"],
        "rows": {
            source: {"records": count, "images": tally.source_images[source]}
            for source, count in sorted(tally.sources.items())
        },
        "languages": {
            code or UNDETERMINED: rows
            for code, rows in sorted(tally.languages.items(), key=lambda item: item[0] or "")
        },
        "licenses": [
            {"license": stated, "records": records, "images": images}
            for stated, (records, images) in license.most_first(tally.rights)
        ],
        "splits": {**facts, "rows": splits},
        "scores": {
            score: {
                "level": "image" if found.of_images else "document",
                "scored": found.told(),
                "published": _told(tally.scores.get(score)),
            }
            for score, found in scored.items()
        },
        "variety": variety.figures(tally.variety),
        "costs": {stage.stage: costs(stage.reports()) for stage in stages[1:]},
        "failures": _failures(kept, rewritten),
        "shards": list(map(_shard, out.reports())),
    }


def costs(reports: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The sum of the parts' `cost`: requests, tokens, dollars. A figure that one part does not know is known
    of none: null."""
    whole: dict[str, Any] | None = None
    for report in reports:
        cost = report.get("cost")
        if not cost:
            return None
        whole = dict(cost) if whole is None else {name: _plus(whole[name], cost[name]) for name in whole}
    return (
        None
        if whole is None
        else {name: round(value, 6) if isinstance(value, float) else value for name, value in whole.items()}
    )


def written(told: Mapping[str, Any]) -> str:
    """As it lies on disk: keys in their order, one value a line, no character that a reader could take for
    another."""
    return json.dumps(told, ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def _plus(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return None
    return one or other if isinstance(one, bool) else one + other


def _stage(record: Mapping[str, Any]) -> dict[str, Any]:
    """fingerprint: digest of what is the same wherever the same is built."""
    shaping = {key: value for key, value in record["fingerprint"].items() if key not in _OF_THE_MOMENT}
    return {
        "code": shaping["code"],
        "fingerprint": digest(shaping),
        "output": record["output"],
        **{name: record[name] for name in ("parts", "counts", "reasons", "image_reasons")},
    }


def _versions(fingerprinted: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {"leafinstruct": version("leafinstruct")}
    for record in fingerprinted:
        found |= record.get("fingerprint", record).get("libraries", {})
    return dict(sorted(found.items()))


def _sources(recipe: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """By name of the source; of the embedded corpus by the name of each file source that it was written
    as."""
    kinds = {source["name"]: source["kind"] for source in recipe["ingest"]["sources"]}
    listed: dict[str, list[str]] = defaultdict(list)
    for name, sha256 in sorted(files.items()):
        source, _, file = name.partition("/")
        listed[source].append(f"{sha256}  {file}\n")
    return {
        source: {
            "kind": kinds.get(source),
            "files": len(lines),
            "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
        }
        for source, lines in sorted(listed.items())
    }


def _told(found: Distribution | None) -> dict[str, Any] | None:
    return None if found is None else found.told()


def _failures(kept: Mapping[str, Any], rewritten: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "filter": kept["counts"].get("failed", 0),
        "rewrite": rewritten["counts"].get("failed", 0),
        "images_not_fetched": kept.get("unfetched", 0),
        "documents": kept["failed"][:NAMED],
    }


def _shard(report: Mapping[str, Any]) -> dict[str, Any]:
    ((name, sha256),) = report["files"].items()
    return {
        "name": name,
        "sha256": sha256,
        **{count: report["counts"][count] for count in ("bytes", "rows", "images")},
    }
