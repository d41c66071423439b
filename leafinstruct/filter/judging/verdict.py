"""The verdict on a document from the answers of its judges.

    sample   one answer; several of one judge are asked with different sampling
    judge    median of its samples, if more than half of them have a value
    verdict  median of the judges, if more than half of them have a value

The median, because one judge that misreads the form or is moved by the page then changes nothing. For an even
number it is the mean of the two in the middle. A judge without an answer is not a verdict: below the quorum
the score has the state of what is missing, and an outage (`failed`, `declined`) comes first, because it is
asked again.

A score of one aspect of one image or document is combined for itself. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from leafinstruct.filter.catalog import JUDGE_ASPECTS
from leafinstruct.filter.judging.request import NOT_APPLICABLE
from leafinstruct.llm.request import Answer
from leafinstruct.records.document import UNDECIDED, Document, State
from leafinstruct.records.example import Cell

Aspect = tuple[str, int | None]
"""Name of a score, and position of the image, None for the document."""
Samples = Sequence[Mapping[Aspect, Cell]]
"""The answers of one judge."""

RELEVANCE = "judge.image_relevance"
_NOT_SHOWN = "the image was not shown to the judge"


def cells_of(document: Document, answer: Answer) -> dict[Aspect, Cell]:
    """The cells of one answer: of the document's aspects, and of each of its images. Images that the question
    did not show are `not_shown`. Without a valid answer all have its state and no value."""
    positions = [image.position for image in document.images]
    if answer.value is None:
        return without(document, answer.state, answer.model, answer.detail)
    value: dict[str, Any] = dict(answer.value)  # it fits SCHEMA and passed its check
    found = {entry["image"]: entry for entry in value["images"]}
    cells = [
        _cell(RELEVANCE, position, found[position], answer.model)
        if position in found
        else Cell(RELEVANCE, None, "not_shown", position, answer.model, _NOT_SHOWN)
        for position in positions
    ]
    for aspect in JUDGE_ASPECTS:
        given = value[aspect]
        if aspect == "image_consistency" and len(found) < 2:
            given = {"score": NOT_APPLICABLE, "reason": f"{len(found)} images were shown"}
        cells.append(_cell(f"judge.{aspect}", None, given, answer.model))
    return {(cell.name, cell.position): cell for cell in cells}


def _cell(name: str, position: int | None, given: Mapping[str, Any], model: str) -> Cell:
    if given["score"] == NOT_APPLICABLE:
        return Cell(name, None, "not_applicable", position, model, given["reason"])
    return Cell(name, float(given["score"]), "ok", position, model, given["reason"])


def without(document: Document, state: State, model: str, detail: str) -> dict[Aspect, Cell]:
    """The cells of a document that has no verdict."""
    names = [(RELEVANCE, image.position) for image in document.images]
    wanted: list[Aspect] = [*names, *((f"judge.{aspect}", None) for aspect in JUDGE_ASPECTS)]
    return {key: Cell(key[0], None, state, key[1], model, detail) for key in wanted}


def combined(judges: Mapping[str, Samples], model: str) -> list[Cell]:
    """The verdict of several judges. judges: name -> its answers, at least one. model: name of all
    together."""
    one = [cells for samples in judges.values() for cells in samples]
    if len(one) == 1:
        return list(one[0].values())
    return [
        _combined(key, {name: [cells[key] for cells in samples] for name, samples in judges.items()}, model)
        for key in one[0]
    ]


def _combined(key: Aspect, judges: Mapping[str, Sequence[Cell]], model: str) -> Cell:
    name, position = key
    found = {judge: median_of(samples) for judge, samples in judges.items()}
    cell = median_of(list(found.values()))
    shown = (
        found if len(judges) > 1 else {str(at): one for at, one in enumerate(next(iter(judges.values())), 1)}
    )
    stated = ", ".join(f"{who} {_stated(one)}" for who, one in shown.items())
    return Cell(name, cell.value, cell.state, position, model, f"{stated}: {cell.detail}".removesuffix(": "))


def _stated(cell: Cell) -> str:
    return cell.state if cell.value is None else f"{cell.value:g}"


def median_of(cells: Sequence[Cell]) -> Cell:
    """The median of one score of several answers or judges, with the reason nearest to it; below the quorum
    the state of what is missing."""
    first = cells[0]
    given = [(cell.value, cell.detail) for cell in cells if cell.value is not None]
    if 2 * len(given) > len(cells):
        middle = median(value for value, _ in given)
        _, reason = min(given, key=lambda one: abs(one[0] - middle))
        return Cell(first.name, round(middle, 4), "ok", first.position, first.model, reason)
    missing = [cell for cell in cells if cell.value is None]
    outages = [cell for cell in missing if cell.state in UNDECIDED]
    states = Counter(cell.state for cell in outages or missing)
    state = states.most_common(1)[0][0]
    detail = next(cell.detail for cell in missing if cell.state == state)
    return Cell(first.name, None, state, first.position, first.model, detail)


def with_means(document: Document, cells: Iterable[Cell]) -> list[Cell]:
    """The cells of the document with the mean and the least relevance of its images. document: with the
    images that are kept. cells: of its verdict."""
    given = list(cells)
    whole = [cell for cell in given if cell.position is None]
    kept = {image.position for image in document.images}
    of_images = [cell for cell in given if cell.position in kept and cell.name == RELEVANCE]
    model = whole[0].model if whole else None
    values = [cell.value for cell in of_images if cell.value is not None]
    names = ("judge.text_image_relevance", "judge.least_image_relevance")
    if values:
        found = (fmean(values), min(values))
        return whole + [
            Cell(name, round(value, 4), "ok", None, model, f"of {len(values)} images")
            for name, value in zip(names, found, strict=True)
        ]
    missing = of_images or [cell for cell in whole if cell.state not in ("ok", "not_applicable")]
    state, detail = (
        (missing[0].state, missing[0].detail) if missing else ("not_applicable", "no image is left")
    )
    return whole + [Cell(name, None, state, None, model, detail) for name in names]
