"""MINT-1T in both of its published layouts: one row of Parquet (HTML), or one record of a WebDataset tar
(PDF, ArXiv) -> one document.

    texts: [text | null, ...]              images: [URL or name | null, ...]

The lists are parallel: each index holds either an image or a text, and their order is the page's. A text
contains the paragraphs between two images; each becomes a segment of its own, as in obelics.

HTML: `images` are URLs, `url` is the page's. PDF and ArXiv: a record is `<key>.json` and `<key>.tiff`, a TIFF
with all images of the document. `images` are names (`page_3_image_17`); `image_metadata` lists page and xref
of each image, in the order of the TIFF. Without it, the names count the images of the TIFF in the order of
their first use. Images are stored as PNG, since an image of a TIFF has no range of its own
(images/formats/tiff).

Locators: `row=N`, from 0; `key=NAME`. Source: https://huggingface.co/collections/mlfoundations, and
https://github.com/mlfoundations/MINT-1T.

Whole record lost: missing_columns (once per file), no_json, no_lists, unequal_lists, empty, too_many_pieces,
too_long, those of parse, parquet and tar.
Piece lost, the document is kept: both_given, not_text, bad_reference, unsafe_path, no_tiff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from leafinstruct.errors import SourceError, listed
from leafinstruct.ingest import files
from leafinstruct.ingest.config import Mint1tSource
from leafinstruct.ingest.fields.reference import LostError, image_ref, shown
from leafinstruct.ingest.fields.text import lines, one_line
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.losses import with_losses
from leafinstruct.ingest.span import Span, ranges
from leafinstruct.ingest.tables import parquet, tar
from leafinstruct.ingest.tables.lines import MAX_LINE, Line
from leafinstruct.ingest.tables.parallel import document_of, parallel
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.records.document import Document, ImageRef, Ref, Rejected, Segment, Text

SUFFIXES = (*parquet.SUFFIXES, *tar.SUFFIXES)
LIBRARIES: tuple[str, ...] = ("pyarrow",)
_NEEDED = ("images", "texts")
_TIFF = ("tiff", "tif")


def root_of(source: Mint1tSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_of(source.path)


def plan(source: Mint1tSource, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size records, each within one file. Raises SourceError when the path is
    missing or all files are empty."""
    root, spans = root_of(source), list[Span]()
    for file in files.listing(source.path, root, SUFFIXES):
        spans += ranges(file, _records(root / file, cache), part_size)
    if not spans:
        raise SourceError(f"{source.path}: the files contain no records")
    return spans


def read(source: Mint1tSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the documents of a span, each followed by the pieces it lost; records and files that could not be
    read."""
    return files.each(root_of(source), span.files, partial(_file, source, span, cache))


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(parquet.SUFFIXES)


def _records(path: Path, cache: Path) -> int:
    """Number of records of a file; one for a Parquet file that is only a loss."""
    if not _is_parquet(path):
        return tar.index(path, cache).items
    footer = parquet.footer(path, cache)
    return footer.rows if footer.problem is None and set(_NEEDED) <= set(footer.columns) else 1


def _file(
    source: Mint1tSource, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    yield from (_rows if _is_parquet(path) else _samples)(source, span, cache, file, path)


def _rows(
    source: Mint1tSource, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    footer = parquet.footer(path, cache)
    if footer.problem is not None:
        yield Rejected(file, "", *footer.problem)
        return
    if missing := [name for name in _NEEDED if name not in footer.columns]:
        yield parquet.without_columns(file, missing, footer.columns)
        return
    wanted = [name for name in (*_NEEDED, "url") if name in footer.columns]
    for number, row in parquet.rows(path, span.start, span.stop, wanted):
        if isinstance(row, LostError):
            yield Rejected(file, f"row={number}", row.reason, row.detail)
        else:
            locator = f"row={number}"
            yield from with_losses(file, locator, partial(_document, source, file, locator, row, None))


def _samples(
    source: Mint1tSource, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    index = tar.index(path, cache)
    with path.open("rb") as stream:
        for sample in index.samples[span.start : span.stop]:
            locator = f"key={one_line(sample.key)}"
            text, tiff = _member(sample, ("json",)), _member(sample, _TIFF)
            try:
                if text is None:
                    raise LostError("no_json", f"no .json, only {listed(sample.members)[:100]}")
                stream.seek(text[0])
                data = stream.read(text[1]) if text[1] <= MAX_LINE else None
                record = parsed_line(Line(0, 0, locator, text[0], data))
            except LostError as lost:
                yield Rejected(file, locator, lost.reason, lost.detail)
                continue
            place = None if tiff is None else Ref(file=file, offset=tiff[0], length=tiff[1])
            yield from with_losses(file, locator, partial(_document, source, file, locator, record, place))
    samples = len(index.samples)
    for where, reason, sentence in index.losses[max(0, span.start - samples) : max(0, span.stop - samples)]:
        yield Rejected(file, where, reason, sentence)


def _member(sample: tar.Sample, endings: Sequence[str]) -> tuple[int, int] | None:
    """Return the place of the first member with one of the endings."""
    return next((at for name, at in sample.members.items() if name.rpartition(".")[2] in endings), None)


def _document(
    source: Mint1tSource,
    file: str,
    locator: str,
    record: Mapping[str, object],
    tiff: Ref | None,
    lost: list[LostError],
) -> Iterator[Document]:
    """Yield the record's document. Raises LostError when there is none; lost pieces are appended to
    `lost`."""
    images, texts = parallel(record.get("images"), record.get("texts"))
    frames = _frames(record.get("image_metadata"), images)
    segments: list[Segment] = []
    for place, (image, text) in enumerate(zip(images, texts, strict=True)):
        try:
            if image is not None and text is not None:
                raise LostError("both_given", "an image and a text, so their order is unknown")
            if image is not None:
                ref = _image(image, file, tiff, frames)
                segments.append(ImageRef(len(segments), ref, url=ref.url, license=source.license))
            elif isinstance(text, str):
                kept = filter(None, map(lines, text.split("\n\n")))
                segments += [Text(len(segments) + index, paragraph) for index, paragraph in enumerate(kept)]
            elif text is not None:
                raise LostError("not_text", f"the text is {shown(text)}")
        except LostError as piece:
            lost.append(LostError(piece.reason, f"place {place}: {piece.detail}"))
    yield document_of(segments, source, file, locator, record.get("url"))


def _frames(about: object, images: list[object]) -> dict[str, int]:
    """Return name -> number of the image in the TIFF."""
    if isinstance(about, list) and about:
        return {
            f"page_{entry.get('page')}_image_{entry.get('xref')}": number
            for number, entry in enumerate(about)
            if isinstance(entry, dict)
        }
    names = dict.fromkeys(name for name in images if isinstance(name, str) and web(name) is None)
    return {name: number for number, name in enumerate(names)}


def _image(image: object, file: str, tiff: Ref | None, frames: Mapping[str, int]) -> Ref:
    """Return the reference of an image: a URL, or an image of the TIFF. Raises LostError."""
    if not isinstance(image, str) or web(image) or not file.lower().endswith(tar.SUFFIXES):
        return image_ref(image, PurePosixPath(file).parent)
    if tiff is None:
        raise LostError("no_tiff", f"{shown(image)} is in no .tiff of the record")
    if image not in frames:
        raise LostError("bad_reference", f"image_metadata does not list {shown(image)}")
    return Ref(tiff.file, tiff.offset, tiff.length, member=f"frame={frames[image]}")
