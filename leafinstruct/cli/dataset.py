"""Verbs that make a dataset: init, build, status."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import again, note, progress, show_forecast, show_status
from leafinstruct.cli.stopping import stopping
from leafinstruct.errors import LeafInstructError
from leafinstruct.records.printable import printable

TEMPLATES = ("prompts", "questions", "data_cards")


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="NAME", help="New folder for recipe.yaml, prompts/, questions/ and data_cards/."
        ),
    ],
    origin: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER|FILE",
            help=(
                "Recognize what is there (pages, web archives, MMC4, OBELICS, tables, conversations, "
                "videos) and write a recipe of it."
            ),
        ),
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help=(
                "Your e-mail or web page, sent to hosts: the recipe fetches images on the web. Default: "
                "nothing is fetched."
            ),
        ),
    ] = None,
) -> None:
    """Write a recipe that runs as it is, and its prompts."""
    import shutil

    from leafinstruct.recipe.templates import packaged
    from leafinstruct.runtime.artifact import writing
    from leafinstruct.runtime.last_write import last_write

    if contact is not None and origin is None:
        raise typer.BadParameter(
            "is for a recipe of your own files; add --from FOLDER", param_hint="--contact"
        )
    summary: tuple[str, ...] = ()
    try:
        # these alone are of an init that was killed
        if folder.exists() and any(path.name not in TEMPLATES for path in folder.iterdir()):
            raise LeafInstructError(f"{folder}: exists and is not empty; give a new folder")
        text = (packaged("pipelines") / "start.yaml").read_text(encoding="utf-8")
        if origin is not None:
            from leafinstruct.recipe.draft import draft

            text, summary = draft(origin, folder, contact)
        folder.mkdir(parents=True, exist_ok=True)
        for templates in TEMPLATES:
            shutil.copytree(packaged(templates), folder / templates, dirs_exist_ok=True)
        with last_write(), writing(folder / "recipe.yaml") as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "a file in it cannot be written"
        raise LeafInstructError(
            f"{folder}: cannot be made a folder of recipes: {reason}; give a new folder where you may write"
        ) from error
    for line in summary:
        typer.echo(line)
    typer.echo(
        f"{printable(folder)}: recipe.yaml, prompts/, questions/, data_cards/\nnext: cd "
        f"{printable(shlex.quote(str(folder)))} && leaf build"
    )


def build(
    recipe: RecipePath = None,
    stage: Annotated[
        str | None,
        typer.Option(
            metavar="STAGE",
            help="Run what is missing up to and including it: ingest, filter, rewrite, shard.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; default one a core.")
    ] = None,
    limit: Limit = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Forget what stands and build anew; answers of a language model are kept."
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed in finished stages.")
    ] = False,
    retry_refused: Annotated[
        bool,
        typer.Option(
            "--retry-refused",
            help="Ask a language model again what it refused or gave no readable answer to.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, and make nothing.")
    ] = False,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Build the dataset: ingest, filter, rewrite, shard. What stands is kept, what is missing is made."""
    from leafinstruct.forecast import forecast
    from leafinstruct.integrity import few
    from leafinstruct.pipeline import STAGES
    from leafinstruct.pipeline import build as run
    from leafinstruct.recipe.load import resting
    from leafinstruct.runtime.engine.local import LocalEngine

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    loaded = load_recipe(recipe, changes, limit)
    with LocalEngine(workers) as engine:
        if dry_run:
            show_forecast(forecast(loaded, engine), as_json)
            return
        started = time.monotonic()
        with progress() as on_progress:
            outcomes = list(
                run(
                    loaded,
                    engine,
                    stopping(on_progress),
                    stage or STAGES[-1],
                    rebuild,
                    retry_failed=retry_failed,
                    retry_refused=retry_refused,
                )
            )
    for outcome in outcomes:
        if outcome.repaired:
            note(f"{outcome.stage}: damaged, and made again: {few(list(outcome.repaired))}")
        if outcome.changes:
            more = " and more" if len(outcome.changes) > 3 else ""
            note(f"{outcome.stage}: rebuilt what changed: {'; '.join(outcome.changes[:3])}{more}")
    if at_rest := resting(loaded.recipe):
        note(f"rules at rest, as the judge in use does not give their scores: {', '.join(at_rest)}")
    if all(outcome.up_to_date and not outcome.repaired for outcome in outcomes):
        note(f"nothing to do: {loaded.directory} is up to date")
    show_status(loaded, again(recipe, changes, limit), as_json, time.monotonic() - started)


def status(
    recipe: RecipePath = None, limit: Limit = None, changes: Changes = None, as_json: AsJson = False
) -> None:
    """Show what is done, what is missing, and the funnel."""
    show_status(load_recipe(recipe, changes, limit), again(recipe, changes, limit), as_json)
