"""Verbs that look at a dataset: explain."""

from __future__ import annotations

from typing import Annotated

import typer

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.errors import LeafInstructError
from leafinstruct.terminal import answer


def explain(
    record: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of a document or an example, kept or dropped; a file, or 'file locator', that ingest rejected."
        ),
    ],
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one record, kept or lost."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.report import lineage, story

    loaded = load_recipe(recipe, changes, limit)
    told = lineage.explain(artifacts(loaded), record)
    lost = [] if told else lineage.rejected(artifacts(loaded)["ingest"], record)
    if told is None and not lost:
        raise LeafInstructError(
            f"{record}: no document or example of {loaded.directory} has this id, and ingest rejected no file or `file locator` of this name; "
            "ids stand in the shards' columns id and document_id"
        )
    if as_json:
        answer(told or {"rejected": lost})
        return
    for line in story.story(told) if told else story.losses(lost):
        typer.echo(line)
