"""Any video with subtitles beside it: `a.mp4` with `a.vtt`, `a.en.vtt`, `a.srt` or `a.en.srt`. One video, one
document or more (steps).

Of several subtitle files the one of `language` is taken, else the one without a language in its name, else
the only one; anything else would be a guess. Where the choice falls among formats, .vtt counts before .srt.
Videos without subtitles are reasons, unless the recipe has their speech recognized (speech). Parts hold few
videos, since one costs seconds where a page costs milliseconds.

Whole video lost: empty, not_a_video, no_video_stream, too_many_pixels, truncated, no_subtitles,
several_subtitles, no_cues, no_frames, unsafe_path, too_many_pieces, too_long. Piece lost: bad_subtitles,
bad_time, empty_cue, not_speech, reversed_cue, zero_length_segment, segment_past_end, video_ends_early,
no_frame_in_step.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from leafinstruct.images.video.video import SUFFIXES
from leafinstruct.ingest import files
from leafinstruct.ingest.config import VideoSource
from leafinstruct.ingest.span import Span, grouped
from leafinstruct.ingest.video import film, steps
from leafinstruct.ingest.video.subtitles import SUFFIXES as SUBTITLES
from leafinstruct.ingest.video.subtitles import Cue, cues
from leafinstruct.records.document import Document, Frame, Rejected

LIBRARIES: tuple[str, ...] = ("av", "pysubs2", "pillow")


def root_of(source: VideoSource) -> Path:
    """The folder itself, a video's folder, or a glob's part before the first wildcard."""
    return files.root_of(source.path)


def plan(source: VideoSource, part_size: int, cache: Path) -> list[Span]:  # noqa: ARG001 - a listing is the whole plan, nothing to keep
    """Sets of videos, one for fifty documents that a part may hold, each with its subtitle files.

    Raises SourceError when the path is missing, unreadable or matches no video.
    """
    root = root_of(source)
    spans = []
    for names in grouped(files.listing(source.path, root, SUFFIXES), max(1, part_size // 50)):
        beside = sorted({text for name in names for text in subtitles_of(root, name)})
        spans.append(Span((*names, *beside), 0, len(names)))
    return spans


def read(source: VideoSource, span: Span, cache: Path) -> Iterator[Document | Frame | Rejected]:
    """The documents of a span's videos, each followed by the pieces it lost; videos that could not be
    read."""
    root = root_of(source)
    for file in span.files[span.start : span.stop]:
        path = files.inside(root, file)
        if path is None:
            yield Rejected(file, "", "unsafe_path", "a symbolic link leads out of the source's folder")
            continue
        yield from _video(source, root, path, file, cache)


def _video(
    source: VideoSource, root: Path, path: Path, file: str, cache: Path
) -> Iterator[Document | Frame | Rejected]:
    facts = film.facts(path, file)
    if isinstance(facts, Rejected):
        yield facts
        return
    lost: list[film.Lost] = []
    found = _cues(source, root, path, file, cache, lost)
    if isinstance(found, Rejected):
        yield found
        return
    kept = list(film.within(steps.sentences(found), facts.duration, lost))
    if not kept:
        yield Rejected(file, "", "no_cues", "its subtitles say nothing while the video runs")
    yield from film.told(
        source.name, source.license, path, file, None, kept, source.frames, lost, facts.duration
    )


def _cues(
    source: VideoSource, root: Path, path: Path, file: str, cache: Path, lost: list[film.Lost]
) -> list[Cue] | Rejected:
    """What is said in a video, from its subtitles or by recognizing it."""
    names = subtitles_of(root, file)
    if not names and source.speech is not None:
        from leafinstruct.ingest.video import speech

        return speech.cues(path, source.speech, cache)
    if not names:
        return Rejected(
            file,
            "",
            "no_subtitles",
            "no .vtt or .srt beside it; add one, or have its speech recognized (speech: {model: small})",
        )
    name = _choice(file, names, source.language)
    if name is None or (beside := files.inside(root, name)) is None:
        listed = ", ".join(PurePosixPath(name).name for name in names)
        return Rejected(
            file,
            "",
            "several_subtitles",
            f"{listed}: say which with language: (two or more letters, as in the file names)",
        )
    found, problems = cues(beside)
    lost += problems
    return found


def subtitles_of(root: Path, file: str) -> list[str]:
    """Subtitle files beside a video, relative to root, sorted."""
    video = PurePosixPath(file)
    folder = root / video.parent
    names = _listed(folder, folder.stat().st_mtime_ns)
    dots = video.stem.count(".") + 2  # the suffix, and a language before it
    return [
        (video.parent / name).as_posix()
        for name in names
        if name.startswith(f"{video.stem}.") and name.count(".") <= dots
    ]


@lru_cache(maxsize=4)
def _listed(folder: Path, changed: int) -> tuple[str, ...]:  # noqa: ARG001 - the time is part of the key
    """Subtitle files of a folder, listed once for all its videos."""
    return tuple(
        sorted(
            path.name for path in folder.iterdir() if path.name.lower().endswith(SUBTITLES) and path.is_file()
        )
    )


def _choice(file: str, names: list[str], language: str | None) -> str | None:
    """The subtitle file to take; None when that would be a guess."""
    stem = PurePosixPath(file).stem
    of: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (not name.lower().endswith(".vtt"), name)):
        of.setdefault(PurePosixPath(name).name[len(stem) + 1 :].rpartition(".")[0], []).append(name)
    if language is not None:
        return next(iter(of.get(language, [])), None) or (of[""][0] if set(of) == {""} else None)
    if "" in of:
        return of[""][0]
    return next(iter(of.values()))[0] if len(of) == 1 else None
