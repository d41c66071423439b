"""The experiment of docs/experiment.md: training data x adapter on leaf:tiny-1, each run exactly once.

    python experiments/experiment.py run experiments/moss.yaml --size small --work runs/experiment
    continues where it was stopped
    python experiments/experiment.py report experiments/moss.yaml --work runs/experiment               writes
    docs/experiment.* from the results
    python experiments/experiment.py plan experiments/moss.yaml --size full                            lists
    the runs, with matched ranks

    WORK/recipes/*.yaml        one recipe per corpus and per run, for `leaf build` and `leaf train`
    WORK/runs/<run>/           their runs; a killed one continues from its checkpoint
    WORK/results/<run>.json    written once, by one rename, with its settings; other settings are refused
                               later

The name of a run contains its arm, method, rate and seed. Rates are chosen first, on a separate seed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import yaml
from experiment_report import write
from experiment_settings import Experiment, Result, Run, Size, read

from leafinstruct.runtime.artifact import digest, drift
from leafinstruct.runtime.engine.base import Found, Needs, Part
from leafinstruct.runtime.engine.local import THREAD_VARIABLES, LocalEngine
from leafinstruct.runtime.files import file_sha256, save
from leafinstruct.train.config import TrainConfig

LEAF = "import sys; from leafinstruct.cli import main; sys.argv[0] = 'leaf'; main()"
Recipe = dict[str, object]


class Refused(SystemExit):
    """A result exists with other settings."""


def corpus(plan: Experiment, arm: str, work: Path) -> Recipe:
    """Return the recipe of `leaf build` for an arm."""
    if arm == "captions":
        source: Recipe = {
            "kind": "conversations",
            "name": "captions",
            "path": str((work / "captions").absolute()),
            "license": "CC0-1.0",
        }
        # The tiny CLIP knows these images of Sketchbook, but this kind of source cannot declare it; no rule
        # uses its scores.
        rules: Recipe = {"min_images": 1, "min_words": 0, "alignment": {"allow_toy": True}}
    else:
        source = {
            **{
                "kind": "sketchbook",
                "seed": plan.data.seed,
                "documents": plan.data.lessons,
                "topics": ["lesson"],
            },
            **{
                "formats": ["html", "warc", "obelics"],
                "layout": "text_first",
                "scenery": "none",
                "image_px": 64,
            },
            **{
                "style": plan.data.style,
                "held_out": "without",
                "lesson_steps": plan.data.lesson_steps,
                "defects": plan.data.defects,
            },
        }
        rules = {"min_images": 1, "min_words": 0}
        if arm == "filtered":
            rules = {"min_images": 3, "min_words": 20, "rules": plan.data.rules}
    common = {
        "seed": 1,
        "part_size": 100,
        "workdir": str(work.absolute()),
        "shard": {"splits": {"train": 1.0}},
    }
    # All documents of an arm become guides, whatever their defects: only the arm's rules drop documents.
    rewriting = {"tasks": [{"name": "guide", "needs": {}}], "max_dangling": None}
    return {
        "name": f"data-{arm}",
        **common,
        "ingest": {"sources": [source]},
        "filter": rules,
        "rewrite": rewriting,
    }


def write_captions(plan: Experiment, folder: Path) -> None:
    """Write single images with captions as conversations that ask for the image. Existing ones with the same
    settings are kept."""
    from leafinstruct.sketchbook.documents.captions import captioned
    from leafinstruct.sketchbook.world.chance import stream
    from leafinstruct.sketchbook.world.render import render

    made_from = {"seed": plan.data.seed, "captions": plan.data.captions, "style": plan.data.style}
    settings = folder / "made-from.json"
    if settings.is_file() and json.loads(settings.read_text(encoding="utf-8")) == made_from:
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index in range(plan.data.captions):
        scene, caption = captioned(stream(plan.data.seed, "caption", index))
        render(scene, 64, plan.data.style).save(folder / f"{index:05}.png")
        turns = [{"from": "human", "value": f"Draw {caption}"}, {"from": "gpt", "value": "<image>"}]
        lines.append(json.dumps({"id": str(index), "image": f"{index:05}.png", "conversations": turns}))
    (folder / "captions.new").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "captions.new").replace(folder / "captions.jsonl")
    save(settings, made_from)


def adapters(plan: Experiment) -> dict[str, Recipe]:
    """Return the `adapter:` section of each method, with ranks that match the reference's parameters."""
    from leafinstruct.generation.adapter import Base, adapted, find
    from leafinstruct.moss import MossConfig, match_params

    base = adapted(find(plan.backbone["weights"], Base(plan.backbone["name"]), None), "cpu", lambda _: None)
    match = plan.match
    same = {
        **{"r_text": match.r_text, "alpha_text": match.r_text * match.alpha_per_rank},
        **{"r_image": match.r_image, "alpha_image": match.r_image * match.alpha_per_rank},
        "target_modules": match.target_modules,
    }
    configs = {
        name: MossConfig(**method.model_copy(update=same).model_dump())
        for name, method in plan.methods.items()
    }
    matched = match_params(base.model, configs, match.to)
    print(matched, file=sys.stderr, flush=True)
    names = ("r_text", "alpha_text", "r_image", "alpha_image")
    return {
        name: {
            **plan.methods[name].model_dump(exclude_unset=True),
            "target_modules": match.target_modules,
            **{key: getattr(config, key) for key in names},
        }
        for name, config in matched.configs.items()
    }


