"""The command `leaf`: one module per verb, and the exit codes. Only this package prints, exits or reads the
environment.

Exit codes: 0 done; 1 a LeafInstructError or a full disk (one line on stderr), or the reader of the output
closed it (`| head`); 2 wrong usage; 130 interrupted (SIGINT, SIGTERM, SIGHUP), with finished work kept. A
signal after the last write leaves 0 (runtime/last_write.py). Any other exception is a bug and shows its
traceback. Verbs import the package inside their functions, so `leaf --help` loads nothing but Typer.

Chosen: Typer, whose options are typed signatures.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from typing import Annotated, Any, TextIO

import typer
from typer import Option
from typer.core import TyperGroup

from leafinstruct import __version__
from leafinstruct.cli.audit import audit
from leafinstruct.cli.build import build
from leafinstruct.cli.calibrate import calibrate
from leafinstruct.cli.doctor import doctor
from leafinstruct.cli.explain import explain
from leafinstruct.cli.export import ExportCommand, export
from leafinstruct.cli.generate import generate
from leafinstruct.cli.hydrate import hydrate
from leafinstruct.cli.init import init
from leafinstruct.cli.inspect import inspect
from leafinstruct.cli.output import note
from leafinstruct.cli.push import push
from leafinstruct.cli.remove import remove
from leafinstruct.cli.signals import Interrupted, ignore, listen
from leafinstruct.cli.status import status
from leafinstruct.cli.train import train
from leafinstruct.cli.verify import verify
from leafinstruct.errors import LeafInstructError
from leafinstruct.runtime import last_write


class _Grouped(TyperGroup):
    """Lists the verbs in groups. Typer itself does so only through rich, whose import takes as long as all
    the rest of `leaf --help`. The signature is Click's."""

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override] # noqa: ARG002
        width = max(map(len, self.commands))
        for group, verbs in groupby(
            self.commands.values(), lambda verb: getattr(verb, "rich_help_panel", "")
        ):
            with formatter.section(group):
                limit = formatter.width - width - 6
                formatter.write_dl(
                    [(f"{verb.name:<{width}}", verb.get_short_help_str(limit)) for verb in verbs]
                )


app = typer.Typer(
    name="leaf",
    cls=_Grouped,
    help="Build interleaved text-and-image instruction-tuning datasets from raw pages and videos.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_GROUPS: dict[str, tuple[Callable[..., None], ...]] = {
    "Build": (init, build),
    "Look": (status, inspect, explain, audit, calibrate, verify),
    "Publish": (push, export, hydrate, remove),
    "Train": (train, generate, doctor),
}
"""The verbs as `leaf --help` lists them."""
for _group, _verbs in _GROUPS.items():
    for _verb in _verbs:
        app.command(cls=ExportCommand if _verb is export else None, rich_help_panel=_group)(_verb)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run `leaf` and exit."""
    listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that is not UTF-8 gets question marks, not a traceback
            stream.reconfigure(errors="replace")
    code = _run()
    _flush(sys.stdout)
    _flush(sys.stderr)
    sys.exit(code)


def _run() -> str | int | None:
    """Run the verb and return the exit code."""
    try:
        app(prog_name="leaf")  # also for `python -m leafinstruct`
    except SystemExit as ended:  # Typer raises it on success too, and when the reader of the output is gone
        ignore()
        return 0 if last_write.complete() else ended.code
    except LeafInstructError as error:
        _print_error(str(error))
        return 1
    except Interrupted as interrupted:
        ignore()
        if last_write.complete():
            return 0
        _print_error(
            str(interrupted) or "interrupted; finished work is kept, run the same command again to continue"
        )
        return 130
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"{error.filename}: " if error.filename else ""
        _print_error(
            f"{where}{os.strerror(error.errno)}; finished work is kept, free some space and run the same "
            "command again"
        )
        return 1
    return 0


def _print_error(text: str) -> None:
    """Print a message on stderr, unless its reader is gone."""
    with suppress(OSError):
        for line in text.splitlines():
            note(line)


def _flush(stream: TextIO) -> None:
    """Flush a stream. If its reader is gone, redirect it, so that the interpreter does not report the error
    a second time at exit."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
