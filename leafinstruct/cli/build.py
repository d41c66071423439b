"""`leaf build`: run the stages of a recipe."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from leafinstruct.cli.forecast import show_forecast
from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import command_line, note, print_json, progress, show_status
from leafinstruct.cli.scale import plan_scale
from leafinstruct.cli.signals import Interrupted, stopping

if TYPE_CHECKING:
    from leafinstruct.pipeline import Outcome
    from leafinstruct.recipe.load import Loaded
    from leafinstruct.runtime.engine.share import Waiting
    from leafinstruct.runtime.engine.watched import OnProgress, Progressed


Stage = Annotated[
    str | None,
    Option(metavar="STAGE", help="Last stage to run: ingest, filter, rewrite or shard. Default: shard."),
]
Workers = Annotated[
    int | None,
    Option(
        min=1,
        metavar="N",
        help="Number of worker processes. Default: one per CPU core; on a Ray cluster, what its CPUs allow.",
    ),
]
EngineKind = Annotated[
    str | None,
    Option(
        "--engine",
        metavar="KIND",
        help="Where parts run: local or ray, instead of engine.kind of the recipe. Changes no result.",
    ),
]
Address = Annotated[
    str | None,
    Option(
        metavar="HOST:PORT",
        help="Ray cluster to connect to, or auto for the one that runs on this machine, instead of "
        "engine.address. Default of both: start Ray on this machine for the build.",
    ),
]
Rebuild = Annotated[
    bool,
    Option("--rebuild", help="Delete existing results and rebuild. Answers of a language model are kept."),
]
RetryFailed = Annotated[
    bool, Option("--retry-failed", help="Retry the items that failed in finished stages.")
]
RetryRefused = Annotated[
    bool,
    Option(
        "--retry-refused", help="Ask the language model again where it refused or gave no readable answer."
    ),
]
DryRun = Annotated[bool, Option("--dry-run", help="Estimate documents, requests and cost; build nothing.")]
Calibrate = Annotated[
    int | None,
    Option(
        "--calibrate",
        min=1,
        metavar="N",
        help="With --dry-run: first ask the model about N documents of each source, at its price. "
        "The build uses these answers. Default: ask nothing.",
    ),
]
ShareOf = Annotated[
    str | None,
    Option(
        "--share",
        metavar="K/N",
        help="Make share K of N, on a shared disk: every N-th part up to the next step that needs all parts. "
        "With --dry-run: list these steps. Default: the whole build.",
    ),
]
Scale = Annotated[
    int | None,
    Option(
        "--scale",
        min=1,
        metavar="N",
        help="With --dry-run: plan a build of N documents: hours, memory, storage, files, cost.",
    ),
]


def build(
    recipe: RecipePath = None,
    stage: Stage = None,
    workers: Workers = None,
    engine: EngineKind = None,
    address: Address = None,
    limit: Limit = None,
    rebuild: Rebuild = False,
    retry_failed: RetryFailed = False,
    retry_refused: RetryRefused = False,
    dry_run: DryRun = False,
    calibrate: Calibrate = None,
    share: ShareOf = None,
    scale: Scale = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Build the dataset: ingest, filter, rewrite, shard. Results that are up to date are reused."""
    from leafinstruct import build as run
    from leafinstruct.runtime.artifact import STAGES
    from leafinstruct.runtime.engine.share import Waiting

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    if calibrate and not dry_run:
        raise typer.BadParameter("needs --dry-run", param_hint="--calibrate")
    if scale and (not dry_run or calibrate or share is not None):
        raise typer.BadParameter("needs --dry-run, without --calibrate and --share", param_hint="--scale")
    loaded = load_recipe(recipe, [*(changes or ()), *_changed(engine, address)], limit)
    if address is not None and loaded.recipe.engine.kind != "ray":
        raise typer.BadParameter("needs --engine ray", param_hint="--address")
    if dry_run:
        _plan(loaded, stage or STAGES[-1], workers, calibrate, share, scale, as_json)
        return
    started = time.monotonic()
    outcomes: list[Outcome] = []
    waits: Waiting | None = None
    with progress() as on_progress, _naming_what_goes_on(on_progress) as watching:
        try:
            built = run(
                loaded,
                stage or STAGES[-1],
                workers=workers,
                rebuild=rebuild,
                retry_failed=retry_failed,
                retry_refused=retry_refused,
                share=share,
                on_progress=stopping(watching),
                on_outcome=outcomes.append,
            )
        except Waiting as waiting:
            waits = waiting
    if waits is not None:
        _show_waiting(waits, as_json)
        return
    _show_outcomes(outcomes, loaded)
    built = replace(built, again=command_line(recipe, changes, limit))
    show_status(built, as_json, time.monotonic() - started)


