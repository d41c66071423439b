"""The command `leaf`: verbs, progress, exit codes. The only file that prints, exits or reads the environment.

Exit codes: 0 done; 1 a LeafInstructError, one line on stderr; 2 wrong usage; 130 interrupted, with what was finished kept. Anything else is
a defect of ours and shows its traceback. Rooms are imported inside the verbs, so that `leaf --help` loads Typer and nothing more.

Chosen: Typer, whose options are typed signatures, and rich for progress (a line rewritten on a terminal, plain lines elsewhere).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leafinstruct import __version__
from leafinstruct.errors import LeafInstructError

if TYPE_CHECKING:
    from leafinstruct.pipeline import OnProgress
    from leafinstruct.recipe import Loaded

app = typer.Typer(
    name="leaf",
    help="Build interleaved text-and-picture instruction-tuning datasets from raw pages.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

RecipePath = Annotated[
    Path | None, typer.Argument(help="Recipe; default $LEAF_RECIPE, recipe.yaml, pipelines/demo.yaml, the packaged demo.")
]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the recipe, e.g. filter.min_images=2.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="At most N documents, in a run of its own (runs/<name>-limit<N>).")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="New folder for recipe.yaml, prompts/ and data_cards/.")]) -> None:
    """Write a commented recipe that runs as it is, with its prompts and its card."""
    import shutil

    from leafinstruct.recipe import packaged

    if folder.exists() and any(folder.iterdir()):
        raise LeafInstructError(f"{folder}: exists and is not empty; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(packaged("pipelines") / "start.yaml", folder / "recipe.yaml")
    for templates in ("prompts", "data_cards"):
        shutil.copytree(packaged(templates), folder / templates)
    typer.echo(f"{folder}: recipe.yaml, prompts/, data_cards/\nnext: cd {folder} && leaf build")


@app.command()
def build(
    recipe: RecipePath = None,
    stage: Annotated[
        str | None, typer.Option(help="Run what is missing up to and including this stage: ingest, filter, rewrite, shard.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core.")] = None,
    limit: Limit = None,
    rebuild: Annotated[bool, typer.Option(help="Forget what stands and build anew; answers of a language model are kept.")] = False,
    retry_failed: Annotated[bool, typer.Option(help="Try again what failed in finished stages.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what it would take, and make nothing.")] = False,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Build the dataset: ingest, filter, rewrite, shard. What stands is kept, what is missing is made."""
    from leafinstruct.engine.local import LocalEngine
    from leafinstruct.pipeline import STAGES, forecast
    from leafinstruct.pipeline import build as run

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    loaded = _load(recipe, changes, limit)
    with LocalEngine(workers) as engine:
        if dry_run:
            _show_forecast(forecast(loaded, engine), as_json)
            return
        started = time.monotonic()
        with _progress() as on_progress:
            outcomes = list(run(loaded, engine, on_progress, stage or STAGES[-1], rebuild, retry_failed))
    for outcome in outcomes:
        if outcome.changes:
            _note(
                f"{outcome.stage}: rebuilt what changed: {'; '.join(outcome.changes[:3])}{' and more' if len(outcome.changes) > 3 else ''}"
            )
    if all(outcome.stood for outcome in outcomes):
        _note(f"nothing to do: {loaded.directory} is up to date")
    _show_status(loaded, as_json, time.monotonic() - started)


@app.command()
def status(recipe: RecipePath = None, limit: Limit = None, changes: Changes = None, as_json: AsJson = False) -> None:
    """Show what is done, what is missing, and the funnel."""
    _show_status(_load(recipe, changes, limit), as_json)


