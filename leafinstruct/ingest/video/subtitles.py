"""Subtitle files (.vtt, .srt) -> clean cues, so that each spoken word appears once.

Captions made by YouTube roll: every line appears below the previous one, then alone, then above the next, so
plain reading gives each line three times. Live captions grow, word by word, until the line is full. A file
counts as rolling when at least a third of its cues begin with the lines that the cue before ended with, or
with the last of them and more; only what they add is used then. In other files a repeated line is a person
repeating something, and is kept.

How a file is read: cue_file (cues, numbers, blocks), cue_times (lines of times), cue_text (markup). Sounds in
brackets and music are no speech; the marks of a new speaker (`>>`, `-`) are removed, a minus sign and the
prompt `>>> x` are not. Where two cues overlap, the earlier one ends when the later begins; two that begin
together (two speakers) are one. Lost, each with its reason: empty_cue, not_speech, reversed_cue, and those of
cue_file.

Own code, since no library reads what players show: pysubs2 takes `\\n`, `<int>` and a number at the end of a
cue for markup, and odd lines of times for text; webvtt-py reads one format and stops at the first bad time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from leafinstruct.images.video.times import is_before
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.files import readable
from leafinstruct.ingest.page.charset import decode
from leafinstruct.ingest.video.cue import Cue
from leafinstruct.ingest.video.cue_file import Lost, written
from leafinstruct.ingest.video.cue_text import plain

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 8 << 20
"""Some 200,000 cues, which take 8 s to read; ten hours of speech have 10,000."""
ROLLING = 1 / 3
"""Share of cues that begin with the lines of the cue before, from which on a file counts as rolling."""
_SOUND = re.compile(r"[\[(](?=[^\])]*[^\W\d_])[^\])\d+=*<>_{}^|\\]*[\])]|[♪♫#*\s-]+|(?:[♪♫].*)")
"""A line in brackets, unless it has a digit or a sign of a formula, or no letter: `(2 cups)`, `(x + 1)`."""
_TURN = re.compile(r">>>(?![ \t]?[\d_a-z])>*\s*|>>(?!>)\s*")
"""The mark of a new speaker or story; before a small letter `>>>` is the prompt of Python."""


@dataclass(frozen=True, slots=True)
class _Raw:
    start: float
    end: float
    lines: tuple[str, ...]


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
    """Yield the cues of a file that have text."""
    found = False
    missed: list[Lost] = []
    for cue in written(decode(data), file.name, missed):
        found = True
        if cue.end <= cue.start:
            lost.append(("reversed_cue", f"{file.name}: a cue from {cue.start:.3f} to {cue.end:.3f} s"))
        elif lines := plain(cue.lines):
            yield _Raw(cue.start, cue.end, lines)
        else:
            lost.append(("empty_cue", f"{file.name}: nothing at {cue.start:.3f} s"))
    if found:
        lost += missed
    else:
        first = f"; {missed[0][1].removeprefix(f'{file.name}: ')}" if missed else ""
        lost.append(("bad_subtitles", f"{file.name}: no cue{first}"))


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
        several = sum(line.startswith("-") for line in cue.lines) > 1
        lines = [_without_mark(line, several) for line in cue.lines if not _SOUND.fullmatch(line)]
        text = one_line(" ".join(lines))
        if text:
            yield Cue(cue.start, cue.end, text)
        else:
            lost.append(("not_speech", f"a sound at {cue.start:.3f} s: {cue.lines[0][:60]}"))


def _without_mark(line: str, several: bool) -> str:
    """Return a line without the mark of a new speaker. several: whether more lines of the cue have a dash.

    A dash before a digit is a sign, and before a small letter, where there is no other, an option or a
    variable.
    """
    if turn := _TURN.match(line):
        return line[turn.end() :]
    if not line.startswith("-"):
        return line
    rest = line[1:].lstrip()
    glued, first = rest == line[1:], rest[:1]
    if first.isdecimal() or (first == "." and rest[1:2].isdecimal()):
        speaks = several and not glued
    elif first.islower():
        speaks = several or not glued
    else:
        speaks = not glued or first.isalpha() or first in "\"'.[(\u2026\u00a1\u00bf\u201c\u2018\u00ab\u266a"
    return rest if speaks else line
