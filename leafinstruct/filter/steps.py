"""Remove an image that failed a rule from its document, with the texts that belong to it. Pure.

    drop: image   the image and the captions that directly follow it
    drop: step    also the text that owns the image, and a heading under which nothing is left

Positions are never renumbered. A text is changed in one case only: the owner is a list of several items. Then
only the item next to the image is removed (the last one before it, or the first one after it), with the lines
that continue it. The markers of the other items keep their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.text import owners
from leafinstruct.records.text.places import is_heading

_ITEM = re.compile(r"(\s*)(?:[-*•‣◦]|\d{1,3}[.)])\s")


def without_image(document: Document, image: ImageRef) -> Document:
    """Return the document without an image and the captions that directly follow it."""
    kept: list[Segment] = []
    in_captions = False
    for segment in document.segments:
        if segment.position == image.position:
            in_captions = True
        elif in_captions and isinstance(segment, Text) and segment.kind == "caption":
            continue
        else:
            in_captions = False
            kept.append(segment)
    return replace(document, segments=tuple(kept))


def without_step(
    document: Document, image: ImageRef, figures: Mapping[int, int] | None = None
) -> tuple[Document, str]:
    """Return the document without an image, its captions and the text that owns it, and a sentence about that
    text.

    figures: position of an image whose owner is its caption -> position of the text of its step, which is
    then removed too (owners.steps_of_figures; by default those of `document`).

    The owner is kept if another image has the same owner, or if it is a heading with content under it. If it
    is unknown, only the image and its captions are removed. A heading before a removed segment is removed too
    if the next segment is a heading or there is none. A heading that already preceded a heading (a title
    above sections) is kept, unless the document ends there.
    """
    rest = without_image(document, image)
    if image.owner is None:
        return rest, "the owner of the image is unknown, so no text was dropped with it"
    figures = owners.steps_of_figures(document) if figures is None else figures
    wanted = figures.get(image.position, image.owner)
    owner = next(
        (segment for segment in rest.segments if isinstance(segment, Text) and segment.position == wanted),
        None,
    )
    sharing = [other.position for other in rest.images if figures.get(other.position, other.owner) == wanted]
    if owner is not None and sharing:
        return rest, f"its text [{owner.position}] stays, because image [{sharing[0]}] belongs to it too"
    removed = []
    if (
        owner is not None
        and owner.kind == "list"
        and (shorter := without_item(owner, last=owner.position < image.position))
    ):
        rest = replace(
            rest, segments=tuple(shorter if segment is owner else segment for segment in rest.segments)
        )
        removed.append(
            f"the {'last' if owner.position < image.position else 'first'} item of its list "
            f"[{owner.position}]"
        )
    elif owner is not None and owner.kind != "heading":
        rest = replace(rest, segments=tuple(segment for segment in rest.segments if segment is not owner))
    rest = without_idle_headings(document, rest)
    left = {segment.position for segment in rest.segments}
    gone = [
        segment
        for segment in document.segments
        if segment.position not in left and segment.position != image.position
    ]
    removed += [
        f"its {text.kind if text.kind in ('heading', 'caption') else 'text'} [{text.position}]"
        for text in gone
        if isinstance(text, Text)
    ]
    if not removed:
        return rest, "no text was dropped with it"
    *most, last = removed
    listed = f"{', '.join(most)} and {last} were" if most else f"{last} was"
    return rest, f"{listed} dropped with it"


def without_item(owner: Text, last: bool) -> Text | None:
    """Return the list without its last or its first item, or None if it has only one item.

    An item is a line that starts with a marker and the lines without a marker that follow it. Lines before
    the first marker continue an item that an image split, and count as one item. The first item is removed
    together with the deeper items under it.
    """
    lines = owner.text.split("\n")
    indents = [len(found[1]) if (found := _ITEM.match(line)) else None for line in lines]
    starts = [at for at, indent in enumerate(indents) if at == 0 or indent is not None]
    if len(starts) < 2:
        return None
    if last:
        return replace(owner, text="\n".join(lines[: starts[-1]]))
    depth = indents[0] if indents[0] is not None else 99
    end = next((at for at in starts[1:] if (indents[at] or 0) <= depth), None)
    return None if end is None else replace(owner, text="\n".join(lines[end:]))


def without_idle_headings(before: Document, after: Document) -> Document:
    """Remove headings from `after` that had content under them in `before` and no longer have any."""
    follows = {
        one.position: is_heading(two) for one, two in zip(before.segments, before.segments[1:], strict=False)
    }  # whether a heading follows
    kept: list[Segment] = []
    # from the end, so that a heading above a removed heading is checked too
    for segment in reversed(after.segments):
        if is_heading(segment) and segment.position in follows:
            first = segment.position == after.segments[0].position
            if not kept or (not first and is_heading(kept[-1]) and not follows[segment.position]):
                continue
        kept.append(segment)
    return replace(after, segments=tuple(reversed(kept)))
