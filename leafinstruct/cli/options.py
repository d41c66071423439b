"""What the verbs have in common: a recipe and how it is changed, a limit, an answer for machines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from leafinstruct.recipe.load import Loaded

RecipePath = Annotated[
    Path | None,
    typer.Argument(help="Recipe; default $LEAF_RECIPE, recipe.yaml, pipelines/demo.yaml, the packaged demo."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=(
            "Change one key of the recipe, e.g. filter.min_images=2; may be repeated, and of one key the "
            "last counts."
        ),
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="At most N documents, in a run of its own (runs/<name>-limit<N>)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def load_recipe(recipe: Path | None, changes: list[str] | None, limit: int | None) -> Loaded:
    """The recipe that a verb is about. Raises RecipeError."""
    from leafinstruct.recipe.load import load, locate

    return load(locate(recipe, os.environ.get("LEAF_RECIPE")), tuple(changes or ()), limit)
