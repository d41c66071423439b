"""The command `leaf`: verbs and exit codes. The only room that exits or reads the environment, and the only
one that prints.

Exit codes: 0 done; 1 a LeafInstructError or a full disk, one line on stderr, or a reader of the output that
went away (`| head`); 2 wrong usage; 130 interrupted (SIGINT, SIGTERM, SIGHUP), with what was finished kept. A
signal after the last write leaves 0 (last_write). Anything else is a defect of ours and shows its traceback.
Rooms are imported inside the verbs, so that `leaf --help` loads Typer and nothing more.

Chosen: Typer, whose options are typed signatures.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Annotated, TextIO

import typer

from leafinstruct import __version__
from leafinstruct.cli.dataset import build, init, status
from leafinstruct.cli.exports import export
from leafinstruct.cli.look import explain, inspect
from leafinstruct.cli.models import doctor, generate, train
from leafinstruct.cli.output import note
from leafinstruct.cli.publish import hydrate, push, remove
from leafinstruct.cli.stopping import Interrupted, end, listen
from leafinstruct.cli.verify import verify
from leafinstruct.errors import LeafInstructError
from leafinstruct.runtime import last_write

app = typer.Typer(
    name="leaf",
    help="Build interleaved text-and-image instruction-tuning datasets from raw pages.",
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
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of `leaf`."""
    listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that is not UTF-8 gets question marks, not a traceback
            stream.reconfigure(errors="replace")
    code = _code()
    _let_go(sys.stdout)
    _let_go(sys.stderr)
    sys.exit(code)


def _code() -> str | int | None:
    """Run the verb; what the process ends with."""
    try:
        app()
    except SystemExit as ended:  # Typer's way to end, also well, and where nobody reads the output any more
        end()
        return 0 if last_write.complete() else ended.code
    except LeafInstructError as error:
        _print_error(str(error))
        return 1
    except Interrupted as interrupted:
        end()
        _print_error(
            str(interrupted) or "interrupted; what was finished is kept, run the same command to go on",
            unless=last_write.complete(),
        )
        return 0 if last_write.complete() else 130
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"{error.filename}: " if error.filename else ""
        _print_error(
            f"{where}{os.strerror(error.errno)}; what was finished is kept, free some space and run the "
            "same command again"
        )
        return 1
    return 0


def _print_error(text: str, unless: bool = False) -> None:
    """Lines on stderr, where there still is somebody to read them."""
    with suppress(OSError):
        for line in [] if unless else text.splitlines():
            note(line)


def _let_go(stream: TextIO) -> None:
    """Write out what a stream holds. Where its reader is gone, the interpreter shall not complain of it a
    second time."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
