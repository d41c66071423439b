"""One spoken text of a video and its time, from subtitles or from speech recognition."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption. start, end: seconds; text: in one line."""

    start: float
    end: float
    text: str
