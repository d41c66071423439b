"""Subtitle files (.vtt, .srt) -> clean cues, so that each spoken word appears once.

Captions made by YouTube roll: every line appears below the previous one, then alone, then above the next, so
plain reading gives each line three times. Live captions grow, word by word, until the line is full. A file
counts as rolling when at least a third of its cues begin with the lines that the cue before ended with, or
with the last of them and more; only what they add is used then. In other files a repeated line is a person
repeating something, and is kept.

Markup (tags, word timings, positions, ASS overrides, cue identifiers) is removed and entities are decoded;
sounds in brackets and music are no speech. Where two cues overlap, the earlier one ends when the later
begins; two that begin together (two speakers) are one. Lost, each with its reason: empty_cue, not_speech,
reversed_cue, bad_time (an invalid line of times, with the text below it).

Chosen: pysubs2, which reads both formats, comma or point, missing hours; webvtt-py reads only one format and
stops at the first bad time stamp. pysubs2 takes a comment or the identifier of a WebVTT cue for the end of
the previous cue, so these are removed first. Its search for tags takes time that grows with the square of a
line, so it is switched off.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pysubs2

from leafinstruct.images.video.times import is_before
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.files import readable
from leafinstruct.ingest.page.charset import decode

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 8 << 20
"""Some 200,000 cues, which take 8 s to read; ten hours of speech have 10,000."""
ROLLING = 1 / 3
"""Share of cues that begin with the lines of the cue before, from which on a file counts as rolling."""
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_SOUND = re.compile(r"[\[(][^\])]*[\])]|[♪♫#*\s-]+|(?:[♪♫].*)")
_TIMING = re.compile(r"<[\d:.]{1,20}>")
_BLANK = re.compile(r"\n{3,}")
_COMMENT = re.compile(r"\n\n(?:NOTE|STYLE|REGION)(?:[ \t][^\n]*)?(?:\n(?![^\n]*-->)[^\n]+)*(?=\n|\Z)")
_IDENTIFIER = re.compile(r"\n\n(?![^\n]*-->)[^\n]+\n(?=[^\n]*-->)")
_TIMES = re.compile(r"\s*-?\d+:\d[\d:.,]*\s*-->\s*-?\d+:\d")
_SPEAKER = re.compile(r"^(?:>>+|-)\s*")


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption. start, end: seconds; text: in one line."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class _Raw:
    start: float
    end: float
    lines: tuple[str, ...]


Lost = tuple[str, str]
"""Reason and detail."""


def cues(file: Path) -> tuple[list[Cue], list[Lost]]:
    """Return the clean cues of a file in the order of their time, and the losses. Raises SourceError when the
    disk fails.

    A file that is no subtitles has no cues and one loss: bad_subtitles.
    """
    with readable(file), file.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return [], [("bad_subtitles", f"{file.name}: more than {MAX_BYTES:,} bytes")]
    lost: list[Lost] = []
    raw = sorted(_raw(file, data, lost), key=lambda cue: (cue.start, cue.end))
    spoken = _together(_spoken(_unrolled(raw) if _rolls(raw) else raw, lost))
    return [replace(cue, end=min(cue.end, following.start)) for cue, following in pairwise(spoken)] + spoken[
        -1:
    ], lost


def _raw(file: Path, data: bytes, lost: list[Lost]) -> Iterator[_Raw]:
    webvtt = file.name.lower().endswith(".vtt")
    try:
        text = _text(data).replace("\r\n", "\n").replace("\r", "\n")
        # pysubs2 takes a line with two time stamps, as word timings make, for the head of a cue
        text = _TIMING.sub("", text)
        text = _BLANK.sub("\n\n", text)
        text = _IDENTIFIER.sub("\n\n", _COMMENT.sub("", text)) if webvtt else text
        parsed = pysubs2.SSAFile.from_string(text, format_="vtt" if webvtt else "srt", keep_html_tags=True)
    except Exception as error:  # the library does not wrap errors of its parsers
        lost.append(("bad_subtitles", f"{file.name}: {type(error).__name__}: {str(error)[:100]}"))
        return
    if not parsed.events:
        lost.append(("bad_subtitles", f"{file.name}: no cue"))
    for event in parsed.events:
        start, end = event.start / 1000, event.end / 1000
        if end <= start or start < 0:
            lost.append(("reversed_cue", f"{file.name}: a cue from {start:.3f} to {end:.3f} s"))
            continue
        written = event.text.replace("\\n", "\\N").split("\\N")
        if (
            bad := next((number for number, line in enumerate(written) if _TIMES.match(line)), None)
        ) is not None:
            lost.append(
                ("bad_time", f"{file.name}: {written[bad][:60]!r} after {start:.3f} s is no pair of times")
            )
            written = written[: bad - written[bad - 1].strip().isdecimal()]  # with the number of the cue
        lines = (one_line(html.unescape(_TAG.sub("", line))) for line in written)
        kept = tuple(line for line in lines if line)
        if kept:
            yield _Raw(start, end, kept)
        else:
            lost.append(("empty_cue", f"{file.name}: nothing at {start:.3f} s"))


def _text(data: bytes) -> str:
    """Decode the file: UTF-8 or UTF-16 by its byte order mark, else UTF-8, else a detected encoding."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return decode(data)


def _rolls(raw: Sequence[_Raw]) -> bool:
    repeated = sum(_added(earlier.lines, later.lines) != later.lines for earlier, later in pairwise(raw))
    return len(raw) > 2 and repeated >= ROLLING * (len(raw) - 1)


def _added(before: Sequence[str], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return `lines` without the leading ones that `before` ends with; the last of these may have grown."""
    for count in range(min(len(before), len(lines)), 0, -1):
        *same, last = before[-count:]
        rest = f"{lines[count - 1]} ".removeprefix(f"{last} ")
        if tuple(same) == lines[: count - 1] and rest != f"{lines[count - 1]} ":
            return (*filter(None, [rest.strip()]), *lines[count:])
    return lines


def _unrolled(raw: Sequence[_Raw]) -> Iterator[_Raw]:
    """Yield each line once, with the time of the first cue that contains it."""
    shown: tuple[str, ...] = ()
    for cue in raw:
        fresh = _added(shown, cue.lines)
        shown = cue.lines
        if fresh:
            yield _Raw(cue.start, cue.end, fresh)


def _together(cues: Iterator[Cue]) -> list[Cue]:
    """Merge cues that begin at the same time, without repeating equal texts. cues: sorted by start."""
    groups: list[list[Cue]] = []
    for cue in cues:
        if groups and not is_before(groups[-1][0].start, cue.start):
            groups[-1].append(cue)
        else:
            groups.append([cue])
    return [
        Cue(group[0].start, max(cue.end for cue in group), " ".join(dict.fromkeys(cue.text for cue in group)))
        for group in groups
    ]


def _spoken(raw: Sequence[_Raw] | Iterator[_Raw], lost: list[Lost]) -> Iterator[Cue]:
    """Yield cues without sounds and without the marks of a new speaker (`>>`, `-`)."""
    for cue in raw:
        lines = [_SPEAKER.sub("", line) for line in cue.lines if not _SOUND.fullmatch(line)]
        text = one_line(" ".join(lines))
        if text:
            yield Cue(cue.start, cue.end, text)
        else:
            lost.append(("not_speech", f"a sound at {cue.start:.3f} s: {cue.lines[0][:60]}"))
