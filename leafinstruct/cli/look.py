"""Verbs that look at a dataset: explain."""

from __future__ import annotations

from typing import Annotated

import typer

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.errors import LeafInstructError
from leafinstruct.terminal import again, answer, show_story


def explain(
    record: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a document or an example, sha256 of a picture (8 digits or more), address of a page or a picture, "
            "a source file or 'file locator'.",
        ),
    ],
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    full: Annotated[bool, typer.Option("--full", help="Fold nothing: whole texts, prompts and answers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one record, kept or lost."""
    from leafinstruct.pipeline import answers_of, artifacts
    from leafinstruct.report import lineage

    loaded = load_recipe(recipe, changes, limit)
    stages = artifacts(loaded)
    if not stages["ingest"].parts():
        raise LeafInstructError(f"{loaded.directory}: nothing is read yet; make it with: {again(recipe, changes, limit)}")
    told = lineage.look(stages, record, answers_of(loaded))
    if not told["matches"] and not told["rejected"]:
        raise LeafInstructError(
            f"{record}: nothing that ingest read or rejected for {loaded.directory} has this id, sha256, address or place; "
            "ids stand in the shards' columns id and document_id, addresses in url"
        )
    if as_json:
        answer(told)
    else:
        show_story(told, again(recipe, changes, limit, "explain", "ID"), full)
