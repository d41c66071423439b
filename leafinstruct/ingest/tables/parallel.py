"""Two parallel lists of a record: each index holds an image or a text, and their order is the page's."""

from __future__ import annotations

from collections.abc import Sequence

from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.config import Mint1tSource, ObelicsSource
from leafinstruct.ingest.fields.reference import LostError, shown
from leafinstruct.ingest.fields.title import of_prose
from leafinstruct.ingest.fields.url import web
from leafinstruct.records.document import Document, Provenance, Segment, document_id


def parallel(images: object, texts: object) -> tuple[list[object], list[object]]:
    """Return both, checked as they are, before anything is built from them. Raises LostError: no_lists,
    unequal_lists, too_many_pieces, too_long."""
    if not isinstance(images, list) or not isinstance(texts, list):
        raise LostError("no_lists", f"images is {shown(images)}, texts is {shown(texts)}")
    if len(images) != len(texts):
        raise LostError(
            "unequal_lists", f"{len(images)} images and {len(texts)} texts, so their order is unknown"
        )
    if problem := excess(
        len(texts),
        sum(item is not None for item in images),
        sum(len(item) for item in texts if isinstance(item, str)),
    ):
        raise LostError(*problem)
    return images, texts


def document_of(
    segments: Sequence[Segment], source: Mint1tSource | ObelicsSource, file: str, locator: str, url: object
) -> Document:
    """Return the document of a record's segments. url: the page's, as the record states it. Raises LostError:
    empty, too_many_pieces."""
    if not segments:
        raise LostError("empty", "no text and no image")
    if problem := excess(len(segments), 0, 0):
        raise LostError(*problem)
    identity, provenance = document_id(source.name, file, locator), Provenance(file, locator)
    page, title = web(url), of_prose(segments)
    return Document(
        identity, source.name, tuple(segments), provenance, page, source.license, title, page_url=page
    )
