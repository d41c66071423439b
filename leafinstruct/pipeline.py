"""Run the stages in order; skip those that are up to date.

    ingest -> filter -> rewrite -> shard        and from there: push

Each stage has one entry point, `run(settings, inputs, out, engine)`, and a `fingerprint` of everything that
determines its output. A stage is up to date if its record has the fingerprint that the recipe gives now.
Otherwise version `dev` rebuilds the parts whose keys changed; any other version stops and lists the changes,
because a named version must not change. `--rebuild` deletes the stage first. Nothing here prints: the caller
gets progress and outcomes.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from leafinstruct.errors import DamagedError, DriftError, PublishError
from leafinstruct.filter.config import TOY_MODEL
from leafinstruct.integrity import Mending, damaged_json
from leafinstruct.recipe.load import Loaded, is_active
from leafinstruct.recipe.resolved import resolved
from leafinstruct.records import removals as suppressed
from leafinstruct.runtime.artifact import Artifact, Fingerprint, drift
from leafinstruct.runtime.engine.base import Engine, Needs, Part, Task, naming
from leafinstruct.runtime.files import ALTERED
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.locks import one_build

if TYPE_CHECKING:
    from leafinstruct.publish.push import Pushed

STAGES = ("ingest", "filter", "rewrite", "shard")
GONE = "shards that are gone:"
"""Prefix of the change of the shard stage that is not about a setting."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Progress of a stage: what it does now, parts done of all (or another thing that `of` names), and the
    amount of documents done (or of another `unit`)."""

    stage: str
    what: str
    done: int
    total: int
    amount: int
    unit: str
    of: str = "parts"


OnProgress = Callable[[Progressed], None]


@dataclass(frozen=True)
class Outcome:
    """Result of one stage.

    up_to_date: nothing had to run; changes: differences from the last build, empty for a first one; repaired:
    damaged files that were made again, one clause each.
    """

    stage: str
    record: dict[str, Any]
    up_to_date: bool
    changes: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


class Watched:
    """An engine that reports progress after every part. repaired: sums of the `repaired` counts of the parts'
    reports."""

    def __init__(self, engine: Engine, stage: str, on_progress: OnProgress) -> None:
        self.workers = engine.workers
        self._engine, self._stage, self._on_progress = engine, stage, on_progress
        self.repaired: Counter[str] = Counter()

    def map(self, task: Task, parts: Sequence[Part], needs: Needs) -> Iterator[dict[str, Any]]:
        """See Engine.map."""
        now = Progressed(self._stage, needs.what, 0, len(parts), 0, needs.unit)
        self._on_progress(now)
        last = [now]  # the last progress, which a pulse repeats with another amount
        watched = task if needs.pulse is None else partial(self._with_pulse, task, needs.pulse, last)
        for done, report in enumerate(self._engine.map(watched, parts, needs), start=1):
            amount = needs.pulse() if needs.pulse else last[0].amount + report["counts"].get(needs.unit, 0)
            last[0] = replace(now, done=done, amount=amount)
            self._on_progress(last[0])
            self.repaired.update(report.get("repaired", {}))
            yield report

    async def _with_pulse(
        self, task: Task, pulse: Callable[[], int], last: list[Progressed], part: Part
    ) -> dict[str, Any]:
        """Run the task and report progress every second."""

        async def report_progress() -> None:
            while True:
                await asyncio.sleep(1)
                self._on_progress(replace(last[0], amount=pulse()))

        working, reporting = asyncio.ensure_future(task(part)), asyncio.ensure_future(report_progress())
        try:
            await asyncio.wait({working, reporting}, return_when=asyncio.FIRST_COMPLETED)
            # it ends only if the callback raises an interrupt, which must not wait for the end of a long part
            if reporting.done():
                await reporting
            report: dict[str, Any] = await working
            return report
        finally:
            reporting.cancel()
            working.cancel()


def artifacts(loaded: Loaded) -> dict[str, Artifact]:
    """The directory of each stage, linked to the one that it is made from."""
    chain: dict[str, Artifact] = {}
    upstream = None
    for stage in STAGES:
        upstream = chain[stage] = Artifact(loaded.directory / stage, upstream)
    return chain


def build(
    loaded: Loaded,
    engine: Engine,
    on_progress: OnProgress,
    until: str = STAGES[-1],
    rebuild: bool = False,
    retry_failed: bool = False,
    retry_refused: bool = False,
) -> Iterator[Outcome]:
    """Run the stages up to and including `until` that are not up to date. Yields the outcome of each stage.

    rebuild: delete all results first (answers of a language model cost money and are kept). retry_failed,
    retry_refused: run stages again that have failed items, or questions that a model refused. After a damaged
    file the build returns to the stage that made it and yields its outcome again. Raises any
    LeafInstructError; finished work is kept, and the next call continues from there.
    """
    chain = artifacts(loaded)
    mending, stages = Mending(chain), list(chain)[: STAGES.index(until) + 1]
    with one_build(loaded.directory):
        at, forgotten = 0, set[str]()
        while at < len(stages):
            if rebuild and stages[at] not in forgotten:
                _forget(chain[stages[at]])
                forgotten.add(stages[at])
            watched = Watched(engine, stages[at], on_progress)
            try:
                outcome = _run_stage(
                    loaded,
                    stages[at],
                    chain,
                    watched,
                    retry_failed,
                    retry_refused,
                    last=at == len(stages) - 1,
                )
            except DamagedError as error:
                at = stages.index(mending.mend(error, watched))
                continue
            counted = [f"{count:,} {what}" for what, count in sorted(watched.repaired.items())]
            yield replace(outcome, repaired=(*outcome.repaired, *mending.notes.pop(stages[at], ()), *counted))
            at += 1


def _run_stage(
    loaded: Loaded,
    stage: str,
    chain: Mapping[str, Artifact],
    engine: Engine,
    retry_failed: bool,
    retry_refused: bool,
    last: bool,
) -> Outcome:
    from leafinstruct.ingest import origin, rot  # not at the top, because they import Arrow

    out, module, settings = chain[stage], _module(stage), settings_of(loaded, stage)
    with naming(stage):
        fingerprint: Fingerprint = module.fingerprint(settings, out.upstream, out, engine)
    record, before, lost = _stated(out)
    changes = _changes(stage, before, fingerprint) if before is not None else ()
    damaged: tuple[str, ...] = ()
    if out.record is not None:
        changes += _moved(stage, out)
    refused = out.refused() if retry_refused else []
    again = refused or (retry_failed and record is not None and record["counts"].get("failed", 0) > 0)
    if record is not None and record["fingerprint"] == fingerprint and not changes and not again:
        damaged = tuple(f"{name} ({ALTERED})" for name in _published(stage, out, engine))
        if not damaged:
            return Outcome(stage, record, up_to_date=True, repaired=lost)
    rotted = rot.rotted(settings, out) if stage == "ingest" else []
    changes += tuple(f"{name} changed, although its size and time did not" for name in rotted)
    # a removal is more important than the version; and a missing shard is written as it was
    broken = [
        line
        for line in changes
        if not line.startswith(
            (GONE, *suppressed.changes(out), *origin.emptied(loaded.recipe.ingest, changes))
        )
    ]
    if broken and loaded.recipe.version != "dev":
        raise DriftError(
            f"{out.path} was built with other settings: "
            f"{'; '.join(broken[:4])}{' and more' if len(broken) > 4 else ''}; "
            "give the recipe a new version, or rebuild with --rebuild"
        )
    if stage in ("ingest", "filter"):
        made = origin.mend(settings_of(loaded, "ingest"), chain["ingest"], engine)
        lost += tuple(f"{name} ({ALTERED})" for name in made)
    rot.invalidate(settings, out, rotted)
    out.begin(fingerprint)
    if refused:
        module.reopen(out, refused)
    began = time.monotonic()
    with naming(stage):
        facts = module.run(settings, out.upstream, out, engine)
    with last_write() if last else nullcontext():
        record = out.finish(fingerprint, **facts, seconds=round(time.monotonic() - began, 2))
    return Outcome(stage, record, up_to_date=False, changes=changes, repaired=(*lost, *damaged))


def _stated(out: Artifact) -> tuple[dict[str, Any] | None, Fingerprint | None, tuple[str, ...]]:
    """A stage's record (None if the stage is not done or a report is missing), its last fingerprint, and
    which of these files are damaged."""
    record, before, lost = (
        out.record,
        out.fingerprint,
        tuple(f"{path.name} ({ALTERED})" for path in damaged_json(out)),
    )
    if before is None and record is not None:
        before = record["fingerprint"]
        out.save_fingerprint(before)
    return (record if out.is_whole else None), before, lost


def _published(stage: str, out: Artifact, engine: Engine) -> list[str]:
    """Damaged files of the last stage. Files of the others are compared by the stage that reads them."""
    return list(_module(stage).damaged(out, engine)) if stage == STAGES[-1] else []


def drifted(loaded: Loaded, engine: Engine) -> list[str]:
    """Why the first stage that is not up to date would be rebuilt, e.g. `rewrite: its input` or
    `filter.min_words 10 -> 11`."""
    for stage, out in artifacts(loaded).items():
        record = out.record
        if record is None:
            return [f"{stage} is not done"]
        now = _module(stage).fingerprint(settings_of(loaded, stage), out.upstream, out, engine)
        if changes := (*_changes(stage, record["fingerprint"], now), *_moved(stage, out)):
            return [line if line.startswith(f"{stage}.") else f"{stage}: {line}" for line in changes]
    return []


def publish(loaded: Loaded, engine: Engine, on_progress: OnProgress, dry_run: bool, **asked: Any) -> Pushed:
    """Publish the built dataset on the Hub. asked: fields of PushSettings that are not in the recipe. Raises
    PublishError."""
    from leafinstruct.publish.checks import Terms
    from leafinstruct.publish.push import PushSettings, push

    def report_progress(what: str, done: int, total: int, megabytes: int) -> None:
        on_progress(Progressed("push", what, done, total, megabytes, "MB"))

    recipe, stages = loaded.recipe, artifacts(loaded)
    fetch = recipe.filter.images.fetch
    unasked = frozenset(
        source.name for source in recipe.ingest.sources if not getattr(source, "opt_out", True)
    )
    terms = Terms(
        recipe.push,
        suppressed.load(suppressed.beside(loaded.path)),
        unasked,
        fetch is not None and not fetch.opt_out,
    )
    if stages["shard"].fingerprint is None:
        raise PublishError(f"{loaded.directory}: has not been built yet; run `leaf build`")
    with nullcontext() if dry_run else one_build(loaded.directory):
        asked["allowed"] = frozenset({*recipe.push.allow, *asked["allowed"]})
        settings = PushSettings(
            name=f"{recipe.name}@{recipe.version}",
            terms=terms,
            drifted=tuple(drifted(loaded, engine)),
            **asked,
        )
        return push(settings, stages["shard"], Artifact(loaded.directory / "push"), dry_run, report_progress)


def _moved(stage: str, out: Artifact) -> tuple[str, ...]:
    """Changes that a fingerprint does not show: other image files than those the filter read, missing
    shards."""
    if stage == "filter" and (moved := _module(stage).outdated(out.upstream, out)):
        return (f"image files of {len(moved)} parts",)
    if stage == "shard" and (gone := _module(stage).gone(out)):
        return (f"{GONE} {', '.join(gone[:3])}{' and more' if len(gone) > 3 else ''}",)
    return ()


def _changes(stage: str, before: Fingerprint, now: Fingerprint) -> tuple[str, ...]:
    """Readable differences of two fingerprints: files by name, settings as `filter.rules[0].min 0.2 -> 0.3`,
    digests by their meaning."""
    old, new = dict(before), dict(now)
    files, here = old.pop("files", {}), new.pop("files", {})
    fates = {
        name: "is gone" if name not in here else "changed" if name in files else "is new"
        for name in (*files, *here)
    }
    lines = [f"{name} {fate}" for name, fate in sorted(fates.items()) if files.get(name) != here.get(name)]
    for key, meaning in (
        ("input", "its input"),
        ("history", "what its card reports about earlier stages"),
        ("parts", "its parts"),
    ):
        if old.pop(key, None) != new.pop(key, None) and not (key == "parts" and lines):
            lines.append(meaning)
    settings = drift(old, new)
    return tuple([line if line.startswith(f"{stage}.") else f"{stage}.{line}" for line in settings] + lines)


def _forget(out: Artifact) -> None:
    """Delete a stage's directory. The record goes first, so that a kill in between leaves nothing that looks
    finished."""
    (out.path / "record.json").unlink(missing_ok=True)
    shutil.rmtree(out.path, ignore_errors=True)


def answers_of(loaded: Loaded) -> Path:
    """Folder of the language model's answers and the journal of its exchanges. All runs and versions share
    it, because answers cost money."""
    return loaded.directory.parent / ".answers"


def settings_of(loaded: Loaded, stage: str) -> Any:
    """The settings of a stage, built from the sections of the recipe."""
    recipe, answers, removed = (
        loaded.recipe,
        answers_of(loaded),
        suppressed.load(suppressed.beside(loaded.path)),
    )
    if stage == "ingest":
        from leafinstruct.ingest.origin import IngestSettings

        return IngestSettings(recipe.ingest, recipe.part_size, loaded.limit, removed.purged)
    if stage == "filter":
        from leafinstruct.filter.passes import FilterSettings
        from leafinstruct.filter.scores.alignment import weights_of
        from leafinstruct.sketchbook import tiny_clip

        clip = recipe.filter.clip
        strangers = any(source.kind != "sketchbook" for source in recipe.ingest.sources)
        tiny = tiny_clip.unpack(user_cache_path("leafinstruct")) if clip == TOY_MODEL else None
        weights = None if clip is None else weights_of(clip, tiny, strangers)
        rules = tuple(rule for rule in recipe.filter.rules if is_active(recipe, rule))
        judge = loaded.template("prompts", recipe.filter.judge.prompt)
        fetched, images = loaded.directory.parent / ".fetched", removed.purged.images
        return FilterSettings(recipe.filter, rules, recipe.llm, judge, weights, answers, fetched, images)
    if stage == "rewrite":
        from leafinstruct.rewrite.asking import RewriteSettings

        return RewriteSettings(
            recipe.rewrite,
            recipe.llm,
            loaded.template("prompts", recipe.rewrite.prompt),
            answers,
            loaded.questions,
        )
    from leafinstruct.shard.stage import ShardSettings

    card = loaded.template("data_cards", recipe.shard.card)
    return ShardSettings(
        recipe.shard, recipe.seed, f"{recipe.name}@{recipe.version}", card, removed, resolved(recipe)
    )


def _module(stage: str) -> ModuleType:
    """Import a stage when it runs, so that checking a recipe and `--help` import none."""
    return import_module(f"leafinstruct.{stage}.stage")
