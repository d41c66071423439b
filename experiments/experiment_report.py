"""Write the tables and the plot of the experiment. Only means and intervals are computed here.

docs/experiment.md      what was compared, the rates, every figure as mean ± half of its 95% interval (t over
                        seeds) with n, and
                        paired differences from LoRA
docs/experiment.svg     exact images and image loss, one dot per run; written without a plotting library, like
                        docs/moss.svg
docs/experiment.png     one lesson in the base's style, and in the new one
docs/experiment.jsonl   every result: settings, figures, seconds
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Literal

from experiment_settings import Experiment, Result
from PIL import Image

from leafinstruct.evaluate.sketchbook.intervals import Interval, interval, paired
from leafinstruct.evaluate.sketchbook.lessons import held_out_lessons
from leafinstruct.sketchbook.world.render import render

FIGURES = (
    ("loss.text", "text loss", 1.0, 3),
    ("loss.image", "image loss", 1.0, 3),
    ("free.text_right", "texts right %", 100.0, 1),
    ("free.exact", "exact images %, free-running", 100.0, 1),
    ("forced.exact", "exact images %, texts given", 100.0, 1),
    ("forced.image_1", "first image %", 100.0, 1),
    ("forced.image_2", "second %", 100.0, 1),
    ("forced.image_3", "third %", 100.0, 1),
    ("forced.kept", "earlier things kept %", 100.0, 1),
    ("memory.drawn", "pencil images right %", 100.0, 1),
    ("memory.named", "pencil captions right %", 100.0, 1),
)
"""Path within a result's figures, heading, scale, digits."""
BASELINE = "lora"
CONVOLUTION = "full_space"
"""The method with which others with the same routing, or with other neighbors, are compared."""
QUESTIONS = (
    ("filtered", "unfiltered", "Does the filter pay?"),
    ("filtered", "captions", "Do lessons teach what captions do not?"),
    ("unfiltered", "captions", "Do lessons with defects in them, too?"),
)
"""Two arms, and the question that their difference answers."""
RATES = (
    "A tuning run has half the steps of a reported one, on one arm, and its rate is used in all "
    "arms. 0.03 was "
    "added to the grid after the runs at lower rates, where losses were still falling. 0.1 was tried "
    "for three "
    "methods after all other runs, to see whether a higher rate is better: training diverges."
)
CAPTIONS = (
    " The only targets of the captions are images, so the ability to write texts is lost by "
    "construction, and "
    "with it free-running images: compare the columns with texts given."
)
EARLIER = (
    "An earlier experiment, before this setting was chosen, found no difference: lessons in pencil, "
    "a style that "
    "the base knows, 190,000 trainable parameters, one learning rate for all, 240 steps: held-out "
    "image loss 0.107 "
    "(LoRA), 0.109 (MoE-LoRA), 0.110 (MoSS), standard deviation 0.003."
)


def write(results: Sequence[Result], plan: Experiment, folder: Path) -> None:
    """Write all files. `trained` of a result: the counts and parameters of its run. Raises SystemExit when
    there is nothing to report."""
    base = next((result for result in results if result["run"]["method"] is None), None)
    tuned = [result for result in results if result["run"]["seed"] == plan.rates.seed]
    reported = [
        result for result in results if result["run"]["method"] and result["run"]["seed"] != plan.rates.seed
    ]
    if not reported:
        raise SystemExit("there are no results except those of the rates; make them with `run`")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.md").write_text(page(reported, tuned, base, plan), encoding="utf-8")
    (folder / "experiment.svg").write_text(plot(reported), encoding="utf-8")
    styles(plan).save(folder / "experiment.png", optimize=True)
    (folder / "experiment.jsonl").write_text(
        "".join(f"{json.dumps(result, sort_keys=True)}\n" for result in results), encoding="utf-8"
    )


def values(results: Sequence[Result], arm: str, method: str, path: str) -> dict[int, float]:
    """Return seed -> figure for the runs of an arm and a method in which it has a value."""
    part, name = path.split(".")
    found: dict[int, float] = {}
    for result in results:
        figures: Mapping[str, object] = result["figures"]
        run, measured = result["run"], figures.get(part)
        value = measured.get(name) if isinstance(measured, Mapping) else None
        if (run["arm"], run["method"]) == (arm, method) and value is not None:
            found[run["seed"]] = float(value)
    return found


