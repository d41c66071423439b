"""Change the texts of a document: mask, or remove, what detectors found. Pure.

All that changes texts is an Edit: a place in a text as ingest wrote it, a reason, and what is written
instead. Places refer to the original, so the order of detectors has no effect, and no detector sees what
another one changed. Positions of segments are never renumbered. A segment of which only white space and list
markers are left is removed; so is a heading under which nothing is left. A title of which nothing is left is
no title. An image whose owner was removed has no owner.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from leafinstruct.filter.steps import without_idle_headings
from leafinstruct.filter.texts import invisible
from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.edits import Edit
from leafinstruct.records.text.invisible import spelled

_BARE = re.compile(r"[\s\-*•‣◦]*(?:\d{1,3}[.)])?\s*")
"""A line without content: white space, or a list marker."""
QUOTED = 120
"""Characters of a removed text that are shown."""


def edited(document: Document, edits: Iterable[Edit]) -> tuple[Document, tuple[Edit, ...]]:
    """Return the document with all edits, and the edits in the order of the document, with those of removed
    headings."""
    by_place: dict[tuple[int | None, str], list[Edit]] = {}
    for edit in edits:
        by_place.setdefault((edit.position, edit.field), []).append(edit)
    if not by_place:
        return document, ()
    segments: list[Segment] = []
    for segment in document.segments:
        own = by_place.get((segment.position, "alt" if isinstance(segment, ImageRef) else "text"))
        if own is None:
            segments.append(segment)
        elif isinstance(segment, ImageRef):
            segments.append(replace(segment, alt=changed(segment.alt, own)))
        elif _BARE.fullmatch(text := changed(segment.text, own)) is None:
            segments.append(replace(segment, text=text))
    titled = by_place.get((None, "title"))
    title = document.title if titled is None else changed(document.title or "", titled).strip() or None
    after = without_idle_headings(document, replace(document, segments=tuple(segments), title=title))
    gone = {text.position for text in document.texts} - {text.position for text in after.texts}
    images = (image.position for image in after.images if image.owner in gone)
    ownerless = frozenset(images)
    after = replace(
        after,
        segments=tuple(
            replace(segment, owner=None, owner_found="unknown")
            if isinstance(segment, ImageRef) and segment.position in ownerless
            else segment
            for segment in after.segments
        ),
    )
    made = [edit for own in by_place.values() for edit in own]
    headings = [_of_heading(text, made) for text in document.texts if _is_idle(text, gone, by_place)]
    order = {"title": 0, "text": 1, "alt": 1}
    made = sorted(
        [*made, *headings],
        key=lambda edit: (order[edit.field], edit.position or 0, edit.start, edit.end, edit.reason),
    )
    return after, tuple(made)


def changed(text: str, edits: Sequence[Edit]) -> str:
    """Return a text with its edits. A character in two edits is in the first one only, so that nothing that
    one of them covers is left. Of two edits of the same characters, a removal is the first."""
    pieces: list[str] = []
    end = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end, edit.replacement)):
        start, stop = max(edit.start, end), max(edit.end, end)
        if start == stop:
            continue
        if not edit.replacement and edit.reason not in invisible.REASONS:
            start, stop = _widened(text, start, stop, end)
        pieces += [text[end:start], edit.replacement]
        end = stop
    return "".join([*pieces, text[end:]])


def line_of(edit: Edit, document: Document) -> str:
    """An edit as one line for people: where, what, why. A removed text is quoted, a masked one is not.
    document: as ingest wrote it."""
    place = edit.field if edit.position is None else f"[{edit.position}]"
    if edit.field == "alt":
        place = f"alternative text of {place}"
    if edit.replacement:
        return f"{edit.reason}: {place}, replaced by {edit.replacement}"
    own = _own(edit, document)[edit.start : edit.end]
    if edit.reason in invisible.REASONS:
        count = "1 character" if len(own) == 1 else f"{len(own):,} characters"
        read = f", which spell {spelled(own)[:QUOTED]!r}" if edit.reason == invisible.SPELLED else ""
        return f"{edit.reason}: {place}, removed {count} that nobody sees ({_code_points(own)}){read}"
    quoted = " ".join(own.split())
    shown = quoted if len(quoted) <= QUOTED else f"{quoted[:QUOTED]} …"
    return f"{edit.reason}: {place}, removed {shown!r}" + (f" ({edit.detail})" if edit.detail else "")


def _own(edit: Edit, document: Document) -> str:
    """The text that an edit changes."""
    if edit.field == "title":
        return document.title or ""
    own = next((one for one in document.segments if one.position == edit.position), None)
    return "" if own is None else own.alt if isinstance(own, ImageRef) else own.text


def _code_points(text: str) -> str:
    """The kinds of characters of a text, the first ones by name."""
    kinds = [f"U+{ord(sign):04X}" for sign in dict.fromkeys(text)]
    return ", ".join(kinds[:3]) + (f" and {len(kinds) - 3} others" if len(kinds) > 3 else "")


def _widened(text: str, start: int, end: int, least: int) -> tuple[int, int]:
    """Extend a removal over the white space that belongs to it: a whole line with its marker and its line
    break, or the space after a sentence."""
    line = max(text.rfind("\n", least, start) + 1, least)
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    if _BARE.fullmatch(text, line, start) and not text[end:stop].strip():
        if stop < len(text):
            return line, stop + 1
        return (line - 1 if line > least and text[line - 1] == "\n" else line), stop
    while end < stop and text[end].isspace():
        end += 1
    while end == stop and start > line and text[start - 1].isspace():
        start -= 1
    return start, end


def _is_idle(text: Text, gone: set[int], by_place: dict[tuple[int | None, str], list[Edit]]) -> bool:
    return text.position in gone and (text.position, "text") not in by_place


def _of_heading(text: Text, made: Sequence[Edit]) -> Edit:
    """The edit of a heading under which nothing is left: it has the reason of the next removed text."""
    after = [edit for edit in made if edit.position is not None and edit.position > text.position]
    cause = min(after, key=lambda edit: edit.position or 0, default=made[0])
    return Edit(
        cause.reason, "text", text.position, 0, len(text.text), detail="a heading under which nothing is left"
    )


def digest_of(document: Document) -> str:
    """Digest of a document's texts and their positions: what its rows of table.EMBEDDINGS depend on."""
    texts = "\0".join(f"{text.position} {text.text}" for text in document.texts)
    return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:24]
