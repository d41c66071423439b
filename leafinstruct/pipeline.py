"""Run the stages in order; skip those that are up to date.

    ingest -> filter -> rewrite -> shard        and from there: push

Each stage is a Stage (runtime/stage.py): its settings are built from the recipe, its `fingerprint` is all
that determines its output, and `run` makes what is missing. A stage is up to date if its record has the
fingerprint that the recipe gives now. Otherwise version `dev` rebuilds the parts whose keys changed; any
other version stops and lists the changes, because a named version must not change. `--rebuild` deletes the
stage first. Nothing here prints: the caller gets progress and outcomes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from leafinstruct.errors import DamagedError, DriftError, PublishError, RecipeError
from leafinstruct.integrity import Mending, damaged_json
from leafinstruct.recipe.divided import divided
from leafinstruct.recipe.load import Loaded
from leafinstruct.records import removals as suppressed
from leafinstruct.runtime.artifact import STAGES, Artifact, drift
from leafinstruct.runtime.artifact import chain as stages_of
from leafinstruct.runtime.engine import share as shares
from leafinstruct.runtime.engine.base import Engine, naming
from leafinstruct.runtime.engine.share import Joined, Share, Shared, Step
from leafinstruct.runtime.engine.watched import OnProgress, Progressed, Watched
from leafinstruct.runtime.files import ALTERED
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.locks import Fence, one_build, one_share
from leafinstruct.runtime.record import Fingerprint, Record
from leafinstruct.runtime.stage import Stage

if TYPE_CHECKING:
    from leafinstruct.publish.push import Pushed, PushSettings


@dataclass(frozen=True)
class Outcome:
    """Result of one stage.

    up_to_date: nothing had to run; changes: differences from the last build, empty for a first one; repaired:
    damaged files that were made again, one clause each.
    """

    stage: str
    record: Record
    up_to_date: bool
    changes: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


def artifacts(loaded: Loaded) -> dict[str, Artifact]:
    """The directory of each stage, linked to the one that it is made from."""
    return stages_of(loaded.directory)


def build(
    loaded: Loaded,
    engine: Engine,
    on_progress: OnProgress,
    until: str = STAGES[-1],
    rebuild: bool = False,
    retry_failed: bool = False,
    retry_refused: bool = False,
    share: Share | None = None,
) -> Iterator[Outcome]:
    """Run the stages up to and including `until` that are not up to date. Yields the outcome of each stage.

    rebuild: delete all results first (answers of a language model cost money and are kept). retry_failed,
    retry_refused: run stages again that have failed items, or questions that a model refused. After a damaged
    file the build returns to the stage that made it and yields its outcome again. share: run only the parts
    of this share. Raises any LeafInstructError; finished work is kept, and the next call continues from
    there. Raises Waiting if a share has to wait for others.
    """
    if share is not None and (rebuild or retry_failed or retry_refused):
        raise RecipeError(
            f"share {share}: shares neither rebuild nor retry, because others may use these results; run "
            "`leaf build` with this flag and without a share, then the shares again"
        )
    if share is not None:
        loaded = divided(loaded, share)
    chain = stages_of(loaded.directory, shared=share is not None)
    mending = Mending(chain, shared=share is not None)
    with one_build(loaded.directory) if share is None else one_share(loaded.directory, share.number):
        fence = Fence(loaded.directory, None if share is None else share.number)
        if share is None:
            shutil.rmtree(loaded.directory / shares.FOLDER, ignore_errors=True)
        else:
            Shared(engine, share, loaded.directory).enter()
        stages = list(chain)[: STAGES.index(until) + 1]
        at, forgotten = 0, set[str]()
        while at < len(stages):
            if rebuild and stages[at] not in forgotten:
                _forget(chain[stages[at]])
                forgotten.add(stages[at])
            watched = Watched(engine, stages[at], on_progress, fence.check)
            try:
                outcome = _run_stage(
                    loaded,
                    stages[at],
                    chain,
                    watched if share is None else Shared(watched, share, loaded.directory),
                    retry_failed,
                    retry_refused,
                    last=at == len(stages) - 1,
                    check=fence.check,
                )
            except DamagedError as error:
                at = stages.index(mending.mend(error, watched))
                continue
            counted = [f"{count:,} {what}" for what, count in sorted(watched.repaired.items())]
            yield replace(outcome, repaired=(*outcome.repaired, *mending.notes.pop(stages[at], ()), *counted))
            at += 1
        if share is not None:
            Shared(engine, share, loaded.directory).leave()


def _run_stage(
    loaded: Loaded,
    name: str,
    chain: Mapping[str, Artifact],
    engine: Engine,
    retry_failed: bool,
    retry_refused: bool,
    last: bool,
    check: Callable[[], None],
) -> Outcome:
    out, stage = chain[name], _stage(name)
    if name == "filter":
        with shares.alone(engine):
            _read_reference(loaded, shares.undivided(engine))
    settings = stage.settings(loaded)
    with naming(name):
        fingerprint = stage.fingerprint(settings, out.upstream, out, engine)
    record, before, lost = _stated(out)
    changes = _changes(name, before, fingerprint) if before is not None else ()
    damaged: tuple[str, ...] = ()
    if out.record is not None:
        changes += tuple(stage.moved(out, engine))
    refused = out.refused() if retry_refused else []
    again = refused or (retry_failed and record is not None and record["counts"].get("failed", 0) > 0)
    if record is not None and record["fingerprint"] == fingerprint and not changes and not again:
        damaged = tuple(f"{file} ({ALTERED})" for file in stage.damaged(out, engine))
        if not damaged:
            return Outcome(name, record, up_to_date=True, repaired=lost)
    # the first share begins the stage, the others take part in it
    with (
        engine.joining(name, fingerprint, lambda: _changes(name, out.fingerprint or {}, fingerprint))
        if isinstance(engine, Shared)
        else nullcontext(Joined(fingerprint, is_first=True))
    ) as joined:
        if joined.is_first:
            joined.fingerprint, found, made = _begin(loaded, name, chain, fingerprint, changes, engine)
            changes, lost = (*changes, *found), (*lost, *made)
        fingerprint = joined.fingerprint
    if refused:
        stage.reopen(out, refused)
    began = time.monotonic()
    with naming(name):
        facts = stage.run(settings, out.upstream, out, engine)
    # of a divided build nobody knows it
    seconds = None if isinstance(engine, Shared) else round(time.monotonic() - began, 2)
    check()
    with last_write() if last else nullcontext():
        record = out.finish(fingerprint, facts, seconds)
    return Outcome(name, record, up_to_date=False, changes=changes, repaired=(*lost, *damaged))


def _begin(
    loaded: Loaded,
    name: str,
    chain: Mapping[str, Artifact],
    fingerprint: Fingerprint,
    changes: tuple[str, ...],
    engine: Engine,
) -> tuple[Fingerprint, tuple[str, ...], tuple[str, ...]]:
    """Begin a stage. changes: differences from its last build. Returns its fingerprint, further differences,
    and which damaged files were made again. Raises DriftError if a named version would change."""
    out, stage = chain[name], _stage(name)
    settings = stage.settings(loaded)
    altered = stage.altered(settings, out)
    found = tuple(f"{file} changed, although nobody wrote it" for file in altered)
    changes += found
    # a removal is more important than the version; and a missing shard is written as it was
    tolerated = (*suppressed.changes(out), *stage.tolerated(settings, changes))
    broken = [line for line in changes if not line.startswith(tolerated)]
    if broken and loaded.recipe.version != "dev":
        raise DriftError(
            f"{out.path} was built with other settings: "
            f"{'; '.join(broken[:4])}{' and more' if len(broken) > 4 else ''}; "
            "give the recipe a new version, or rebuild with --rebuild"
        )
    made: tuple[str, ...] = ()
    if stage.reads_sources:
        first = _stage(STAGES[0])
        files = first.mend(first.settings(loaded), chain[STAGES[0]], shares.undivided(engine))
        made = tuple(f"{file} ({ALTERED})" for file in files)
    stage.reread(settings, out, altered)
    if altered:  # it holds their former identity
        fingerprint = stage.fingerprint(settings, out.upstream, out, shares.undivided(engine))
    out.begin(fingerprint)
    return fingerprint, found, made


def _read_reference(loaded: Loaded, engine: Engine) -> None:
    """Read the sources of `filter.reference` as ingest reads its own, into `reference/ingest` of the run.
    Parts whose files changed or are damaged are read again."""
    out = Artifact(loaded.directory / "reference" / STAGES[0])
    if not loaded.recipe.references:
        shutil.rmtree(out.path.parent, ignore_errors=True)
        return
    stage = _stage(STAGES[0])
    own = loaded.recipe.ingest.model_copy(update={"sources": list(loaded.recipe.filter.reference)})
    settings = replace(stage.settings(loaded), config=own, limit=None)
    for path in [path for part in out.parts() for path, _ in out.faults(part)]:
        out.discard(path)
    fingerprint = stage.fingerprint(settings, None, out, engine)
    if out.record is None or not out.is_whole or out.record["fingerprint"] != fingerprint:
        out.begin(fingerprint)
        out.finish(fingerprint, stage.run(settings, None, out, engine))


def _stated(out: Artifact) -> tuple[Record | None, Fingerprint | None, tuple[str, ...]]:
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


def steps(loaded: Loaded, until: str = STAGES[-1]) -> list[Step]:
    """The global steps of a build up to and including a stage: one round of its shares for each."""
    config = loaded.recipe.filter
    absent = {
        *([] if config.host_paragraphs else [shares.HOSTS]),
        *([] if config.images.fetch else [shares.URLS, shares.FETCHED]),
    }
    stages = STAGES[: STAGES.index(until) + 1]
    return [step for step in shares.STEPS if step.stage in stages and step not in absent]


def drifted(loaded: Loaded, engine: Engine) -> list[str]:
    """Why the first stage that is not up to date would be rebuilt, e.g. `rewrite: its input` or
    `filter.min_words 10 -> 11`."""
    for name, out in artifacts(loaded).items():
        record, stage = out.record, _stage(name)
        if record is None:
            return [f"{name} is not done"]
        now = stage.fingerprint(stage.settings(loaded), out.upstream, out, engine)
        if changes := (*_changes(name, record["fingerprint"], now), *stage.moved(out, engine)):
            return [line if line.startswith(f"{name}.") else f"{name}: {line}" for line in changes]
    return []


def publish(
    loaded: Loaded, settings: PushSettings, engine: Engine, on_progress: OnProgress, dry_run: bool
) -> Pushed:
    """Publish the built dataset on the Hub. Raises PublishError."""
    from leafinstruct.publish.push import push

    def report_progress(what: str, done: int, total: int, megabytes: int) -> None:
        on_progress(Progressed("push", what, done, total, megabytes, "MB"))

    shards = artifacts(loaded)[STAGES[-1]]
    if shards.fingerprint is None:
        raise PublishError(f"{loaded.directory}: has not been built yet; run `leaf build`")
    with nullcontext() if dry_run else one_build(loaded.directory):
        settings = replace(settings, drifted=tuple(drifted(loaded, engine)))
        return push(settings, shards, Artifact(loaded.directory / "push"), dry_run, report_progress)


def _changes(stage: str, before: Fingerprint, now: Fingerprint) -> tuple[str, ...]:
    """Readable differences of two fingerprints: files by name, settings as `filter.rules[0].min 0.2 -> 0.3`,
    digests by their meaning."""
    old, new = dict(before), dict(now)
    files, here = (cast("dict[str, str]", one.pop("files", {})) for one in (old, new))
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


def _stage(name: str) -> Stage[Any]:
    """Import a stage when it runs, so that checking a recipe and `--help` import none."""
    stage: Stage[Any] = import_module(f"leafinstruct.{name}.stage").STAGE
    return stage