def names(results: Sequence[Result], key: Literal["arm", "method"]) -> list[str]:
    """Return arms or methods in alphabetical order, the baseline first."""
    return sorted({str(result["run"][key]) for result in results}, key=lambda name: (name != BASELINE, name))


def page(results: Sequence[Result], tuned: Sequence[Result], base: Result | None, plan: Experiment) -> str:
    """Return the Markdown page. tuned: the runs of the rates, which are not compared."""
    seeds = {
        len(values(results, arm, method, "loss.image"))
        for arm in names(results, "arm")
        for method in names(results, "method")
    } - {0}
    n = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    first = results[0]["figures"]["recognizer"]["lessons"]
    wrong = ", ".join(f"{name} {share:.1%}" for name, share in first["accepted"].items())
    lines = [
        "# Training data and adapter, at matched parameters",
        "",
        "Compare adapters (LoRA, MoE-LoRA, MoSS) and training data (filtered, unfiltered, captions). `make "
        "experiment` trains and judges the small setting, about two hours on two cores; `python "
        "experiments/experiment.py report experiments/moss.yaml` writes this page. Settings and reasons: "
        "`experiments/moss.yaml`; every result: `experiment.jsonl`.",
        "",
        "The images are drawings of a small closed world, and the model has two million parameters: "
        "the experiment "
        "illustrates a question and proves nothing about photographs.",
        "",
        *_setting(results, plan),
        "",
        *_run(results, plan),
        "",
        *_rates(tuned),
        "",
        "## How to read the tables",
        "",
        f"Means ± half of the 95% interval (Student's t) over n = {n} seeds of training. All lessons are of "
        "combinations that were never trained on. Losses are nats per token (texts) and per patch "
        "(images), over "
        f"{plan.evaluation.loss_lessons} lessons; shares are over {plan.evaluation.lessons} lessons.",
        "",
        "An image is exact if all its patches show what its text asks for. Free-running, the text is "
        "the model's "
        "own, and things are where the model's earlier images have them. With texts given, and for "
        "the first, second "
        "and third image, each image follows the true texts and images. A text gives the place of a "
        "thing roughly, "
        "but the image must match the true lesson, so these images are exact less often. Earlier "
        "things are kept in "
        "an image that still shows all of them.",
        "",
        "The last two columns show what the model has not forgotten of the base's task: "
        f"{plan.evaluation.captions} "
        "captions and images in pencil.",
        "",
        f"With the model's image tokenizer the recognizer refuses {first['refused']:.1%} of true "
        "scenes; of changed "
        f"scenes it accepts as exact: {wrong}.",
        "",
        "![Exact images and image loss, one dot per run](experiment.svg)",
        "",
    ]
    for arm in names(results, "arm"):
        lines += ["", f"## {arm}", "", *_table(results, arm, base), "", *_differences(results, arm)]
    lines += [*_answers(results), "", "## An earlier experiment", "", EARLIER, ""]
    return "\n".join(lines)


