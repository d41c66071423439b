"""The command `leaf`: verbs and exit codes. The only file that exits or reads the environment; with terminal.py the only one that prints.

Exit codes: 0 done; 1 a LeafInstructError, one line on stderr; 2 wrong usage; 130 interrupted, with what was finished kept. Anything else is
a defect of ours and shows its traceback. Rooms are imported inside the verbs, so that `leaf --help` loads Typer and nothing more.

Chosen: Typer, whose options are typed signatures.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leafinstruct import __version__
from leafinstruct.errors import LeafInstructError
from leafinstruct.report.story import printable
from leafinstruct.terminal import again, answer, drawing, note, progress, show_forecast, show_status

if TYPE_CHECKING:
    from leafinstruct.pipeline import OnProgress, Progressed
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
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N documents, in a run of its own (runs/<name>-limit<N>).")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="New folder for recipe.yaml, prompts/ and data_cards/.")]) -> None:
    """Write a recipe that runs as it is, and its prompts."""
    import shutil

    from leafinstruct.recipe import packaged

    try:
        if folder.exists() and any(folder.iterdir()):
            raise LeafInstructError(f"{folder}: exists and is not empty; give a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(packaged("pipelines") / "start.yaml", folder / "recipe.yaml")
        for templates in ("prompts", "data_cards"):
            shutil.copytree(packaged(templates), folder / templates)
    except OSError as error:
        reason = error.strerror or "a file in it cannot be written"
        raise LeafInstructError(f"{folder}: cannot be made a folder of recipes: {reason}; give a new folder where you may write") from error
    typer.echo(f"{printable(folder)}: recipe.yaml, prompts/, data_cards/\nnext: cd {printable(shlex.quote(str(folder)))} && leaf build")


@app.command()
def build(
    recipe: RecipePath = None,
    stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Run what is missing up to and including it: ingest, filter, rewrite, shard.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes; default one a core.")] = None,
    limit: Limit = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget what stands and build anew; answers of a language model are kept.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed in finished stages.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and make nothing.")] = False,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Build the dataset: ingest, filter, rewrite, shard. What stands is kept, what is missing is made."""
    from leafinstruct.engine.local import LocalEngine
    from leafinstruct.pipeline import STAGES, forecast
    from leafinstruct.pipeline import build as run
    from leafinstruct.recipe import resting

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    loaded = _load(recipe, changes, limit)
    with LocalEngine(workers) as engine:
        if dry_run:
            show_forecast(forecast(loaded, engine), as_json)
            return
        started = time.monotonic()
        with progress() as on_progress:
            outcomes = list(run(loaded, engine, _stopping(on_progress), stage or STAGES[-1], rebuild, retry_failed))
    for outcome in outcomes:
        if outcome.changes:
            more = " and more" if len(outcome.changes) > 3 else ""
            note(f"{outcome.stage}: rebuilt what changed: {'; '.join(outcome.changes[:3])}{more}")
        if unfetched := outcome.record.get("unfetched"):
            note(f"{unfetched:,} pictures are on the web and were not fetched: add filter.pictures.fetch to the recipe")
    if at_rest := resting(loaded.recipe):
        note(f"rules at rest, as the judge in use does not give their scores: {', '.join(at_rest)}")
    if all(outcome.stood for outcome in outcomes):
        note(f"nothing to do: {loaded.directory} is up to date")
    show_status(loaded, again(recipe, changes, limit), as_json, time.monotonic() - started)


@app.command()
def status(recipe: RecipePath = None, limit: Limit = None, changes: Changes = None, as_json: AsJson = False) -> None:
    """Show what is done, what is missing, and the funnel."""
    show_status(_load(recipe, changes, limit), again(recipe, changes, limit), as_json)


