"""Recognize a folder or a file: the sources that a recipe of it needs, and what is left out and why.

    names (all, without opening) -> kinds of files (at most OPENED of an ending are opened) -> sources
    -> counts of a small sample (sample)

The search is bounded: at most LISTED names are listed, a file that is not opened has the kind of the last
opened one with its ending, and no large file is read whole. Names are sorted, so the same folder gives the
same answer. A source is the highest folder with no other file that its reader would read, since a reader
searches a whole folder.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.images.video.video import SUFFIXES as VIDEOS
from leafinstruct.ingest import files
from leafinstruct.ingest.config import extensions
from leafinstruct.ingest.draft.sniff import Sniffed, sniff
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.readers.html import saved_parts
from leafinstruct.ingest.readers.youcook2 import annotated
from leafinstruct.ingest.tables.columns.guess import IMAGE_SUFFIXES
from leafinstruct.ingest.video.beside import subtitles_of
from leafinstruct.runtime.store.opened import is_url

LISTED, BESIDE, OPENED, PLACES = 200_000, 20_000, 200, 20
"""Maximum names of a folder, and of the folder of a file, that are listed; files of one ending that are
opened; sources of one kind."""
WHAT = {
    "html": "HTML pages",
    "warc": "web archives",
    "mmc4": "MMC4 records",
    "obelics": "OBELICS rows",
    "mint1t": "MINT-1T records",
    "hub": "a table of texts and images",
    "conversations": "conversations",
    "youcook2": "videos with YouCook2 annotations",
    "vist": "VIST stories",
    "video": "videos with subtitles",
}
"""Kind -> what its files are, in the order of the recipe; kinds of other packages come last."""
_SUPPORTED = (
    "pages (.html, .htm, .xhtml), web archives (.warc, .warc.gz), MMC4 and conversations (.jsonl, "
    ".jsonl.gz, .jsonl.zip), "
    "tables with texts and images (.parquet, .jsonl, .csv, .tsv, .tar), YouCook2 and VIST (.json), videos "
    "with .vtt or .srt"
)


@dataclass(frozen=True, slots=True)
class Found:
    """One source. keys: of the recipe, with absolute paths, without a name. files: number of files. names: of
    the files, relative to the root of the search."""

    keys: dict[str, object]
    files: int
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return str(self.keys["kind"])

    @property
    def what(self) -> str:
        return WHAT.get(self.kind, f"files of the kind {self.kind}")


@dataclass(slots=True)
class Recognized:
    """What was found. listed, opened: numbers of files. complete: whether all names were listed. problems:
    (name, sentence). endings: of files that no source reads."""

    root: Path
    found: list[Found] = field(default_factory=list)
    listed: int = 0
    opened: int = 0
    complete: bool = True
    problems: list[tuple[str, str]] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)


def supported() -> str:
    """Return what is recognized, with the files of installed packages."""
    return ", ".join([_SUPPORTED, *(f"{kind} ({', '.join(reader(kind).SUFFIXES)})" for kind in extensions())])


def recognize(given: Path, scratch: Path) -> Recognized:
    """Recognize what is at a path. Raises SourceError if it is missing, unreadable or neither a file nor a
    folder."""
    if is_url(str(given)):
        raise SourceError(
            f"{given}: only a disk is searched; write a recipe with a source of `kind` and `path: s3://...`"
        )
    given = given.resolve() if ".." in given.parts else given.absolute()
    if not given.is_dir() and not given.is_file():
        raise SourceError(
            f"{given}: {'is neither a file nor a folder' if given.exists() else 'no such file or folder'}; give what you want to read"  # noqa: E501
        )
    root = given if given.is_dir() else given.parent
    whole = Recognized(root)
    names, whole.complete = _listed(root, LISTED if given.is_dir() else BESIDE)
    wanted = names if given.is_dir() else [given.name]
    whole.listed = len(wanted)
    if not given.is_dir():
        whole.complete = True
    kinds = _kinds(whole, wanted, scratch)
    for group in _groups(kinds):
        _sources(whole, given, group, kinds, names)
    used = {name for name, item in kinds.items() if item.kind}
    images = bool(whole.found)
    for name in wanted:
        if name not in used and not (images and name.lower().endswith(IMAGE_SUFFIXES)):
            whole.endings[PurePosixPath(name).suffix.lower() or "no ending"] += 1
    return whole


def kinds_at(path: str, scratch: Path) -> list[str]:
    """Return the kinds of sources that the files at a path look like, the most frequent first; nothing for a
    glob, or where nothing is recognized."""
    if not path or not Path(path).exists():
        return []
    try:
        found = recognize(Path(path), scratch).found
    except LeafInstructError:
        return []
    counts = Counter[str]()
    for source in found:
        counts[source.kind] += source.files
    return [kind for kind, _ in counts.most_common()]


def _listed(root: Path, most: int) -> tuple[list[str], bool]:
    """Names of regular files below a folder as readers walk it, sorted within each folder; and whether these
    are all."""
    found: list[str] = []
    for name in _walk(root, ""):
        if len(found) == most:
            return found, False
        found.append(name)
    return found, True


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    try:
        entries = sorted(
            (entry for entry in os.scandir(folder) if not entry.name.startswith(".")),
            key=lambda entry: entry.name,
        )
    except OSError as error:
        raise SourceError(
            f"{folder}: cannot be read: {error.strerror}; check the folder's permissions"
        ) from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not files.is_run(folder / entry.name):
                yield from _walk(folder / entry.name, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name


def _kinds(whole: Recognized, names: Sequence[str], scratch: Path) -> dict[str, Sniffed]:
    """What each file is, without images."""
    of: dict[str, list[str]] = {}
    for name in names:
        if not name.lower().endswith(IMAGE_SUFFIXES) or len(names) == 1:
            of.setdefault(PurePosixPath(name).suffix.lower(), []).append(name)
    kinds: dict[str, Sniffed] = {}
    for group in of.values():
        step = -(-len(group) // OPENED)
        for index, name in enumerate(group):
            if index % step == 0:
                last = _of(whole.root, name, scratch)
                whole.opened += 1
            kinds[name] = last
            if last.problem and index % step == 0:
                whole.problems.append((name, last.problem))
    return kinds


def _of(root: Path, name: str, scratch: Path) -> Sniffed:
    if files.inside(root, name) is None:
        return Sniffed("", problem="is a link that leads out of the folder, and is not followed")
    try:
        name.encode()
    except UnicodeEncodeError:
        return Sniffed("", problem="has a name that is not UTF-8; rename it")
    return sniff(root / name, scratch)


def _groups(kinds: dict[str, Sniffed]) -> list[tuple[str, str, list[str]]]:
    """(kind, mapping, names) of the files that readers read, in a stable order."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, item in kinds.items():
        if item.kind not in ("", "subtitles", "cdxj"):
            found.setdefault((item.kind, item.mapping), []).append(name)
    order = list(WHAT)
    return sorted(
        ((kind, columns, sorted(names)) for (kind, columns), names in found.items()),
        key=lambda item: (order.index(item[0]) if item[0] in WHAT else len(order), item[2][0]),
    )


