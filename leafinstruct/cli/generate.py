"""`leaf generate`: answer a prompt with a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from leafinstruct.cli.output import generation_progress, note, shown
from leafinstruct.cli.signals import Interrupted

Run = Annotated[
    str,
    Argument(
        metavar="RUN",
        help="Trained run or its recipe, adapter (folder, or ORG/NAME of the Hub), or base model.",
    ),
]
Prompt = Annotated[
    str,
    Argument(
        metavar="PROMPT",
        help=(
            "Text of the prompt. Each <image> is replaced by the next --image; without it, images come first."
        ),
    ),
]
Images = Annotated[
    list[Path] | None, Option("--image", metavar="FILE", help="Image of the prompt. Repeatable.")
]
Out = Annotated[
    Path, Option(metavar="DIR", help="Folder of the answer; an earlier answer in it is replaced.")
]
Seed = Annotated[
    int, Option(min=0, max=2**63 - 1, metavar="N", help="Random seed; the same seed gives the same answer.")
]
Temperature = Annotated[
    float, Option(min=0, max=1e6, metavar="T", help="Sampling temperature of text; 0 is greedy.")
]
ImageTemperature = Annotated[
    float | None,
    Option(
        min=0,
        max=1e6,
        metavar="T",
        help="Sampling temperature of images; 0 is greedy. Default: 1, or 0 for leaf:tiny-1.",
    ),
]
TopK = Annotated[int, Option(min=0, metavar="K", help="Sample from the K most probable tokens; 0 for all.")]
Guidance = Annotated[
    float,
    Option(min=0, max=1e6, metavar="SCALE", help="Classifier-free guidance scale of images; 1 turns it off."),
]
MaxImages = Annotated[int, Option(min=0, metavar="N", help="Maximum number of images.")]
MaxTokens = Annotated[
    int, Option(min=1, metavar="N", help="Maximum number of tokens, image patches included.")
]
Stop = Annotated[
    list[str] | None,
    Option(metavar="TEXT", help="End the answer before this text. Repeatable. Default: USER:"),
]
Checkpoint = Annotated[int | None, Option(metavar="STEP", help="Use this checkpoint of an unfinished run.")]
Backbone = Annotated[
    str | None, Option(metavar="NAME", help="Backbone of a base model: chameleon (also Anole), emu3 or emu2.")
]
Weights = Annotated[str | None, Option(metavar="DIR", help="Folder of the base model's weights.")]
Decoder = Annotated[
    str | None,
    Option(metavar="PATH", help="Image decoder of the base model: vqgan.ckpt, or folder of Emu2-Gen."),
]


def generate(
    run: Run,
    prompt: Prompt,
    images: Images = None,
    out: Out = Path("answer"),
    seed: Seed = 0,
    temperature: Temperature = 0.7,
    image_temperature: ImageTemperature = None,
    top_k: TopK = 0,
    guidance: Guidance = 1.0,
    max_images: MaxImages = 8,
    max_tokens: MaxTokens = 8192,
    stop: Stop = None,
    checkpoint: Checkpoint = None,
    backbone: Backbone = None,
    weights: Weights = None,
    decoder: Decoder = None,
    device: Annotated[str, Option(metavar="DEVICE", help="Device: auto, cpu, cuda, cuda:1 ...")] = "auto",
) -> None:
    """Answer a prompt with a trained model. The answer is an HTML page of text and images."""
    from leafinstruct.backbones import tiny
    from leafinstruct.generation import adapter
    from leafinstruct.generation.answer import (
        generate_answer,
        prompt_fault,
        question,
        settings_of,
        with_greedy_images,
    )
    from leafinstruct.recipe.load import load_training

    if (fault := prompt_fault(prompt, images or ())) is not None:
        raise typer.BadParameter(fault, param_hint="PROMPT")
    own = 1.0 if image_temperature is None else image_temperature
    try:
        settings = settings_of(seed, temperature, own, top_k, guidance, max_images, max_tokens, stop)
        turn, base = question(prompt, images or ()), adapter.Base(backbone, weights, decoder)
        adapter.check(run)
        recipe = load_training(Path(run)) if Path(run).is_file() else None
        found = (
            adapter.find(run, base, checkpoint)
            if recipe is None
            else adapter.of_recipe(recipe.directory, recipe.train.backbone, base, checkpoint)
        )
        if image_temperature is None and found.base.name == tiny.NAME:
            settings = with_greedy_images(settings)
        with generation_progress() as on_token:
            made = generate_answer(found, turn, settings, device, out, on_token, note)
    except Interrupted:
        raise Interrupted("interrupted; nothing was written") from None
    for warning in made.warnings:
        note(warning)
    typer.echo(shown(made.page))
