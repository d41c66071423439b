"""People's grades beside those of the judge: the aspects of `judge.*` in files of labels.

    {"id": "8f3c...", "subject": "document", "aspect": "completeness", "value": 2, "annotator": "ann"}
    {"id": "8f3c...", "subject": "image:3", "aspect": "image_relevance", "value": 5, "annotator": "ann"}

Each pair of annotators is compared over what both graded: two people, a person and the verdict of the run, a
person and a single judge of several. If people agree little on an aspect, no judge can agree with them more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from leafinstruct.evaluate.calibration.reading import read_scores
from leafinstruct.evaluate.labels import Label
from leafinstruct.evaluate.verdicts import Item
from leafinstruct.filter.catalog import JUDGE_ASPECTS, SCORES
from leafinstruct.filter.judging.verdict import RELEVANCE, median_of
from leafinstruct.records import table
from leafinstruct.records.agreement.raters import Agreement, agreement
from leafinstruct.records.example import Cell
from leafinstruct.report.run import Run

NAMES = (*(f"judge.{aspect}" for aspect in JUDGE_ASPECTS), RELEVANCE)

Grades = dict[str, dict[str, dict[Item, float]]]
"""Score -> annotator -> item -> grade."""


def is_grade(label: Label) -> bool:
    """Whether a label grades an aspect of the judge, of a subject that has it."""
    name = f"judge.{label.aspect}"
    is_number = isinstance(label.value, int | float) and not isinstance(label.value, bool)
    return name in NAMES and SCORES[name].level == label.kind and is_number


def agreements(run: Run, labels: Sequence[Label]) -> list[Agreement]:
    """The agreement of each pair of annotators on each aspect, people first. labels: others than grades are
    ignored. A pair without a common item is left out, and so are pairs of judges, which are on the card."""
    grades: Grades = {}
    for label in filter(is_grade, labels):
        of_person = grades.setdefault(f"judge.{label.aspect}", {}).setdefault(label.annotator, {})
        of_person[label.id, label.position] = float(label.value)
    people = {name: list(given) for name, given in grades.items()}
    items = {item for given in grades.values() for own in given.values() for item in own}
    if not items:
        return []
    scores = read_scores(run, items, ())
    for name in grades:
        values = {
            item: cell.value for item, cell in scores.cells.get(name, {}).items() if cell.value is not None
        }
        grades[name]["the judge"] = values
    for name, judge, item, value in _single(run, items):
        if name in grades:
            grades[name].setdefault(f"the judge {judge}", {})[item] = value
    return [
        found
        for name in NAMES
        for first, second in combinations(grades.get(name, ()), 2)
        if first in people[name]
        if (found := _pair(name, first, second, grades)) is not None
    ]


def _pair(name: str, first: str, second: str, given: Grades) -> Agreement | None:
    one, two = given[name][first], given[name][second]
    common = one.keys() & two.keys()
    if not common:
        return None
    return agreement(
        name.partition(".")[2], (first, second), Counter((one[item], two[item]) for item in common)
    )


def _single(run: Run, items: set[Item]) -> Iterator[tuple[str, str, Item, float]]:
    """Score, judge, item and grade of every single judge."""
    filtered = run.stages["filter"]
    for path in (filtered.file("judged", part) for part in filtered.parts()):
        found: dict[tuple[str, str, Item], list[Cell]] = {}
        for document, judge, _, cell in table.single_answers(path) if path.exists() else ():
            if (document, cell.position) in items:
                found.setdefault((cell.name, judge, (document, cell.position)), []).append(cell)
        for (name, judge, item), cells in found.items():
            if (value := median_of(cells).value) is not None:
                yield name, judge, item, value
