"""Any video with subtitles beside it: `a.mp4` with `a.vtt`, `a.en.vtt`, `a.srt` or `a.en.srt`. One video, one
or more documents (steps).

Of several subtitle files the one of `language` is used, else the one without a language in its name, else the
only one; any other choice would be a guess. Of the same subtitles in two formats .vtt is used before .srt.
Videos without subtitles are losses, unless the recipe enables speech recognition (speech). Parts have few
videos, since a video takes seconds where a page takes milliseconds.

Whole video lost: empty, not_a_video, no_video_stream, too_many_pixels, truncated, no_subtitles,
several_subtitles, no_cues, no_frames, unsafe_path, too_many_pieces, too_long.
Piece lost: bad_subtitles, bad_time, empty_cue, not_speech, reversed_cue, zero_length_segment,
segment_past_end, video_ends_early, no_frame_in_step, too_many_steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

from leafinstruct.images.video.video import SUFFIXES
from leafinstruct.ingest import files
from leafinstruct.ingest.config import VideoSource
from leafinstruct.ingest.span import Span, grouped
from leafinstruct.ingest.video.documents import Lost, documents, facts, within
from leafinstruct.ingest.video.steps import sentences
from leafinstruct.ingest.video.subtitles import SUFFIXES as SUBTITLES
from leafinstruct.ingest.video.subtitles import Cue, cues
from leafinstruct.records.document import Document, Frame, Rejected

LIBRARIES: tuple[str, ...] = ("av", "pillow", "resiliparse")


def root_of(source: VideoSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_of(source.path)


def plan(source: VideoSource, part_size: int, cache: Path) -> list[Span]:  # noqa: ARG001 - a listing is the whole plan, nothing to keep
    """Return sets of videos with their subtitle files, one video per fifty documents of part_size.

    Raises SourceError when the path is missing, unreadable or matches no video.
    """
    root = root_of(source)
    spans = []
    for names in grouped(files.listing(source.path, root, SUFFIXES), max(1, part_size // 50)):
        beside = sorted({text for name in names for text in subtitles_of(root, name)})
        spans.append(Span((*names, *beside), 0, len(names)))
    return spans


def read(source: VideoSource, span: Span, cache: Path) -> Iterator[Document | Frame | Rejected]:
    """Yield the documents of a span's videos, each followed by the pieces it lost; videos that could not be
    read."""
    root = root_of(source)
    return files.each(root, span.files[span.start : span.stop], partial(_video, source, root, cache))


def _video(
    source: VideoSource, root: Path, cache: Path, file: str, path: Path
) -> Iterator[Document | Frame | Rejected]:
    header = facts(path, file)
    if isinstance(header, Rejected):
        yield header
        return
    lost: list[Lost] = []
    found = _cues(source, root, path, file, cache, lost)
    if isinstance(found, Rejected):
        yield found
        return
    kept = list(within(sentences(found), header.duration, lost))
    if not kept:
        yield Rejected(file, "", "no_cues", "its subtitles have no text within the video's duration")
    yield from documents(source, path, file, kept, lost, header.duration)


def _cues(
    source: VideoSource, root: Path, path: Path, file: str, cache: Path, lost: list[Lost]
) -> list[Cue] | Rejected:
    """The cues of a video, from its subtitles or by speech recognition."""
    names = subtitles_of(root, file)
    if not names and source.speech is not None:
        from leafinstruct.ingest.video import speech

        return speech.cues(path, source.speech, cache)
    if not names:
        return Rejected(
            file,
            "",
            "no_subtitles",
            "no .vtt or .srt beside it; add one, or enable speech recognition (speech: {model: small})",
        )
    name = _choice(file, names, source.language)
    if name is None or (beside := files.inside(root, name)) is None:
        listed = ", ".join(PurePosixPath(name).name for name in names)
        return Rejected(
            file,
            "",
            "several_subtitles",
            f"{listed}: select one with language: (two or more letters, as in the file names)",
        )
    found, problems = cues(beside)
    lost += problems
    return found


def subtitles_of(root: Path, file: str) -> list[str]:
    """Return the subtitle files beside a video, relative to root, sorted."""
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
    """The subtitle files of a folder, listed once for all its videos."""
    return tuple(
        sorted(
            path.name for path in folder.iterdir() if path.name.lower().endswith(SUBTITLES) and path.is_file()
        )
    )


def _choice(file: str, names: list[str], language: str | None) -> str | None:
    """The subtitle file to use; None when that would be a guess."""
    stem = PurePosixPath(file).stem
    of: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (not name.lower().endswith(".vtt"), name)):
        of.setdefault(PurePosixPath(name).name[len(stem) + 1 :].rpartition(".")[0], []).append(name)
    if language is not None:
        return next(iter(of.get(language, [])), None) or (of[""][0] if set(of) == {""} else None)
    if "" in of:
        return of[""][0]
    return next(iter(of.values()))[0] if len(of) == 1 else None