def _sources(
    whole: Recognized,
    given: Path,
    group: tuple[str, str, list[str]],
    kinds: dict[str, Sniffed],
    near: Sequence[str],
) -> None:
    """Add the sources of one group of files."""
    kind, mapping, names = group
    root, images = whole.root, [name for name in near if name.lower().endswith(IMAGE_SUFFIXES)]
    if kind == "html":
        whole.found.append(_pages(given, names))
        return
    if kind == "youcook2":
        for name in names:
            _annotated(whole, name, [file for file in near if file.lower().endswith(VIDEOS)])
        return
    if kind == "video":
        names = _subtitled(whole, names)
    suffixes = reader(kind).SUFFIXES
    readable = set(kinds) if given.is_dir() else set(names)
    others = [
        name
        for name in readable
        if name not in names and (name.lower().endswith(suffixes) or files.packed(name, suffixes))
    ]
    # files that readers do not search a folder for
    strays = [name for name in names if not name.lower().endswith(suffixes)]
    searched = [name for name in names if name not in strays]
    places = [names[0]] if not given.is_dir() and names else [*_places(searched, others), *strays]
    if len(places) > PLACES:
        ending = PurePosixPath(names[0]).suffix
        whole.problems.append(
            (
                names[0],
                f"and {len(names) - 1:,} more files of {kind} are among other {ending} files; move them "
                "to a folder of their own",
            )
        )
        return
    for place in places:
        own = [
            name
            for name in names
            if name == place or (name in searched and (place == "" or name.startswith(f"{place}/")))
        ]
        keys: dict[str, object] = {"kind": kind, "path": str(root / place) if place else str(root)}
        notes: tuple[str, ...] = ()
        if mapping:
            keys |= json.loads(mapping)
        if kind in ("mmc4", "conversations", "vist"):
            keys |= _images(kind, root, own, [image for name in own for image in kinds[name].images], images)
        if kind == "warc" and len(own) > 1:
            keys["crawl"] = True
        if kind == "warc" and any(item.kind == "cdxj" for item in kinds.values()):
            notes = (
                "a CDXJ index is beside the archives; the build makes its own, cdxj: PATH uses that one",
            )
        whole.found.append(Found(keys, len(own), tuple(own), notes))


