"""`leaf verify`: compare a run's files with their recorded hashes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from leafinstruct.cli.options import AsJson, Changes, Limit, load_recipe
from leafinstruct.cli.output import command_line, note, print_json, progress, shown
from leafinstruct.cli.signals import stopping
from leafinstruct.errors import LeafInstructError


def verify(
    run: Annotated[
        Path | None,
        Argument(
            metavar="RUN",
            help="Recipe, run folder, or folder of an export. Default: the recipe that leaf build takes.",
        ),
    ] = None,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Compare every file of a run with its recorded sha256. Lists damaged files and how to repair them; exits
    with 1 if there are any."""
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.watched import Watched
    from leafinstruct.runtime.locks import one_build
    from leafinstruct.verify import verify as compare

    if run is not None and run.is_dir():
        folder, build = run, "leaf build"
    else:
        folder, build = load_recipe(run, changes, limit).directory, command_line(run, changes, limit)
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
        print_json({"run": str(folder), "files": found.files, "damages": damages})
    else:
        for item in found.damages:
            here = item.file.is_relative_to(Path.cwd())
            file = item.file.relative_to(Path.cwd()) if here else item.file
            typer.echo(shown(f"{file}: {item.fault}; {item.repair}"))
        result = f"{len(found.damages):,} damaged" if found.damages else "all as recorded"
        note(f"{folder}: {found.files:,} files, {result}")
    if found.damages:
        raise typer.Exit(1)
