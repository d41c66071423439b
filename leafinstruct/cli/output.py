"""What a person sees: progress, the funnel, an estimate, notes. With the rest of cli/ the only place that
prints.

Progress goes to stderr, answers to stdout: a bar on a terminal, plain lines elsewhere. Whatever may come from
a file goes through `printable`, since a terminal obeys what it is shown. rich is loaded only when there is
something to draw.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderableType
    from rich.table import Table

    from leafinstruct.pipeline import OnProgress, Progressed
    from leafinstruct.recipe.load import Loaded
    from leafinstruct.report.funnel import Step

QUIET_SECONDS = 15.0
"""Without a terminal, a long part tells that it lives this often."""

FILE_COLUMNS = 1_000
"""Width of what is not a terminal: names are whole, so a program that reads the table finds them."""

STORY_COLUMNS, NARROW_COLUMNS = 80, 60
"""A story is prose, which wider lines make harder to read; below so many columns the terminal has to wrap
it."""

BAR_FROM, BAR_COLUMNS = 72, 10
"""A terminal of so many columns has room for bars of the funnel, and how wide they are."""


@contextmanager
def progress() -> Iterator[OnProgress]:
    """Progress on stderr: a rewritten line on a terminal; elsewhere a line a tenth, and one now and then
    while a part takes long."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[of]}  {task.fields[rate]:>16}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        running: dict[tuple[str, str], tuple[Any, float]] = {}

        def show(now: Progressed) -> None:
            if now.total == 0:
                return
            key = (now.stage, now.what)
            if key not in running:
                running[key] = (
                    bars.add_task(f"{now.stage}: {now.what}", total=now.total, rate="", of=now.of),
                    time.monotonic(),
                )
            task, began = running[key]
            bars.update(task, completed=now.done, rate=_rate(now, time.monotonic() - began))

        yield show


def _plain() -> OnProgress:
    began: dict[tuple[str, str], float] = {}
    told = {"at": time.monotonic(), "done": 0.0}

    def show(now: Progressed) -> None:
        clock = time.monotonic()
        start = began.setdefault((now.stage, now.what), clock)
        tenth = now.done > told["done"] and (
            now.done == now.total or now.done * 10 // now.total > (now.done - 1) * 10 // now.total
        )
        if now.total and (tenth or clock - told["at"] > QUIET_SECONDS):
            note(
                f"{now.stage}: {now.what}: {now.done} of {now.total} {now.of} {_rate(now, clock - start)}".rstrip()
            )
            told["at"] = clock
        told["done"] = now.done

    return show


@contextmanager
def drawing() -> Iterator[Callable[[int, int], None]]:
    """Progress of an answer on stderr, told by tokens and whole images: a rewritten line on a terminal;
    elsewhere a line an image, and one now and then. Loading the weights comes before the first token and is
    not part of the rate."""
    began, told = dict[str, float](), {"at": time.monotonic(), "images": 0.0}

    def line(tokens: int, images: int) -> str:
        seconds = time.monotonic() - began.setdefault("at", time.monotonic())
        rate = f", {tokens / seconds:,.1f} tokens/s" if seconds > 0.1 else ""
        return f"{tokens:,} tokens, {images:,} image{'s' if images != 1 else ''}{rate}"

    def plain(tokens: int, images: int) -> None:
        text = line(tokens, images)
        if images > told["images"] or time.monotonic() - told["at"] > QUIET_SECONDS:
            note(text)
            told.update(at=time.monotonic(), images=images)

    if not sys.stderr.isatty():
        yield plain
        return
    from rich.console import Console

    with Console(stderr=True).status("loading the weights") as status:
        yield lambda tokens, images: status.update(line(tokens, images))


def _rate(now: Progressed, seconds: float) -> str:
    return f"{now.amount / max(seconds, 1e-3):,.0f} {now.unit}/s" if now.amount else ""


def show_status(loaded: Loaded, again: str, as_json: bool, seconds: float | None = None) -> None:
    """again: the command to name as the next one when something is missing. seconds: of a build that just
    ended."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.report import funnel

    stages = artifacts(loaded)
    entries = funnel.status(stages)
    if as_json:
        answer({"run": str(loaded.directory), "stages": entries})
        return
    from rich.text import Text

    console = _console()
    # Text, since a path may look like rich's markup
    console.print(Text(printable(loaded.directory), style="bold"))
    _show_funnel(console, list(funnel.steps(entries)))
    for line in funnel.spending(entries, seconds):
        console.print(Text(line, style="dim"))
    _show_languages(console, funnel.languages(entries))
    for line in [*funnel.notices(entries, again), *funnel.unfinished(entries, again)]:
        console.print(Text(printable(line), style="yellow"))
    if entries[-1]["state"] == "done":
        _show_shards(console, entries[-1])
        for line in funnel.after(stages, again):
            console.print(Text(printable(line), style="dim"))


def _console() -> Console:
    """Standard output. Not a terminal, or NO_COLOR: no escape at all, bold included; a file has room for
    every line."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    colored = terminal and not os.environ.get("NO_COLOR")
    return Console(
        highlight=False,
        soft_wrap=True,
        color_system="auto" if colored else None,
        width=None if terminal else FILE_COLUMNS,
    )


