"""`leaf inspect`: one HTML page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from leafinstruct.cli.options import Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import note, progress, shown


def inspect(
    recipe: RecipePath = None,
    out: Annotated[
        Path | None, Option(metavar="FILE", help="Page to write. Default: inspect.html in the run's folder.")
    ] = None,
    records: Annotated[
        int, Option(min=1, metavar="N", help="Maximum number of records; of more, a sample is shown.")
    ] = 5000,
    open_it: Annotated[bool, Option("--open", help="Open the page in a browser.")] = False,
    limit: Limit = None,
    changes: Changes = None,
) -> None:
    """Write an HTML page about the records of a run. It shows kept and dropped records."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.report.inspect import page as inspection
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.watched import Progressed

    loaded = load_recipe(recipe, changes, limit)
    page = out or loaded.directory / "inspect.html"
    with LocalEngine() as engine, progress() as on_progress:
        made = inspection.inspect(
            artifacts(loaded),
            page,
            records,
            lambda what, done, parts: on_progress(Progressed("inspect", what, done, parts, 0, "parts")),
            engine,
        )
    some = f"{made.records:,}" + ("" if made.records == made.documents else f" of {made.documents:,}")
    note(f"{some} records, {made.images:,} images, {made.size / 1e6:,.1f} MB")
    typer.echo(shown(page))
    if open_it:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())
