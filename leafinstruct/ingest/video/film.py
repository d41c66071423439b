"""A video and its steps -> documents: before each sentence the frames that show it. What video and youcook2
share.

Frames are chosen here, and their times are noted. Their pixels, decoded for that, are given before the
documents, one by one, so that filter need not decode them again; it takes from the video what was not given.
A frame is placed directly before the sentence in whose interval it was chosen, and that sentence is its
owner, also where several sentences are one step. A step without a frame keeps its text. Steps that lie beyond
the end are lost, one that crosses it is cut there.

Piece lost, once a video: video_ends_early (the frames end before the time that the header or the annotations
state, so that steps behind have none: a broken download, or another cut of the video), no_frame_in_step
(other steps of which no frame can be decoded), too_many_steps (steps that overlap so often that the video
would be decoded again and again: those behind the bound have no frames).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.images.read import stamp
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.video import frames
from leafinstruct.images.video.times import is_before, length
from leafinstruct.images.video.video import Facts
from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.config import Frames
from leafinstruct.ingest.video.steps import Step, documents
from leafinstruct.records.document import (
    Document,
    Frame,
    Image,
    Provenance,
    Ref,
    Rejected,
    Segment,
    Text,
    document_id,
)

Lost = tuple[str, str]
"""Reason and sentence."""
EARLY = 1.0
"""Seconds by which frames may end before a stated duration without a report, as long as no step is behind
them: sound tracks are longer than the frames, and annotations were made on other encodings of a video."""
_PAST = "segment_past_end"


def facts(path: Path, file: str) -> Facts | Rejected:
    """What a video's header says, or why it is none. Raises SourceError when the disk refuses it."""
    try:
        found = frames.facts(path)
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read: {error.strerror or error}; check the file and its permissions"
        ) from error
    return Rejected(file, "", found.reason, found.detail) if isinstance(found, Unreadable) else found


def within(steps: Sequence[Step], duration: float | None, lost: list[Lost]) -> Iterator[Step]:
    """The steps that the video reaches, none longer than it."""
    for step in steps:
        if not is_before(step.start, step.end):
            lost.append(("zero_length_segment", f"a segment from {step.start:.3f} to {step.end:.3f} s"))
        elif duration is not None and not is_before(step.start, duration):
            lost.append((_PAST, f"a segment from {step.start:.3f} s, the video ends at {duration:.3f} s"))
        else:
            yield Step(step.start, step.end if duration is None else min(step.end, duration), step.texts)


def told(
    source: str,
    license_: str | None,
    path: Path,
    file: str,
    url: str | None,
    steps: Sequence[Step],
    settings: Frames,
    lost: Sequence[Lost],
    header: float | None,
    stated: float | None = None,
) -> Iterator[Document | Frame | Rejected]:
    """The frames of a video that were decoded to choose them, each once; its documents, each frame before its
    sentence; then what was lost.

    header, stated: the duration in seconds that the file's header and the annotations state, None where they
    state none. Raises SourceError when the disk refuses the file.
    """
    groups = list(documents(steps, settings))
    merged = [step for _, group in groups for step in group]
    times: list[tuple[float, ...]] = []
    given: set[float] = set()
    short: list[Lost] = []
    bare: list[Step] = []
    unlooked = 0
    state = stamp(path)
    try:  # all at once, so that a video is decoded in one pass however many documents it gives
        segments = [(step.start, step.end) for step in merged]
        for found in frames.choose(path, segments, settings.per_step, [step.spoken for step in merged]):
            if isinstance(found, Unreadable):
                yield Rejected(file, "", found.reason, found.detail)
                groups = []
                break
            times.append(found.times)
            unlooked += not found.looked
            bare += [merged[len(times) - 1]] if found.looked and not found.times else []
            yield from (
                Frame(Ref(file=file, time=time), state, data)
                for time, data in found.taken
                if time not in given
            )
            given.update(time for time, _ in found.taken)
        else:
            past = sum(reason == _PAST for reason, _ in lost)
            short = _short(path, bare, len(merged), past, header, stated)
            if unlooked:
                why = (
                    f"of {len(merged):,} steps {unlooked:,} have no frames: steps before them show the "
                    "same frames again and again"
                )
                short.append(("too_many_steps", why))
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read: {error.strerror or error}; check the file and its permissions"
        ) from error
    remaining = iter(times)
    for locator, group in groups:
        chosen = list(islice(remaining, len(group)))
        content = _segments(zip(group, chosen, strict=True), file, url, license_)
        if problem := excess(len(content), sum(map(len, chosen)), sum(len(step.text) for step in group)):
            yield Rejected(file, locator, *problem)
        elif not any(chosen):
            yield Rejected(file, locator, "no_frames", "no frame can be had at any of its steps")
        else:
            yield Document(
                document_id(source, file, locator), source, content, Provenance(file, locator), url, license_
            )
    yield from (Rejected(file, "", reason, detail, whole=False) for reason, detail in [*lost, *short])


def _segments(
    steps: Iterable[tuple[Step, Sequence[float]]], file: str, url: str | None, license_: str | None
) -> tuple[Segment, ...]:
    """Each sentence with the frames that show it directly before it, in order of time."""
    segments: list[Segment] = []
    for step, moments in steps:
        for index, (text, (start, _)) in enumerate(zip(step.texts, step.spoken, strict=True)):
            shown = [time for time in sorted(moments) if step.shown(time) == index]
            owner = len(segments) + len(shown)
            for time in shown:
                ref = Ref(file=file, time=time)
                segments.append(
                    Image(
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


def _short(
    path: Path, bare: Sequence[Step], steps: int, past: int, header: float | None, stated: float | None
) -> list[Lost]:
    """Why steps have no frame: the video ends early, or nothing can be decoded there. bare: the steps
    without a frame; steps: how many are within the header's duration; past: how many are beyond it. Raises
    OSError."""
    ends = frames.end(path, decoded=bool(bare))
    found: list[Lost] = []
    behind = [step for step in bare if ends is not None and not is_before(step.start, ends)]
    of_header = stated is None or (header is not None and length(header, stated) <= EARLY)
    claim, duration = ("its header states", header) if of_header else ("its annotations state", stated)
    if ends is not None and (behind or length(ends, duration or 0.0) > EARLY):
        without = len(behind) + past
        states = f", {claim} {duration:.3f} s" if duration is not None else ""
        has = "has" if without == 1 else "have"
        found.append(
            (
                "video_ends_early",
                f"the frames end at {ends:.3f} s{states}: {without} of {steps + past} steps {has} no frame",
            )
        )
    if damaged := [step for step in bare if step not in behind]:
        has = "has" if len(damaged) == 1 else "have"
        found.append(
            (
                "no_frame_in_step",
                (
                    f"{len(damaged)} of {steps + past} steps {has} no frame, the first from "
                    f"{damaged[0].start:.3f} s: none can be decoded there"
                ),
            )
        )
    return found