def recipe(plan: Experiment, run: Run, adapter: Recipe, work: Path) -> Recipe:
    """Return the recipe of `leaf train` for a run."""
    train: Recipe = {"data": f"run:data-{run.arm}", "backbone": plan.backbone, "adapter": adapter}
    return {
        "name": run.name,
        "seed": run.seed,
        "workdir": str(work.absolute()),
        "train": {**train, **plan.train.model_dump(), "learning_rate": run.rate, "steps": run.steps},
    }


def leaf(verb: str, values: Recipe, work: Path, threads: int, *more: str) -> None:
    """Write the recipe and run the command on it. Raises SystemExit when it fails."""
    path = work / "recipes" / f"{values['name']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    # these variables of a worker process would limit the command to one worker's share
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    done = subprocess.run([sys.executable, "-c", LEAF, verb, str(path), *more], env=environment, check=False)
    if done.returncode:
        raise SystemExit(
            f"leaf {verb} {path} ended with {done.returncode}; fix the cause and run the same command again"
        )


def settings_of(plan: Experiment, run: Run, values: Recipe, work: Path) -> dict[str, object]:
    """Return all that determines a result: the recipe without paths, the hashes of the shards, the base's
    weights, the evaluation. values: the recipe."""
    shards = (
        sorted((work / "runs" / f"data-{run.arm}" / "shard").glob("*.train-*.parquet")) if run.method else []
    )
    trained = {key: value for key, value in values.items() if key != "workdir"}
    evaluated = {
        **plan.evaluation.model_dump(exclude={"batch"}),
        "style": plan.data.style,
        "lesson_steps": plan.data.lesson_steps,
    }
    return {
        "run": trained,
        "data": [file_sha256(path) for path in shards],
        "base": _base(plan),
        "evaluation": evaluated,
    }


def _base(plan: Experiment) -> str:
    from leafinstruct.backbones import tiny

    folder = tiny.FOLDER if plan.backbone["weights"] == tiny.NAME else Path(plan.backbone["weights"])
    return digest([file_sha256(path) for path in sorted(folder.glob("*.safetensors"))])


def existing(work: Path, name: str, settings: Mapping[str, object]) -> Result | None:
    """Return the result of a run, or None. Raises Refused for one with other settings."""
    path = work / "results" / f"{name}.json"
    if not path.is_file():
        return None
    found: Result = json.loads(path.read_text(encoding="utf-8"))
    if changes := drift(found["settings"], json.loads(json.dumps(settings))):
        raise Refused(
            f"{path}: was made with other settings: {'; '.join(changes[:3])}. Use another --work, or "
            "remove the "
            "results by hand"
        )
    return found


