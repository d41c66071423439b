"""`leaf hydrate`: fetch the images of shards that hold references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from leafinstruct.cli.options import AsJson
from leafinstruct.cli.output import counted, note, print_json, progress
from leafinstruct.cli.signals import stopping
from leafinstruct.records.printable import printable


def hydrate(
    source: Annotated[
        str, Argument(metavar="PATH_OR_REPO", help="Folder of shards without images, or ORG/NAME of the Hub.")
    ],
    out: Annotated[
        Path, Option(metavar="DIR", help="Folder for the shards with images; finished shards in it are kept.")
    ],
    revision: Annotated[
        str | None, Option(metavar="REVISION", help="Branch, tag or commit on the Hub. Default: main.")
    ] = None,
    root: Annotated[
        list[str] | None,
        Option(
            metavar="[SOURCE=]DIR",
            help="Local folder of a source's files (images, WARC, Parquet, videos). Repeatable.",
        ),
    ] = None,
    contact: Annotated[
        str | None,
        Option(metavar="CONTACT", help="Your e-mail address or web page, sent to every image host."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        Option(
            metavar="HOST", help="Host that may be in a private network, e.g. your own mirror. Repeatable."
        ),
    ] = None,
    tolerate: Annotated[
        float,
        Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of images that may fail for a temporary reason, 0 to 1.",
        ),
    ] = 0.02,
    as_json: AsJson = False,
) -> None:
    """Fetch the images that shards only refer to. Their hashes are checked."""
    from leafinstruct.publish import hydrate as hydration
    from leafinstruct.records.preference.row import FOLDER
    from leafinstruct.runtime.artifact import Artifact
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.watched import Watched
    from leafinstruct.runtime.locks import one_build

    settings = hydration.settings(root or [], contact, allow_host or [], tolerate)
    shards = hydration.shards(source, revision)
    with one_build(out), LocalEngine(1) as engine, progress() as on_progress:
        watched = Watched(engine, "hydrate", stopping(on_progress))
        record = hydration.hydrate(settings, shards, Artifact(out), watched)
        of_pairs = hydration.hydrate_preference(settings, shards, Artifact(out), watched)
    if as_json:
        print_json({**_short(record), **({} if of_pairs is None else {FOLDER: _short(of_pairs)})})
        return
    _show(record, out, "record")
    if of_pairs is not None:
        _show(of_pairs, out / FOLDER, "preference row")


def _short(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("parts", "counts", "reasons")}


def _show(record: Mapping[str, Any], out: Path, what: str) -> None:
    counts = record["counts"]
    for reason, count in record["reasons"].items():
        note(f"{counted(count, 'image')} missing: {reason}; see {out}/missing.jsonl")
    if counts.get("left_out"):
        note(f"left out, because an image is missing: {counted(counts['left_out'], what)}")
    note(
        f"{counted(counts.get('rows', 0), what)} with {counted(counts.get('images', 0), 'image')} in "
        f"{counted(record['parts'], 'shard')}"
    )
    typer.echo(printable(out))
