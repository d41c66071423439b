"""Write the files that describe the shards: README.md (the card), croissant.json, build.json, examples/.

    count (in worker processes)   the contents of each shard, and the scores of each part of filter
    write (in this process)       the four files, from those counts and the records of the stages

Each file appears by one rename, and the record of the shard stage after all of them. After a kill in between,
the next build writes the files again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from leafinstruct.card import build_json, card, croissant
from leafinstruct.card.distribution import Bounds, Distribution, merged
from leafinstruct.card.front import order
from leafinstruct.card.showcase import show
from leafinstruct.card.tally import Tally, count_scored, count_shard, plain_bytes
from leafinstruct.records.shards import named
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part
from leafinstruct.runtime.files import writing

CODE = 8
"""Increased when the same shards get another description; shards are not written again."""


def identity(recipe: Mapping[str, Any], rewrite: Artifact) -> str:
    """Digest of everything that the description states and the shards do not. Part of shard's fingerprint."""
    costs = [build_json.costs(stage.reports()) for stage in card.chain(rewrite)[1:]]
    return digest([CODE, recipe, card.history(rewrite), costs])


def describe(
    name: str,
    template: str,
    recipe: Mapping[str, Any],
    out: Artifact,
    rewrite: Artifact,
    facts: Mapping[str, Any],
    engine: Engine,
) -> None:
    """Write the files that describe the shards of `out`.

    name: `name@version`. template: text of the card's template. facts: from the shard stage's record.
    Raises RecipeError for an invalid template.
    """
    filtered = card.chain(rewrite)[1]
    tally, scored = _counted(out, engine), _scored(filtered, engine)
    splits = _splits(out)
    examples = show(out.path, _in_order(out, splits))
    build = build_json.contents(name, recipe, out, rewrite, facts, splits, tally, scored)
    contents = {
        "costs": build["costs"],
        "variety": build["variety"],
        **card.contents(name, recipe, card.history(rewrite), facts, splits, tally, scored, examples),
    }
    texts = {
        "README.md": card.render(template, contents),
        "build.json": build_json.written(build),
        "croissant.json": build_json.written(croissant.contents(name, contents, build, tally)),
    }
    for file, text in texts.items():
        with writing(out.path / file) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _counted(out: Artifact, engine: Engine) -> Tally:
    tally = Tally()
    for report in engine.map(
        partial(count_shard, out), [Part(name) for name in out.parts()], Needs(what="counting")
    ):
        tally.merge(report.value)
    return tally


def _scored(filtered: Artifact, engine: Engine) -> dict[str, Distribution]:
    ruled: defaultdict[str, list[Bounds]] = defaultdict(list)
    for rule in card.done(filtered)["rules"]:
        ruled[rule["score"]].append((rule.get("min"), rule.get("max")))
    task = partial(count_scored, filtered, dict(ruled))
    parts = [Part(name) for name in filtered.parts()]
    return merged(
        report.value for report in engine.map(task, parts, Needs(what="counting scores", unit="cells"))
    )


def _place(shard: Path) -> tuple[str, str]:
    """Task and split of a shard, from its name."""
    found = named(shard)
    assert found is not None, "the shard stage named this file"
    return found


def _splits(out: Artifact) -> dict[str, dict[str, dict[str, int]]]:
    """Task -> split -> rows, images, bytes, and bytes before compression."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for report in out.reports():
        path = out.path / f"{report.part}.parquet"
        task, split = _place(path)
        cell = found.setdefault(task, {}).setdefault(
            split, {"rows": 0, "images": 0, "bytes": 0, "plain_bytes": 0}
        )
        for name in ("rows", "images", "bytes"):
            cell[name] += report.counts[name]
        cell["plain_bytes"] += plain_bytes(path)
    return {task: {split: parts[split] for split in order(parts)} for task, parts in found.items()}


def _in_order(out: Artifact, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Path]]:
    """The shards of each task, those of `train` first."""
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in (out.path / f"{part}.parquet" for part in out.parts()):
        files[_place(path)].append(path)
    return {task: [path for split in parts for path in files[task, split]] for task, parts in splits.items()}
