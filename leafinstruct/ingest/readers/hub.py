"""Any table with a declared mapping: Parquet, JSONL, CSV and WebDataset tar files, and datasets of the
Hugging Face Hub (hub_stream).

A record is a row of named columns, whatever its file format; mapping turns it into segments. Images are not
read here: a cell of Parquet is a member of its file, a member of a tar is a range of it, a string is a file
name, a URL or the image itself (`data:`, base64). Locators: `row=N` from 0 (Parquet, CSV), `line=N` (JSONL),
`key=NAME` (tar).

A column that no file has is an error in the recipe, where the files state theirs (Parquet, CSV); it stops
the build and the message names the nearest column. A file that lacks columns that others have is a loss.
Rows of JSONL and tar may have different columns, so a missing one is null there.

Whole record lost: truncated, damaged, too_large, not_parquet, not_a_tar, long_header, sparse_member,
missing_columns (once per file), empty, placeholder_without_image, those of parquet, delimited, lines and
JSON (mmc4), too_many_pieces, too_long and those of turns.
Piece lost: not_text, bad_reference, unsafe_path, data_uri, not_an_image_value, unnamed_image.
unmapped_placeholder: text that looks like an image placeholder and matches no pattern of the recipe, so the
images are in another order than the text means. Nothing is lost by it; `leaf build` reports it once per
source and pattern.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from leafinstruct.errors import RecipeError, SourceError, suggestion
from leafinstruct.ingest import files
from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.fields.embedded import in_table, literals
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.fields.title import of_heading
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.losses import with_losses
from leafinstruct.ingest.span import Span, ranges
from leafinstruct.ingest.tables import delimited, lines, parquet, tar
from leafinstruct.ingest.tables.columns import cells, columns, mapping, placeholders, refer
from leafinstruct.ingest.tables.columns.placeholders import NUMBER, numbered
from leafinstruct.ingest.tables.lines import Line
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.ingest.tables.unroll import record_of, unrolled
from leafinstruct.records.document import Document, Provenance, Ref, Rejected, Segment, Text, document_id
from leafinstruct.records.license import named
from leafinstruct.runtime.store.path import located

LIBRARIES: tuple[str, ...] = ("pyarrow",)
_JSONL = (".jsonl", ".jsonl.gz", ".jsonl.zip", ".ndjson")
SUFFIXES = (*parquet.SUFFIXES, *tar.SUFFIXES, *_JSONL, *delimited.SUFFIXES)
MAX_MEMBER = 8 << 20
"""Maximum bytes of a text or JSON member of a tar."""


def root_of(source: HubSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_of(_path(source))


def plan(source: HubSource, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size records, each within one file.

    Raises SourceError when the path is missing, unreadable or empty; RecipeError when no Parquet file has a
    column of the mapping.
    """
    root = root_of(source)
    names = files.listing(_path(source), root, SUFFIXES)
    others = [file for file in names if not _is(file, delimited.SUFFIXES)]
    if others and located(_path(source)).is_dir():  # then a .csv beside them is a list of the files, or notes
        names = others
    _check_columns(source, _columns(root, names, cache))
    spans: list[Span] = []
    for file in names:
        spans += ranges(file, _records(source, root / file, cache), part_size)
    if not spans:
        raise SourceError(f"{source.path}: the files contain no records")
    return spans


