"""The suggested bounds as a fragment of a recipe: the rules of the run, with new bounds where there are any.

Each bound may lose `max_lost` of what people keep, and several would lose more together. So they are taken
one after the other, the one that catches most first: a bound is taken if all rules of its level together then
lose no more than `max_lost` and catch more than before, or if they lose less than before. What the run's
other rules lose is counted too, since they stay. A bound that is not taken is a comment with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from leafinstruct.evaluate.agreement import Estimate
from leafinstruct.evaluate.calibration.curve import Point, Side
from leafinstruct.evaluate.calibration.reading import RunRules, Scores
from leafinstruct.evaluate.calibration.rules import LEVELS, Together, level_of, lost_and_caught
from leafinstruct.evaluate.verdicts import Item
from leafinstruct.filter.catalog import CLIP_FAMILIES, MODEL_FAMILIES, declared
from leafinstruct.filter.config import Rule
from leafinstruct.filter.decision import judge


@dataclass(frozen=True, slots=True)
class Bound:
    """A suggested bound on a score. before: the bound of the run's rule on this side, if it has one. left:
    why the fragment does not have it, empty if it does."""

    score: str
    side: Side
    point: Point
    before: float | None
    left: str = ""


@dataclass(frozen=True, slots=True)
class Fragment:
    """text: YAML. bounds: the suggested ones. together: what all rules in it do with the labeled items, by
    level."""

    text: str
    bounds: Sequence[Bound]
    together: Sequence[Together]


def fragment(
    rules: RunRules, scores: Scores, kept: Mapping[Item, bool], bounds: Sequence[Bound], max_lost: float
) -> Fragment:
    """bounds: all suggested ones. kept: people's verdicts."""
    found, active, together = list[Bound](), list(rules.active), list[Together]()
    for level in LEVELS:
        labeled = {item: keep for item, keep in kept.items() if level_of(item) == level}
        if not labeled:
            continue
        now = _together(active, scores, labeled)
        own = [bound for bound in bounds if declared(bound.score).level == level]
        for bound in sorted(own, key=lambda one: -(one.point.caught.value or 0)):
            trial = _with(active, bound, scores, rules.clip)
            then = _together(trial, scores, labeled)
            less = _share(then.lost) < _share(now.lost)
            more = _share(then.caught) > _share(now.caught)
            if less or (more and _share(then.lost) <= max_lost):
                active, now = trial, then
                found.append(bound)
            elif more:
                found.append(_left(bound, f"with the other rules it would lose {_share(then.lost):.1%}"))
            else:
                found.append(_left(bound, "catches nothing that the other rules do not catch"))
        together.append(now)
    final = list(rules.all)
    for bound in found:
        if not bound.left:
            final = _with(final, bound, scores, rules.clip)
    return Fragment(_yaml(final, found, together, max_lost), found, together)


def _left(bound: Bound, reason: str) -> Bound:
    return Bound(bound.score, bound.side, bound.point, bound.before, reason)


def _share(estimate: Estimate) -> float:
    return estimate.value or 0.0


def _together(rules: Sequence[Rule], scores: Scores, labeled: Mapping[Item, bool]) -> Together:
    """What rules do with labeled items of one level, of the scores that were computed for them."""
    level = level_of(next(iter(labeled)))
    dropped = {
        item
        for rule in rules
        for item, cell in scores.cells.get(rule.score, {}).items()
        if item in labeled and judge(rule, cell) is not None
    }
    return lost_and_caught(level, labeled, dropped)


def _with(rules: Sequence[Rule], bound: Bound, scores: Scores, clip: str) -> list[Rule]:
    """The rules with a bound in the place of those on the same side of the same score, or with a new rule."""
    value = {bound.side: bound.point.bound}
    if all(rule.score != bound.score for rule in rules):
        family = declared(bound.score).family
        model = clip if family in CLIP_FAMILIES else scores.models[bound.score]
        named = {"model": model} if family in MODEL_FAMILIES else {}
        return [*rules, Rule.model_validate({"score": bound.score, **value, **named})]
    return [_changed(rule, value) if rule.score == bound.score else rule for rule in rules]


def _changed(rule: Rule, value: Mapping[Side, float]) -> Rule:
    sides = {"min": rule.min, "max": rule.max, **value}
    low, high = sides["min"], sides["max"]
    if low is not None and high is not None and low > high:  # the old other side would let nothing pass
        sides = {"min": None, "max": None, **value}
    return Rule.model_validate({**rule.model_dump(), **sides})


def _yaml(
    rules: Sequence[Rule], bounds: Sequence[Bound], together: Sequence[Together], max_lost: float
) -> str:
    """Readable YAML, one rule a line, as recipes are written."""
    lines = [
        "# Written by `leaf calibrate`: put these rules in the place of those in the recipe's `filter:`.",
        f"# Bounds were chosen to lose at most {max_lost:.0%} of what people keep. With 95% intervals,",
        *(
            f"# of the {one.level}s that people keep, these rules lose {one.lost.percent()};\n"
            f"# of those that people drop, they drop {one.caught.percent()}"
            for one in together
        ),
        "filter:",
        "  rules:" if rules else "  rules: []",
    ]
    for rule in rules:
        notes = [
            f"{one.side} was {'not set' if one.before is None else f'{one.before:g}'}, drops "
            f"{one.point.right.percent()} rightly"
            for one in bounds
            if one.score == rule.score and not one.left
        ]
        lines.append(f"    - {_flow(rule)}{''.join(f'   # {note}' for note in notes)}")
    lines += [
        f"    # - {{score: {one.score}, {one.side}: {one.point.bound:g}}}   # {one.left}"
        for one in bounds
        if one.left
    ]
    return "\n".join(lines) + "\n"


def _flow(rule: Rule) -> str:
    fields = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in rule.model_dump(exclude_defaults=True).items()
    }
    text: str = yaml.safe_dump(fields, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()
