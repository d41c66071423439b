"""`leaf calibrate`: compare the scores and rules of a run with people's labels, and suggest bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from leafinstruct.cli.options import Changes, Limit, RunPath, opened_run
from leafinstruct.cli.output import counted, note, show_table, shown
from leafinstruct.errors import suggestion
from leafinstruct.records.printable import printable

if TYPE_CHECKING:
    from leafinstruct.evaluate.calibration.curve import ScoreFigures
    from leafinstruct.evaluate.calibration.run import Calibration
    from leafinstruct.evaluate.verdicts import Verdicts

ROWS = 15
"""Maximum bounds of a side that `--score` prints; calibration.json has more."""
NAMED = 5
"""Maximum unknown or tied items that are named; calibration.json names all."""


def calibrate(
    labels: Annotated[
        list[Path], Option("--labels", metavar="FILE", help="Labels of people, labels.jsonl. Repeatable.")
    ],
    run: RunPath = None,
    out: Annotated[
        Path | None,
        Option(metavar="DIR", help="Folder of the results. Default: calibration in the run's folder."),
    ] = None,
    max_lost: Annotated[
        float,
        Option(
            min=0, max=1, metavar="SHARE", help="Share of what people keep that suggested bounds may drop."
        ),
    ] = 0.03,
    without_plots: Annotated[
        bool, Option("--without-plots", help="Write no PNG image of each score, which needs matplotlib.")
    ] = False,
    score: Annotated[
        str | None,
        Option(metavar="NAME", help="Print what bounds on one score keep and drop, such as text.links."),
    ] = None,
    limit: Limit = None,
    changes: Changes = None,
) -> None:
    """Compare the scores and rules of a run with labels. It suggests bounds for the recipe."""
    from leafinstruct.evaluate.calibration import run as calibration

    opened = opened_run(run, changes, limit)
    found = calibration.calibrate(opened, labels, max_lost)
    target = out or opened.directory / "calibration"
    chosen = None if score is None else _score(found, score)
    files = calibration.write(found, target, not without_plots)
    if chosen is None:
        _show(found)
    else:
        _show_curves(chosen)
    images = sum(path.suffix == ".png" for path in files)
    plots = "" if without_plots else f", {counted(images, 'plot')}"
    note(f"calibration.json, rules.yaml (suggested rules for the recipe){plots} in:")
    typer.echo(shown(target))


def _show(found: Calibration) -> None:
    documents = sum(position is None for _, position in found.kept)
    images = len(found.kept) - documents
    typer.echo(
        printable(
            f"{found.run}: {counted(documents, 'document')} and {counted(images, 'image')} "
            f"labeled by {', '.join(found.people.annotators)}"
        )
    )
    for line in [*_people(found.people), *_unknown(found.unknown)]:
        typer.echo(printable(line))
    if found.aspects:
        show_table(
            ("\naspects", "annotators", "both graded", "kappa", "weighted kappa", "rank correlation"),
            [
                (
                    *(f"  {one.aspect}", " and ".join(one.annotators), f"{one.items:,}"),
                    *map(_figure, (one.kappa, one.weighted, one.spearman)),
                )
                for one in found.aspects
            ],
        )
    show_table(
        ("\nall rules of the run", "lost of what people keep", "caught of what they drop", "rightly dropped"),
        [
            (f"  {one.level}s", one.lost.percent(), one.caught.percent(), one.right.percent())
            for one in found.together
        ],
    )
    show_table(
        ("\nrules", "drops", "rightly, of labeled", "alone", "rightly, of labeled"),
        [
            (
                *(f"  {one.rule} ({one.level}s)", f"{one.drops:,}", one.right.percent()),
                *(f"{one.alone:,}", one.alone_right.percent()),
            )
            for one in found.rules
            if one.drops
        ],
    )
    if idle := [one.rule for one in found.rules if not one.drops]:
        typer.echo(f"  drop nothing: {', '.join(idle)}")
    for level in ("document", "image"):
        scores = [score for score in found.scores if score.level == level]
        show_table(
            (
                *(f"\nscores of {level}s", "keep", "drop", "no value", "AUC"),
                *("suggested", "loses", "catches", "keeps of run"),
            ),
            [row for score in scores for row in _rows(score)],
        )
        for line in _reasons(scores):
            typer.echo(line)
    _show_fragment(found)


def _score(found: Calibration, name: str) -> ScoreFigures:
    score = next((one for one in found.scores if one.score == name), None)
    if score is None:
        known = [one.score for one in found.scores]
        raise typer.BadParameter(f"{name!r} has no labels; {suggestion(name, known)}", param_hint="--score")
    return score


def _show_curves(score: ScoreFigures) -> None:
    """The bounds of one score, from the smallest to the largest, the suggested one among them."""
    from leafinstruct.evaluate.calibration.curve import thinned

    typer.echo(f"{score.score}: {score.keep} labels keep, {score.drop} drop, AUC {score.auc.text()}")
    for side, points in score.curves.items():
        advised = score.advice[side].point
        shown = {point.bound: point for point in [*thinned(points, ROWS), *([advised] if advised else [])]}
        show_table(
            (f"\n{side}", "precision", "recall", "caught", "kept of labeled", "kept of run"),
            [
                (
                    f"  {point.bound:g}{' (suggested)' if point is advised else ''}",
                    *(one.percent() for one in (point.precision, point.recall, point.caught, point.kept)),
                    f"{point.of_run or 0:.1%}",
                )
                for point in sorted(shown.values(), key=lambda one: one.bound)
            ],
        )
        if advised is None:
            typer.echo(f"  no bound: {score.advice[side].reason}")


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _people(people: Verdicts) -> Iterator[str]:
    for pair in people.pairs:
        yield (
            f"{pair.first} and {pair.second}: equal {pair.equal.percent()}, Cohen's kappa {pair.kappa.text()}"
        )
    if people.disagreed:
        yield (
            f"{counted(people.disagreed, 'item')} with different answers: the majority counts, "
            f"{counted(len(people.ties), 'tie')} left out"
        )
    for reason, count in people.unused.items():
        yield f"{counted(count, 'label')} not used: {reason}"


def _unknown(items: Sequence[str]) -> Iterator[str]:
    if items:
        more = f" and {len(items) - NAMED:,} more" if len(items) > NAMED else ""
        yield f"{counted(len(items), 'labeled item')} not in this run: {', '.join(items[:NAMED])}{more}"


def _rows(score: ScoreFigures) -> Iterator[Sequence[str]]:
    cells = (f"  {score.score}", str(score.keep), str(score.drop), str(sum(score.others.values())))
    points = [(side, advice.point) for side, advice in score.advice.items() if advice.point is not None]
    if not points:
        yield (*cells, score.auc.text(), "", "", "", "")
    for number, (side, point) in enumerate(points):
        lost = point.recall.reversed()
        yield (
            *(cells if number == 0 else ("", "", "", "")),
            *(score.auc.text() if number == 0 else "", f"{side} {point.bound:g}"),
            *(lost.percent(), point.caught.percent(), f"{point.of_run or 0:.1%}"),
        )


def _reasons(scores: Sequence[ScoreFigures]) -> Iterator[str]:
    """Why scores have no suggested bound: of the side that their AUC points to."""
    reasons: dict[str, list[str]] = {}
    for score in scores:
        if all(advice.point is None for advice in score.advice.values()):
            side = score.advice["max" if (score.auc.value or 0.5) < 0.5 else "min"]
            reasons.setdefault(side.reason, []).append(score.score)
    for reason, names in reasons.items():
        yield f"  no bound for {'any' if len(names) == len(scores) else ', '.join(names)}: {reason}"


def _show_fragment(found: Calibration) -> None:
    for bound in found.fragment.bounds:
        if bound.left:
            typer.echo(f"  not in rules.yaml: {bound.score} {bound.side} {bound.point.bound:g}: {bound.left}")
    if any(not bound.left for bound in found.fragment.bounds):
        show_table(
            ("\nall rules of rules.yaml", "lost of what people keep", "caught of what they drop"),
            [
                (f"  {one.level}s", one.lost.percent(), one.caught.percent())
                for one in found.fragment.together
            ],
        )