def read(source: HubSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the documents of a span, each followed by the pieces it lost; records and files that could not be
    read."""
    return files.each(root_of(source), span.files, partial(_file, source, span, cache))


def _file(source: HubSource, span: Span, cache: Path, file: str, path: Path) -> Iterator[Document | Rejected]:
    if _is(file, parquet.SUFFIXES):
        yield from _parquet(source, path, span, cache)
    elif _is(file, tar.SUFFIXES):
        yield from _tar(source, path, span, cache)
    elif _is(file, delimited.SUFFIXES):
        yield from _delimited(source, path, span, cache)
    else:
        yield from _jsonl(source, path, span, cache)


def _path(source: HubSource) -> str:
    assert source.path is not None, "a source of the Hub is spooled first"
    return source.path


def _is(file: str, suffixes: tuple[str, ...]) -> bool:
    return file.lower().endswith(suffixes)


def _columns(root: Path, names: Sequence[str], cache: Path) -> dict[str, Sequence[str]]:
    """Return file -> its columns, of the readable files that state them: Parquet, CSV and TSV."""
    found: dict[str, Sequence[str]] = {}
    for file in names:
        if _is(file, parquet.SUFFIXES) and (footer := parquet.footer(root / file, cache)).problem is None:
            found[file] = footer.names
        elif _is(file, delimited.SUFFIXES) and (header := delimited.header(root / file)):
            found[file] = header
    return found


def _check_columns(source: HubSource, stated: Mapping[str, Sequence[str]]) -> None:
    """Raise RecipeError for a column that no file has. A cell of a CSV may contain an object with more."""
    for column in columns.names_of(source) if stated else ():
        if not any(
            _has(names, column) or (_is(file, delimited.SUFFIXES) and columns.head_of(column, names) in names)
            for file, names in stated.items()
        ):
            file, names = next(iter(stated.items()))
            hint = suggestion(column, names, "it has")
            raise RecipeError(f"source {source.name}: {file} has no column {column!r}; {hint}")


def _has(names: Sequence[str], column: str) -> bool:
    return bool(numbered(column, names)) if NUMBER in column else column in names


def _records(source: HubSource, path: Path, cache: Path) -> int:
    """Number of records of a file; one for a Parquet file that is only a loss."""
    if _is(path.name, tar.SUFFIXES):
        return tar.index(path, cache).items
    if _is(path.name, delimited.SUFFIXES):
        return lines.count(_unrolled(path, cache), cache)
    if not _is(path.name, parquet.SUFFIXES):
        return lines.count(path, cache)
    footer = parquet.footer(path, cache)
    return 1 if footer.problem is not None or _missing(source, footer) else footer.rows


def _missing(source: HubSource, footer: parquet.Footer) -> list[str]:
    """The columns that a file lacks. Numbered columns may be missing: tables with fewer images have
    fewer columns."""
    return [
        column for column in columns.names_of(source) if NUMBER not in column and column not in footer.names
    ]


def _parquet(source: HubSource, path: Path, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    (file,) = span.files
    footer = parquet.footer(path, cache)
    if footer.problem is not None:
        yield Rejected(file, "", *footer.problem)
        return
    if missing := _missing(source, footer):
        yield parquet.without_columns(file, missing, footer.names)
        return
    for number, row in parquet.rows(
        path, span.start, span.stop, columns.columns_of(source, footer.names, footer.columns)
    ):
        if isinstance(row, LostError):
            yield Rejected(file, f"row={number}", row.reason, row.detail)
        else:
            yield from of_row(source, file, number, row, footer.columns)


def of_row(
    source: HubSource, file: str, number: int, row: Mapping[str, Any], known: Sequence[str]
) -> Iterator[Document | Rejected]:
    """Yield the document of a Parquet row and its losses. known: all columns of the file."""
    return _record(source, file, f"row={number}", row, partial(refer.cell, file, number), known)


def _jsonl(source: HubSource, path: Path, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    (file,) = span.files

    def record(line: Line) -> Iterator[Document | Rejected]:
        row = parsed_line(line)
        return _record(
            source,
            file,
            line.locator,
            row,
            partial(refer.named, file, literals(file, path.name, line)),
            list(row),
        )

    yield from lines.each(file, lines.read(path, span.start, span.stop, cache), record)


def _delimited(source: HubSource, path: Path, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    (file,) = span.files

    def record(line: Line) -> Iterator[Document | Rejected]:
        row = record_of(line)
        return _record(source, file, line.locator, row, partial(refer.named, file, in_table), list(row))

    items = lines.read(_unrolled(path, cache), span.start, span.stop, cache)
    yield from lines.each(file, (replace(item, locator=f"row={item.number}") for item in items), record)


def _unrolled(path: Path, cache: Path) -> Path:
    """The rows of a CSV or TSV, one per line."""
    tabs = path.name.lower().endswith((".tsv", ".tsv.gz"))
    return unrolled(path, cache, delimited.tabbed if tabs else delimited.records, "tsv" if tabs else "csv")


def _tar(source: HubSource, path: Path, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    (file,) = span.files
    index = tar.index(path, cache)
    images = columns.image_columns(source)
    with path.open("rb") as stream:
        for sample in index.samples[span.start : span.stop]:
            locator = f"key={one_line(sample.key)}"
            names = list(sample.members)
            of_images = {column for name in images for column in _members_of(name, names)}
            wanted = set(columns.columns_of(source, names)) - of_images
            row: dict[str, object] = {
                name: Ref(file=file, offset=place[0], length=place[1])
                for name, place in sample.members.items()
            }
            texts: dict[str, bytes] = {}
            try:
                for column in sorted(wanted & row.keys()):
                    offset, length = sample.members[column]
                    stream.seek(offset)
                    texts[column] = stream.read(min(length, MAX_MEMBER + 1))
                    row[column] = _text_member(column, texts[column])
            except LostError as lost:
                yield Rejected(file, locator, lost.reason, lost.detail)
                continue
            yield from _record(source, file, locator, row, partial(refer.of_tar, sample, file, texts), names)
    samples = len(index.samples)
    for where, reason, sentence in index.losses[max(0, span.start - samples) : max(0, span.stop - samples)]:
        yield Rejected(file, where, reason, sentence)


def _members_of(name: str, names: Sequence[str]) -> list[str]:
    """Return the members that are images of a column; a JSON member only contains their names."""
    heads = [head for head in [columns.head_of(name, names)] if not head.endswith("json")]
    return [name, *heads, *(numbered(name, names) if NUMBER in name else ())]


def _text_member(column: str, data: bytes) -> Any:
    """Return a text or JSON member of a sample. Raises LostError."""
    if len(data) > MAX_MEMBER:
        raise LostError("line_too_long", f"{column}: longer than {MAX_MEMBER:,} bytes")
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text) if column.rpartition(".")[2] == "json" else text
    except UnicodeDecodeError as error:
        raise LostError("not_utf8", f"{column}: byte {error.start}: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise LostError("broken_json", f"{column}: {str(error)[:200]}") from error


def _record(
    source: HubSource,
    file: str,
    locator: str,
    row: Mapping[str, Any],
    refer_to: cells.Refer,
    known: Sequence[str],
) -> Iterator[Document | Rejected]:
    """Yield the document of a row and its losses. known: all columns of the table, mapped or not."""
    license_ = _text(row, source.license_column)
    license_ = (named(license_) or license_ or source.license) if license_ else source.license

    def build(lost: list[LostError]) -> Iterator[Document | Rejected]:
        segments = mapping.segments(source, row, refer_to, license_, lost)
        url, title = web(_text(row, source.url_column)), of_heading(segments)
        identity, provenance = document_id(source.name, file, locator), Provenance(file, locator)
        yield Document(identity, source.name, segments, provenance, url, license_, title, page_url=url)
        yield from _unmapped(source, file, locator, segments, known)

    return with_losses(file, locator, build)


def _unmapped(
    source: HubSource, file: str, locator: str, segments: Sequence[Segment], known: Sequence[str]
) -> Iterator[Rejected]:
    """Report text of a row that looks like an image placeholder and matches no declared pattern, once per
    general pattern."""
    images = columns.image_columns(source)
    taken = {name.partition(".")[0] for name in columns.names_of(source)} - {
        name.partition(".")[0] for name in images
    }
    meant = [name for name in known if name not in taken]
    patterns = columns.patterns_of(source)
    found = Counter(
        placeholders.general(words)
        for item in segments
        if isinstance(item, Text)
        for words in placeholders.suspects(item.text, patterns, meant)
    )
    for pattern, times in found.items():
        hint = placeholders.hint(pattern, meant, [name for name in images if NUMBER not in name])
        detail = (
            f'"{pattern}" in the text looks like an image placeholder but matches none of the recipe, so it '
            f"stays text; {hint}"
        )
        yield placeholders.Unmapped(
            file, locator, "unmapped_placeholder", detail, False, source.name, pattern, times, 1, hint
        )


def _text(row: Mapping[str, Any], column: str | None) -> str | None:
    value = cells.value_of(row, column) if column else None
    return one_line(value) or None if isinstance(value, str) else None
