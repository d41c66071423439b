"""The tables and the plot of the experiment, from the results that stand. Nothing is computed here but means
and intervals.

docs/experiment.md      what was compared, the rates, every figure as mean ± half of its 95% interval (t over seeds), n stated, and paired
                        differences from LoRA
docs/experiment.svg     exact images and image loss, a dot a run: written by hand like docs/moss.svg, so no plotting library is a dependency
docs/experiment.png     one lesson as the base knows its style, and in the new one
docs/experiment.jsonl   every result whole: settings, figures, seconds
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from experiment_settings import Experiment
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
    ("memory.drawn", "pencil captions drawn %", 100.0, 1),
    ("memory.named", "pencil images named %", 100.0, 1),
)
"""Path within a result's figures, heading, scale, digits."""
BASELINE = "lora"
CONVOLUTION = "full_space"
"""The method that others with its routing, and other neighbors, are held against."""
QUESTIONS = (
    ("filtered", "unfiltered", "Does the filter pay?"),
    ("filtered", "captions", "Do lessons teach what captions do not?"),
    ("unfiltered", "captions", "Do lessons with defects in them, too?"),
)
"""Two arms, and what their difference answers."""
RATES = (
    "A tuning run has half the steps of a reported one, on one arm, and its rate is used in all. "
    "0.03 was added to the grid after the lower rates "
    "had been looked at (losses were still falling), and 0.1 was tried for three methods after all "
    "other runs, to see whether 0.03 is an edge: "
    "it is none, training runs away."
)
CAPTIONS = (
    " All that the captions teach to say is images, so texts are lost by construction, and "
    "free-running images with them: what compares are the "
    "columns with texts given."
)
TRIAL = (
    "An earlier trial, before this setting was chosen, found no difference: lessons in pencil, which "
    "the base had drawn before, 190,000 trainable "
    "parameters, one learning rate for all, 240 steps: held-out image loss 0.107 (LoRA), 0.109 "
    "(MoE-LoRA), 0.110 (MoSS), standard deviation 0.003."
)
Result = dict[str, Any]


def write(results: Sequence[Result], plan: Experiment, folder: Path) -> None:
    """All files. A result's `trained` are the rows and parameters of its run. Raises SystemExit where there
    is nothing."""
    base = next((result for result in results if result["run"]["method"] is None), None)
    tuned = [result for result in results if result["run"]["seed"] == plan.rates.seed]
    reported = [
        result for result in results if result["run"]["method"] and result["run"]["seed"] != plan.rates.seed
    ]
    if not reported:
        raise SystemExit("no result stands but those that chose rates; `run` makes them")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.md").write_text(page(reported, tuned, base, plan), encoding="utf-8")
    (folder / "experiment.svg").write_text(plot(reported), encoding="utf-8")
    styles(plan).save(folder / "experiment.png", optimize=True)
    (folder / "experiment.jsonl").write_text(
        "".join(f"{json.dumps(result, sort_keys=True)}\n" for result in results), encoding="utf-8"
    )


def values(results: Sequence[Result], arm: str, method: str, path: str) -> dict[int, float]:
    """Seed -> figure, of the runs in which it has a value."""
    found = {}
    for result in results:
        run, value = result["run"], result["figures"]
        for key in path.split("."):
            value = value.get(key) if value is not None else None
        if (run["arm"], run["method"]) == (arm, method) and value is not None:
            found[run["seed"]] = float(value)
    return found


def names(results: Sequence[Result], key: str) -> list[str]:
    """Arms or methods, in the order of the alphabet, the baseline first."""
    return sorted({result["run"][key] for result in results}, key=lambda name: (name != BASELINE, name))


def page(results: Sequence[Result], tuned: Sequence[Result], base: Result | None, plan: Experiment) -> str:
    """The Markdown page. tuned: the runs that chose the rates; no figure of theirs is compared."""
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
        "Written by `python experiments/experiment.py report`; settings and reasons: "
        "`experiments/moss.yaml`; every result whole: "
        "`experiment.jsonl`.",
        (
            "A closed, drawn world with a model of two million parameters: it illustrates a question, it "
            "proves nothing about photographs."
        ),
        "",
        *_setting(results, plan),
        "",
        *_run(results, plan),
        "",
        *_rates(tuned),
        "",
        "## How to read the tables",
        "",
        f"Means ± half of the 95% interval (Student's t) over n = {n} seeds of training. All lessons "
        "are of combinations that were never trained on. "
        f"Losses are nats a token (texts) and a patch (images), over {plan.evaluation.loss_lessons} "
        "lessons; shares are of "
        f"{plan.evaluation.lessons} lessons.",
        "",
        "Exact is an image whose every patch shows what its text asks for. Free-running, that is the "
        "text that the model itself wrote, with "
        "things where its own images have them. With texts given, and for the first, second and "
        "third image, each is drawn behind the true "
        "lesson, its texts and its images: where a thing stands, a text says roughly and the true "
        "lesson exactly, so the first of these images "
        "is a guess, and they are exact less often. Earlier things are kept in an image that still "
        "shows all of them.",
        "",
        (
            f"The last two columns are what is left of the base's own task: {plan.evaluation.captions} "
            "captions and images in pencil."
        ),
        "",
        f"Behind the model's own image tokenizer the recognizer refuses {first['refused']:.1%} of "
        "true scenes; of changed ones it takes for exact: "
        f"{wrong}.",
        "",
        "![Exact images and image loss, a dot a run](experiment.svg)",
        "",
    ]
    for arm in names(results, "arm"):
        lines += ["", f"## {arm}", "", *_table(results, arm, base), "", *_differences(results, arm)]
    lines += [*_answers(results), "", "## The trial before", "", TRIAL, ""]
    return "\n".join(lines)


