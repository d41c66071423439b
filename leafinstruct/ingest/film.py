"""A video and its steps -> documents: before each step's text the frames that show it. What video and youcook2 share.

Frames are chosen here, and their times are noted. Their pixels, decoded for that, are given before the documents, one by one, so that filter need not
decode them again; it takes from the video what was not given. A step whose moment shows nothing new keeps its text without a picture. Steps that
lie beyond the end are lost, one that crosses it is cut there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.config import Frames
from leafinstruct.ingest.steps import Step, documents
from leafinstruct.pictures import frames
from leafinstruct.pictures.read import stamp
from leafinstruct.pictures.unreadable import Unreadable
from leafinstruct.pictures.video import Facts
from leafinstruct.records.document import Document, Frame, Image, Provenance, Ref, Rejected, Segment, Text, document_id

Lost = tuple[str, str]
"""Reason and sentence."""


def facts(path: Path, file: str) -> Facts | Rejected:
    """What a video's header says, or why it is none. Raises SourceError when the disk refuses it."""
    try:
        found = frames.facts(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}; check the file and its permissions") from error
    return Rejected(file, "", found.reason, found.detail) if isinstance(found, Unreadable) else found


def within(steps: Sequence[Step], duration: float | None, lost: list[Lost]) -> Iterator[Step]:
    """The steps that the video reaches, none longer than it."""
    for step in steps:
        if step.end <= step.start:
            lost.append(("zero_length_segment", f"a segment from {step.start:.3f} to {step.end:.3f} s"))
        elif duration is not None and step.start >= duration:
            lost.append(("segment_past_end", f"a segment from {step.start:.3f} s, the video ends at {duration:.3f} s"))
        else:
            yield Step(step.start, step.end if duration is None else min(step.end, duration), step.texts)


def told(
    source: str, license_: str | None, path: Path, file: str, url: str | None, steps: Sequence[Step], settings: Frames, lost: Sequence[Lost]
) -> Iterator[Document | Frame | Rejected]:
    """The frames of a video that were decoded to choose them, each once; its documents, each step's frames before its text; then what was lost.

    Raises SourceError when the disk refuses it.
    """
    groups = list(documents(steps, settings))
    times: list[tuple[float, ...]] = []
    given: set[float] = set()
    state = stamp(path)
    try:  # all at once, so that a video is decoded in one pass however many documents it gives
        for found in frames.choose(path, [(step.start, step.end) for _, group in groups for step in group], settings.per_step):
            if isinstance(found, Unreadable):
                yield Rejected(file, "", found.reason, found.detail)
                groups = []
                break
            times.append(found.times)
            yield from (Frame(Ref(file=file, time=time), state, data) for time, data in found.taken if time not in given)
            given.update(time for time, _ in found.taken)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}; check the file and its permissions") from error
    remaining = iter(times)
    for locator, group in groups:
        chosen = list(islice(remaining, len(group)))
        segments: list[Segment] = []
        for step, moments in zip(group, chosen, strict=True):
            segments += [
                Image(len(segments) + index, Ref(file=file, time=time), url=url, license=license_, time=time)
                for index, time in enumerate(moments)
            ]
            segments += [Text(len(segments) + index, text, time=step.start) for index, text in enumerate(step.texts)]
        if problem := excess(len(segments), sum(map(len, chosen)), sum(len(step.text) for step in group)):
            yield Rejected(file, locator, *problem)
        elif not any(chosen):
            yield Rejected(file, locator, "no_frames", "no frame can be had at any of its steps")
        else:
            yield Document(document_id(source, file, locator), source, tuple(segments), Provenance(file, locator), url, license_)
    yield from (Rejected(file, "", reason, detail, whole=False) for reason, detail in lost)