def _plan(
    loaded: Loaded,
    stage: str,
    workers: int | None,
    calibrate: int | None,
    share: str | None,
    scale: int | None,
    as_json: bool,
) -> None:
    """Show what a build would do, and build nothing."""
    if scale:
        plan_scale(loaded, scale, workers, as_json)
    elif share is None:
        _estimate(loaded, workers, calibrate or 0, as_json)
    elif calibrate:
        raise typer.BadParameter("asks a model, which no share does", param_hint="--calibrate")
    else:
        _show_rounds(loaded, share, stage, as_json)


def _show_waiting(waiting: Waiting, as_json: bool) -> None:
    if as_json:
        step = waiting.step
        print_json(
            {
                "share": str(waiting.share),
                "waits_for": list(waiting.shares),
                "before": {"stage": step.stage, "step": step.does},
            }
        )
    else:
        note(str(waiting))


def _show_rounds(loaded: Loaded, share: str, stage: str, as_json: bool) -> None:
    """List the rounds of a divided build: what each ends with."""
    from leafinstruct.pipeline import steps
    from leafinstruct.recipe.divided import divided
    from leafinstruct.runtime.engine.share import Share

    shares = Share.parse(share)
    found = steps(divided(loaded, shares), stage)
    if as_json:
        rounds = [
            {"round": at, "stage": step.stage, "ends_with": step.does} for at, step in enumerate(found, 1)
        ]
        print_json({"shares": shares.of, "rounds": rounds})
        return
    typer.echo(f"{len(found)} rounds of {shares.of} shares; a round ends with what its last share does:")
    for at, step in enumerate(found, 1):
        typer.echo(f"{at:>3}  {step.stage:<8} {step.does}")


def _changed(engine: str | None, address: str | None) -> list[str]:
    """The options about the engine as --set has them."""
    given = {"kind": engine, "address": address}
    return [f"engine.{key}={json.dumps(value)}" for key, value in given.items() if value is not None]


def _estimate(loaded: Loaded, workers: int | None, calibrate: int, as_json: bool) -> None:
    """Show what a build would take, after answers about some documents if `calibrate` is not 0."""
    from leafinstruct.forecast.run import forecast
    from leafinstruct.runtime.engine.config import opened
    from leafinstruct.runtime.engine.watched import Watched

    with opened(loaded.recipe.engine, workers, loaded.directory) as engine, progress() as on_progress:
        watched = Watched(engine, "dry run", stopping(on_progress))
        found = forecast(loaded, watched if calibrate else engine, calibrate)
    show_forecast(found, as_json)


@contextmanager
def _naming_what_goes_on(on_progress: OnProgress) -> Iterator[OnProgress]:
    """Name, in the message after an interrupt, the service that goes on without this process."""
    state = ""

    def show(now: Progressed) -> None:
        nonlocal state
        state = now.state
        on_progress(now)

    try:
        yield show
    except Interrupted:
        if not state:
            raise
        raise Interrupted(
            f"interrupted; finished work is kept. The provider goes on with {state}; run the same command "
            "again to read its answers"
        ) from None


def _show_outcomes(outcomes: Sequence[Outcome], loaded: Loaded) -> None:
    """Print which damaged files were rebuilt, which changes caused a rebuild, and which rules are
    inactive."""
    from leafinstruct.integrity import few
    from leafinstruct.recipe.load import inactive_rules

    for outcome in outcomes:
        if outcome.repaired:
            note(f"{outcome.stage}: damaged, and rebuilt: {few(list(outcome.repaired))}")
        if outcome.changes:
            more = " and more" if len(outcome.changes) > 3 else ""
            note(f"{outcome.stage}: rebuilt what changed: {'; '.join(outcome.changes[:3])}{more}")
    if inactive := inactive_rules(loaded.recipe):
        note(f"inactive rules, because the judge in use does not compute their scores: {', '.join(inactive)}")
    if all(outcome.up_to_date and not outcome.repaired for outcome in outcomes):
        note(f"nothing to do: {loaded.directory} is up to date")
