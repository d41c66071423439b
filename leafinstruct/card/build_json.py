"""build.json: how a dataset was built, in machine-readable form. The same build gives the same bytes.

    recipe       resolved, see leafinstruct/recipe/resolved.py
    versions     of leafinstruct and of the libraries that affect the bytes of shards
    stages       per stage: code number, digest of its settings, counts, reasons, digest of its output
    sources      per source: kind, number of files, sha256 of the list of their sha256
    rows         records and images by source
    languages    records by language, including `undetermined`
    scores       per score: states, minimum, maximum, quantiles; `scored`: all documents, `published`: rows
    variety      of all rows and of each task, see card/variety.py
    costs        of the language model's answers, from the reports' `cost`; null if not recorded
    failures     documents that were dropped because something failed
    shards       name, sha256, size, rows, images
    preference   rows of each kind and split, and their shards; only with preference rows

It holds no date, machine, path or duration. Costs belong to the answers, not to the last command: an answer
from the cache keeps the cost of its original request.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from leafinstruct.card import variety
from leafinstruct.card.card import chain, done
from leafinstruct.card.distribution import Distribution
from leafinstruct.card.front import Splits
from leafinstruct.card.tally import Tally
from leafinstruct.records import asked, license
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.stage_report import Cost, StageReport

FORMAT = "leafinstruct.build/2"

NAMED = 100
"""Maximum number of failed documents that are named; all are counted."""

_LOCAL = ("files", "parts", "roots", "input")
"""Keys of a fingerprint that hold times and paths of files, or digests of them (`input`: the digest of the
previous stage's output)."""


def contents(
    name: str,
    recipe: Mapping[str, Any],
    out: Artifact,
    rewrite: Artifact,
    facts: Mapping[str, Any],
    splits: Splits,
    tally: Tally,
    scored: Mapping[str, Distribution],
) -> dict[str, object]:
    """Contents of build.json.

    name: `name@version`. out: the shard stage, its shards written. facts: from the shard stage's record.
    """
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
        "splits": {**{key: value for key, value in facts.items() if key != FOLDER}, "rows": splits},
        "scores": {
            score: {
                "level": "image" if found.of_images else "document",
                "scored": found.summary(),
                "published": None if score not in tally.scores else tally.scores[score].summary(),
            }
            for score, found in scored.items()
        },
        "variety": variety.figures(tally.variety),
        "costs": {stage.stage: costs(stage.reports()) for stage in stages[1:]},
        "failures": _failures(kept, rewritten),
        "shards": list(map(_shard, out.reports())),
        **({FOLDER: _preference(facts[FOLDER], out)} if FOLDER in facts else {}),
    }


def _preference(facts: Mapping[str, Any], out: Artifact) -> dict[str, object]:
    reports = Artifact(out.path / FOLDER).reports()
    shards = [{**_shard(report), "name": f"{FOLDER}/{report.part}.parquet"} for report in reports]
    return {**facts, "shards": shards}


def costs(reports: Iterable[StageReport]) -> Cost | None:
    """Sum of the parts' costs; None if there is no part, or one without costs."""
    found = [report.cost for report in reports]
    known = [cost for cost in found if cost is not None]
    return asked.summed(known) if found and len(known) == len(found) else None


def written(contents: Mapping[str, Any]) -> str:
    """Serialize a JSON file: keys in their order, one value a line, ASCII only."""
    return json.dumps(contents, ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def _stage(record: Mapping[str, Any]) -> dict[str, object]:
    """Entry of one stage. `fingerprint`: digest of the settings that do not depend on the machine."""
    settings = {key: value for key, value in record["fingerprint"].items() if key not in _LOCAL}
    return {
        "code": settings["code"],
        "fingerprint": digest(settings),
        "output": record["output"],
        **{name: record[name] for name in ("parts", "counts", "reasons", "image_reasons")},
    }


def _versions(fingerprinted: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {"leafinstruct": version("leafinstruct")}
    for record in fingerprinted:
        found |= record.get("fingerprint", record).get("libraries", {})
    return dict(sorted(found.items()))


def _sources(recipe: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, object]:
    """Kind, number of files and digest by source name. Sketchbook counts under each file source that it
    writes."""
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


def _failures(kept: Mapping[str, Any], rewritten: Mapping[str, Any]) -> dict[str, object]:
    return {
        "filter": kept["counts"].get("failed", 0),
        "rewrite": rewritten["counts"].get("failed", 0),
        "images_not_fetched": kept.get("unfetched", 0),
        "documents": kept["failed"][:NAMED],
    }


def _shard(report: StageReport) -> dict[str, object]:
    ((name, sha256),) = report.files.items()
    return {
        "name": name,
        "sha256": sha256,
        **{count: report.counts[count] for count in ("bytes", "rows", "images")},
    }
