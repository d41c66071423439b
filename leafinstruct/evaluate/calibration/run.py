"""`leaf calibrate`: read labels and a run, compare every score and rule with people, write the results.

    <out>/calibration.json    everything below, with the bounds of every score
          rules.yaml          the run's rules with the suggested bounds (fragment.py)
          <score>.png         the curve of every score with labels of both verdicts (plots.py)

A dropped document is not scored further, so a score has values only for the labeled items that were still
there; what was not scored is counted per score and never taken for a value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate import labels
from leafinstruct.evaluate.aspects import agreements, is_grade
from leafinstruct.evaluate.calibration import reading, rules
from leafinstruct.evaluate.calibration.curve import SIDES, Point, ScoreFigures, Side, advise, curve, thinned
from leafinstruct.evaluate.calibration.fragment import Bound, Fragment, fragment
from leafinstruct.evaluate.calibration.reading import RunRules, Scores
from leafinstruct.evaluate.calibration.rules import LEVELS, RuleFigures, Together, level_of
from leafinstruct.evaluate.verdicts import Item, Verdicts, verdicts
from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.score import Level
from leafinstruct.records.agreement.measures import auc
from leafinstruct.records.agreement.raters import Agreement
from leafinstruct.report.run import Run
from leafinstruct.runtime.files import writing

LISTED = 100
"""Maximum bounds of a side in calibration.json."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that was found. unknown: labeled items that the run does not have, as `id` or `id image:3`.
    kept: item of the run -> people's verdict on it. aspects: agreement of people with the judge."""

    run: Path
    people: Verdicts
    kept: Mapping[Item, bool]
    unknown: Sequence[str]
    together: Sequence[Together]
    rules: Sequence[RuleFigures]
    scores: Sequence[ScoreFigures]
    fragment: Fragment
    max_lost: float
    aspects: Sequence[Agreement] = ()


def calibrate(run: Run, files: Sequence[Path], max_lost: float) -> Calibration:
    """Compare a run with files of labels. max_lost: share of what people keep that bounds may lose.

    Raises SourceError for a faulty label, LeafInstructError if filter is not done or no label is about an
    item of the run, DamagedError.
    """
    given = labels.read(*files)
    graded = agreements(run, given)
    compared = {one.aspect for one in graded}
    people = verdicts([label for label in given if not (label.aspect in compared and is_grade(label))])
    applied = reading.rules_of(run)
    items = reading.known_items(run, people.kept)
    if not items and not graded:
        raise LeafInstructError(_no_label(run, people))
    kept = {item: keep for item, keep in people.kept.items() if item in items}
    scores, drops = reading.read_scores(run, items, applied.active), reading.read_drops(run)
    figures = [_figures(name, applied, scores, kept) for name in sorted(scores.levels, key=_in_order)]
    figures = _advised(_with_shares(run, [one for one in figures if one.keep + one.drop]), max_lost)
    bounds = [
        Bound(one.score, side, point, one.before[side])
        for one in figures
        for side in SIDES
        if (point := one.advice[side].point) is not None
    ]
    return Calibration(
        run.directory,
        people,
        kept,
        [_named(item) for item in people.kept if item not in items],
        rules.together(drops, kept),
        rules.figures([rule.score for rule in applied.active], drops, scores.failing, kept),
        figures,
        fragment(applied, scores, kept, bounds, max_lost, {level: tried(figures, level) for level in LEVELS}),
        max_lost,
        graded,
    )


