"""Documents of a video and its steps: before each sentence the frames that show it. Shared by video and
youcook2.

Frames are chosen here, and only their times are recorded. Choosing decodes pixels, so the decoded frames are
yielded before the documents, one by one, and filter need not decode them again; it decodes the others. A
frame is placed directly before the sentence in whose interval it was chosen, and that sentence is its owner,
also where several sentences form one step. A step without a frame keeps its text. Steps beyond the end of the
video are lost; a step that crosses the end is cut there.

Piece lost, once per video: video_ends_early (the frames end before the duration in the header or the
annotations, so that later steps have none: a broken download, or another cut of the video), no_frame_in_step
(other steps of which no frame can be decoded), too_many_steps (steps overlap so often that the video would be
decoded again and again: those beyond the limit have no frames).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from leafinstruct.images.read import stamp
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.video import frames
from leafinstruct.images.video.times import is_before, length
from leafinstruct.images.video.video import Facts
from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.config import VideoSource, YouCook2Source
from leafinstruct.ingest.files import readable
from leafinstruct.ingest.video.steps import Step, by_document
from leafinstruct.records.document import (
    Document,
    Frame,
    ImageRef,
    Provenance,
    Ref,
    Rejected,
    Segment,
    Text,
    document_id,
)

Lost = tuple[str, str]
"""Reason and detail."""
EARLY = 1.0
"""Seconds by which frames may end before a stated duration without a report, if no step is after them: sound
tracks are longer than the frames, and annotations were made on other encodings of a video."""
_PAST = "segment_past_end"


def facts(path: Path, file: str) -> Facts | Rejected:
    """Read a video's header; a loss when the file is no video. Raises SourceError when the disk fails."""
    with readable(path):
        found = frames.facts(path)
    return Rejected(file, "", found.reason, found.detail) if isinstance(found, Unreadable) else found


def within(steps: Sequence[Step], duration: float | None, lost: list[Lost]) -> Iterator[Step]:
    """Yield the steps that begin within the video, cut at its end."""
    for step in steps:
        if not is_before(step.start, step.end):
            lost.append(("zero_length_segment", f"a segment from {step.start:.3f} to {step.end:.3f} s"))
        elif duration is not None and not is_before(step.start, duration):
            lost.append((_PAST, f"a segment from {step.start:.3f} s, the video ends at {duration:.3f} s"))
        else:
            yield Step(step.start, step.end if duration is None else min(step.end, duration), step.texts)


def documents(
    source: VideoSource | YouCook2Source,
    path: Path,
    file: str,
    steps: Sequence[Step],
    lost: Sequence[Lost],
    header: float | None,
    stated: float | None = None,
    url: str | None = None,
) -> Iterator[Document | Frame | Rejected]:
    """Yield the decoded frames of a video, each once; its documents, each frame before its sentence; the
    losses.

    header, stated: the duration in seconds in the file's header and in the annotations, None where it is
    missing. Raises SourceError when the disk fails.
    """
    groups = list(by_document(steps, source.frames))
    merged = [step for _, group in groups for step in group]
    missing: list[Lost] = []
    with readable(path):
        # one pass over the video, however many documents it gives
        chosen = yield from _frames(path, file, merged, source.frames.per_step)
        if isinstance(chosen, Unreadable):
            yield Rejected(file, "", chosen.reason, chosen.detail)
            groups, chosen = [], []
        else:
            past = sum(reason == _PAST for reason, _ in lost)
            missing = _missing(path, merged, chosen, past, header, stated)
    remaining = (times or () for times in chosen)
    for locator, group in groups:
        times = list(islice(remaining, len(group)))
        content = _segments(zip(group, times, strict=True), file, url, source.license)
        if problem := excess(len(content), sum(map(len, times)), sum(len(step.text) for step in group)):
            yield Rejected(file, locator, *problem)
        elif not any(times):
            yield Rejected(file, locator, "no_frames", "no frame can be decoded at any of its steps")
        else:
            identity, provenance = document_id(source.name, file, locator), Provenance(file, locator)
            yield Document(identity, source.name, content, provenance, url, source.license)
    yield from (Rejected(file, "", reason, detail, whole=False) for reason, detail in [*lost, *missing])


def _frames(
    path: Path, file: str, steps: Sequence[Step], per_step: int
) -> Generator[Frame, None, list[tuple[float, ...] | None] | Unreadable]:
    """Yield the decoded frames, each once. Return the times in seconds of each step's frames, None for a step
    that was not searched; Unreadable for a damaged video. Raises OSError."""
    times: list[tuple[float, ...] | None] = []
    given: set[float] = set()
    state = stamp(path)
    segments = [(step.start, step.end) for step in steps]
    for found in frames.choose(path, segments, per_step, [step.spoken for step in steps]):
        if isinstance(found, Unreadable):
            return found
        times.append(found.times if found.looked else None)
        fresh = [(time, data) for time, data in found.taken if time not in given]
        yield from (Frame(Ref(file=file, time=time), state, data) for time, data in fresh)
        given.update(time for time, _ in fresh)
    return times


def _segments(
    steps: Iterable[tuple[Step, Sequence[float]]], file: str, url: str | None, license_: str | None
) -> tuple[Segment, ...]:
    """Return each sentence with the frames that show it directly before it, in order of time."""
    segments: list[Segment] = []
    for step, moments in steps:
        for index, (text, (start, _)) in enumerate(zip(step.texts, step.spoken, strict=True)):
            shown = [time for time in sorted(moments) if step.shown(time) == index]
            owner = len(segments) + len(shown)
            for time in shown:
                ref = Ref(file=file, time=time)
                segments.append(
                    ImageRef(
                        len(segments),
                        ref,
                        url=url,
                        license=license_,
                        time=time,
                        owner=owner,
                        owner_found="stated",
                    )
                )
            segments.append(Text(owner, text, time=start))
    return tuple(segments)


def _missing(
    path: Path,
    steps: Sequence[Step],
    chosen: Sequence[tuple[float, ...] | None],
    past: int,
    header: float | None,
    stated: float | None,
) -> list[Lost]:
    """Return why steps have no frame: the video ends early, nothing can be decoded there, or the step was not
    searched. past: the number of steps beyond the header's duration. Raises OSError."""
    bare = [step for step, times in zip(steps, chosen, strict=True) if times == ()]
    ends = frames.end(path, decoded=bool(bare))
    found: list[Lost] = []
    late = [step for step in bare if ends is not None and not is_before(step.start, ends)]
    of_header = stated is None or (header is not None and length(header, stated) <= EARLY)
    claim, duration = ("its header states", header) if of_header else ("its annotations state", stated)
    count = len(steps) + past
    if ends is not None and (late or length(ends, duration or 0.0) > EARLY):
        states = f", {claim} {duration:.3f} s" if duration is not None else ""
        without = _without(len(late) + past, count)
        found.append(("video_ends_early", f"the frames end at {ends:.3f} s{states}: {without}"))
    if damaged := [step for step in bare if step not in late]:
        first = f"the first from {damaged[0].start:.3f} s: none can be decoded there"
        found.append(("no_frame_in_step", f"{_without(len(damaged), count)}, {first}"))
    if unsearched := sum(times is None for times in chosen):
        why = "have no frames: steps before them show the same frames again and again"
        found.append(("too_many_steps", f"of {len(steps):,} steps {unsearched:,} {why}"))
    return found


def _without(some: int, steps: int) -> str:
    return f"{some} of {steps} steps {'has' if some == 1 else 'have'} no frame"
