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
from leafinstruct.cli.output import command_line, note, print_json, progress, show_status
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
    int | None, Option(min=1, metavar="N", help="Number of worker processes. Default: one per CPU core.")
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


def build(
    recipe: RecipePath = None,
    stage: Stage = None,
    workers: Workers = None,
    limit: Limit = None,
    rebuild: Rebuild = False,
    retry_failed: RetryFailed = False,
    retry_refused: RetryRefused = False,
    dry_run: DryRun = False,
    calibrate: Calibrate = None,
    share: ShareOf = None,
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
    loaded = load_recipe(recipe, changes, limit)
    if dry_run and share is not None:
        if calibrate:
            raise typer.BadParameter("asks a model, which no share does", param_hint="--calibrate")
        _show_rounds(loaded, share, stage or STAGES[-1], as_json)
        return
    if dry_run:
        _estimate(loaded, workers, calibrate or 0, as_json)
        return
    started = time.monotonic()
    outcomes: list[Outcome] = []
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
        except Waiting as other:
            built, waiting = None, other
    if built is None:
        _show_waiting(waiting, as_json)
        return
    _show_outcomes(outcomes, loaded)
    built = replace(built, again=command_line(recipe, changes, limit))
    show_status(built, as_json, time.monotonic() - started)


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


def _estimate(loaded: Loaded, workers: int | None, calibrate: int, as_json: bool) -> None:
    """Show what a build would take, after answers about some documents if `calibrate` is not 0."""
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
