"""`leaf status`: the state of each stage, the funnel, and the tables of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, run_of
from leafinstruct.cli.output import counted, note, show_status
from leafinstruct.records.printable import printable


def status(
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    table: Annotated[
        str | None,
        Option(
            metavar="TABLE",
            help="Write a table to --out: scores, drops, edits, funnel, examples or preference.",
        ),
    ] = None,
    out: Annotated[
        Path | None, Option(metavar="FILE", help="File of the table, .parquet or .csv; it is replaced.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the state of every stage and the funnel. The funnel counts the documents that each step kept."""
    run = run_of(recipe, changes, limit)
    if table is None and out is None:
        show_status(run, as_json)
        return
    from leafinstruct.report.tables import TABLES

    if table not in TABLES:
        raise typer.BadParameter(f"{table!r} is none of {', '.join(TABLES)}", param_hint="--table")
    if out is None:
        raise typer.BadParameter("needs --out FILE", param_hint="--table")
    rows = run.write(table, out)
    note(counted(rows, "row"))
    typer.echo(printable(out))
