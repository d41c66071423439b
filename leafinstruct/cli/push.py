"""`leaf push`: publish a dataset on the Hugging Face Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import note, print_json, progress
from leafinstruct.cli.signals import stopping
from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from leafinstruct.publish.push import Pushed

LISTED = 20
"""Files of each kind that --dry-run lists; --json lists all."""


def push(
    recipe: RecipePath = None,
    repo: Annotated[
        str | None,
        Option(metavar="ORG/NAME", help="Dataset repository of the Hub. Default: push.repo of the recipe."),
    ] = None,
    to: Annotated[
        str | None,
        Option(
            metavar="PLACE",
            help="Write to s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or a folder instead of the Hub.",
        ),
    ] = None,
    public: Annotated[bool, Option("--public", help="Make the repository public. Default: private.")] = False,
    revision: Annotated[
        str | None,
        Option(metavar="BRANCH", help="Branch to commit to; a new one starts at main. Default: main."),
    ] = None,
    tag: Annotated[str | None, Option(metavar="TAG", help="Tag the pushed commit.")] = None,
    allow: Annotated[
        list[str] | None,
        Option(
            metavar="FAULT", help="Publish despite this fault, which the refusal names, e.g. toy. Repeatable."
        ),
    ] = None,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace files of the repository that leaf did not push.")
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="List the files that would be sent; send nothing.")
    ] = False,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Publish the dataset on the Hub in one commit, or in a bucket."""
    from typing import get_args

    from leafinstruct.pipeline import publish
    from leafinstruct.publish.config import Allowance
    from leafinstruct.publish.push import PushSettings
    from leafinstruct.runtime.engine.local import LocalEngine

    if unknown := [name for name in allow or () if name not in get_args(Allowance)]:
        raise typer.BadParameter(
            f"{unknown[0]!r} is none of {', '.join(get_args(Allowance))}", param_hint="--allow"
        )
    loaded = load_recipe(recipe, changes, limit)
    target = repo or loaded.recipe.push.repo
    if to is not None and (repo or revision or tag or public):
        raise typer.BadParameter("excludes --repo, --revision, --tag and --public", param_hint="--to")
    if to is None and target is None:
        raise typer.BadParameter("is missing; give it, or set push.repo in the recipe", param_hint="--repo")
    settings = PushSettings.of(loaded, target or "", revision, tag, public, allow or (), overwrite, to)
    with LocalEngine(1) as engine, progress() as on_progress:
        pushed = publish(loaded, settings, engine, stopping(on_progress), dry_run)
    _show(pushed, dry_run, as_json)


def _show(pushed: Pushed, dry_run: bool, as_json: bool) -> None:
    if as_json:
        from leafinstruct.publish.push import facts

        print_json(facts(pushed))
        return
    for line in pushed.notes:
        note(line)
    note(f"images are published as {'bytes' if pushed.images == 'bytes' else 'references'}: {pushed.why}")
    (_show_plan if dry_run else _show_commit)(pushed)


def _show_plan(pushed: Pushed) -> None:
    state = "would be created, " if pushed.made else ""
    access = "" if pushed.private is None else "private, " if pushed.private else "public, "
    typer.echo(f"{pushed.repo}: {state}{access}{pushed.survey.records:,} records")
    for what, files in pushed.plan.groups.items():
        for file in files[:LISTED]:
            typer.echo(f"  {what:<8} {file.size:>15,}  {printable(file.name)}")
        if rest := files[LISTED:]:
            typer.echo(f"  {what:<8} {sum(file.size for file in rest):>15,}  {len(rest):,} more files")
    for name in pushed.plan.strangers:
        note(f"{name} in the repository was not pushed by leaf; the push will need --overwrite")
    size = sum(file.size for file in pushed.plan.written)
    typer.echo(
        f"would send {size:,} bytes in {len(pushed.plan.written):,} files"
        if not pushed.plan.empty
        else "nothing to do"
    )


def _show_commit(pushed: Pushed) -> None:
    if pushed.plan.empty if pushed.private is None else pushed.commit is None:
        note(f"nothing to do: {pushed.repo} has this dataset already")
    else:
        size = sum(file.size for file in pushed.plan.written)
        counts = ", ".join(
            f"{len(files):,} {what}" for what, files in pushed.plan.groups.items() if files and what != "same"
        )
        commit = f"; commit {pushed.commit[:12]}" if pushed.commit else ""
        note(f"{counts}, {size / 1e6:,.1f} MB at most{commit}")
    typer.echo(pushed.url)
