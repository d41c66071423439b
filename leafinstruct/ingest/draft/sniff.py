"""Recognize a file by its first bytes: the kind of source that reads it, and the mapping of its columns if it
is a table. Reads no whole file.

Large files are read through a copy of their first HEAD bytes, which the ordinary readers accept as a cut
file, so no format has a second parser here. The name counts only if the content cannot be recognized (a page
that begins with a comment, subtitles, files of a kind that another package reads).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from leafinstruct.errors import SourceError
from leafinstruct.images.video.video import SUFFIXES as VIDEOS
from leafinstruct.ingest import files
from leafinstruct.ingest.archive.archive_record import looks_like_html
from leafinstruct.ingest.archive.cdxj import is_index
from leafinstruct.ingest.config import extensions
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.readers import html
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.tables import delimited, lines, parquet, tar
from leafinstruct.ingest.tables.columns import guess as columns_guess
from leafinstruct.ingest.tables.lines import Line
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.ingest.tables.unroll import members, record_of
from leafinstruct.ingest.video import subtitles

HEAD = 8 << 20
"""Bytes of a large file that are read."""
ROWS = 16
"""Records of a file that are read."""
_START, _END = 64 << 10, 64 << 10
"""Bytes at the beginning and at the end of a file that show its format."""
_LFS = b"version https://git-lfs.github.com/spec/"
_EMPTY = "is empty"
_POINTER = "is a Git LFS pointer, not the file itself; run `git lfs pull` in the repository"
_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_KEYS = {"mmc4": (b'"text_list"',), "conversations": (b'"conversations"', b'"messages"')}
"""Keys that show the kind of a record that is longer than what is read."""
_TURNS = ("conversations", "messages", "conversation")


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is. kind: of the source that reads it, or `subtitles`, `cdxj`; empty if none does. mapping:
    of a table, as JSON. images: names of images in its first records. problem: why a file that is nearly
    readable is not read."""

    kind: str
    mapping: str = ""
    images: tuple[str, ...] = ()
    problem: str = ""


