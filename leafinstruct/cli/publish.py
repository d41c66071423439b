"""Verbs that publish a dataset, and take something out of it: push, hydrate, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import answer, note, progress
from leafinstruct.cli.stopping import stopping
from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from leafinstruct.publish.stage import Pushed
    from leafinstruct.recipe.load import Loaded
    from leafinstruct.records.removals import Entry

LISTED = 20
"""Files of a kind that a person is shown; --json tells all."""


def push(
    recipe: RecipePath = None,
    repo: Annotated[
        str | None,
        typer.Option(metavar="ORG/NAME", help="Dataset on the Hub; default push.repo of the recipe."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Where everybody sees it; private otherwise.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Branch; default main. A new one starts at main.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Name what is there after the push.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT", help="Publish in spite of it; may be repeated. The refusal names them, e.g. toy."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files there that leaf did not push.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and make nothing.")] = False,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Put the built dataset on the Hugging Face Hub, in one commit."""
    from typing import get_args

    from leafinstruct.pipeline import publish
    from leafinstruct.publish.config import Allowance
    from leafinstruct.runtime.engine.local import LocalEngine

    if unknown := [name for name in allow or () if name not in get_args(Allowance)]:
        raise typer.BadParameter(
            f"{unknown[0]!r} is none of {', '.join(get_args(Allowance))}", param_hint="--allow"
        )
    loaded = load_recipe(recipe, changes, limit)
    place = repo or loaded.recipe.push.repo
    if place is None:
        raise typer.BadParameter("say where to, or set push.repo in the recipe", param_hint="--repo")
    asked = {
        "repo": place,
        "revision": revision,
        "tag": tag,
        "public": public,
        "allowed": allow or (),
        "overwrite": overwrite,
    }
    with LocalEngine(1) as engine, progress() as on_progress:
        pushed = publish(loaded, engine, stopping(on_progress), dry_run, **asked)
    if as_json:
        from leafinstruct.publish.stage import facts

        answer(facts(pushed))
        return
    _show(pushed, dry_run)


def _show(pushed: Pushed, dry_run: bool) -> None:
    for line in pushed.notes:
        note(line)
    note(f"images go out as {'bytes' if pushed.images == 'bytes' else 'references'}: {pushed.why}")
    if dry_run:
        state = "would be made, " if pushed.made else ""
        typer.echo(
            f"{pushed.repo}: {state}{'private' if pushed.private else 'public'}, "
            f"{pushed.survey.records:,} records"
        )
        for what, files in pushed.plan.groups.items():
            for file in files[:LISTED]:
                typer.echo(f"  {what:<8} {file.size:>15,}  {printable(file.name)}")
            if len(files) > LISTED:
                typer.echo(
                    f"  {what:<8} {sum(file.size for file in files[LISTED:]):>15,}  "
                    f"{len(files) - LISTED:,} more files"
                )
        for name in pushed.plan.strangers:
            note(f"{name} there is not what leaf pushed; the push will want --overwrite")
        size = sum(file.size for file in pushed.plan.written)
        typer.echo(
            f"would send {size:,} bytes in {len(pushed.plan.written):,} files"
            if not pushed.plan.empty
            else "nothing to do"
        )
        return
    if pushed.commit is None:
        note(f"nothing to do: {pushed.repo} holds this dataset")
    else:
        size = sum(file.size for file in pushed.plan.written)
        told = ", ".join(
            f"{len(files):,} {what}" for what, files in pushed.plan.groups.items() if files and what != "same"
        )
        note(f"{told}, {size / 1e6:,.1f} MB at most; commit {pushed.commit[:12]}")
    typer.echo(pushed.url)


