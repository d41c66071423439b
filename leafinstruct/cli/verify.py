"""The verb that compares a run's bytes with what was recorded: verify."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leafinstruct.cli.options import AsJson, Changes, Limit, load_recipe
from leafinstruct.cli.output import again, answer, note, progress
from leafinstruct.cli.stopping import stopping
from leafinstruct.errors import LeafInstructError
from leafinstruct.records.printable import printable


def verify(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN",
            help="Recipe, run folder, or folder of an export; default: the recipe as of leaf build.",
        ),
    ] = None,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Compare every file of a run with its recorded sha256. Lists damage and what to do; exits with 1 where
    there is any."""
    from leafinstruct.pipeline import Watched
    from leafinstruct.runtime.artifact import one_build
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.verify import verify as compare

    folder, build = (
        (run, "leaf build") if run is not None and run.is_dir() else _of_recipe(run, limit, changes)
    )
    if not folder.is_dir():
        raise LeafInstructError(f"{folder}: no such run; `{build}` makes it")
    with (
        one_build(folder, "leaf build", "run `leaf verify` then"),
        LocalEngine() as engine,
        progress() as on_progress,
    ):
        found = compare(folder, build, Watched(engine, "verify", stopping(on_progress)))
    if as_json:
        damages = [{name: str(value) for name, value in asdict(item).items()} for item in found.damages]
        answer({"run": str(folder), "files": found.files, "damages": damages})
    else:
        for item in found.damages:
            typer.echo(printable(f"{_short(item.file)}: {item.fault}; {item.repair}"))
        count = f"{len(found.damages):,} damaged" if found.damages else "all are what was recorded"
        note(f"{folder}: {found.files:,} files, {count}")
    if found.damages:
        raise typer.Exit(1)


def _of_recipe(run: Path | None, limit: int | None, changes: list[str] | None) -> tuple[Path, str]:
    return load_recipe(run, changes, limit).directory, again(run, changes, limit)


def _short(path: Path) -> str:
    """From the working directory where it lies below that."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