def head_of(path: Path, scratch: Path) -> Path:
    """The file itself, or a copy of its beginning under scratch if it is longer than twice HEAD or may unpack
    to more."""
    name, size = path.name, path.stat().st_size
    packed = name.lower().endswith((".jsonl.gz", ".jsonl.zip", ".csv.gz", ".tsv.gz"))
    if size <= (HEAD // 8 if packed else 2 * HEAD):
        return path
    folder = scratch / hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / (PurePosixPath(name).stem if packed else name)
    with _opened(path) if packed else path.open("rb") as stream:
        copy.write_bytes(stream.read(HEAD))
    return copy


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    """The lines of a packed file; of a zip, those of its first member."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path)
    archive = lines.zip_of(path)
    inner = sorted(name for name in archive.namelist() if name.lower().endswith((".jsonl", ".json")))
    return archive.open(inner[0]) if inner else io.BytesIO()


def sniff(path: Path, scratch: Path) -> Sniffed:
    """Recognize a file. An unreadable file is a problem. Raises RecipeError if the package of an extension
    cannot be imported."""
    try:
        found = _sniffed(path, scratch)
    except (OSError, SourceError) as error:
        return Sniffed("", problem=f"cannot be read: {getattr(error, 'strerror', None) or error}")
    except (*lines.BROKEN, lines.BombError) as error:
        return Sniffed("", problem=f"is damaged: {error}")
    if found.kind or found.problem in (_EMPTY, _POINTER):
        return found
    name = path.name.lower()
    other = next((kind for kind in extensions() if name.endswith(reader(kind).SUFFIXES)), None)
    return found if other is None else Sniffed(other)


def _sniffed(path: Path, scratch: Path) -> Sniffed:
    name = path.name.lower()
    start = _beginning(path)
    packed = start[:2] == b"\x1f\x8b"
    if not start:
        return Sniffed("", problem=_EMPTY)
    if start.startswith(_LFS):
        return Sniffed("", problem=_POINTER)
    if name.endswith(VIDEOS):
        return Sniffed("video")
    if name.endswith(subtitles.SUFFIXES):
        return Sniffed("subtitles")
    if is_index(name):
        return Sniffed("cdxj")
    if start[:4] == b"PAR1":
        return _of_parquet(path, scratch)
    if name.endswith(delimited.SUFFIXES):
        return _of_rows([columns_guess.flat(row) for row in _delimited(path)])
    if name.endswith(files.FOREIGN):
        return Sniffed("", problem=f"is not read: {files.hint(path.name)}")
    content = _unpacked(path) if packed else start
    if content.startswith(b"WARC/"):
        return _named(path, Sniffed("warc"), packed, (".warc",), ".warc")
    if content[257:262] == b"ustar":
        if packed:
            return Sniffed("", problem="is not read: a packed tar; run `gunzip` on it")
        return _named(path, _of_tar(path, scratch), needs=tar.SUFFIXES, ending=".tar")
    if start[:4] == b"PK\x03\x04":
        return _of_lines(path, b"", scratch) if name.endswith(".jsonl.zip") else Sniffed("")
    first = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first in (b"{", b"["):
        return _named(path, _of_json(path, content, packed, scratch), packed, (".jsonl", ".json"), ".jsonl")
    is_page = looks_like_html(content) or (name.endswith(html.SUFFIXES) and not _TEXT.search(content[:1024]))
    if is_page and packed:
        return Sniffed("", problem="is not read: a packed page; run `gunzip` on it")
    return (
        Sniffed("html")
        if is_page and (name.endswith(html.SUFFIXES) or html.begins_as_page(path))
        else Sniffed("")
    )


def _named(
    path: Path, found: Sniffed, packed: bool = False, needs: tuple[str, ...] = (), ending: str = ""
) -> Sniffed:
    """Return what was found, unless the file's name keeps the reader from reading it: readers detect packing
    by the name alone."""
    name = path.name.lower()
    wanted = tuple(suffix + ".gz" for suffix in needs) if packed else needs
    wrong = name.endswith((".gz", ".zip")) if not packed else not name.endswith(".gz")
    table = found.kind == "hub" and not name.endswith((*wanted, ".ndjson"))
    if found.kind and (wrong or table):
        suffix = f"{ending}.gz" if packed else ending
        return Sniffed(
            "",
            problem=f"contains {'gzip-packed ' if packed else ''}{found.kind} records, but its name does not "
            f"end in {suffix}; rename it",
        )
    return found


def _beginning(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_START)


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as stream:
        return stream.read(_START)


def _of_parquet(path: Path, scratch: Path) -> Sniffed:
    footer = parquet.footer(path, scratch)
    if footer.problem is not None:
        return Sniffed("", problem=f"cannot be read: {footer.problem[1]}")
    rows = [
        row
        for _, row in parquet.rows(path, 0, min(ROWS, footer.rows), footer.columns)
        if not isinstance(row, LostError)
    ]
    if {"images", "texts"} <= set(footer.columns) and columns_guess.is_parallel(rows, "texts", "images"):
        return Sniffed(
            "obelics" if "general_metadata" in footer.columns or "url" not in footer.columns else "mint1t"
        )
    if not path.name.lower().endswith(parquet.SUFFIXES):
        return Sniffed("", problem="contains Parquet, but its name does not end in .parquet; rename it")
    return _of_rows([columns_guess.flat(row) for row in rows])


def _of_tar(path: Path, scratch: Path) -> Sniffed:
    head = head_of(path, scratch)
    found = tar.index(head, scratch)
    rows: list[dict[str, object]] = []
    with head.open("rb") as stream:
        for sample in found.samples[:ROWS]:
            row: dict[str, object] = {}
            for column, (offset, length) in sample.members.items():
                stream.seek(offset)
                row[column] = columns_guess.member(column, stream.read(min(length, _START)))
            rows.append(row)
    records = [record for row in rows if isinstance(record := row.get("json"), dict)]
    if records and {"tiff", "tif"} & rows[0].keys() and columns_guess.is_parallel(records, "texts", "images"):
        return Sniffed("mint1t")
    return _of_rows([columns_guess.flat(row) for row in rows])


def _of_json(path: Path, content: bytes, packed: bool, scratch: Path) -> Sniffed:
    """One object or list over the whole file, or one record per line."""
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
        return _of_list(path) if path.name.lower().endswith(".json") and not packed else Sniffed("")
    line, _, rest = content.lstrip().partition(b"\n")
    if not packed and not (rest.strip() and _is_object(line)) and (whole := _of_object(path, content)).kind:
        return whole
    if path.name.lower().endswith(".gz") == packed and not path.name.lower().endswith(".zip"):
        return _of_lines(path, content, scratch)
    copy = scratch / "misnamed.jsonl"  # the reader of lines depends on the name
    copy.write_bytes(content)
    return _of_lines(copy, content, scratch)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _of_object(path: Path, content: bytes) -> Sniffed:
    """YouCook2 and VIST files are one object; VIST's stories may be after a long list of photographs."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _END))
        both = content + stream.read()
    if b'"database"' in content[:_START] and b'"segment"' in both:
        return Sniffed("youcook2")
    if b'"story_id"' in both and b'"photo_flickr_id"' in both:
        return Sniffed(
            "vist",
            images=tuple(
                item.decode()
                for item in re.findall(rb'"photo_flickr_id"\s*:\s*"?([^",\s]{1,60})', both)[:ROWS]
            ),
        )
    return Sniffed("")


def _delimited(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with path.open("rb") as stream, closing(delimited.records(stream, path.name)) as found:
        try:
            for number, line in enumerate(found):
                if number == ROWS:
                    break
                with suppress(LostError):
                    rows.append(record_of(Line(number, number, "", 0, line)))
        except LostError:
            pass
    return rows


def _of_list(path: Path) -> Sniffed:
    rows: list[dict[str, object]] = []
    try:
        with path.open("rb") as stream:
            for name, element in members(stream):
                record = json.loads(element)
                if name or not isinstance(record, dict):
                    break
                rows.append(record)
                if len(rows) == ROWS:
                    break
    except (LostError, ValueError, RecursionError):
        pass
    if rows and _is_conversation(rows[0]):
        return Sniffed("conversations", images=_names(rows))
    return (
        Sniffed(
            "",
            problem=(
                "is one JSON list, and its records are not conversations; write one record per line (.jsonl)"
            ),
        )
        if rows
        else Sniffed("")
    )


def _of_lines(path: Path, content: bytes, scratch: Path) -> Sniffed:
    head = head_of(path, scratch)
    rows: list[dict[str, object]] = []
    for item in lines.read(head, 0, ROWS, scratch):
        if isinstance(item, Line):
            try:
                rows.append(parsed_line(item))
            except LostError:
                continue
    if not rows:
        kind = next((kind for kind, keys in _KEYS.items() if any(key in content for key in keys)), "")
        return Sniffed(kind)
    if any(isinstance(row.get("text_list"), list) for row in rows):
        entries = [
            entry for row in rows for entry in _listed(row.get("image_info")) if isinstance(entry, dict)
        ]
        return Sniffed(
            "mmc4",
            images=tuple(str(entry["image_name"]) for entry in entries[:ROWS] if entry.get("image_name")),
        )
    if _is_conversation(rows[0]) and not columns_guess.is_published(rows):
        return Sniffed("conversations", images=_names(rows))
    return _of_rows([columns_guess.flat(row) for row in rows])


def _of_rows(rows: list[dict[str, object]]) -> Sniffed:
    found = columns_guess.mapping(rows)
    if isinstance(found, str):
        return Sniffed("", problem=found)
    return Sniffed("hub", mapping=json.dumps(found))


def _is_conversation(row: Mapping[str, Any]) -> bool:
    """Whether the reader of conversations accepts a record, with images in its own keys."""
    turns = next((row[key] for key in _TURNS if isinstance(row.get(key), list)), None)
    given = row.get("image", row.get("images"))
    named = isinstance(given, str) or (
        isinstance(given, list) and all(isinstance(item, str) for item in given)
    )
    return columns_guess.is_turns(turns) and (given is None or named)


def _names(rows: list[dict[str, object]]) -> tuple[str, ...]:
    found: list[str] = []
    for row in rows:
        given = row.get("image", row.get("images"))
        found += (
            [given] if isinstance(given, str) else [item for item in _listed(given) if isinstance(item, str)]
        )
    return tuple(found[:ROWS])


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