def write(found: Calibration, out: Path, plots: bool) -> list[Path]:
    """Write the results into a folder, each file by one rename, and return the files. Raises SourceError,
    LeafInstructError if plots are wanted and matplotlib is not installed."""
    if plots:
        from leafinstruct.evaluate.calibration import plots as drawing

        drawing.check()
    table = {
        "run": str(found.run),
        "max_lost": found.max_lost,
        "annotators": found.people.annotators,
        "agreement": [asdict(pair) for pair in found.people.pairs],
        "labeled": {_named(item): "keep" if keep else "drop" for item, keep in found.kept.items()},
        "aspects": [asdict(one) for one in found.aspects],
        "disagreed": found.people.disagreed,
        "ties": [_named(item) for item in found.people.ties],
        "unknown": found.unknown,
        "unused": found.people.unused,
        "together": [asdict(one) for one in found.together],
        "rules": [asdict(one) for one in found.rules],
        "scores": [asdict(_listed(one)) for one in found.scores],
        "bounds": [asdict(bound) for bound in found.fragment.bounds],
        "together_suggested": [asdict(one) for one in found.fragment.together],
    }
    files = [out / "calibration.json", out / "rules.yaml"]
    for path, text in zip(files, (json.dumps(table, indent=1) + "\n", found.fragment.text), strict=True):
        with writing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    for one in found.scores if plots else ():
        if one.keep and one.drop and any(one.curves.values()):
            files.append(out / f"{one.score}.png")
            with writing(files[-1]) as temporary:
                drawing.draw(one, temporary)
    for path in out.glob("*.png"):  # of earlier labels
        if path not in files and path.stem in {*SCORES, *(one.score for one in found.scores)}:
            path.unlink()
    return files


def _listed(score: ScoreFigures) -> ScoreFigures:
    return replace(score, curves={side: thinned(points, LISTED) for side, points in score.curves.items()})


def _in_order(name: str) -> tuple[int, str]:
    """Scores of leafinstruct as the catalog lists them, then those of packages."""
    return (list(SCORES).index(name) if name in SCORES else len(SCORES), name)


def _figures(name: str, applied: RunRules, scores: Scores, kept: Mapping[Item, bool]) -> ScoreFigures:
    """Everything but the advice."""
    level = scores.levels[name]
    labeled = {item: keep for item, keep in kept.items() if level_of(item) == level}
    cells = scores.cells.get(name, {})
    values = {item: cell.value for item, cell in cells.items() if cell.value is not None}
    others = Counter(cells[item].state if item in cells else "not_scored" for item in labeled.keys() - values)
    good = [value for item, value in values.items() if labeled[item]]
    bad = [value for item, value in values.items() if not labeled[item]]
    verdict = [True] * len(good) + [False] * len(bad)
    curves = {side: curve([*good, *bad], verdict, side) for side in SIDES}
    return ScoreFigures(
        *(name, level, scores.models[name], len(good), len(bad), auc(good, bad)),
        dict(sorted(others.items())),
        {side: _before(applied, name, side) for side in SIDES},
        curves,
        {},
    )


def _with_shares(run: Run, figures: Sequence[ScoreFigures]) -> list[ScoreFigures]:
    """The figures with the share of the run's items that each bound keeps."""
    bounds = {
        one.score: {side: [point.bound for point in one.curves[side]] for side in SIDES} for one in figures
    }
    shares = reading.kept_of_run(run, bounds)

    def counted(score: str, side: Side, point: Point) -> Point:
        return replace(point, of_run=shares[score, side, point.bound])

    return [
        replace(
            one,
            curves={side: [counted(one.score, side, point) for point in one.curves[side]] for side in SIDES},
        )
        for one in figures
    ]


def tried(figures: Sequence[ScoreFigures], level: Level) -> int:
    """Number of curves on a level, of which the best ones are suggested."""
    return sum(bool(one.curves[side]) for one in figures if one.level == level for side in SIDES)


def _advised(figures: Sequence[ScoreFigures], max_lost: float) -> list[ScoreFigures]:
    return [
        replace(
            one,
            advice={
                side: advise(one.curves[side], side, one.keep, one.drop, max_lost, tried(figures, one.level))
                for side in SIDES
            },
        )
        for one in figures
    ]


def _before(applied: RunRules, score: str, side: Side) -> float | None:
    rule = next((rule for rule in applied.all if rule.score == score), None)
    return None if rule is None else rule.min if side == "min" else rule.max


def _named(item: Item) -> str:
    return item[0] if item[1] is None else f"{item[0]} image:{item[1]}"


def _no_label(run: Run, people: Verdicts) -> str:
    if not people.kept:
        others = "; ".join(f"{count} {reason}" for reason, count in people.unused.items())
        return (
            f"no label says whether to keep a document or an image{f' ({others})' if others else ''}; write "
            'the aspect "keep" with "keep" or "drop"'
        )
    return (
        f"none of the {len(people.kept)} labeled items is in {run.directory} (for example "
        f"{_named(next(iter(people.kept)))}); ids are those of `leaf status --table scores` and of "
        "`leaf explain`"
    )