@app.command()
def explain(
    record: Annotated[str, typer.Argument(metavar="ID", help="Id of a document or an example, kept or dropped.")],
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one record: source, scores, rules, rewriting, shard."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.report.lineage import explain as tell

    loaded = _load(recipe, changes, limit)
    story = tell(artifacts(loaded), record)
    if story is None:
        raise LeafInstructError(
            f"{record}: no document or example of {loaded.directory} has this id; ids stand in the shards' columns id and document_id"
        )
    typer.echo(json.dumps(story, ensure_ascii=False, indent=1) if as_json else "\n".join(_story_lines(story)))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(_: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False) -> None:
    pass


class _Interrupted(BaseException):
    """Ctrl-C or a termination signal; no Exception, so that nothing on the way takes it for a failure of its own."""


def main() -> None:
    """Entry point of `leaf`. Typer exits with 0 and 2 by itself."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
    except LeafInstructError as error:
        for line in str(error).splitlines():
            _note(line)
        sys.exit(1)
    except _Interrupted:
        _note("interrupted; what was finished is kept, run the same command to go on")
        sys.exit(130)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - the signal module's signature
    raise _Interrupted


def _load(recipe: Path | None, changes: list[str] | None, limit: int | None) -> Loaded:
    from leafinstruct.recipe import load, locate

    return load(locate(recipe, os.environ.get("LEAF_RECIPE")), tuple(changes or ()), limit)


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Progress on stderr: a rewritten line on a terminal, one line a tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("parts  {task.fields[rate]:>12}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        running: dict[tuple[str, str], tuple[Any, float]] = {}

        def show(stage: str, what: str, done: int, total: int, documents: int) -> None:
            if total == 0:
                return
            key = (stage, what)
            if done == 0:
                running[key] = (bars.add_task(f"{stage}: {what}", total=total, rate=""), time.monotonic())
                return
            task, began = running[key]
            bars.update(task, completed=done, rate=_rate(documents, time.monotonic() - began))

        yield show


def _plain_progress() -> OnProgress:
    began: dict[tuple[str, str], float] = {}

    def show(stage: str, what: str, done: int, total: int, documents: int) -> None:
        start = began.setdefault((stage, what), time.monotonic())
        if total and done and (done == total or done * 10 // total > (done - 1) * 10 // total):
            _note(f"{stage}: {what}: {done} of {total} parts {_rate(documents, time.monotonic() - start)}".rstrip())

    return show


def _rate(documents: int, seconds: float) -> str:
    return f"{documents / max(seconds, 1e-3):,.0f} docs/s" if documents else ""


def _show_status(loaded: Loaded, as_json: bool, seconds: float | None = None) -> None:
    from leafinstruct.pipeline import artifacts
    from leafinstruct.report.funnel import rows
    from leafinstruct.report.funnel import status as entries_of

    entries = entries_of(artifacts(loaded))
    if as_json:
        typer.echo(json.dumps({"run": str(loaded.directory), "stages": entries}, ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=str(loaded.directory), title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("documents", justify="right")
    table.add_column("pictures", justify="right")
    for what, documents, pictures in rows(entries):
        lost = what.startswith("  ")
        table.add_row(what, documents, pictures, style="dim" if lost else "")
    console = Console()
    console.print(table)
    for entry in entries:
        if entry["state"] != "done":
            console.print(f"{entry['stage']}: {entry['state']}", style="yellow")
    shards = entries[-1]
    if shards["state"] == "done":
        size = shards["counts"]["bytes"] / 1e6
        console.print(
            f"\n{shards['parts']} shards, {size:,.1f} MB in [bold]{shards['path']}[/]/ (card: README.md)", soft_wrap=True, highlight=False
        )
    if seconds is not None:
        console.print(f"{seconds:,.1f} s", style="dim", highlight=False)


def _show_forecast(expected: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(expected, indent=1))
        return
    mark = {name: " (estimated)" if name in expected["estimated"] else "" for name in ("documents", "pictures", "requests")}
    dollars = "price unknown (set llm.price)" if expected["dollars"] is None else f"{expected['dollars']:,.4f} dollars{mark['requests']}"
    typer.echo(f"documents      {expected['documents']:>12,}{mark['documents']}")
    typer.echo(f"pictures       {expected['pictures']:>12,}{mark['pictures']}")
    typer.echo(f"LLM requests   {expected['requests']:>12,}{' at most' + mark['requests'] if expected['requests'] else ' (offline)'}")
    typer.echo(
        f"tokens         {expected['input_tokens']:>12,} in, {expected['output_tokens']:,} out{mark['requests'] if expected['requests'] else ''}"
    )
    typer.echo(f"cost           {dollars}")
    if expected["estimated"]:
        typer.echo(f"estimated from a sample of {expected['sample']} documents")


def _story_lines(story: dict[str, Any]) -> Iterator[str]:
    source = story["source"]
    yield f"document {story['document']} of source {source['name']}, part {story['part']}"
    yield f"  {source['file']} {source['locator']}".rstrip()
    yield f"  url {source['url'] or 'unknown'}, licence {source['license'] or 'unknown'}"
    for segment in story["segments"]:
        content = segment.get("text") or segment.get("ref")
        yield f"  [{segment['position']}] {segment['kind']}: {_short(content)}"
    verdict = story["filter"]
    yield f"filter: {verdict['verdict'] if verdict else 'not run yet'}"
    for drop in verdict["drops"] if verdict else ():
        place = "document" if drop["position"] is None else f"picture at [{drop['position']}]"
        yield f"  {place} failed {drop['rule']}: value {drop['value']}, threshold {drop['threshold']} ({drop['detail'] or drop['state']})"
    for score in story["scores"]:
        place = "" if score["position"] is None else f" of [{score['position']}]"
        value = "-" if score["value"] is None else f"{score['value']:g}"
        state = "" if score["state"] == "ok" else score["state"]
        yield f"  {score['name']}{place} = {value}  {state} {_short(score['detail'])}".rstrip()
    yield from _rewrite_lines(story["rewrite"])
    shard = story["shard"]
    yield f"shard: {shard['file']}, row {shard['row']}" if shard else "shard: not in one"


def _rewrite_lines(rewrite: dict[str, Any] | None) -> Iterator[str]:
    if rewrite is None:
        yield "rewrite: nothing"
        return
    if rewrite["example"] is None:
        yield f"rewrite: dropped, {rewrite['drops'][0]['rule']}: {rewrite['drops'][0]['detail']}"
        return
    yield f"rewrite: example {rewrite['example']}, task {rewrite['task']}, by {', '.join(item['identity'] for item in rewrite['models'])}"
    for turn in rewrite["turns"]:
        yield f"  {turn['role']}: {_short(' '.join(turn['parts']), 300)}"


def _short(text: str, limit: int = 140) -> str:
    """One printable line of at most `limit` characters: page text must not move the cursor or colour the terminal."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _note(line: str) -> None:
    typer.echo(f"leaf: {line}", err=True)