def _setting(results: Sequence[Result], plan: Experiment) -> list[str]:
    data, train = plan.data, plan.train
    lines = [
        "## What is compared",
        "",
        f"The base, {plan.backbone['weights']}, generates single images from captions, in pencil. It "
        "is trained on "
        f"illustrated lessons in the style `{data.style}`, which it has never seen: {data.lessons} pages, "
        f"{sum(data.defects.values()):.0%} of them with a planted defect "
        f"({', '.join(data.defects)}). *unfiltered* "
        "is all of them, *filtered* those that the rules in `experiments/moss.yaml` keep. Every run has "
        f"{train.steps} steps of {train.batch * train.accumulate} packed rows of at most "
        f"{train.context} tokens in every arm. Arms differ in padding and target length, so the "
        "table lists mean "
        "input tokens and mean target tokens.",
        "",
        f"![A lesson in pencil, and in {data.style}](experiment.png)",
        "",
        *_head("arm", ["pages", "tokens of the corpus", "input tokens", "target tokens"]),
    ]
    for arm in names(results, "arm"):
        trained = [result["trained"] for result in results if result["run"]["arm"] == arm]
        cells = [
            round(sum(one[name] for one in trained) / len(trained))
            for name in ("rows", "tokens", "seen", "seen_targets")
        ]
        lines.append(f"| {arm} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    lines += ["", *_head("adapter", ["rank, texts and images", "trainable parameters"])]
    for method in names(results, "method"):
        one = next(result for result in results if result["run"]["method"] == method)
        adapter = one["settings"]["run"]["train"]["adapter"]
        lines.append(
            f"| {method} | {adapter['r_text']}, {adapter['r_image']} | {one['trained']['parameters']:,} |"
        )
    return lines


def _rates(tuned: Sequence[Result]) -> list[str]:
    """Return the table of the losses at each rate; the rate with the least loss is used."""
    grid = sorted({result["run"]["rate"] for result in tuned})
    found = {
        (run["method"], run["rate"]): result["figures"]["loss"]["text"] + result["figures"]["loss"]["image"]
        for result in tuned
        for run in [result["run"]]
    }
    lines = [
        "## Rates",
        "",
        "Sum of held-out text and image loss, one run per rate with a seed that is not reported. "
        "Each method uses "
        f"its best rate (bold). {RATES}",
        "",
        *_head("adapter", [f"{rate:g}" for rate in grid]),
    ]
    for method in names(tuned, "method"):
        mine = [found.get((method, rate)) for rate in grid]
        least = min(loss for loss in mine if loss is not None)
        cells = [
            "-" if loss is None else f"**{loss:.3f}**" if loss == least else f"{loss:.3f}" for loss in mine
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def styles(plan: Experiment) -> Image.Image:
    """Render a held-out lesson, one image per step at twice its size: in pencil, and below in the
    experiment's style."""
    (lesson,) = held_out_lessons(1, plan.evaluation.seed, plan.data.lesson_steps)
    side, gap = 128, 8
    sheet = Image.new("RGB", (len(lesson.steps) * (side + gap) - gap, 2 * side + gap), "white")
    for row, style in enumerate(("pencil", plan.data.style)):
        for column, step in enumerate(lesson.steps):
            image = render(step.scene, 64, style).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(image, (column * (side + gap), row * (side + gap)))
    return sheet


def _head(first: str, titles: Sequence[str]) -> list[str]:
    return [f"| {first} | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]


def _table(results: Sequence[Result], arm: str, base: Result | None) -> list[str]:
    lines = _head("adapter", [title for _, title, _, _ in FIGURES])
    if base is not None:
        alone: list[Result] = [{**base, "run": {**base["run"], "arm": arm, "method": "base"}}]
        lines.append("| none (the base) | " + " | ".join(_cells(alone, arm, "base")) + " |")
    return lines + [
        f"| {method} | " + " | ".join(_cells(results, arm, method)) + " |"
        for method in names(results, "method")
        if values(results, arm, method, "loss.image")
    ]


def _cells(results: Sequence[Result], arm: str, method: str) -> list[str]:
    cells = []
    for path, _, scale, digits in FIGURES:
        found = list(values(results, arm, method, path).values())
        cells.append(interval(found).text(scale, digits) if found else "-")
    return cells


def _differences(results: Sequence[Result], arm: str) -> list[str]:
    lines = [
        f"Difference from {BASELINE}, seed by seed; bold if the interval of three or more seeds "
        "excludes 0 (one in "
        "twenty does by chance):",
        "",
    ]
    methods = [method for method in names(results, "method") if method != BASELINE]
    return lines + _paired(results, [(method, (arm, method), (arm, BASELINE)) for method in methods])


def _paired(
    results: Sequence[Result], rows: Sequence[tuple[str, tuple[str, str], tuple[str, str]]]
) -> list[str]:
    """Return a row for each name and two (arm, method): the first minus the second, if a seed has both."""
    lines = _head("adapter", [title for _, title, _, _ in FIGURES])
    for name, one, other in rows:
        found = [
            (paired(values(results, *one, path), values(results, *other, path)), scale, digits)
            for path, _, scale, digits in FIGURES
        ]
        if any(difference for difference, _, _ in found):
            lines.append(f"| {name} | " + " | ".join(_difference(*pair) for pair in found) + " |")
    return lines


def _difference(found: Interval | None, scale: float, digits: int) -> str:
    if found is None:
        return "-"
    return (
        f"**{found.text(scale, digits)}**"
        if found.excludes_zero and found.n > 2
        else found.text(scale, digits)
    )


def _answers(results: Sequence[Result]) -> list[str]:
    """Return the differences between arms, and between the convolution and methods without a part of it."""
    lines: list[str] = []
    methods, arms = names(results, "method"), names(results, "arm")
    for one, other, question in QUESTIONS:
        rows = _paired(results, [(method, (one, method), (other, method)) for method in methods])
        if len(rows) > 2:
            more = CAPTIONS if other == "captions" else ""
            lines += [
                "",
                f"## {question}",
                "",
                f"{one.capitalize()} minus {other} at equal steps, seed by seed.{more}",
                "",
                *rows,
            ]
    for arm in arms:
        others = [method for method in methods if method not in {BASELINE, CONVOLUTION}]
        rows = _paired(results, [(method, (arm, method), (arm, CONVOLUTION)) for method in others])
        if len(rows) > 2:
            lines += [
                "",
                f"## Does the convolution matter? ({arm})",
                "",
                f"Difference from {CONVOLUTION}, seed by seed:",
                "",
                *rows,
            ]
    return lines


def _run(results: Sequence[Result], plan: Experiment) -> list[str]:
    """Return how much of the full setting was run: the number of seeds of each cell."""
    full, arms = plan.sizes["full"], plan.arms
    whole = len(full.methods) * len(arms) * len(full.seeds)
    lines = [
        f"Of the full setting ({len(full.methods)} adapters, {len(arms)} arms, {len(full.seeds)} "
        f"seeds: {whole} "
        f"runs) {len(results)} were run. Seeds of each:",
        "",
        *_head("adapter", arms),
    ]
    return lines + [
        f"| {method} | "
        + " | ".join(str(len(values(results, arm, method, "loss.image"))) for arm in arms)
        + " |"
        for method in full.methods
    ]


def plot(results: Sequence[Result]) -> str:
    """Render two panels as SVG: a column per method and arm, a dot per run, a bar for the mean."""
    panels = [
        (path, title, scale) for path, title, scale, _ in FIGURES if path in ("forced.exact", "loss.image")
    ]
    cells = [(arm, method) for arm in names(results, "arm") for method in names(results, "method")]
    columns = [cell for cell in cells if values(results, *cell, "loss.image")]
    width, height = 90 + 70 * len(columns), 260
    pieces = []
    for number, (path, title, scale) in enumerate(panels):
        pieces += _panel(results, columns, path, title, scale, number * height)
    style = 'font-family="sans-serif" font-size="11" fill="#50514f"'
    whole = f"0 0 {width} {height * len(panels)}"
    return (
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{whole}" {style}>\n<rect width="100%" '
            'height="100%" fill="white"/>\n'
        )
        + "\n".join(pieces)
        + "\n</svg>\n"
    )


def _panel(
    results: Sequence[Result],
    columns: Sequence[tuple[str, str]],
    path: str,
    title: str,
    scale: float,
    top: int,
) -> list[str]:
    found = {
        column: [value * scale for value in values(results, *column, path).values()] for column in columns
    }
    highest = max((value for row in found.values() for value in row), default=0.0) * 1.1 or 1.0
    bottom, tall = top + 200, 160

    def y(value: float) -> float:
        return bottom - tall * value / highest

    pieces = [f'<text x="10" y="{top + 22}" font-weight="bold">{escape(title)}</text>']
    for value in (0.0, highest / 2, highest):
        pieces.append(f'<text x="60" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        pieces.append(
            f'<line x1="66" y1="{y(value):.1f}" x2="{80 + 70 * len(columns)}" y2="{y(value):.1f}" '
            'stroke="#dddddd"/>'
        )
    for index, (arm, method) in enumerate(columns):
        x = 105 + 70 * index
        pieces += [
            f'<circle cx="{x + 5 * at - 5}" cy="{y(value):.1f}" r="3.5" fill="#7fb7be"/>'
            for at, value in enumerate(found[arm, method])
        ]
        if found[arm, method]:
            mean = y(interval(found[arm, method]).mean)
            pieces.append(
                f'<line x1="{x - 18}" y1="{mean:.1f}" x2="{x + 18}" y2="{mean:.1f}" stroke="#d3635a" '
                'stroke-width="2"/>'
            )
        pieces.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{escape(method)}</text>')
        pieces.append(
            f'<text x="{x}" y="{bottom + 30}" text-anchor="middle" fill="#8a8b88">{escape(arm)}</text>'
        )
    return pieces
