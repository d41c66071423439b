"""One verdict on each document and image from the labels of several annotators, and how far they agree.

A verdict is the majority of the answers to the aspect keep. A tie is no verdict: it is counted and shown, and
the item is left out. Agreement is shown per pair of annotators, over what both of them labeled: the share of
equal answers and Cohen's kappa, with intervals. If people agree on 80%, no score can
be expected to agree with them on more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from leafinstruct.evaluate.labels import KEEP, Label, by_question
from leafinstruct.records.agreement.measures import Estimate, kappa_estimate, wilson

Item = tuple[str, int | None]
"""Id of a document, and position of an image in it; None for the document itself."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Agreement of two annotators on what both labeled. equal: share of equal answers."""

    first: str
    second: str
    equal: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts on documents and images. kept: item -> whether people keep it. disagreed: number of items with
    different answers, ties included. annotators: labels of each. unused: reason -> labels that are about
    something else."""

    kept: Mapping[Item, bool]
    ties: Sequence[Item]
    disagreed: int
    annotators: Mapping[str, int]
    pairs: Sequence[Pair]
    unused: Mapping[str, int]


def verdicts(labels: Sequence[Label]) -> Verdicts:
    """Take the labels of the aspect keep on documents and images together."""
    used = [label for label in labels if _unused(label) is None]
    kept: dict[Item, bool] = {}
    ties: list[Item] = []
    disagreed = 0
    positions = {label.question: label.position for label in used}
    questions = by_question(used)
    for question, answers in questions.items():
        item, votes = (question[0], positions[question]), Counter(answers.values())
        disagreed += len(votes) > 1
        if votes["keep"] == votes["drop"]:
            ties.append(item)
        else:
            kept[item] = votes["keep"] > votes["drop"]
    names = Counter(label.annotator for label in used)
    pairs = [
        pair
        for first, second in combinations(sorted(names), 2)
        if (pair := _pair(first, second, list(questions.values()))) is not None
    ]
    unused = Counter(reason for label in labels if (reason := _unused(label)) is not None)
    return Verdicts(kept, ties, disagreed, dict(sorted(names.items())), pairs, dict(sorted(unused.items())))


def _unused(label: Label) -> str | None:
    if label.aspect != KEEP:
        return f"of the aspect {label.aspect}"
    return "of texts, which have no scores" if label.kind == "text" else None


def _pair(first: str, second: str, answered: Sequence[Mapping[str, object]]) -> Pair | None:
    both = [
        (answers[first], answers[second]) for answers in answered if first in answers and second in answers
    ]
    if not both:
        return None

    equal = sum(one == other for one, other in both)
    return Pair(first, second, wilson(equal, len(both)), kappa_estimate(*zip(*both, strict=True)))
