"""YouCook2: annotated segments of cooking videos, one sentence each. One annotated video, one document (more
for a video with very many segments).

    {"database": {"<id>": {"duration", "subset", "recipe_type", "video_url",
                           "annotations": [{"segment": [start, end], "id", "sentence"}]}}}

The video is `<id>.<suffix>` anywhere in the folder of videos. Of several files the first by name is read, so
that the choice does not depend on the disk, and the others are reported. `video_url` is the video's source.
Segments keep the order of their start and may overlap. A segment that begins before the end of the video is
cut there; one that begins after it is lost. Segments are not merged, however short, unless the recipe sets
frames.min_seconds: a person marked each as a step.

Whole video lost: no_video, bad_annotation, no_annotations, and those of video.documents: empty, not_a_video,
no_video_stream, too_many_pixels, truncated, no_frames, unsafe_path, too_many_pieces, too_long.
Piece lost: bad_annotation, no_sentence, zero_length_segment, segment_past_end, video_ends_early (also where
the annotated duration is longer than the file), no_frame_in_step, too_many_steps.
second_file: a file that is not read, since another one is of the same video.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

from leafinstruct.errors import SourceError, shortened
from leafinstruct.images.video.video import SUFFIXES
from leafinstruct.ingest import files
from leafinstruct.ingest.config import YouCook2Source
from leafinstruct.ingest.fields.reference import shown
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.span import Span, grouped
from leafinstruct.ingest.video.documents import Lost, documents, facts, within
from leafinstruct.ingest.video.steps import Step
from leafinstruct.records.document import Document, Frame, Rejected
from leafinstruct.runtime.settings_text import unique

LIBRARIES: tuple[str, ...] = ("av", "pillow")
MAX_BYTES = 256 << 20
"""Maximum bytes of the annotations; the published file has 4 MB."""


def root_of(source: YouCook2Source) -> Path:
    """The nearest folder that contains both the annotations and the videos."""
    return files.root_with(source.path, source.videos)


def plan(source: YouCook2Source, part_size: int, cache: Path) -> list[Span]:  # noqa: ARG001 - the annotations are the whole plan
    """Return sets of annotated videos, one per fifty documents of part_size: the annotations' file, then the
    videos that exist.

    Missing videos, and files that are not read, form one span of their own, so that they are reported once.
    Raises SourceError when the annotations cannot be read, or have no video of the subset.
    """
    root = root_of(source)
    annotations = (files.below(Path(source.path).parent, root) / Path(source.path).name).as_posix()
    here = _videos(source, root)
    wanted = list(_wanted(source))
    if not wanted:
        raise SourceError(f"{source.path}: no video of the subset {source.subset!r}; {_subsets(source.path)}")
    spans = [
        Span((annotations, *names), 1, 1 + len(names))
        for names in grouped([here[name][0] for name in wanted if name in here], max(1, part_size // 50))
    ]
    missing = sum(name not in here for name in wanted)
    others = [file for name in wanted for file in here.get(name, [])[1:]]
    return [*spans, Span((annotations, *others), 0, missing + len(others))] if missing or others else spans


def read(source: YouCook2Source, span: Span, cache: Path) -> Iterator[Document | Frame | Rejected]:  # noqa: ARG001 - one signature for all readers
    """Yield the documents of a span's videos, each followed by the pieces it lost; annotated videos that are
    missing or cannot be read."""
    root = root_of(source)
    database = _wanted(source)
    if span.start == 0:
        yield from _not_read(span.files[0], database, _videos(source, root))
        return
    yield from files.each(root, span.files[span.start : span.stop], partial(_video, source, database))


def _not_read(
    annotations: str, database: dict[str, object], here: dict[str, list[str]]
) -> Iterator[Rejected]:
    """Yield a loss for annotated videos without a file, and for further files of a video."""
    for name in database:
        if name not in here:
            shown_name = one_line(name)[:60]
            yield Rejected(
                annotations,
                f"video={shown_name}",
                "no_video",
                f"no file {shown_name}.* in the folder of videos",
            )
            continue
        first, *others = here[name]
        for file in others:
            yield Rejected(
                file,
                "",
                "second_file",
                f"{first} is read for the same video; remove the one that you do not want",
                whole=False,
            )


def _video(
    source: YouCook2Source, database: Mapping[str, object], file: str, path: Path
) -> Iterator[Document | Frame | Rejected]:
    entry = database.get(PurePosixPath(file).stem)
    if not isinstance(entry, dict) or not isinstance(entry.get("annotations"), list):
        yield Rejected(
            file, "", "bad_annotation", f"its entry is {shown(entry)}, without a list of annotations"
        )
        return
    header = facts(path, file)
    if isinstance(header, Rejected):
        yield header
        return
    lost: list[Lost] = []
    annotated = sorted(_steps(entry["annotations"], lost), key=lambda step: (step.start, step.end))
    steps = list(within(annotated, header.duration, lost))
    if not steps:
        yield Rejected(file, "", "no_annotations", "no annotated segment lies within the video")
    stated = float(entry["duration"]) if _is_time(entry.get("duration")) else None
    url = web(entry.get("video_url"))
    yield from documents(source, path, file, steps, lost, header.duration, stated, url)


def _steps(annotations: list[Any], lost: list[Lost]) -> Iterator[Step]:
    for number, entry in enumerate(annotations):
        segment = entry.get("segment") if isinstance(entry, dict) else None
        if not (isinstance(segment, list) and len(segment) == 2 and all(map(_is_time, segment))):
            lost.append(
                (
                    "bad_annotation",
                    f"annotation {number} has the segment {shown(segment)}, not [start, end] in seconds",
                )
            )
            continue
        sentence = entry.get("sentence")
        text = one_line(sentence) if isinstance(sentence, str) else ""
        if text:
            yield Step(float(segment[0]), float(segment[1]), (text,))
        else:
            lost.append(("no_sentence", f"annotation {number} has the sentence {shown(sentence)}"))


def _is_time(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value < 1e7
    )


def _wanted(source: YouCook2Source) -> dict[str, object]:
    """Return video id -> its entry, of the selected subset. Raises SourceError."""
    path = Path(source.path)
    stat = _stat(path)
    database = _database(str(path), stat.st_size, stat.st_mtime_ns)
    if source.subset is None:
        return database
    return {
        name: entry
        for name, entry in database.items()
        if isinstance(entry, dict) and entry.get("subset") == source.subset
    }


def _subsets(path: str) -> str:
    stat = _stat(Path(path))
    entries = _database(path, stat.st_size, stat.st_mtime_ns).values()
    found = Counter(
        one_line(entry["subset"])
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("subset"), str)
    )
    listed = ", ".join(f"{name} ({count:,})" for name, count in found.most_common(10))
    return f"it has {shortened(listed, 200)}" if found else "it states no subset; leave `subset` out"


def annotated(path: str) -> frozenset[str]:
    """Return the ids of the videos that a file annotates. Raises SourceError."""
    stat = _stat(Path(path))
    return frozenset(_database(path, stat.st_size, stat.st_mtime_ns))


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read: {error.strerror or error}; it must be YouCook2's JSON of annotations"
        ) from error


@lru_cache(maxsize=2)
def _database(path: str, size: int, changed: int) -> dict[str, object]:  # noqa: ARG001 - the time is part of the key
    """Read the annotations, a few megabytes, once per process."""
    if size > MAX_BYTES:
        raise SourceError(f"{path}: {size:,} bytes; annotations may have at most {MAX_BYTES:,}")
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8-sig"), object_pairs_hook=unique)
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: cannot be read as annotations: {str(error)[:200]}") from error
    database = found.get("database") if isinstance(found, dict) else None
    if not isinstance(database, dict) or not database:
        raise SourceError(f"{path}: has no `database` of videos; it must be YouCook2's JSON of annotations")
    return database


def _videos(source: YouCook2Source, root: Path) -> dict[str, list[str]]:
    """Return video id -> its files relative to root, by name."""
    found: dict[str, list[str]] = {}
    for name in files.listing(source.videos, root, SUFFIXES):
        found.setdefault(PurePosixPath(name).stem, []).append(name)
    return found
