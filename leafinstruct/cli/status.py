"""`leaf status`: the state of each stage, and the funnel."""

from __future__ import annotations

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import command_line, show_status


def status(
    recipe: RecipePath = None, limit: Limit = None, changes: Changes = None, as_json: AsJson = False
) -> None:
    """Show the state of every stage and the funnel. The funnel counts the documents that each step kept."""
    show_status(load_recipe(recipe, changes, limit), command_line(recipe, changes, limit), as_json)