@app.command()
def explain(
    record: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of a document or an example, kept or dropped; a file, or 'file locator', that ingest rejected."
        ),
    ],
    recipe: RecipePath = None,
    limit: Limit = None,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one record, kept or lost."""
    from leafinstruct.pipeline import artifacts
    from leafinstruct.report import lineage, story

    loaded = _load(recipe, changes, limit)
    told = lineage.explain(artifacts(loaded), record)
    lost = [] if told else lineage.rejected(artifacts(loaded)["ingest"], record)
    if told is None and not lost:
        raise LeafInstructError(
            f"{record}: no document or example of {loaded.directory} has this id, and ingest rejected no file or `file locator` of this name; "
            "ids stand in the shards' columns id and document_id"
        )
    if as_json:
        answer(told or {"rejected": lost})
        return
    for line in story.story(told) if told else story.losses(lost):
        typer.echo(line)


@app.command()
def train(
    recipe: Annotated[Path | None, typer.Argument(help="Recipe with a train section; default as of leaf build.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Forget what was learnt and start over.")] = False,
    allow_large: Annotated[bool, typer.Option("--allow-large", help="Train an adapter of more than 10% of its base.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what fits and what it takes, and train nothing.")] = False,
    push_to: Annotated[str | None, typer.Option(metavar="ORG/NAME", help="Then upload it to the Hub, for your eyes only.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push-to: where everybody sees it.")] = False,
    changes: Changes = None,
) -> None:
    """Train an adapter on shards, or go on training it."""
    from leafinstruct.recipe import load_training, locate, template
    from leafinstruct.train.publish import push
    from leafinstruct.train.run import train as run

    path = locate(recipe, os.environ.get("LEAF_RECIPE"))
    loaded = load_training(path, tuple(changes or ()))
    settings = (loaded.seed, rebuild, allow_large, dry_run, typer.echo if dry_run else note, template(path, "data_cards", "adapter").text)
    if (adapter := run(loaded.train, loaded.directory, *settings)) is not None:
        if push_to is not None:
            note(f"uploaded to {push(adapter, push_to, public)}")
        typer.echo(printable(adapter))


@app.command()
def generate(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A trained run or its recipe, an adapter (folder, or ORG/NAME of the Hub), or a base.")
    ],
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="What is asked. <image> marks the place of each --image in turn; else they come first.")
    ],
    images: Annotated[list[Path] | None, typer.Option("--image", metavar="FILE", help="A picture of the prompt; may be repeated.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the answer; an earlier answer in it is replaced.")] = Path("answer"),
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed draws the same answer.")] = 0,
    temperature: Annotated[float, typer.Option(min=0, max=1e6, help="Of words; 0 takes the likeliest.")] = 0.7,
    image_temperature: Annotated[float, typer.Option(min=0, max=1e6, help="Of pictures; 0 takes the likeliest.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from that many likeliest; 0 for all.")] = 0,
    guidance: Annotated[
        float, typer.Option(min=0, max=1e6, help="How far pictures are pushed towards the prompt; 1 for not at all.")
    ] = 1.0,
    max_pictures: Annotated[int, typer.Option(min=0, help="Then no more are begun.")] = 8,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of the answer, patches of pictures included.")] = 8192,
    stop: Annotated[list[str] | None, typer.Option(help="End before this text; may be repeated. Default: USER:")] = None,
    checkpoint: Annotated[int | None, typer.Option(metavar="STEP", help="Of a run that has not finished.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Of the base: chameleon (also Anole), emu3 or emu2.")] = None,
    weights: Annotated[str | None, typer.Option(metavar="DIR", help="Where the base lies.")] = None,
    decoder: Annotated[str | None, typer.Option(help="Its picture decoder, as of leaf doctor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda ...")] = "auto",
) -> None:
    """Ask a trained model; the answer is a page of text and pictures."""
    from leafinstruct.recipe import load_training
    from leafinstruct.train import adapter
    from leafinstruct.train.answer import asked, draw, question, unasked

    if (fault := unasked(prompt, images or ())) is not None:
        raise typer.BadParameter(fault, param_hint="PROMPT")
    try:
        settings = asked(seed, temperature, image_temperature, top_k, guidance, max_pictures, max_tokens, stop)
        told, said = question(prompt, images or ()), adapter.Base(backbone, weights, decoder)
        recipe = load_training(Path(run)) if Path(run).is_file() else None
        found = (
            adapter.find(run, said, checkpoint)
            if recipe is None
            else adapter.of_recipe(recipe.directory, recipe.train.backbone, said, checkpoint)
        )
        with drawing() as on_drawn:
            made = draw(found, told, settings, device, out, on_drawn, note)
    except _Interrupted:
        raise _Interrupted("interrupted; nothing was written") from None
    for warning in made.warnings:
        note(warning)
    typer.echo(printable(made.page))


@app.command()
def doctor(
    backbone: Annotated[str, typer.Option(help="chameleon (also Anole), emu3 or emu2.")],
    weights: Annotated[Path, typer.Option(help="Folder of the weights and their tokenizer.")],
    decoder: Annotated[Path | None, typer.Option(help="What draws: Chameleon's vqgan.ckpt, or the folder of Emu2-Gen.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda ...")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Find out whether a backbone's weights work here."""
    import platform
    from importlib.metadata import version

    from leafinstruct.vlg.doctor import examine

    names = ("torch", "transformers", "peft")
    here = {"leafinstruct": __version__, "python": platform.python_version(), **{name: version(name) for name in names}}
    found = []
    if not as_json:
        typer.echo(", ".join(f"{name} {number}" for name, number in here.items()))
    for finding in examine(backbone, weights, decoder, device):
        found.append(finding)
        if not as_json:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:<9} {printable(finding.said)}")
    if as_json:
        answer({"versions": here, "findings": [{"check": item.check, "ok": item.ok, "said": item.said} for item in found]})
    if not all(finding.ok for finding in found):
        raise typer.Exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(_: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False) -> None:
    pass


class _Interrupted(BaseException):
    """Ctrl-C or a termination signal; no Exception, so that nothing on the way takes it for a failure of its own."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Entry point of `leaf`. Typer exits with 0 and 2 by itself."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        app()
    except LeafInstructError as error:
        for line in str(error).splitlines():
            note(line)
        sys.exit(1)
    except _Interrupted as interrupted:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # Python takes its own handlers away as it ends
        note(str(interrupted) or "interrupted; what was finished is kept, run the same command to go on")
        sys.exit(130)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - the signal module's signature
    """Stop once: a second signal in the middle of tidying up would leave workers that nobody waits for."""
    for other in _SIGNALS:
        signal.signal(other, _deaf)
    raise _Interrupted


def _deaf(number: int, frame: object) -> None:
    """Not SIG_IGN yet: Python complains when it finds that in place of the handler of a signal which is on its way."""


def _load(recipe: Path | None, changes: list[str] | None, limit: int | None) -> Loaded:
    from leafinstruct.recipe import load, locate

    return load(locate(recipe, os.environ.get("LEAF_RECIPE")), tuple(changes or ()), limit)


def _stopping(on_progress: OnProgress) -> OnProgress:
    """An event loop swallows what is raised inside one of its callbacks, an interrupt too: the next part that ends then stops the build."""

    def show(now: Progressed) -> None:
        if signal.getsignal(signal.SIGINT) is not _interrupt:
            raise _Interrupted
        on_progress(now)

    return show


if __name__ == "__main__":  # torchrun -m leafinstruct.cli train ...
    main()
