"""`leaf explain`: what happened to one record, in every stage."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import command_line, print_json, show_story
from leafinstruct.errors import LeafInstructError


def explain(
    record: Annotated[
        str,
        Argument(
            metavar="ID",
            help=(
                "Id of a document or an example, sha256 of an image (8 digits or more), URL of a page or an "
                "image, a source file, or 'file locator'."
            ),
        ),
    ],
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    full: Annotated[
        bool, Option("--full", help="Print texts, prompts and answers without shortening them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show why one record was kept or dropped. Lists what each stage did with it."""
    from leafinstruct.pipeline import answers_of, artifacts
    from leafinstruct.report.explain import lineage

    loaded = load_recipe(recipe, changes, limit)
    stages = artifacts(loaded)
    if not stages["ingest"].parts():
        build = command_line(recipe, changes, limit)
        raise LeafInstructError(f"{loaded.directory}: nothing has been read yet; run: {build}")
    found = lineage.look(stages, record, answers_of(loaded))
    if not found["matches"] and not found["rejected"]:
        unlisted = (
            f"; ingest also counted {found['unlisted']:,} losses without their place (`leaf status --json`)"
            if found["unlisted"]
            else ""
        )
        raise LeafInstructError(
            f"{record}: no record that ingest read or rejected for {loaded.directory} has this id, sha256, "
            "URL or place; the shards list ids in the columns id and document_id, and URLs in url"
            f"{unlisted}"
        )
    if as_json:
        print_json(found)
    else:
        show_story(found, command_line(recipe, changes, limit, "explain", "ID"), full)
