"""`leaf explain`: what happened to one record, in every stage."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, run_of
from leafinstruct.cli.output import command_line, print_json, show_story


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
    found = run_of(recipe, changes, limit).explain(record)
    if as_json:
        print_json(found)
    else:
        show_story(found, command_line(recipe, changes, limit, "explain", "ID"), full)
