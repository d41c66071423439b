"""Compute the scores of installed packages as they declare them (score.Score.compute), and cache them.

A function gets the document with edited texts (filter/texts) and what is known of its images (size, format,
sha256), not as rules left it: a value depends on no rule, and moving one computes nothing again. It must be
pure. A score of images gets each image that is kept so far, RGB, at most DECODE_PX on the longer side. A row
of extensions- is valid as long as the texts of its document, its image, and name, version and package of its
score are the same, so a second score does not compute the first one again. Cost: that of the function, and 3
ms to decode an image of 1 megapixel.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from leafinstruct.errors import LeafInstructError
from leafinstruct.filter import materialize
from leafinstruct.filter.score import Score
from leafinstruct.filter.scores.cell import cell
from leafinstruct.filter.texts.editing import digest_of
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import CellRow
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.files import writing

CODE = 3
"""Increased when functions get other documents or images than before."""

DECODE_PX = 1024
"""Longer side at which images are decoded."""

MAX_REASON = 300
"""Maximum characters of what a function raised."""


def key_of(scores: Sequence[Score], max_pixels: int, inputs: Artifact, part: Part) -> str:
    """What determines the rows of extensions-: a digest for the documents, and one for the scores."""
    read = [CODE, inputs.file_digest("documents", part.name), max_pixels, version("pillow")]
    return f"{digest(read)} {digest(sorted(map(_of, scores)))}"


def extend(
    scores: Sequence[Score],
    max_pixels: int,
    inputs: Artifact,
    out: Artifact,
    part: Part,
    pairs: Sequence[tuple[Document, Sequence[ImageRef]]],
    counts: Counter[str],
) -> None:
    """Write extensions- of a part. pairs: the documents that remain, each with its images that remain.

    Valid rows are kept, also of scores that the recipe does not name now; the others are computed, which is
    counted in `extended`. Raises LeafInstructError if a function fails.
    """
    path, key = out.file("extensions", part.name), key_of(scores, max_pixels, inputs, part)
    identities = {score.name: _of(score) for score in scores}
    shown = {
        (document.id, None if image is None else image.position): _seen(document, image)
        for document, images in pairs
        for image in (None, *images)
    }
    rows = current(path, key, shown, identities)
    known = {(row.document_id, row.position, row.name) for row in rows}
    wanted: dict[str, list[tuple[Score, Document, ImageRef]]] = {}
    before = len(rows)
    for document, images in pairs:
        for score in scores:
            if score.level == "document" and (document.id, None, score.name) not in known:
                rows.append(_row(score, document, None, document))
            for image in images if score.level == "image" else ():
                if (document.id, image.position, score.name) not in known:
                    wanted.setdefault(image.sha256 or "", []).append((score, document, image))
    order: dict[str, None] = {}
    stored = out.file("images", part.name)
    for pixels in materialize.decoded(stored, set(wanted), order, DECODE_PX, max_pixels):
        for score, document, image in wanted[next(reversed(order))]:
            rows.append(_row(score, document, image, document, pixels))
    counts["extended"] += len(rows) - before
    with writing(path) as temporary:
        table.write(temporary, rows, table.EXTENSIONS, key)


def extensions_of(path: Path, scores: Sequence[Score]) -> dict[str, list[Cell]]:
    """document id -> its cells of these scores, those of images first."""
    return cells_of(path, {score.name: _of(score) for score in scores})


def current(
    path: Path, key: str, shown: Mapping[tuple[str, int | None], str], identities: Mapping[str, str]
) -> list[CellRow]:
    """The rows of a table that are valid, also those of documents and scores that are not wanted now. Failed
    ones are computed again.

    key: of the table now. shown: (document id, position) -> CellRow.seen. identities: score -> CellRow.of.
    """
    return [
        row
        for row in (table.records(path, CellRow) if materialize.is_read(path, key) else ())
        if row.state != "failed"
        and shown.get((row.document_id, row.position), row.seen) == row.seen
        and identities.get(row.name, row.of) == row.of
    ]


def cells_of(path: Path, identities: Mapping[str, str]) -> dict[str, list[Cell]]:
    """document id -> its cells of these scores, in the order of the table. identities: see `current`."""
    found: dict[str, list[Cell]] = {}
    for row in table.records(path, CellRow):
        if identities.get(row.name) == row.of:
            found.setdefault(row.document_id, []).append(row.cell)
    return found


def _of(score: Score) -> str:
    return digest([score.name, score.version, score.package])


def _seen(document: Document, image: ImageRef | None) -> str:
    """Digest of what a function gets: the texts, and one image or all of them."""
    shown = document.images if image is None else (image,)
    return digest([digest_of(document), *(image.sha256 for image in shown)])


def _row(score: Score, document: Document, image: ImageRef | None, *inputs: object) -> CellRow:
    assert score.compute is not None, "catalog.declared checks it"
    position = None if image is None else image.position
    try:
        value = score.compute(*inputs)
        value = math.nan if value is None or not math.isfinite(value) else float(value)
        found = cell(score.name, value, position, score.package)
    except LeafInstructError:  # about the recipe, not about this record
        raise
    except Exception as error:  # a function of another package may raise whatever it likes
        reason = " ".join(f"{score.package}: {type(error).__name__}: {error}".split())
        found = Cell(score.name, None, "failed", position, score.package, reason[:MAX_REASON])
    return CellRow.of_cell(document.id, _seen(document, image), _of(score), found)