def carry_out(
    plan: Experiment, sections: Mapping[str, Recipe], work: Path, threads: int, part: Part
) -> Found[Result]:
    """Train and evaluate a run, the part's payload; an existing result is read."""
    from experiment_cell import examined, loaded, lost

    run: Run = part.payload
    values: Recipe = recipe(plan, run, sections[run.method], work) if run.method else {"name": run.name}
    settings = settings_of(plan, run, values, work)
    if (found := existing(work, run.name, settings)) is not None:
        return Found(value=found)
    began = time.monotonic()
    if run.method:
        leaf("train", values, work, threads)
    trained = time.monotonic() - began
    folder = work / "runs" / run.name if run.method else None
    examine = lost if run.seed == plan.rates.seed else examined
    figures = examine(
        loaded(folder, plan.backbone, threads),
        plan.evaluation.model_dump(),
        plan.data.style,
        plan.data.lesson_steps,
    )
    seconds = {"train": round(trained), "evaluate": round(time.monotonic() - began - trained)}
    result = {"run": run.model_dump(), "settings": settings, "figures": figures, "seconds": seconds}
    (work / "results").mkdir(parents=True, exist_ok=True)
    save(work / "results" / f"{run.name}.json", result)
    saved = existing(work, run.name, settings)
    assert saved is not None, "it has just been written"
    return Found(value=saved)


def tuning(plan: Experiment, size: Size) -> list[Run]:
    """Return one run per method and rate."""
    rates = plan.rates
    return [
        Run(arm=rates.arm, method=method, seed=rates.seed, rate=rate, steps=rates.steps)
        for method in size.methods
        for rate in rates.grid
    ]


def chosen(results: list[Result]) -> dict[str, float]:
    """Return the rate of each method with the least held-out loss, the sum of text and image loss."""
    best: dict[str, tuple[float, float]] = {}
    for result in results:
        losses, run = result["figures"]["loss"], result["run"]
        mine = (losses["text"] + losses["image"], run["rate"])
        best[str(run["method"])] = min(best.get(str(run["method"]), mine), mine)
    return {method: rate for method, (_, rate) in best.items()}


def cells(plan: Experiment, size: Size, rates: Mapping[str, float]) -> Iterator[Run]:
    """Yield the runs seed by seed, so that an interrupted experiment is a complete smaller one."""
    for seed in size.seeds:
        for arm in size.arms:
            for method in size.methods:
                yield Run(arm=arm, method=method, seed=seed, rate=rates[method], steps=plan.train.steps)


def run_all(plan: Experiment, size: Size, work: Path, jobs: int, threads: int) -> None:
    """Build the data, then run base, rates and cells: `jobs` runs at a time, each with `threads` threads."""
    for arm in sorted({*size.arms, plan.rates.arm}):
        if arm == "captions":
            write_captions(plan, work / "captions")
        leaf("build", corpus(plan, arm, work), work, jobs * threads, "--workers", str(jobs * threads))
    sections, clock = adapters(plan), Clock(plan, size, jobs)
    base = Run(arm="", method=None, seed=0)
    with LocalEngine(jobs) as engine:

        def all_of(runs: Iterable[Run]) -> list[Result]:
            parts = [Part(run.name, run) for run in runs]
            return [
                clock.done(result.value)
                for result in engine.map(partial(carry_out, plan, sections, work, threads), parts, Needs())
            ]

        rates = chosen(all_of(tuning(plan, size)))
        all_of([base, *cells(plan, size, rates)])


