"""Count a few documents of a source with its own reader, for the decisions of `leaf init --from`.

At most FILES files and DOCUMENTS documents are read, and only the beginning of a large file (sniff.head_of).
Images are located, not opened. No video is decoded: documents are counted from subtitles. The source's names
are listed as in the build, so that its errors are raised here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from leafinstruct.ingest import files
from leafinstruct.ingest.config import KINDS, source_of
from leafinstruct.ingest.draft.recognize import Found
from leafinstruct.ingest.draft.sniff import head_of
from leafinstruct.ingest.readers import html
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.span import Span
from leafinstruct.ingest.video.beside import choice, subtitles_of
from leafinstruct.records.document import Document, Rejected
from leafinstruct.records.text.words import count_words

FILES, DOCUMENTS = 6, 48
_PER_FILE = 12


@dataclass(slots=True)
class Figures:
    """Counts of a sample. documents: (words, images) of each document read. local, web, missing: numbers of
    images by place. lost: number of records that could not be read, by reason. example: the first of them.
    apart: images may be in files that were not read."""

    documents: list[tuple[int, int]] = field(default_factory=list)
    local: int = 0
    web: int = 0
    missing: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    example: str = ""
    apart: bool = False

    @property
    def images(self) -> int:
        return self.local + self.web + self.missing


def figures(found: Found, root: Path, scratch: Path) -> Figures:
    """Count a sample of a source. root: of the names in `found`. Raises SourceError if a file cannot be
    read, ValidationError if a source of an extension needs more keys than a path."""
    counts = Figures()
    path = str(found.keys["path"])
    if Path(path).is_dir():
        also = html.begins_as_page if found.kind == "html" else None
        files.listing(path, files.root_of(path), reader(found.kind).SUFFIXES, also)
    if found.kind == "youcook2":
        return counts
    if found.kind == "video":
        _videos(found, root, counts)
        return counts
    if found.kind == "html":
        source = source_of({**found.keys, "name": "sample"})
        base = reader("html").root_of(source)
        chosen = tuple((root / name).relative_to(base).as_posix() for name in spread(found.names, DOCUMENTS))
        _count(reader("html").read(source, Span(chosen, 0, len(chosen)), scratch), base, counts)
        return counts
    for name in spread(found.names, FILES):
        _file(found, root / name, scratch, counts)
    return counts


def spread(names: Sequence[str], most: int) -> list[str]:
    """At most this many names, evenly from first to last."""
    return list(names) if len(names) <= most else [names[index * len(names) // most] for index in range(most)]


def _file(found: Found, path: Path, scratch: Path, counts: Figures) -> None:
    """Read the beginning of one file."""
    # such a file is read from its end
    footed = found.kind == "obelics" or path.name.lower().endswith(".parquet")
    head = path if footed or found.kind not in KINDS else head_of(path, scratch)
    keys: dict[str, object] = {**found.keys, "name": "sample", "path": str(head)}
    if found.kind == "warc" and keys.pop("crawl", False):
        counts.apart = True
    if head != path and found.kind == "mmc4" and "images" not in keys and (path.parent / "images").is_dir():
        keys["images"] = str(path.parent / "images")
    source = source_of(keys)
    module = reader(found.kind)
    base = module.root_of(source)
    beside = path.parent if base == head.parent else base
    for span in islice(module.plan(source, _PER_FILE, scratch), 1):
        _count(module.read(source, span, scratch), beside, counts, cut=head != path)


def _count(items: Iterator[Any], base: Path, counts: Figures, cut: bool = False) -> None:
    for item in items:
        if isinstance(item, Document):
            counts.documents.append((count_words([text.text for text in item.texts]), len(item.images)))
            for image in item.images:
                if image.ref.file is None:
                    counts.web += 1
                elif image.ref.offset is not None or image.ref.member or files.exists(base, image.ref.file):
                    counts.local += 1
                else:
                    counts.missing += 1
        elif (
            isinstance(item, Rejected)
            and item.whole
            and not (cut and item.reason in ("truncated", "damaged"))
        ):
            counts.lost[item.reason] += 1
            counts.example = counts.example or f"{item.file} {item.locator}".strip() + f": {item.detail}"


def _videos(found: Found, root: Path, counts: Figures) -> None:
    from leafinstruct.ingest.config import Frames
    from leafinstruct.ingest.video.steps import by_document, sentences
    from leafinstruct.ingest.video.subtitles import cues

    for name in spread(found.names, FILES):
        names = subtitles_of(root, name)
        spoken, _ = cues(root / (choice(PurePosixPath(name).stem, names, None) or names[0]))
        for _, steps in by_document(sentences(spoken), Frames()):
            counts.documents.append((count_words([step.text for step in steps]), len(steps)))
            counts.local += len(steps)
