"""Cues or annotated segments -> steps: sentences, none too short, and not too many per document. Frames are
chosen per step. Pure.

Subtitles are cut for the screen, so a cue that ends in mid-sentence continues in the next one, unless the
speaker pauses (PAUSE) or the step is long (LONG). In a file without any full stop (automatic captions) each
cue is a step. Annotated segments are already steps. A step shorter than min_seconds is merged with the next
one, the last with the one before it, unless the gap is APART or more: a frame from the gap would show
neither. A merged step keeps the interval of each of its texts, so that a frame can be placed at the text that
it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from leafinstruct.images.video.times import is_before, length
from leafinstruct.ingest.config import Frames
from leafinstruct.ingest.video.cue import Cue
from leafinstruct.records.text.words import ends_sentence

Interval = tuple[float, float]
"""Start and end in seconds, the end not included."""

LONG = 20.0
"""Seconds after which a step ends, even in mid-sentence."""
PAUSE = 2.0
"""Seconds of silence that end a sentence."""
APART = 10.0
"""Seconds between two steps from which on they are not merged."""


@dataclass(frozen=True, slots=True)
class Step:
    """A unit of text and time.

    start, end: seconds. texts: of the merged steps, in order. intervals: of each text; empty when they equal
    the step's own.
    """

    start: float
    end: float
    texts: tuple[str, ...]
    intervals: tuple[Interval, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def spoken(self) -> tuple[Interval, ...]:
        """The interval of each text, in order."""
        return self.intervals or ((self.start, self.end),) * len(self.texts)

    def shown(self, time: float) -> int:
        """Return the index of the text whose interval contains a time: of several that overlap, the one that
        begins last; outside of all, the nearest."""

        def distance(index: int) -> tuple[float, float, int]:
            start, end = self.spoken[index]
            return (start - time if time < start else max(0.0, time - end), -start, -index)

        inside = [index for index, (start, end) in enumerate(self.spoken) if start <= time < end]
        return min(inside or range(len(self.texts)), key=distance)


def sentences(cues: Sequence[Cue]) -> list[Step]:
    """Join cues into sentences."""
    if not any(ends_sentence(cue.text) for cue in cues):
        return [Step(cue.start, cue.end, (cue.text,)) for cue in cues]
    steps: list[Step] = []
    whole = True
    for cue in cues:
        joins = (
            steps
            and not whole
            and not is_before(PAUSE, cue.start - steps[-1].end)
            and not is_before(LONG, cue.end - steps[-1].start)
        )
        if joins:
            steps[-1] = replace(steps[-1], end=cue.end, texts=(" ".join((*steps[-1].texts, cue.text)),))
        else:
            steps.append(Step(cue.start, cue.end, (cue.text,)))
        whole = ends_sentence(cue.text)
    return steps


def by_document(steps: Sequence[Step], settings: Frames) -> Iterator[tuple[str, list[Step]]]:
    """Yield (locator, steps) of each document; the locator is empty for a video that is one document, else
    `steps=1-20`."""
    merged = _merged(steps, settings.min_seconds)
    groups = [
        merged[start : start + settings.max_steps] for start in range(0, len(merged), settings.max_steps)
    ]
    for index, group in enumerate(groups):
        first = index * settings.max_steps + 1
        yield "" if len(groups) == 1 else f"steps={first}-{first + len(group) - 1}", group


def _merged(steps: Sequence[Step], shortest: float) -> list[Step]:
    merged: list[Step] = []
    for step in steps:
        if (
            merged
            and length(merged[-1].start, merged[-1].end) < shortest
            and is_before(step.start - merged[-1].end, APART)
        ):
            merged[-1] = _joined(merged[-1], step)
        else:
            merged.append(step)
    if (
        len(merged) > 1
        and length(merged[-1].start, merged[-1].end) < shortest
        and is_before(merged[-1].start - merged[-2].end, APART)
    ):
        merged[-2:] = [_joined(merged[-2], merged[-1])]
    return merged


def _joined(earlier: Step, later: Step) -> Step:
    return Step(
        earlier.start,
        max(earlier.end, later.end),
        (*earlier.texts, *later.texts),
        (*earlier.spoken, *later.spoken),
    )