def _pages(given: Path, names: Sequence[str]) -> Found:
    """The source of HTML pages, without the files that a browser saved beside them."""
    parts = saved_parts(names)
    pages = [name for name in names if name not in parts]
    notes = (f"files that a browser saved beside a page are parts of it: {len(parts):,}",) if parts else ()
    return Found({"kind": "html", "path": str(given)}, len(pages), tuple(pages), notes)


def _subtitled(whole: Recognized, names: Sequence[str]) -> list[str]:
    """The videos with subtitles that no annotated source has. The others are added to the problems."""
    taken = {file for source in whole.found if source.kind == "youcook2" for file in source.names}
    videos = [name for name in names if name not in taken]
    subtitled = [name for name in videos if subtitles_of(whole.root, name)]
    problem = "is a video without subtitles (.vtt, .srt) beside it, and no annotations name it"
    whole.problems += [(name, problem) for name in videos if name not in subtitled]
    return subtitled


def _places(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """The fewest folders and files that contain all names and none of the others; "" for the root."""
    if not names:
        return []
    if not others:
        return [""]
    found: list[str] = []
    blocked = {str(folder) for name in others for folder in PurePosixPath(name).parents}
    for name in names:
        folders = [str(folder) for folder in reversed(PurePosixPath(name).parents)]
        place = next((folder for folder in folders if folder not in blocked), name)
        if place not in found:
            found.append(place)
    return found


def _annotated(whole: Recognized, name: str, videos: Sequence[str]) -> None:
    """Add a YouCook2 source: annotations whose videos are in the folder."""
    try:
        wanted = annotated(str(whole.root / name))
    except SourceError as error:
        whole.problems.append((name, f"cannot be read as annotations of videos: {error}"))
        return
    here = [file for file in videos if PurePosixPath(file).stem in wanted]
    if not here:
        whole.problems.append(
            (name, f"annotates {len(wanted):,} videos, and none of them is here (<video id>.mp4)")
        )
        return
    folder = os.path.commonpath([str(PurePosixPath(file).parent) for file in here])
    keys: dict[str, object] = {
        "kind": "youcook2",
        "path": str(whole.root / name),
        "videos": os.path.normpath(whole.root / folder),
    }
    missing = len(wanted) - len({PurePosixPath(file).stem for file in here})
    notes = (f"{missing:,} of {len(wanted):,} annotated videos are not here",) if missing else ()
    whole.found.append(Found(keys, len(here), tuple(here), notes))


def _images(
    kind: str, root: Path, records: Sequence[str], images: Sequence[str], here: Sequence[str]
) -> dict[str, str]:
    """Where the images of records are, if the reader does not find them itself."""
    beside = [PurePosixPath(name).parent for name in records]
    if kind == "mmc4" and any((root / folder / "images").is_dir() for folder in beside):
        return {}
    if kind == "conversations" and any(files.exists(root, str(beside[0] / image)) for image in images):
        return {}
    for image in images:
        for name in here:
            stem = str(PurePosixPath(name).with_suffix("")) if kind == "vist" else name
            if stem == image or stem.endswith(f"/{image}"):
                return {"images": os.path.normpath(root / stem[: len(stem) - len(image)])}
    return {}