def hydrate(
    place: Annotated[
        str,
        typer.Argument(
            metavar="PATH_OR_REPO", help="Folder of shards without images, or ORG/NAME of the Hub."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for the shards with images; what stands in it is kept."),
    ],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the Hub.")] = None,
    root: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SOURCE=]DIR",
            help="Where a source's files lie here (images, WARC, Parquet, videos); may be repeated.",
        ),
    ] = None,
    contact: Annotated[
        str | None, typer.Option(help="E-mail or web address, told to hosts that are asked for images.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that may lie in a private network: a mirror of your own."),
    ] = None,
    tolerate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of images that may fail for a passing reason.")
    ] = 0.02,
    as_json: AsJson = False,
) -> None:
    """Fetch the images of pushed references again, and check them."""
    from leafinstruct.pipeline import Watched
    from leafinstruct.publish import hydrate as room
    from leafinstruct.runtime.artifact import Artifact, one_build
    from leafinstruct.runtime.engine.local import LocalEngine

    settings = room.settings(root or [], contact, allow_host or [], tolerate)
    shards = room.shards(place, revision)
    with one_build(out), LocalEngine(1) as engine, progress() as on_progress:
        record = room.hydrate(
            settings, shards, Artifact(out), Watched(engine, "hydrate", stopping(on_progress))
        )
    if as_json:
        answer({key: record[key] for key in ("parts", "counts", "reasons")})
        return
    counts = record["counts"]
    for reason, count in record["reasons"].items():
        note(f"{_many(count, 'image')} missing: {reason}; see {out}/missing.jsonl")
    if counts.get("left_out"):
        note(f"left out, as an image is missing: {_many(counts['left_out'], 'record')}")
    note(
        f"{_many(counts.get('rows', 0), 'record')} with {_many(counts.get('images', 0), 'image')} in "
        f"{_many(record['parts'], 'shard')}"
    )
    typer.echo(printable(out))


def remove(
    recipe: RecipePath = None,
    url: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A page, or an image; may be repeated.")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Whatever lies on a host, or below it.")
    ] = None,
    sha256: Annotated[
        list[str] | None, typer.Option(metavar="HEX", help="Every record that shows these bytes.")
    ] = None,
    identity: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="An example, or all of a document.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Kept with the entries, for people.")] = "",
    listing: Annotated[
        bool, typer.Option("--list", help="Show the list and what it matches; add nothing.")
    ] = False,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge",
            help="Erase it from all runs and caches of the working directory too; without entries: the whole "
            "list.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --purge: count what would be erased, and erase nothing.")
    ] = False,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Take records out for good: builds and pushes leave them out."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.publish.removal import remove as take_out
    from leafinstruct.records.removals import Kind, entry

    given: dict[Kind, list[str] | None] = {"url": url, "domain": domain, "sha256": sha256, "id": identity}
    entries = [entry(kind, value, reason) for kind, values in given.items() for value in values or ()]
    if dry_run and not purge:
        raise typer.BadParameter("goes with --purge alone", param_hint="--dry-run")
    if purge and not listing:
        _purge(load_recipe(recipe, changes, limit), entries, dry_run, as_json)
        return
    if bool(entries) == listing or purge:
        raise typer.BadParameter(
            "say what: --url, --domain, --sha256 or --id; or --list alone", param_hint="remove"
        )
    loaded = load_recipe(recipe, changes, limit)
    found = take_out(loaded.path, loaded.directory, artifacts(loaded), entries)
    if as_json:
        answer(found)
        return
    for line in found["entries"] if listing else ():
        typer.echo(
            printable(
                f"{line['matches']:>7,}  {line['kind']:<7} "
                f"{line['value']}{'  ' + line['reason'] if line['reason'] else ''}"
            )
        )
    if not listing:
        note(
            f"{found['new']:,} of {len(entries):,} new in {found['file']}, which holds "
            f"{len(found['entries']):,} now"
        )
    note(
        f"the list matches {_many(found['records'], 'record')} of the shards, "
        f"{_many(found['examples'], 'example')} of this run"
    )
    for line in found["left"]:
        note(line)


def _purge(loaded: Loaded, entries: list[Entry], dry_run: bool, as_json: bool) -> None:
    from leafinstruct.publish.purge.run import purge

    found = purge(loaded.path, loaded.directory, entries, dry_run)
    if as_json:
        answer(found)
        return
    for line in found["entries"]:
        typer.echo(printable(f"{line['documents']:>7,}  {line['kind']:<7} {line['value']}"))
    counts = ", ".join(f"{count:,} {what}" for what, count in found["erased"].items() if count)
    note(f"{'would erase' if dry_run else 'erased'}: {counts or 'nothing, it is not here'}")
    named = {(each.kind, each.value) for each in entries}
    for line in found["entries"]:
        if (line["kind"], line["value"]) in named and not line["documents"]:
            note(
                printable(
                    f"no document here matches {line['kind']} {line['value']}: it was erased before, "
                    "was never read, or is written otherwise"
                )
            )
    for line in found["notes"]:
        note(line)
    if found["runs"] and not dry_run:
        note(
            f"next: leaf build, which makes the missing parts of {', '.join(found['runs'])} again, then "
            "leaf push"
        )
    for line in found["remains"]:
        note(f"remains: {line}")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"
