"""`leaf remove`: keep records out of all later builds, or erase them from the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from leafinstruct.cli.options import AsJson, Changes, Limit, RecipePath, load_recipe
from leafinstruct.cli.output import counted, note, print_json
from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leafinstruct.records.removals import Entry, Kind


def remove(
    recipe: RecipePath = None,
    url: Annotated[
        list[str] | None, Option(metavar="URL", help="Remove a page or an image. Repeatable.")
    ] = None,
    domain: Annotated[
        list[str] | None,
        Option(metavar="HOST", help="Remove everything from a host and its subdomains. Repeatable."),
    ] = None,
    sha256: Annotated[
        list[str] | None,
        Option(metavar="HEX", help="Remove every record that shows the image of this hash. Repeatable."),
    ] = None,
    identity: Annotated[
        list[str] | None,
        Option("--id", metavar="ID", help="Remove an example, or all of a document. Repeatable."),
    ] = None,
    reason: Annotated[str, Option(metavar="TEXT", help="Note to keep with the entries.")] = "",
    listing: Annotated[
        bool, Option("--list", help="Show the removal list and what it matches; add nothing.")
    ] = False,
    purge: Annotated[
        bool,
        Option(
            "--purge",
            help=(
                "Also erase it from all runs and caches of the working directory; without entries, erase "
                "the whole list."
            ),
        ),
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="With --purge: count what would be erased; erase nothing.")
    ] = False,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Remove records from all later builds and pushes. They are added to the removal list."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.publish.purge.run import purge as erase
    from leafinstruct.publish.remove import remove as take_out

    entries = _entries({"url": url, "domain": domain, "sha256": sha256, "id": identity}, reason)
    if dry_run and not purge:
        raise typer.BadParameter("needs --purge", param_hint="--dry-run")
    if (purge and listing) or (not purge and bool(entries) == listing):
        raise typer.BadParameter(
            "give --url, --domain, --sha256 or --id, or --list alone", param_hint="remove"
        )
    loaded = load_recipe(recipe, changes, limit)
    run = loaded.path, loaded.directory
    found = erase(*run, entries, dry_run) if purge else take_out(*run, artifacts(loaded), entries)
    if as_json:
        print_json(found)
    else:
        _show_purged(found, entries, dry_run) if purge else _show_list(found, entries)


def _entries(given: dict[Kind, list[str] | None], reason: str) -> list[Entry]:
    from leafinstruct.records.removals import entry

    return [entry(kind, value, reason) for kind, values in given.items() for value in values or ()]


def _show_list(found: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    for line in () if entries else found["entries"]:
        reason = f"  {line['reason']}" if line["reason"] else ""
        typer.echo(printable(f"{line['matches']:>7,}  {line['kind']:<7} {line['value']}{reason}"))
    if entries:
        note(
            f"{found['new']:,} of {len(entries):,} new in {found['file']}, which now has "
            f"{len(found['entries']):,}"
        )
    note(
        f"the list matches {counted(found['records'], 'record')} of the shards, "
        f"{counted(found['examples'], 'example')} of this run"
    )
    if found["preference_rows"]:
        note(f"it matches {counted(found['preference_rows'], 'preference row')} of the shards")
    for line in found["left"]:
        note(line)


def _show_purged(found: Mapping[str, Any], entries: Sequence[Entry], dry_run: bool) -> None:
    for line in found["entries"]:
        typer.echo(printable(f"{line['documents']:>7,}  {line['kind']:<7} {line['value']}"))
    counts = ", ".join(f"{count:,} {what}" for what, count in found["erased"].items() if count)
    note(f"{'would erase' if dry_run else 'erased'}: {counts or 'nothing, no file here contains it'}")
    given = {(each.kind, each.value) for each in entries}
    for line in found["entries"]:
        if (line["kind"], line["value"]) in given and not line["documents"]:
            note(
                f"no document here matches {line['kind']} {line['value']}: it was erased before, was never "
                "read, or is spelled differently"
            )
    for line in found["notes"]:
        note(line)
    if found["runs"] and not dry_run:
        note(
            f"next: leaf build, which rebuilds the missing parts of {', '.join(found['runs'])}; then "
            "leaf push"
        )
    for line in found["remains"]:
        note(f"remains: {line}")
