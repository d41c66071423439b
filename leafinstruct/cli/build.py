"""`leaf build`: run the stages of a recipe."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from leafinstruct.cli.forecast import show_forecast
from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import command_line, note, progress, show_status
from leafinstruct.cli.scale import plan_scale
from leafinstruct.cli.signals import Interrupted, stopping

if TYPE_CHECKING:
    from leafinstruct.pipeline import Outcome
    from leafinstruct.recipe.load import Loaded
    from leafinstruct.runtime.engine.watched import OnProgress, Progressed


Stage = Annotated[
    str | None,
    Option(metavar="STAGE", help="Last stage to run: ingest, filter, rewrite or shard. Default: shard."),
]
Workers = Annotated[
    int | None, Option(min=1, metavar="N", help="Number of worker processes. Default: one per CPU core.")
]

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
    limit: Limit = None,
    rebuild: Annotated[
        bool,
        Option(
            "--rebuild", help="Delete existing results and rebuild. Answers of a language model are kept."
        ),
    ] = False,
    retry_failed: Annotated[
        bool, Option("--retry-failed", help="Retry the items that failed in finished stages.")
    ] = False,
    retry_refused: Annotated[
        bool,
        Option(
            "--retry-refused",
            help="Ask the language model again where it refused or gave no readable answer.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Estimate documents, requests and cost; build nothing.")
    ] = False,
    calibrate: Calibrate = None,
    scale: Scale = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Build the dataset: ingest, filter, rewrite, shard. Results that are up to date are reused."""
    from leafinstruct import build as run
    from leafinstruct.runtime.artifact import STAGES

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    if calibrate and not dry_run:
        raise typer.BadParameter("needs --dry-run", param_hint="--calibrate")
    if scale and (not dry_run or calibrate):
        raise typer.BadParameter("needs --dry-run, without --calibrate", param_hint="--scale")
    loaded = load_recipe(recipe, changes, limit)
    if dry_run:
        _estimate(loaded, workers, calibrate or 0, scale, as_json)
        return
    started = time.monotonic()
    outcomes: list[Outcome] = []
    with progress() as on_progress, _naming_what_goes_on(on_progress) as watching:
        built = run(
            loaded,
            stage or STAGES[-1],
            workers=workers,
            rebuild=rebuild,
            retry_failed=retry_failed,
            retry_refused=retry_refused,
            on_progress=stopping(watching),
            on_outcome=outcomes.append,
        )
    _show_outcomes(outcomes, loaded)
    built = replace(built, again=command_line(recipe, changes, limit))
    show_status(built, as_json, time.monotonic() - started)


def _estimate(loaded: Loaded, workers: int | None, calibrate: int, scale: int | None, as_json: bool) -> None:
    """Show what a build would take, after answers about some documents if `calibrate` is not 0; with `scale`
    what a build of so many documents would take."""
    if scale:
        plan_scale(loaded, scale, workers, as_json)
        return
    from leafinstruct.forecast.run import forecast
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.watched import Watched

    with LocalEngine(workers) as engine, progress() as on_progress:
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
