"""List the columns that a mapping names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.tables.columns.config import (
    ConversationColumns,
    ImageColumn,
    InterleavedColumns,
    TextColumn,
)
from leafinstruct.ingest.tables.columns.placeholders import NUMBER, numbered


def columns_of(source: HubSource, known: Sequence[str] = (), top: Sequence[str] | None = None) -> list[str]:
    """Return the top-level columns that a source's mapping needs, each once. known: columns of the table,
    which names with {n} are matched against. top: its top-level columns, which may have dots in their names;
    default: known."""
    found = [
        column
        for name in names_of(source)
        for column in (numbered(name, known) if NUMBER in name else [name])
    ]
    return list(dict.fromkeys(head_of(name, known if top is None else top) for name in found))


def head_of(name: str, top: Sequence[str]) -> str:
    """Return the top-level column that a name begins with: the longest one, else the name up to its first
    dot."""
    steps = name.split(".")
    heads = (".".join(steps[:count]) for count in range(len(steps), 0, -1))
    return next((head for head in heads if head in top), steps[0])


def names_of(source: HubSource) -> list[str]:
    """Return the columns of a source's mapping as written in the recipe, with dots and {n}, each once."""
    inner = [name for entry in source.segments for name in _names(entry)]
    return list(
        dict.fromkeys([*inner, *(name for name in (source.url_column, source.license_column) if name)])
    )


def image_columns(source: HubSource) -> list[str]:
    """Return the image columns among them, as written in the recipe."""
    return list(dict.fromkeys(name for entry in source.segments for name in _image_names(entry)))


def patterns_of(source: HubSource) -> list[str]:
    """Return all declared placeholders, each once."""
    entries = (inner for entry in source.segments for inner in flat(entry))
    return list(
        dict.fromkeys(
            pattern
            for entry in entries
            if not isinstance(entry, ImageColumn)
            for pattern in entry.placeholders
        )
    )


def flat(
    entry: TextColumn | ImageColumn | InterleavedColumns | ConversationColumns,
) -> Sequence[TextColumn | ImageColumn | ConversationColumns]:
    """Return an entry, or the entries inside it, in reading order."""
    return entry.interleave if isinstance(entry, InterleavedColumns) else [entry]


def _names(entry: TextColumn | ImageColumn | InterleavedColumns | ConversationColumns) -> Iterator[str]:
    if isinstance(entry, TextColumn):
        yield entry.text
        for images in entry.placeholders.values():
            yield from _names(images)
    elif isinstance(entry, ImageColumn):
        yield from filter(None, (entry.image, entry.alt, entry.url, entry.license, entry.time))
    elif isinstance(entry, ConversationColumns):
        yield from filter(
            None, (entry.conversation, entry.images, entry.alt, entry.url, entry.license, entry.time)
        )
        for images in entry.placeholders.values():
            yield from _names(images)
    else:
        for inner in entry.interleave:
            yield from _names(inner)


def _image_names(entry: TextColumn | ImageColumn | InterleavedColumns | ConversationColumns) -> Iterator[str]:
    if isinstance(entry, ImageColumn):
        yield entry.image
    elif isinstance(entry, InterleavedColumns):
        for inner in entry.interleave:
            yield from _image_names(inner)
    else:
        if isinstance(entry, ConversationColumns) and entry.images:
            yield entry.images
        yield from (images.image for images in entry.placeholders.values())
