"""What `leaf build --dry-run --scale N` prints."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from leafinstruct.cli.output import print_json, progress
from leafinstruct.cli.signals import stopping

if TYPE_CHECKING:
    from leafinstruct.forecast.scale.plan import StagePlan, StepPlan
    from leafinstruct.forecast.scale.run import ScalePlan
    from leafinstruct.recipe.load import Loaded

_WIDTH, _NAME = 98, 15


def plan_scale(loaded: Loaded, documents: int, workers: int | None, as_json: bool) -> None:
    """Measure a sample and show what a build of so many documents would take."""
    from leafinstruct.forecast.scale.run import MOST, plan
    from leafinstruct.runtime.engine.local import LocalEngine
    from leafinstruct.runtime.engine.watched import Watched

    if documents > MOST:
        raise typer.BadParameter(f"at most {MOST:,} documents can be planned", param_hint="--scale")
    with LocalEngine(1) as engine, progress() as on_progress:
        found = plan(
            loaded, Watched(engine, "sample", stopping(on_progress)), documents, LocalEngine(workers).workers
        )
    if as_json:
        print_json(asdict(found))
    else:
        show_plan(found)


def show_plan(found: ScalePlan) -> None:
    """Print a plan as tables."""
    evidence = found.evidence
    sources = f"{evidence.sources} source{'s' if evidence.sources > 1 else ''}"
    how = "of the run of this recipe" if evidence.of_run else "read anew"
    _line("plan", f"{found.documents:,} documents in {found.parts:,} parts")
    _line("measured on", f"{evidence.documents:,} documents of {sources}, {evidence.parts} parts {how}")
    typer.echo(f"\n{'step':<32}{'runs in':<13}{'CPU h':>10}{'+-':>6}{'GPU h':>10}{'memory':>10}")
    for step in found.steps:
        _step(step)
    total = "" if found.device_hours is None else _number(found.device_hours)
    typer.echo(f"{'all steps':<45}{_number(found.cpu_hours):>10}{'':>6}{total:>10}")
    typer.echo(
        f"\n{'stage':<9}{'documents':>15}{'kept':>15}{'+-':>6}{'storage':>11}{'published':>11}{'files':>12}"
        f"{'in a folder':>13}"
    )
    for stage in found.stages:
        _stage(stage)
    final, other = sum(one.final for one in found.stages), sum(one.intermediate for one in found.stages)
    files = sum(one.files for one in found.stages)
    typer.echo(f"{'all':<45}{_bytes(other):>11}{_bytes(final):>11}{files:>12,}\n")
    if found.stopped:
        _line("not measured", found.stopped)
    _line("language model", _cost(found))
    longest = found.slowest
    _line("slowest step", f"the slowest step is {longest.step} ({longest.stage}), in {longest.where}")
    first, *others = found.bounds
    _line("bounded by", f"{first.name}, {_hours(first.hours)} with {found.workers:,} workers: {first.what}")
    for bound in others:
        _line("", f"{bound.name}, {_hours(bound.hours)}: {bound.what}")
    for text in found.advice:
        _line("to do", text)
    for text in found.assumed:
        _line("assumed", text)


def _line(name: str, text: str) -> None:
    first, *others = wrap(text, _WIDTH - _NAME) or [""]
    typer.echo(f"{name:<{_NAME}}{first}")
    for line in others:
        typer.echo(f"{'':<{_NAME}}{line}")


def _step(step: StepPlan) -> None:
    error = "law" if step.law else "" if step.error is None else f"{step.error:.0%}"
    device = "" if step.device_hours is None else _number(step.device_hours)
    memory = "" if step.memory is None else _bytes(step.memory)
    typer.echo(
        f"{step.stage:<9}{step.step:<23}{step.where:<13}{_number(step.cpu_hours):>10}{error:>6}"
        f"{device:>10}{memory:>10}"
    )


def _stage(stage: StagePlan) -> None:
    error = "" if stage.error is None else f"{stage.error:.0%}"
    typer.echo(
        f"{stage.stage:<9}{round(stage.documents):>15,}{round(stage.kept):>15,}{error:>6}"
        f"{_bytes(stage.intermediate):>11}{_bytes(stage.final) if stage.final else '':>11}"
        f"{stage.files:>12,}{stage.folder:>13,}"
    )


def _cost(found: ScalePlan) -> str:
    if not found.requests:
        return "no requests"
    tokens = f"{found.input_tokens:,} tokens in, {found.output_tokens:,} out"
    dollars = "price unknown" if found.dollars is None else f"{found.dollars:,.2f} dollars"
    rough = "rough" if found.error is None else f"within {found.error:.0%}"
    return f"{found.requests:,} requests, {tokens}, {dollars} ({rough})"


def _number(hours: float) -> str:
    """Three digits of a number of hours."""
    if hours >= 100:
        return f"{round(hours, -max(0, len(str(int(hours))) - 3)):,.0f}"
    return f"{hours:.1f}" if hours >= 10 else f"{hours:.2f}"


def _hours(hours: float) -> str:
    return f"{_number(hours / 24)} days" if hours >= 72 else f"{_number(hours)} h"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} PB"
