"""Any video with subtitles beside it: `a.mp4` with `a.vtt`, `a.en.vtt`, `a.srt` or `a.en-US.srt`. One video,
one or more documents (steps).

Videos without subtitles are losses, unless the recipe enables speech recognition (speech). Which of several
subtitle files is used is described in `ingest/video/beside`. Parts have few videos, since a video takes
seconds where a page takes milliseconds.

Whole video lost: empty, not_a_video, no_video_stream, too_many_pixels, truncated, no_subtitles,
several_subtitles, no_cues, no_frames, unsafe_path, too_many_pieces, too_long.
Piece lost: bad_subtitles, bad_time, untimed_text, empty_cue, not_speech, reversed_cue, zero_length_segment,
segment_past_end, video_ends_early, no_frame_in_step, too_many_steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from leafinstruct.errors import listed
from leafinstruct.images.video.video import SUFFIXES
from leafinstruct.ingest import files
from leafinstruct.ingest.config import VideoSource
from leafinstruct.ingest.span import Span, grouped
from leafinstruct.ingest.video.beside import choice, subtitles_of
from leafinstruct.ingest.video.cue import Cue
from leafinstruct.ingest.video.documents import Lost, documents, facts, within
from leafinstruct.ingest.video.steps import sentences
from leafinstruct.ingest.video.subtitles import cues
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
        beside_it = listed(PurePosixPath(name).name for name in names)
        return Rejected(
            file,
            "",
            "several_subtitles",
            f"{beside_it}: select one with language: (two or more letters, as in the file names)",
        )
    found, problems = cues(beside)
    lost += problems
    return found


def _choice(file: str, names: list[str], language: str | None) -> str | None:
    """The subtitle file to use; None when that would be a guess."""
    return choice(PurePosixPath(file).stem, names, language)
