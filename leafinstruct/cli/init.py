"""`leaf init`: write a recipe and its templates."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from leafinstruct.errors import LeafInstructError
from leafinstruct.records.printable import printable

TEMPLATES = ("prompts", "questions", "data_cards")


def init(
    folder: Annotated[
        Path, Argument(metavar="NAME", help="New folder for recipe.yaml, prompts, questions and data_cards.")
    ],
    origin: Annotated[
        Path | None,
        Option(
            "--from",
            metavar="FOLDER|FILE",
            help=(
                "Your files: pages, web archives, MMC4, OBELICS, tables, conversations, videos. Their format "
                "is detected and a recipe is written for them."
            ),
        ),
    ] = None,
    contact: Annotated[
        str | None,
        Option(
            metavar="CONTACT",
            help=(
                "Your e-mail address or web page. The recipe then fetches images from the web and sends it "
                "to every host. Default: no image is fetched."
            ),
        ),
    ] = None,
) -> None:
    """Write a recipe that runs unchanged, and its prompts."""
    if contact is not None and origin is None:
        raise typer.BadParameter(
            "needs a recipe of your own files; add --from FOLDER", param_hint="--contact"
        )
    try:
        summary = _write(folder, origin, contact)
    except OSError as error:
        reason = error.strerror or "a file in it cannot be written"
        raise LeafInstructError(
            f"{folder}: cannot create the recipe there: {reason}; give a new folder that you may write to"
        ) from error
    for line in summary:
        typer.echo(line)
    typer.echo(
        f"{printable(folder)}: recipe.yaml, prompts/, questions/, data_cards/\nnext: cd "
        f"{printable(shlex.quote(str(folder)))} && leaf build"
    )


def _write(folder: Path, origin: Path | None, contact: str | None) -> tuple[str, ...]:
    """Write the folder, recipe.yaml last. Returns lines about what was found in `origin`."""
    import shutil

    from leafinstruct.recipe.draft import draft
    from leafinstruct.recipe.templates import packaged
    from leafinstruct.runtime.files import writing
    from leafinstruct.runtime.last_write import last_write

    # a folder with nothing but templates was left by an init that was killed
    if folder.exists() and any(path.name not in TEMPLATES for path in folder.iterdir()):
        raise LeafInstructError(f"{folder}: exists and is not empty; give a new folder")
    text, summary = (packaged("pipelines") / "start.yaml").read_text(encoding="utf-8"), tuple[str, ...]()
    if origin is not None:
        text, summary = draft(origin, folder, contact)
    folder.mkdir(parents=True, exist_ok=True)
    for templates in TEMPLATES:
        shutil.copytree(packaged(templates), folder / templates, dirs_exist_ok=True)
    with last_write(), writing(folder / "recipe.yaml") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return summary
