"""Options that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from leafinstruct.cli.output import command_line

if TYPE_CHECKING:
    from leafinstruct.recipe.load import Loaded
    from leafinstruct.report.run import Run

RecipePath = Annotated[
    Path | None,
    Argument(
        metavar="RECIPE",
        help="Recipe file. Default: $LEAF_RECIPE, else recipe.yaml, else pipelines/demo.yaml, else the demo.",
    ),
]
RunPath = Annotated[
    Path | None,
    Argument(metavar="RUN", help="Folder of a run, runs/<name>, or its recipe. Default: as `leaf status`."),
]
Changes = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set one key of the recipe, e.g. filter.min_images=2. Repeatable; the last value wins.",
    ),
]
Limit = Annotated[
    int | None,
    Option(min=1, metavar="N", help="Maximum number of documents, in a separate run runs/<name>-limit<N>."),
]
AsJson = Annotated[bool, Option("--json", help="Print the result as JSON.")]


def load_recipe(recipe: Path | None, changes: list[str] | None, limit: int | None) -> Loaded:
    """Load the recipe that a verb works on. Raises RecipeError."""
    from leafinstruct.recipe.load import load, locate

    return load(locate(recipe, os.environ.get("LEAF_RECIPE")), tuple(changes or ()), limit)


def run_of(recipe: Path | None, changes: list[str] | None, limit: int | None) -> Run:
    """The run of a recipe, built or not. Its errors name the command that builds it. Raises RecipeError."""
    from leafinstruct.report.run import Run

    return Run(load_recipe(recipe, changes, limit).directory, command_line(recipe, changes, limit))


def opened_run(run: Path | None, changes: list[str] | None, limit: int | None) -> Run:
    """The run of RunPath. Raises RecipeError, SourceError if a folder is no run."""
    if run is None or not run.is_dir():
        return run_of(run, changes, limit)
    if changes or limit:
        raise typer.BadParameter("are for a recipe; RUN is a folder", param_hint="--set, --limit")
    from leafinstruct.report.run import open_run

    return open_run(run)
