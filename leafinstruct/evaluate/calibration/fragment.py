"""The suggested bounds as a fragment of a recipe: the rules of the run, with new bounds where there are any.

Each bound may lose `max_lost` of what people keep, and several would lose more together. So they are taken
one after the other, the one with the most right minus wrong drops first, of equal ones that of a score with a
rule. A bound is taken if all rules of its
level together then lose no more than `max_lost` (or no more than before), have more right minus wrong drops
than before, and what they drop in addition is better than chance. What the run's other rules lose is counted
too, since they stay. A bound that is not taken is a comment with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import yaml

from leafinstruct.evaluate.calibration.curve import Point, Side, better_than_chance
from leafinstruct.evaluate.calibration.reading import RunRules, Scores
from leafinstruct.evaluate.calibration.rules import LEVELS, Together, level_of, lost_and_caught
from leafinstruct.evaluate.verdicts import Item
from leafinstruct.filter.catalog import CLIP_FAMILIES, MODEL_FAMILIES
from leafinstruct.filter.config import Rule
from leafinstruct.filter.decision import judge
from leafinstruct.filter.score import Level


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
    rules: RunRules,
    scores: Scores,
    kept: Mapping[Item, bool],
    bounds: Sequence[Bound],
    max_lost: float,
    tried: Mapping[Level, int],
) -> Fragment:
    """bounds: all suggested ones. kept: people's verdicts. tried: number of curves of each level."""
    found, active, together = list[Bound](), list(rules.active), list[Together]()
    for level in LEVELS:
        labeled = {item: keep for item, keep in kept.items() if level_of(item) == level}
        if not labeled:
            continue
        now = _dropped(active, scores, labeled)
        own = [bound for bound in bounds if scores.levels[bound.score] == level]
        for bound in sorted(own, key=lambda one: (-one.point.net, one.before is None)):
            trial = _with(active, bound, scores, rules.clip)
            then = _dropped(trial, scores, labeled)
            reason = _reason(now, then, labeled, max_lost, tried[level])
            found.append(replace(bound, left=reason))
            if not reason:
                active, now = trial, then
        together.append(lost_and_caught(level, labeled, now))
    final = list(rules.all)
    for bound in found:
        if not bound.left:
            final = _with(final, bound, scores, rules.clip)
    return Fragment(_yaml(final, found, together, max_lost), found, together)


def _dropped(rules: Sequence[Rule], scores: Scores, labeled: Mapping[Item, bool]) -> set[Item]:
    """What rules drop of labeled items, by the scores that were computed for them."""
    return {
        item
        for rule in rules
        for item, cell in scores.cells.get(rule.score, {}).items()
        if item in labeled and judge(rule, cell) is not None
    }


def _reason(
    now: set[Item], then: set[Item], labeled: Mapping[Item, bool], max_lost: float, tried: int
) -> str:
    """Why a bound is not taken that changes what is dropped; empty if it is taken."""
    wanted = sum(labeled.values())
    wrong, wrong_now = (sum(labeled[item] for item in dropped) for dropped in (then, now))
    more = then - now
    rightly = sum(not labeled[item] for item in more)
    if len(then) - 2 * wrong <= len(now) - 2 * wrong_now:
        return "adds no more right than wrong drops to those of the other rules"
    if wrong > max(max_lost * wanted + 1e-9, wrong_now):
        return f"with the other rules it would lose {wrong / wanted:.1%}"
    if more and not better_than_chance(rightly, len(more), 1 - wanted / len(labeled), tried):
        return f"drops {rightly} of {len(more)} more rightly, which may be chance"
    return ""


def _with(rules: Sequence[Rule], bound: Bound, scores: Scores, clip: str) -> list[Rule]:
    """The rules with a bound in the place of those on the same side of the same score, or with a new rule."""
    value = {bound.side: bound.point.bound}
    if all(rule.score != bound.score for rule in rules):
        family = bound.score.partition(".")[0]
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
