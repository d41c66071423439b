"""Verbs of models: train, generate, doctor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from leafinstruct import __version__
from leafinstruct.cli.options import AsJson, Changes
from leafinstruct.cli.output import answer, drawing, note
from leafinstruct.cli.stopping import Interrupted
from leafinstruct.records.printable import printable


def train(
    recipe: Annotated[
        Path | None, typer.Argument(help="Recipe with a train section; default as of leaf build.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget what was learnt and start over.")
    ] = False,
    allow_large: Annotated[
        bool, typer.Option("--allow-large", help="Train an adapter of more than 10% of its base.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what fits and what it takes, and train nothing.")
    ] = False,
    push_to: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="Then upload it to the Hub, for your eyes only.")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="With --push-to: where everybody sees it.")
    ] = False,
    changes: Changes = None,
) -> None:
    """Train an adapter on shards, or go on training it."""
    from leafinstruct.publish.adapter import check, push
    from leafinstruct.recipe.load import load_training, locate
    from leafinstruct.recipe.templates import template
    from leafinstruct.runtime.last_write import go_on
    from leafinstruct.train.run import train as run

    if push_to is None and public:
        raise typer.BadParameter(
            "says who may see an upload, and there is none; add --push-to ORG/NAME", param_hint="--public"
        )
    if push_to is not None and dry_run:
        raise typer.BadParameter(
            "a dry run makes nothing to upload; leave one of the two out", param_hint="--push-to"
        )
    if push_to is not None:
        check(push_to)
    path = locate(recipe, os.environ.get("LEAF_RECIPE"))
    loaded = load_training(path, tuple(changes or ()))
    settings = (
        loaded.seed,
        rebuild,
        allow_large,
        dry_run,
        typer.echo if dry_run else note,
        template(path, "data_cards", "adapter").text,
    )
    flags = {"--rebuild": rebuild, "--allow-large": allow_large, "--public": public}
    given = [
        "train",
        *([str(recipe)] if recipe is not None else []),
        *(name for name, on in flags.items() if on),
    ]
    given += [
        *(["--push-to", push_to] if push_to is not None else []),
        *(part for change in changes or () for part in ("--set", change)),
    ]
    if (adapter := run(loaded.train, loaded.directory, *settings, given)) is not None:
        if push_to is not None:
            if go_on():
                raise Interrupted(
                    f"interrupted; {adapter} is trained and not uploaded, run the same command to go on"
                )
            note(f"uploaded to {push(adapter, push_to, public)}")
        typer.echo(printable(adapter))


def generate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A trained run or its recipe, an adapter (folder, or ORG/NAME of the Hub), or a base.",
        ),
    ],
    prompt: Annotated[
        str,
        typer.Argument(
            metavar="PROMPT",
            help="What is asked. <image> marks the place of each --image in turn; else they come first.",
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option("--image", metavar="FILE", help="An image of the prompt; may be repeated."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the answer; an earlier answer in it is replaced.")
    ] = Path("answer"),
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed draws the same answer.")] = 0,
    temperature: Annotated[
        float, typer.Option(min=0, max=1e6, help="Of words; 0 takes the likeliest.")
    ] = 0.7,
    image_temperature: Annotated[
        float | None,
        typer.Option(
            min=0, max=1e6, help="Of images; 0 takes the likeliest. Default: 1, and 0 of leaf:tiny-1."
        ),
    ] = None,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from that many likeliest; 0 for all.")] = 0,
    guidance: Annotated[
        float,
        typer.Option(min=0, max=1e6, help="How far images are pushed towards the prompt; 1 for not at all."),
    ] = 1.0,
    max_images: Annotated[int, typer.Option(min=0, help="Then no more are begun.")] = 8,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of the answer, patches of images included.")] = 8192,
    stop: Annotated[
        list[str] | None, typer.Option(help="End before this text; may be repeated. Default: USER:")
    ] = None,
    checkpoint: Annotated[
        int | None, typer.Option(metavar="STEP", help="Of a run that has not finished.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Of the base: chameleon (also Anole), emu3 or emu2.")
    ] = None,
    weights: Annotated[str | None, typer.Option(metavar="DIR", help="Where the base lies.")] = None,
    decoder: Annotated[str | None, typer.Option(help="Its image decoder, as of leaf doctor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda ...")] = "auto",
) -> None:
    """Ask a trained model; the answer is a page of text and images."""
    from leafinstruct.backbones import tiny
    from leafinstruct.generate import adapter
    from leafinstruct.generate.answer import asked, draw, exact, question, unasked
    from leafinstruct.recipe.load import load_training

    if (fault := unasked(prompt, images or ())) is not None:
        raise typer.BadParameter(fault, param_hint="PROMPT")
    try:
        settings = asked(
            seed,
            temperature,
            1.0 if image_temperature is None else image_temperature,
            top_k,
            guidance,
            max_images,
            max_tokens,
            stop,
        )
        told, said = question(prompt, images or ()), adapter.Base(backbone, weights, decoder)
        adapter.check(run)
        recipe = load_training(Path(run)) if Path(run).is_file() else None
        found = (
            adapter.find(run, said, checkpoint)
            if recipe is None
            else adapter.of_recipe(recipe.directory, recipe.train.backbone, said, checkpoint)
        )
        if image_temperature is None and found.base.name == tiny.NAME:
            settings = exact(settings)
        with drawing() as on_drawn:
            made = draw(found, told, settings, device, out, on_drawn, note)
    except Interrupted:
        raise Interrupted("interrupted; nothing was written") from None
    for warning in made.warnings:
        note(warning)
    typer.echo(printable(made.page))


def doctor(
    backbone: Annotated[str, typer.Option(help="chameleon (also Anole), emu3 or emu2.")],
    weights: Annotated[Path, typer.Option(help="Folder of the weights and their tokenizer.")],
    decoder: Annotated[
        Path | None, typer.Option(help="What draws: Chameleon's vqgan.ckpt, or the folder of Emu2-Gen.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda ...")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Find out whether a backbone's weights work here."""
    import platform
    from importlib.metadata import version

    from leafinstruct.backbones.doctor import examine

    names = ("torch", "transformers", "peft")
    here = {
        "leafinstruct": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
    found = []
    if not as_json:
        typer.echo(", ".join(f"{name} {number}" for name, number in here.items()))
    for finding in examine(backbone, weights, decoder, device):
        found.append(finding)
        if not as_json:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:<9} {printable(finding.detail)}")
    if as_json:
        answer(
            {
                "versions": here,
                "findings": [{"check": item.check, "ok": item.ok, "detail": item.detail} for item in found],
            }
        )
    if not all(finding.ok for finding in found):
        raise typer.Exit(1)