def _table(first: str, *numbers: str) -> Table:
    """Columns without lines between them, numbers to the right. Where a terminal is narrow, names wrap and no
    number is cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _show_funnel(console: Console, steps: Sequence[Step]) -> None:
    """A line a step: documents, which share of all read that is, images; on a terminal that has room and the
    characters, a bar too."""
    from rich.padding import Padding
    from rich.text import Text

    if not steps:
        return
    bars = sys.stdout.isatty() and console.width >= BAR_FROM and console.encoding.startswith("utf")
    read = next(step.documents or 0 for step in steps if not step.lost)
    table = _table("", "documents", "of read", *([""] if bars else []), "images")
    for step in steps:
        share = (
            None
            if step.documents is None or step.cut or (step.stage == "ingest" and step.lost)
            else step.documents / max(1, read)
        )
        documents, images = step.told
        cells = [documents, "" if share is None else f"{share:.1%}", *([_bar(share)] if bars else []), images]
        # a name that wraps stays under its beginning
        name = Padding(Text(printable(step.what)), (0, 0, 0, 2 * step.lost))
        table.add_row(name, *cells, style="dim" if step.lost else "")
    console.print(table, soft_wrap=False)


def _bar(share: float | None) -> RenderableType:
    from rich.bar import Bar

    return "" if share is None else Bar(1.0, 0.0, min(share, 1.0), width=BAR_COLUMNS, color="green")


def _show_languages(console: Console, lines: Sequence[tuple[str, Sequence[int]]]) -> None:
    """The funnel of each language, where there are several."""
    from rich.text import Text

    if not lines:
        return
    table = _table("languages", *("read", "kept", "examples")[: len(lines[0][1])])
    for name, counts in lines:
        table.add_row(Text(f"  {name}"), *(f"{count:,}" for count in counts))
    console.print()
    console.print(table, soft_wrap=False)


def _show_shards(console: Console, entry: dict[str, Any]) -> None:
    """What was published, by task and split, and where it lies."""
    from rich.text import Text

    table = _table("shards", "files", "rows", "images", "MB")
    for cell in entry["shards"]:
        numbers = (f"{cell[name]:,}" for name in ("shards", "rows", "images"))
        table.add_row(
            Text(printable(f"  {cell['task']}.{cell['split']}")), *numbers, f"{cell['bytes'] / 1e6:,.1f}"
        )
    console.print()
    console.print(table, soft_wrap=False)
    size = f"{entry['counts']['bytes'] / 1e6:,.1f}"
    where = (
        f"{entry['parts']} shard{'s' if entry['parts'] != 1 else ''}, {size} MB in ",
        (printable(entry["path"]), "bold"),
        "/ (card: README.md)",
    )
    console.print(Text.assemble(*where))


def show_story(told: dict[str, Any], again: str, full: bool) -> None:
    """What was found of a record, headings in bold. again: the command about one of several, `ID` in its
    place."""
    from rich.text import Text

    from leafinstruct.report.explain import story

    console = _console()
    width = min(max(console.width, NARROW_COLUMNS), STORY_COLUMNS) if sys.stdout.isatty() else STORY_COLUMNS
    lines = list(story.story(told["record"], width, full)) if told["record"] else []
    if len(told["matches"]) > 1:
        lines += story.matches(told["matches"], told["wanted"], again)
    for line in [*lines, *story.losses(told["rejected"], width)]:
        console.print(Text(line, style="" if line.startswith(" ") else "bold"))


def show_forecast(expected: dict[str, Any], as_json: bool) -> None:
    if as_json:
        answer(expected)
        return
    mark = {
        name: " (estimated)" if name in expected["estimated"] else ""
        for name in ("documents", "images", "requests")
    }
    dollars = (
        "price unknown (set llm.price)"
        if expected["dollars"] is None
        else f"{expected['dollars']:,.4f} dollars{mark['requests']}"
    )
    typer.echo(f"documents      {expected['documents']:>12,}{mark['documents']}")
    typer.echo(f"images       {expected['images']:>12,}{mark['images']}")
    typer.echo(
        f"LLM requests   {expected['requests']:>12,}{' at most' + mark['requests'] if expected['requests'] else ' (offline)'}"
    )
    typer.echo(
        f"tokens         {expected['input_tokens']:>12,} in, {expected['output_tokens']:,} "
        f"out{mark['requests'] if expected['requests'] else ''}"
    )
    typer.echo(f"cost           {dollars}")
    if expected["estimated"]:
        typer.echo(f"estimated from a sample of {expected['sample']} documents")


def again(recipe: Path | None, changes: list[str] | None, limit: int | None, *verb: str) -> str:
    """The command about the same run, ready to paste. verb: with its first argument; by default the one that
    builds what was asked about."""
    options = [*([str(recipe)] if recipe else []), *(["--limit", str(limit)] if limit else [])]
    return shlex.join(
        [
            "leaf",
            *(verb or ("build",)),
            *options,
            *(word for change in changes or () for word in ("--set", change)),
        ]
    )


def note(line: str) -> None:
    """One line on stderr; it may quote a file, which must not move the cursor or color the terminal."""
    typer.echo(f"leaf: {printable(line)}", err=True)


def answer(value: object) -> None:
    """JSON in ASCII: a machine reads it the same, and a terminal gets no control character of a file's name
    or text."""
    typer.echo(json.dumps(value, indent=1))
