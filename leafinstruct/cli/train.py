"""`leaf train`: train an adapter on shards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from leafinstruct.cli.options import Changes
from leafinstruct.cli.output import note, shown
from leafinstruct.cli.signals import Interrupted


def train(
    recipe: Annotated[
        Path | None,
        Argument(
            metavar="RECIPE", help="Recipe with a train section. Default: the recipe that leaf build takes."
        ),
    ] = None,
    rebuild: Annotated[
        bool, Option("--rebuild", help="Discard the previous training and start over.")
    ] = False,
    allow_large: Annotated[
        bool, Option("--allow-large", help="Allow an adapter of more than 10% of its base.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Estimate memory and time; train nothing.")] = False,
    push_to: Annotated[
        str | None,
        Option(metavar="ORG/NAME", help="Upload the adapter to this repository of the Hub, private."),
    ] = None,
    public: Annotated[bool, Option("--public", help="Make the repository of --push-to public.")] = False,
    changes: Changes = None,
) -> None:
    """Train an adapter on shards, or continue an unfinished training."""
    from leafinstruct.publish.adapter import check
    from leafinstruct.recipe.load import load_training, locate
    from leafinstruct.recipe.templates import template
    from leafinstruct.train.run import train as run

    if push_to is None and public:
        raise typer.BadParameter("makes an upload public; add --push-to ORG/NAME", param_hint="--public")
    if push_to is not None and dry_run:
        raise typer.BadParameter("has nothing to upload after --dry-run; omit one", param_hint="--push-to")
    if push_to is not None:
        check(push_to)
    path = locate(recipe, os.environ.get("LEAF_RECIPE"))
    loaded = load_training(path, tuple(changes or ()))
    log, card = typer.echo if dry_run else note, template(path, "data_cards", "adapter").text
    arguments = [
        "train",
        *([str(recipe)] if recipe is not None else []),
        *(["--rebuild"] if rebuild else []),
        *(["--allow-large"] if allow_large else []),
        *(["--public"] if public else []),
        *(["--push-to", push_to] if push_to is not None else []),
        *(word for change in changes or () for word in ("--set", change)),
    ]
    settings = (loaded.seed, rebuild, allow_large, dry_run, log, card)
    adapter = run(loaded.train, loaded.directory, *settings, arguments)
    if adapter is not None:
        if push_to is not None:
            _upload(adapter, push_to, public)
        typer.echo(shown(adapter))


def _upload(adapter: Path, push_to: str, public: bool) -> None:
    from leafinstruct.publish.adapter import push
    from leafinstruct.runtime.last_write import next_step

    if next_step():
        raise Interrupted(
            f"interrupted; {adapter} is trained but not uploaded, run the same command again to continue"
        )
    note(f"uploaded to {push(adapter, push_to, public)}")