def _setting(results: Sequence[Result], plan: Experiment) -> list[str]:
    data, train = plan.data, plan.train
    lines = [
        "## What is compared",
        "",
        f"The base, {plan.backbone['weights']}, draws single images from captions, in pencil. It is "
        "to learn illustrated lessons in the style "
        f"`{data.style}`, which it has never seen: {data.lessons} pages, "
        f"{sum(data.defects.values()):.0%} of them with a planted defect "
        f"({', '.join(data.defects)}). *unfiltered* is all of them, *filtered* what the rules in "
        "`experiments/moss.yaml` keep. Every run has "
        f"{train['steps']} steps of {train['batch'] * train['accumulate']} packed rows of at most "
        f"{train['context']} tokens, whichever the arm. "
        "Rows are not filled alike, and captions have less to be said, so the tokens are told: those "
        "that a run read in the mean, and was to say.",
        "",
        f"![A lesson in pencil, and in {data.style}](experiment.png)",
        "",
        *_head("arm", ["pages", "tokens of all", "read", "to be said"]),
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
    """What each rate came to; the least is taken."""
    grid = sorted({result["run"]["rate"] for result in tuned})
    found = {
        (run["method"], run["rate"]): result["figures"]["loss"]["text"] + result["figures"]["loss"]["image"]
        for result in tuned
        for run in [result["run"]]
    }
    lines = [
        "## Rates",
        "",
        (
            "Held-out text and image loss together, of one run a rate, of a seed that is not reported; "
            f"each method has its best rate (bold). {RATES}"
        ),
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
    """A held-out lesson, one image a step, twice as large as the model sees them: in pencil above, in the
    experiment's style below."""
    (lesson,) = held_out_lessons(1, plan.evaluation.seed, plan.data.lesson_steps)
    side, gap = 128, 8
    sheet = Image.new("RGB", (len(lesson.steps) * (side + gap) - gap, 2 * side + gap), "white")
    for row, style in enumerate(("pencil", plan.data.style)):
        for column, step in enumerate(lesson.steps):
            drawn = render(step.scene, 64, style).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(drawn, (column * (side + gap), row * (side + gap)))
    return sheet


def _head(first: str, titles: Sequence[str]) -> list[str]:
    return [f"| {first} | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]


def _table(results: Sequence[Result], arm: str, base: Result | None) -> list[str]:
    lines = _head("adapter", [title for _, title, _, _ in FIGURES])
    if base is not None:
        alone = [{**base, "run": {**base["run"], "arm": arm, "method": "base"}}]
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
        (
            f"Minus {BASELINE}, seed by seed; bold where the interval of three seeds or more leaves out "
            "0 (one in twenty does by chance):"
        ),
        "",
    ]
    methods = [method for method in names(results, "method") if method != BASELINE]
    return lines + _paired(results, [(method, (arm, method), (arm, BASELINE)) for method in methods])


def _paired(
    results: Sequence[Result], rows: Sequence[tuple[str, tuple[str, str], tuple[str, str]]]
) -> list[str]:
    """A row for each name and pair of (arm, method): the first minus the second, where some seed has both."""
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
    """Differences between arms, and between the convolution and what lacks a part of it."""
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
                f"Minus {CONVOLUTION}, seed by seed:",
                "",
                *rows,
            ]
    return lines


def _run(results: Sequence[Result], plan: Experiment) -> list[str]:
    """How much of the full setting stands: seeds of each cell."""
    full, arms = plan.sizes["full"], plan.arms
    lines = [
        f"Of the full setting ({len(full.methods)} adapters, {len(arms)} arms, {len(full.seeds)} seeds: "
    ]
    lines[0] += (
        f"{len(full.methods) * len(arms) * len(full.seeds)} runs) {len(results)} stand. Seeds of each:"
    )
    lines += ["", *_head("adapter", arms)]
    return lines + [
        f"| {method} | "
        + " | ".join(str(len(values(results, arm, method, "loss.image"))) for arm in arms)
        + " |"
        for method in full.methods
    ]


def plot(results: Sequence[Result]) -> str:
    """Two panels, a column a method within an arm; a dot a run, a bar the mean."""
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
