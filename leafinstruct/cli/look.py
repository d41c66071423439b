"""Verbs that look at a dataset: inspect, explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import again, answer, note, progress, show_story
from leafinstruct.errors import LeafInstructError
from leafinstruct.records.printable import printable


def inspect(
    recipe: RecipePath = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; default inspect.html in the run's folder.")
    ] = None,
    records: Annotated[
        int, typer.Option(min=1, metavar="N", help="At most N records, a sample of the run.")
    ] = 5000,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    limit: Limit = None,
    changes: Changes = None,
) -> None:
    """Make one page of what is in a dataset."""
    from leafinstruct.pipeline import Progressed, artifacts
    from leafinstruct.report.inspect import page as inspection
    from leafinstruct.runtime.engine.local import LocalEngine

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
    some = (
        f"{made.records:,} records"
        if made.records == made.documents
        else f"{made.records:,} of {made.documents:,} records"
    )
    note(f"{some}, {made.images:,} images, {made.size / 1e6:,.1f} MB")
    typer.echo(printable(page))
    if open_it:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())


def explain(
    record: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a document or an example, sha256 of an image (8 digits or more), address of a "
            "page or an image, "
            "a source file or 'file locator'.",
        ),
    ],
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    full: Annotated[
        bool, typer.Option("--full", help="Fold nothing: whole texts, prompts and answers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one record, kept or lost."""
    from leafinstruct.pipeline import answers_of, artifacts
    from leafinstruct.report.explain import lineage

    loaded = load_recipe(recipe, changes, limit)
    stages = artifacts(loaded)
    if not stages["ingest"].parts():
        raise LeafInstructError(
            f"{loaded.directory}: nothing is read yet; make it with: {again(recipe, changes, limit)}"
        )
    told = lineage.look(stages, record, answers_of(loaded))
    if not told["matches"] and not told["rejected"]:
        counted = (
            f"; ingest counted {told['unlisted']:,} losses without their place (`leaf status --json`)"
            if told["unlisted"]
            else ""
        )
        raise LeafInstructError(
            f"{record}: nothing that ingest read or rejected for {loaded.directory} has this id, "
            "sha256, address or place; "
            f"ids stand in the shards' columns id and document_id, addresses in url{counted}"
        )
    if as_json:
        answer(told)
    else:
        show_story(told, again(recipe, changes, limit, "explain", "ID"), full)
