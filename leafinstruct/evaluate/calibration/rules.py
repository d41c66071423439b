"""The rules of a run against people's verdicts: what each drops, what it alone drops, how often rightly.

"Alone" means that the item fails no other rule whose score was computed. Filter drops an image at the first
rule that it fails, and scores a dropped document no further, so this is decided by the scores, not only by
the recorded drops; a rule of a later pass might still drop the same document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leafinstruct.evaluate.calibration.reading import Failures
from leafinstruct.evaluate.verdicts import Item
from leafinstruct.filter.catalog import declared
from leafinstruct.filter.score import Level
from leafinstruct.records.agreement.measures import Estimate, wilson


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """One rule or reason (min_images, languages) on documents or images.

    drops, alone: number of items of the run that it drops, and that only it drops. right, alone_right: of the
    labeled ones among them, the share that people drop too; their n is the number of labeled ones.
    """

    rule: str
    level: Level
    drops: int
    alone: int
    right: Estimate
    alone_right: Estimate


@dataclass(frozen=True, slots=True)
class Together:
    """All rules of the run on labeled documents or images.

    lost: of what people keep, the share that the rules drop. caught: of what people drop, the share that they
    drop. right: of what they drop, the share that people drop.
    """

    level: Level
    lost: Estimate
    caught: Estimate
    right: Estimate


LEVELS: tuple[Level, ...] = ("document", "image")


def level_of(item: Item) -> Level:
    return "document" if item[1] is None else "image"


def figures(
    names: Iterable[str], drops: Failures, failing: Failures, kept: Mapping[Item, bool]
) -> list[RuleFigures]:
    """Figures of every rule that drops something, and of the others of `names` with zeros, by level.

    drops: what filter recorded. failing: what fails by its scores. kept: people's verdicts.
    """
    found: dict[tuple[str, Level], list[tuple[Item, bool]]] = {}
    for item, rules in drops.items():
        alone = len(rules | failing.get(item, set())) == 1
        for rule in rules:
            found.setdefault((rule, level_of(item)), []).append((item, alone))
    unused = [name for name in dict.fromkeys(names) if all(rule != name for rule, _ in found)]
    for name in unused:
        found[name, declared(name).level] = []
    return [
        RuleFigures(
            rule,
            level,
            len(items),
            sum(alone for _, alone in items),
            _right([item for item, _ in items], kept),
            _right([item for item, alone in items if alone], kept),
        )
        for (rule, level), items in sorted(
            found.items(), key=lambda pair: (pair[0][1], -len(pair[1]), pair[0])
        )
    ]


def _right(dropped: Iterable[Item], kept: Mapping[Item, bool]) -> Estimate:
    verdicts = [kept[item] for item in dropped if item in kept]
    return wilson(verdicts.count(False), len(verdicts))


def together(drops: Failures, kept: Mapping[Item, bool]) -> list[Together]:
    """All rules together, on each level that has labels."""
    found = []
    for level in LEVELS:
        labeled = {item: keep for item, keep in kept.items() if level_of(item) == level}
        if labeled:
            found.append(lost_and_caught(level, labeled, {item for item in labeled if item in drops}))
    return found


def lost_and_caught(level: Level, labeled: Mapping[Item, bool], dropped: set[Item]) -> Together:
    """labeled: verdicts on items of one level; dropped: those of them that are dropped."""
    wanted = {item for item, keep in labeled.items() if keep}
    unwanted = labeled.keys() - wanted
    caught = len(unwanted & dropped)
    return Together(
        level,
        wilson(len(wanted & dropped), len(wanted)),
        wilson(caught, len(unwanted)),
        wilson(caught, len(dropped)),
    )
