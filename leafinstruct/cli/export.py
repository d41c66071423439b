"""`leaf export`: write a dataset in another tool's format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option
from typer.core import TyperCommand

from leafinstruct.cli.options import AsJson
from leafinstruct.cli.output import note, print_json, progress
from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from leafinstruct.export.run import Exported


class ExportCommand(TyperCommand):
    """The verb, which searches for formats of installed packages only when its help lists them."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from leafinstruct.export.catalog import names

        for option in self.params:
            if option.name == "to":
                option.metavar = f"[{'|'.join(names())}]"
        super().format_options(ctx, formatter)


def export(
    to: Annotated[str, Option(metavar="FORMAT", help="Format to write.")],
    out: Annotated[
        Path,
        Option(metavar="DIR", help="Folder to write to: a new one, or an unfinished export to continue."),
    ],
    data: Annotated[
        str | None,
        Argument(
            metavar="DATA",
            help=(
                "Recipe, run:NAME, hub:ORG/NAME, folder, shard or glob. Default: the recipe that leaf build "
                "takes."
            ),
        ),
    ] = None,
    split: Annotated[
        str | None, Option(metavar="SPLIT", help="Export only this split. Default: all.")
    ] = None,
    task: Annotated[str | None, Option(metavar="TASK", help="Export only this task. Default: all.")] = None,
    shard_mb: Annotated[
        int, Option(min=1, metavar="MB", help="Maximum size of a webdataset tar shard, in MB.")
    ] = 512,
    rebuild: Annotated[
        bool, Option("--rebuild", help="Delete the export in DIR and write it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the dataset in another tool's format."""
    from leafinstruct.export.catalog import format_of, names
    from leafinstruct.export.run import export as run
    from leafinstruct.recipe.load import load, locate
    from leafinstruct.runtime.engine.watched import Progressed

    if to not in names():
        raise typer.BadParameter(f"{to!r} is none of {', '.join(names())}", param_hint="--to")
    if data is None or Path(data).suffix in (".yaml", ".yml"):
        path = locate(None if data is None else Path(data), os.environ.get("LEAF_RECIPE"))
        data = str(load(path).directory / "shard")
    with progress() as show:
        done = run(
            data,
            format_of(to),
            out,
            Path("runs"),
            split,
            task,
            shard_mb << 20,
            rebuild,
            lambda number, total: show(Progressed("export", to, number, total, number, "rows", "rows")),
        )
    if as_json:
        print_json(done.record)
    else:
        _show(done, out)


def _show(done: Exported, out: Path) -> None:
    counts, lost = done.record["counts"], done.record["reasons"]
    if done.up_to_date:
        note(f"nothing to do: {out} is up to date")
    if lost:
        why = ", ".join(f"{reason} {number:,}" for reason, number in lost.items())
        note(f"left out: {sum(lost.values()):,} rows ({why}); {out / 'left-out.jsonl'} lists them")
    if counts["answer_images"]:
        note(f"{counts['answer_images']:,} of {counts['images']:,} images are in answers. {done.answers}")
    typer.echo(
        f"{counts['rows']:,} rows, {counts['images']:,} images in {printable(out)}/ (how to load it: "
        "README.md)"
    )
