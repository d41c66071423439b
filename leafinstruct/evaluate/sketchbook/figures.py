"""From verdicts to the figures of a table: shares with what they are shares of. Nothing here draws or
judges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from leafinstruct.evaluate.sketchbook.judging import Shown
from leafinstruct.evaluate.sketchbook.lessons import Drawn, Told
from leafinstruct.sketchbook.documents.lessons import FEWEST_STEPS

STEPS = 5
"""Images that have a figure of their own; a lesson has three to five."""

Figures = dict[str, float | None]
"""Shares, [0, 1]; None of nothing."""


def of_told(found: Sequence[Told]) -> Figures:
    """Free-running. How many steps a lesson takes is the model's choice, but none takes fewer than
    FEWEST_STEPS, so missing ones are counted."""
    shown = [[step.image for step in one.verdict.steps] for one in found]
    counts = [max(FEWEST_STEPS, len(row)) for row in shown]
    return {
        "text_right": _share(sum(one.verdict.right_texts for one in found), sum(counts)),
        "intro_right": _share(sum(one.verdict.intro for one in found), len(found)),
        "outro_right": _share(sum(one.verdict.outro for one in found), len(found)),
        "complete": _share(sum(one.verdict.complete for one in found), len(found)),
        "perfect": _share(sum(one.verdict.perfect for one in found), len(found)),
        **_images(shown, counts),
    }


def of_drawn(found: Sequence[Drawn]) -> Figures:
    """Teacher-forced, of the steps of the true lessons."""
    return _images([one.shown for one in found], [len(one.question.howto.steps) for one in found])


def _images(shown: Sequence[Sequence[Shown]], counts: Sequence[int]) -> Figures:
    """exact: of all steps; image_N: of the lessons that have an N-th. kept: of the second and later images,
    those that show all that was there before as it was. counts: steps of each lesson, at least as many as are
    shown."""
    every = [one for row in shown for one in row]
    later = [one for row in shown for one in row[1:]]
    found: Figures = {
        "exact": _share(sum(one.exact for one in every), sum(counts)),
        "kept": _share(sum(one.kept for one in later), len(later)),
    }
    for place in range(STEPS):
        wanted = [row for row, count in zip(shown, counts, strict=True) if count > place]
        found[f"picture_{place + 1}"] = _share(
            sum(len(row) > place and row[place].exact for row in wanted), len(wanted)
        )
    return found


def mistakes(shown: Iterable[Shown]) -> Counter[str]:
    """Of the images that are not exact."""
    return Counter(one.mistake for one in shown if one.mistake is not None)


def faults(found: Sequence[Told]) -> Counter[str]:
    """Of the texts that are not right."""
    return Counter(step.fault for one in found for step in one.verdict.steps if step.fault is not None)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
