"""Output of the verbs: progress, the funnel, estimates, notes.

Progress and notes go to stderr, results to stdout. Progress is a bar on a terminal and plain lines elsewhere.
Text that may come from a file goes through `printable`, because a terminal executes escape sequences. rich is
imported only when it is used.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from leafinstruct.report.run import Run
    from leafinstruct.report.status import Step
    from leafinstruct.runtime.engine.watched import OnProgress, Progressed

QUIET_SECONDS = 15.0
"""Interval of progress lines during a long part, where stderr is no terminal."""

FILE_COLUMNS = 1_000
"""Width of output that is no terminal. Names are not wrapped there, so programs can read the table."""

STORY_COLUMNS, NARROW_COLUMNS = 80, 60
"""Maximum width of `leaf explain`, because wider prose is hard to read; and its minimum width. A narrower
terminal wraps the lines."""

BAR_FROM, BAR_COLUMNS = 72, 10
"""Minimum width of a terminal for the bars of the funnel, and the width of a bar."""


@contextmanager
def progress() -> Iterator[OnProgress]:
    """Show progress on stderr: bars on a terminal; elsewhere a line per tenth, and one every QUIET_SECONDS
    during a long part."""
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
    last = {"at": time.monotonic(), "done": 0.0}  # of the last line; of the last call

    def show(now: Progressed) -> None:
        clock = time.monotonic()
        start = began.setdefault((now.stage, now.what), clock)
        tenth = now.done > last["done"] and (
            now.done == now.total or now.done * 10 // now.total > (now.done - 1) * 10 // now.total
        )
        if now.total and (tenth or clock - last["at"] > QUIET_SECONDS):
            rate = _rate(now, clock - start)
            note(f"{now.stage}: {now.what}: {now.done} of {now.total} {now.of} {rate}".rstrip())
            last["at"] = clock
        last["done"] = now.done

    return show


@contextmanager
def generation_progress() -> Iterator[Callable[[int, int], None]]:
    """Show the progress of an answer on stderr, in tokens and finished images: a status line on a terminal;
    elsewhere a line per image, and one every QUIET_SECONDS. The rate does not include loading the weights."""
    began, last = dict[str, float](), {"at": time.monotonic(), "images": 0.0}

    def line(tokens: int, images: int) -> str:
        seconds = time.monotonic() - began.setdefault("at", time.monotonic())
        rate = f", {tokens / seconds:,.1f} tokens/s" if seconds > 0.1 else ""
        return f"{tokens:,} tokens, {counted(images, 'image')}{rate}"

    def plain(tokens: int, images: int) -> None:
        text = line(tokens, images)
        if images > last["images"] or time.monotonic() - last["at"] > QUIET_SECONDS:
            note(text)
            last.update(at=time.monotonic(), images=images)

    if not sys.stderr.isatty():
        yield plain
        return
    from rich.console import Console

    with Console(stderr=True).status("loading the weights") as status:
        yield lambda tokens, images: status.update(line(tokens, images))


def _rate(now: Progressed, seconds: float) -> str:
    """The state of a service that works on the parts, else the speed."""
    if now.state:
        return now.state
    return f"{now.amount / max(seconds, 1e-3):,.0f} {now.unit}/s" if now.amount else ""


def show_status(run: Run, as_json: bool, seconds: float | None = None) -> None:
    """Print the state of every stage and the funnel. seconds: duration of the build that just ended."""
    from leafinstruct.report import status

    entries, again = status.entries(run.stages), run.again
    if as_json:
        print_json({"run": str(run.directory), "stages": entries})
        return
    from rich.text import Text

    console = _console()
    # Text, because a path may look like rich markup
    console.print(Text(shown(run.directory), style="bold"))
    _show_funnel(console, list(status.steps(entries)))
    for line in status.spending(entries, seconds):
        console.print(Text(line, style="dim"))
    _show_languages(console, status.languages(entries))
    for line in [*status.notices(entries, again), *status.unfinished(entries, again)]:
        console.print(Text(shown(line), style="yellow"))
    if entries[-1]["state"] == "done":
        _show_shards(console, entries[-1])
        for line in status.after(run.stages, again):
            console.print(Text(shown(line), style="dim"))


def _console() -> Console:
    """Standard output. If it is no terminal, or with NO_COLOR, it gets no escape sequence, not even bold."""
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
    """A table without rules, numbers aligned to the right. On a narrow terminal names wrap and numbers stay
    whole."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, unless it has no rows. headings: of the first column, then of those with figures. A line
    break at the beginning of the first one is an empty line."""
    from rich.text import Text

    if not rows:
        return
    console = _console()
    if headings[0].startswith("\n"):
        console.print()
    table = _table(headings[0].removeprefix("\n"), *headings[1:])
    for first, *others in rows:
        table.add_row(Text(printable(first)), *map(Text, others))
    console.print(table, soft_wrap=False)


def _show_funnel(console: Console, steps: Sequence[Step]) -> None:
    """One line per step: documents, their share of all documents read, images; and a bar if the terminal is
    wide enough and UTF-8."""
    from rich.padding import Padding
    from rich.text import Text

    from leafinstruct.report.status import documents_read

    if not steps:
        return
    bars = sys.stdout.isatty() and console.width >= BAR_FROM and console.encoding.startswith("utf")
    read = documents_read(steps)
    table = _table("", "documents", "of read", *([""] if bars else []), "images")
    for step in steps:
        share = step.share(read)
        documents, images = step.counts
        cells = [documents, "" if share is None else f"{share:.1%}", *([_bar(share)] if bars else []), images]
        # a wrapped name stays indented
        name = Padding(Text(printable(step.what)), (0, 0, 0, 2 * step.lost))
        table.add_row(name, *cells, style="dim" if step.lost else "")
    console.print(table, soft_wrap=False)


def _bar(share: float | None) -> RenderableType:
    from rich.bar import Bar

    return "" if share is None else Bar(1.0, 0.0, min(share, 1.0), width=BAR_COLUMNS, color="green")


def _show_languages(console: Console, lines: Sequence[tuple[str, Sequence[int]]]) -> None:
    """The funnel of each language, if there are several."""
    from rich.text import Text

    if not lines:
        return
    table = _table("languages", *("read", "kept", "examples")[: len(lines[0][1])])
    for name, counts in lines:
        table.add_row(Text(f"  {name}"), *(f"{count:,}" for count in counts))
    console.print()
    console.print(table, soft_wrap=False)


def _show_shards(console: Console, entry: dict[str, Any]) -> None:
    """The shards by task and split, and their folder."""
    from rich.text import Text

    table = _table("shards", "files", "rows", "images", "MB")
    for group in entry["shards"]:
        numbers = (f"{group[name]:,}" for name in ("shards", "rows", "images"))
        table.add_row(
            Text(printable(f"  {group['task']}.{group['split']}")), *numbers, f"{group['bytes'] / 1e6:,.1f}"
        )
    console.print()
    console.print(table, soft_wrap=False)
    size = f"{entry['counts']['bytes'] / 1e6:,.1f}"
    place = (shown(entry["path"]), "bold")
    console.print(
        Text.assemble(f"{counted(entry['parts'], 'shard')}, {size} MB in ", place, "/ (card: README.md)")
    )


def show_story(found: Mapping[str, Any], again: str, full: bool) -> None:
    """Print what was found about a record, headings in bold. again: command that explains one of several
    records, with `ID` as a placeholder."""
    from rich.text import Text

    from leafinstruct.report.explain import story

    console = _console()
    width = min(max(console.width, NARROW_COLUMNS), STORY_COLUMNS) if sys.stdout.isatty() else STORY_COLUMNS
    lines = list(story.story(found["record"], width, full)) if found["record"] else []
    if len(found["matches"]) > 1:
        lines += story.matches(found["matches"], found["wanted"], again)
    for line in [*lines, *story.losses(found["rejected"], width)]:
        console.print(Text(line, style="" if line.startswith(" ") else "bold"))


def command_line(recipe: Path | None, changes: list[str] | None, limit: int | None, *verb: str) -> str:
    """A command on the same run, ready to paste. verb: the verb and its first argument; default `build`."""
    options = [*([str(recipe)] if recipe else []), *(["--limit", str(limit)] if limit else [])]
    return shlex.join(
        [
            "leaf",
            *(verb or ("build",)),
            *options,
            *(word for change in changes or () for word in ("--set", change)),
        ]
    )


def shown(text: object) -> str:
    """One printable line. The current folder, where runs are by default, is left out of their paths."""
    return re.sub(rf"(?<![\w./-]){re.escape(str(Path.cwd()))}/(?=runs/)", "", printable(text))


def note(line: str) -> None:
    """Print one line on stderr. Text quoted from a file cannot move the cursor or color the terminal."""
    typer.echo(f"leaf: {shown(line)}", err=True)


def print_json(value: object) -> None:
    """Print JSON in ASCII, so that a terminal gets no control character of a file's name or text."""
    typer.echo(json.dumps(value, indent=1))


def counted(count: int, noun: str) -> str:
    """A number and its noun, e.g. `1 image`, `2,000 images`."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
