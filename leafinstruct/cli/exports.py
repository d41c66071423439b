"""The verb that hands a dataset to other tools: export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from leafinstruct.cli.options import AsJson
from leafinstruct.cli.output import answer, note, progress
from leafinstruct.records.printable import printable

TO = "conversations|webdataset|llama-factory|ms-swift"
"""The formats as --help names them; written here too, because that loads no room."""


def export(
    to: Annotated[str, typer.Option(metavar=f"[{TO}]", help="The format.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A new folder; an unfinished export in it goes on.")
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help=(
                "Recipe, run:NAME, hub:ORG/NAME, folder, shard or glob; default: the recipe as of leaf build."
            ),
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Of this split alone; default all.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Of this task alone; default all.")] = None,
    tar_mb: Annotated[int, typer.Option(min=1, metavar="MB", help="Of a webdataset shard, at most.")] = 512,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Replace the export in DIR.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the dataset in another tool's format."""
    from leafinstruct.export.run import FORMATS
    from leafinstruct.export.run import export as run
    from leafinstruct.pipeline import Progressed
    from leafinstruct.recipe.load import load, locate

    if to not in FORMATS:
        raise typer.BadParameter(f"{to!r} is none of {', '.join(FORMATS)}", param_hint="--to")
    if data is None or Path(data).suffix in (".yaml", ".yml"):
        path = locate(None if data is None else Path(data), os.environ.get("LEAF_RECIPE"))
        data = str(load(path).directory / "shard")
    with progress() as show:
        done = run(
            data,
            FORMATS[to],
            out,
            Path("runs"),
            split,
            task,
            tar_mb << 20,
            rebuild,
            lambda number, total: show(Progressed("export", to, number, total, number, "rows", "rows")),
        )
    if as_json:
        answer(done.record)
        return
    counts, lost = done.record["counts"], done.record["reasons"]
    if done.up_to_date:
        note(f"nothing to do: {out} is up to date")
    if lost:
        why = ", ".join(f"{reason} {number:,}" for reason, number in lost.items())
        note(f"left out: {sum(lost.values()):,} rows ({why}); {out / 'left-out.jsonl'} lists them")
    if counts["answer_images"]:
        note(f"{counts['answer_images']:,} of {counts['images']:,} images stand in answers. {done.answers}")
    typer.echo(
        f"{counts['rows']:,} rows, {counts['images']:,} images in {printable(out)}/ (how to load it: "
        "README.md)"
    )
