"""Compute the figures of a table from verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from leafinstruct.evaluate.sketchbook.judging import ImageVerdict
from leafinstruct.evaluate.sketchbook.lessons import ForcedImages, FreeAnswer
from leafinstruct.sketchbook.documents.lessons import FEWEST_STEPS

STEPS = 5
"""Number of image positions with a figure of their own; a lesson has three to five images."""

Figures = dict[str, float | None]
"""Shares, [0, 1]; None when there is nothing to count."""


def free_figures(found: Sequence[FreeAnswer]) -> Figures:
    """Return the figures of free-running answers. The model chooses the number of steps, but a lesson has at
    least FEWEST_STEPS, so missing ones count as wrong."""
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


def forced_figures(found: Sequence[ForcedImages]) -> Figures:
    """Return the figures of teacher-forced images, one per step of the true lessons."""
    return _images([one.verdicts for one in found], [len(one.question.howto.steps) for one in found])


def _images(shown: Sequence[Sequence[ImageVerdict]], counts: Sequence[int]) -> Figures:
    """Return shares of exact images: `exact` of all steps, `image_N` of the lessons with an N-th image; and
    `kept`, the share of later images that keep all earlier things. counts: steps of each lesson, at least the
    number of its images."""
    every = [one for row in shown for one in row]
    later = [one for row in shown for one in row[1:]]
    found: Figures = {
        "exact": _share(sum(one.exact for one in every), sum(counts)),
        "kept": _share(sum(one.kept for one in later), len(later)),
    }
    for place in range(STEPS):
        wanted = [row for row, count in zip(shown, counts, strict=True) if count > place]
        found[f"image_{place + 1}"] = _share(
            sum(len(row) > place and row[place].exact for row in wanted), len(wanted)
        )
    return found


def mistakes(shown: Iterable[ImageVerdict]) -> Counter[str]:
    """Count the mistakes of images that are not exact."""
    return Counter(one.mistake for one in shown if one.mistake is not None)


def faults(found: Sequence[FreeAnswer]) -> Counter[str]:
    """Count the faults of texts that are not right."""
    return Counter(step.fault for one in found for step in one.verdict.steps if step.fault is not None)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
