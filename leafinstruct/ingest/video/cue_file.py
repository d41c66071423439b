"""The text of a subtitle file (WebVTT, SRT) -> its cues as they are written. Pure.

A line of times begins a cue, and the next one ends it. What lies between is, in WebVTT: the text up to the
first empty line; blocks (NOTE, STYLE, REGION, the header of a joined segment), which are skipped; and the
identifier of the next cue. In SRT: the text, which may contain empty lines, and the number of the next cue. A
number is only taken for one where the format has it: after an empty line and before the times, or next after
the last number, or where every cue has one. Otherwise it is text. Where every cue has a name, which programs
write in place of numbers, that is skipped, too.

Segments of HLS that were joined have a header each (X-TIMESTAMP-MAP), which shifts their times against the
first one's (RFC 8216, section 3.5).

Lost, each with its reason: bad_time (a line of times that cannot be read, or lies before the video; the text
below it goes with it), untimed_text (text that belongs to no line of times).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leafinstruct.ingest.video.cue_times import Times, Unreadable, times_of

Lost = tuple[str, str]
"""Reason and detail."""
_NUMBER = re.compile(r"[#(\[]?(\d{1,9})[.):\]]?")
_INVISIBLE = " \t\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2069\ufeff"
"""Blanks and marks of direction, which editors put around numbers."""
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION|WEBVTT)(?:\s|\Z)|X-TIMESTAMP-MAP=")
_MAP = "X-TIMESTAMP-MAP="
_HEADER = re.compile(r"WEBVTT(?:\s|\Z)")
_LOCAL = re.compile(r"LOCAL:(?:(\d{1,6}):)?(\d{1,3}):(\d{1,2})[.,](\d{1,3})")
_MPEGTS = re.compile(r"MPEGTS:(\d{1,15})")
_CLOCK, _WRAP = 90_000, 1 << 33
"""Ticks of an MPEG transport stream in a second, and those after which it begins again."""
_SHORTEST = 7
"""Characters of a line of times, `0:1>0:2`."""
_SHORT = 20
"""Characters of a line that may be a number of a cue or nothing but blanks."""
_SHOWN = 60
"""Characters of a file that a detail quotes."""


@dataclass(frozen=True, slots=True)
class Written:
    """A cue as written. start, end: seconds; lines: with markup."""

    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Segment:
    """What begins with a line of times; before the first one there is none."""

    times: Times | Unreadable | None
    lines: list[str]


def is_webvtt(text: str, name: str) -> bool:
    """Whether a file is WebVTT: by its first line, else by its name."""
    return bool(_HEADER.match(text[:200].lstrip("\ufeff\n "))) or name.lower().endswith(".vtt")


def written(text: str, name: str, lost: list[Lost]) -> Iterator[Written]:
    """Yield the cues of a file in its order; what is lost is added to `lost`."""
    webvtt = is_webvtt(text, name)
    segments = _segments(text)
    numbers = _Numbers(segments, webvtt)
    shift = _Shift()
    for index, segment in enumerate(segments):
        first, last = index == 0, index == len(segments) - 1
        lines = numbers.without(segment.lines, first, last)
        offset = shift.seconds
        stray: Sequence[str] = ()
        if webvtt:
            adjacent = not last and len(lines) == len(segment.lines)
            lines, stray = _blocks(lines, first, adjacent, shift)
        elif first:
            lines, stray = [], [line for line in lines if line.strip()]
        yield from _cue(segment.times, lines, offset, name, lost)
        if stray:
            lost.append(("untimed_text", f"{name}: {_quoted(stray)} belongs to no line of times"))


def _segments(text: str) -> list[_Segment]:
    """Split a file at its lines of times. Runs of empty lines are one."""
    segments = [_Segment(None, [])]
    begins = True
    # a file converted twice ends its lines in two carriage returns
    for ended in io.StringIO(text.replace("\r\r\n", "\n"), newline=None):
        line = ended.rstrip("\n").lstrip("\ufeff")
        lines = segments[-1].lines
        times = times_of(line, begins) if len(line) >= _SHORTEST else None
        if times is not None:
            segments.append(_Segment(times, [times.text] if isinstance(times, Times) and times.text else []))
        elif line or not lines or lines[-1]:
            lines.append(line)
        begins = times is None and len(line) < _SHORT and (not line.strip() or line.strip().isdecimal())
    return segments


class _Numbers:
    """Tells the numbers of cues, which stand before their lines of times, from numbers in the text."""

    def __init__(self, segments: Sequence[_Segment], webvtt: bool) -> None:
        before = [segment.lines for segment in segments[:-1]]
        self._every = all(lines and lines[-1].strip().isdecimal() for lines in before)
        self._named = not webvtt and all(
            lines and lines[-1].strip() and (index == 0 if len(lines) == 1 else not lines[-2].strip())
            for index, lines in enumerate(before)
        )
        self._previous: int | None = None

    def without(self, lines: list[str], first: bool, last: bool) -> list[str]:
        """Return the lines without the number or name of the next cue at their end.

        first, last: whether the file begins or ends with these lines.
        """
        end = len(lines)
        while end and not lines[end - 1].strip():
            end -= 1
        adjacent = end == len(lines) and not last
        number = _NUMBER.fullmatch(lines[end - 1].strip(_INVISIBLE)) if end else None
        if number is None:
            return lines[:-1] if self._named and not last else lines
        apart = first if end == 1 else not lines[end - 2].strip()
        follows = self._previous is not None and int(number[1]) == self._previous + 1
        every = self._every and not last
        if (adjacent and (apart or every)) or (follows and (adjacent or apart)) or (first and apart):
            self._previous = int(number[1])
            return lines[: end - 1]
        return lines


def _blocks(lines: Sequence[str], first: bool, adjacent: bool, shift: _Shift) -> tuple[list[str], list[str]]:
    """Return the text of a WebVTT cue, and the lines after it that are neither a block to be skipped nor the
    identifier of the next cue.

    first: whether the file begins with these lines; adjacent: whether a line of times follows at once.
    """
    groups: list[list[str]] = [[]]
    for line in lines:
        if not line or _begins_header(line, groups[-1]):
            groups.append([])
        if line:
            groups[-1].append(line)
    text = [] if first else groups.pop(0)
    stray: list[str] = []
    for left, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        if group and _BLOCK.match(group[0]):
            shift.read(group)
        elif not (adjacent and not left and len(group) == 1):
            # where an empty line follows the times, the text is below it
            destination = stray if text or first else text
            destination += [line for line in group if line.strip()]
    return text, stray


def _begins_header(line: str, group: Sequence[str]) -> bool:
    """Whether the header of a segment begins, although no empty line is before it."""
    if line.startswith(_MAP):
        return not (group and _HEADER.match(group[0]))
    return line.startswith("WEBVTT") and line.rstrip() == "WEBVTT"


class _Shift:
    """The seconds by which the header of a segment shifts its times against the first segment's."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._origin: float | None = None

    def read(self, header: Sequence[str]) -> None:
        """Read the header of a segment, if these lines are one with a map of times."""
        mapped = next((line for line in header if line.startswith(_MAP)), None)
        if mapped is None or not header[0].startswith(("WEBVTT", _MAP)):
            return
        ticks, local = _MPEGTS.search(mapped), _LOCAL.search(mapped)
        if ticks is None or local is None:
            return
        hours, minutes, seconds, fraction = (int(part or 0) for part in local.groups())
        begins = hours * 3600 + minutes * 60 + seconds + fraction / 10 ** len(local[4])
        origin = int(ticks[1]) % _WRAP / _CLOCK - begins
        self._origin = origin if self._origin is None else self._origin
        apart = origin - self._origin
        self.seconds = round(apart if apart > -_WRAP / _CLOCK / 2 else apart + _WRAP / _CLOCK, 3)


def _cue(
    times: Times | Unreadable | None, lines: Sequence[str], offset: float, name: str, lost: list[Lost]
) -> Iterator[Written]:
    if isinstance(times, Unreadable):
        text = f", nor what is below it: {_quoted(lines)}" if any(line.strip() for line in lines) else ""
        lost.append(("bad_time", f"{name}: {times.line[:_SHOWN]!r} cannot be read as times{text}"))
    elif times is not None:
        start, end = times.start + offset, times.end + offset
        if start < 0 and end <= 0:
            lost.append(("bad_time", f"{name}: a cue from {start:.3f} to {end:.3f} s is before the video"))
        else:
            yield Written(max(0.0, start), end, tuple(lines))


def _quoted(lines: Sequence[str]) -> str:
    return repr(" ".join(line.strip() for line in lines[:3] if line.strip())[:_SHOWN])
