"""The command `leaf`: verbs and exit codes. The only room that exits or reads the environment; with terminal.py the only one that prints.

Exit codes: 0 done; 1 a LeafInstructError, one line on stderr; 2 wrong usage; 130 interrupted, with what was finished kept. Anything else is
a defect of ours and shows its traceback. Rooms are imported inside the verbs, so that `leaf --help` loads Typer and nothing more.

Chosen: Typer, whose options are typed signatures.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from leafinstruct import __version__
from leafinstruct.cli.dataset import build, init, status
from leafinstruct.cli.exports import export
from leafinstruct.cli.look import explain, inspect
from leafinstruct.cli.models import doctor, generate, train
from leafinstruct.cli.publish import hydrate, push, remove
from leafinstruct.cli.stopping import Interrupted, end, listen
from leafinstruct.cli.verify import verify
from leafinstruct.errors import LeafInstructError
from leafinstruct.terminal import note

app = typer.Typer(
    name="leaf",
    help="Build interleaved text-and-picture instruction-tuning datasets from raw pages.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _verb in (
    init,
    build,
    status,
    verify,
    inspect,
    explain,
    export,
    push,
    hydrate,
    remove,
    train,
    generate,
    doctor,
):  # as --help lists them
    app.command()(_verb)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(_: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False) -> None:
    pass


def main() -> None:
    """Entry point of `leaf`. Typer exits with 0 and 2 by itself."""
    listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets question marks, not a traceback
    try:
        app()
    except LeafInstructError as error:
        for line in str(error).splitlines():
            note(line)
        sys.exit(1)
    except Interrupted as interrupted:
        end()
        note(str(interrupted) or "interrupted; what was finished is kept, run the same command to go on")
        sys.exit(130)