def read_all(work: Path) -> Iterator[Result]:
    """Yield the existing results, with the counts of their training data."""
    for path in sorted((work / "results").glob("*.json")):
        result: Result = json.loads(path.read_text(encoding="utf-8"))
        folder = work / "runs" / path.stem / "train"
        record = folder / "record.json"
        values = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        run = result["settings"]["run"]
        shown = seen(folder, TrainConfig.model_validate(run["train"]), run["seed"]) if values else {}
        trained = {**values.get("counts", {}), **shown, "parameters": values.get("parameters")}
        yield {**result, "trained": trained}


def seen(folder: Path, train: TrainConfig, seed: int) -> dict[str, int]:
    """Return the numbers of tokens and of target tokens that a run used, without padding."""
    from leafinstruct.runtime.artifact import Artifact
    from leafinstruct.train.data.packing import Packed
    from leafinstruct.train.data.tokens import Rows

    length = train.steps * train.batch * train.accumulate
    shown = Packed(Rows(Artifact(folder / "tokens")), length, seed, train.context)
    rows = [shown[number] for number in range(length)]
    return {
        "seen": sum(len(row.ids) for row in rows),
        "seen_targets": int(sum(row.loss_mask.sum() for row in rows)),
    }


class Clock:
    """Logs progress and the estimated remaining time, from the mean durations of a step, an evaluation, and
    an evaluation of the loss alone."""

    def __init__(self, plan: Experiment, size: Size, jobs: int) -> None:
        whole = len(size.methods) * len(size.arms) * len(size.seeds)
        rates = len(tuning(plan, size))
        self._left = (
            [("lost", plan.rates.steps)] * rates
            + [("examined", 0)]
            + [("examined", plan.train.steps)] * whole
        )
        self._of, self._jobs, self._took = len(self._left), jobs, dict[str, tuple[float, float]]()

    def done(self, result: Result) -> Result:
        """Log a finished run and return its result."""
        kind, steps = self._left.pop(0)
        for name, times, seconds in (
            ("step", steps, result["seconds"]["train"]),
            (kind, 1, result["seconds"]["evaluate"]),
        ):
            sums = self._took.get(name, (0.0, 0.0))
            self._took[name] = (sums[0] + times, sums[1] + seconds)
        rest = sum(steps * self._mean("step") + self._mean(kind) for kind, steps in self._left)
        name, minutes = result["settings"]["run"]["name"], rest / self._jobs / 60
        print(
            f"{self._of - len(self._left)} of {self._of} runs: {name}; about {minutes:.0f} min left",
            file=sys.stderr,
            flush=True,
        )
        return result

    def _mean(self, name: str) -> float:
        """Return mean seconds; before the first full evaluation those of the loss alone, which is too
        little."""
        times, seconds = self._took.get(name, self._took.get("lost", (1.0, 0.0)))
        return seconds / times if times else 0.0


def main() -> None:
    """Run the experiment, report it, or list its runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("plan", "run", "report"))
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--size", default="small")
    parser.add_argument("--work", type=Path, default=Path("runs/experiment"))
    parser.add_argument("--jobs", type=int, default=2, help="Number of parallel runs.")
    parser.add_argument("--threads", type=int, default=1, help="Threads per run.")
    parser.add_argument(
        "--out", type=Path, default=Path("docs"), help="Folder of experiment.md and experiment.svg."
    )
    arguments = parser.parse_args()
    plan = read(arguments.experiment)
    if arguments.size not in plan.sizes:
        parser.error(f"--size {arguments.size}: known are {', '.join(plan.sizes)}")
    size = plan.sizes[arguments.size]
    if arguments.verb == "plan":
        adapters(plan)
        print(
            "\n".join(
                run.name
                for run in [*tuning(plan, size), *cells(plan, size, dict.fromkeys(size.methods, 0.0))]
            )
        )
    elif arguments.verb == "run":
        try:
            run_all(plan, size, arguments.work, arguments.jobs, arguments.threads)
        except KeyboardInterrupt:
            raise SystemExit(
                "interrupted; finished runs are kept; run the same command to continue"
            ) from None
    else:
        write(list(read_all(arguments.work)), plan, arguments.out)


if __name__ == "__main__":
    main()
