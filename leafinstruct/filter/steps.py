"""What leaves a document together with an image that failed a rule. Pure.

    drop: image   the image and the captions that directly follow it
    drop: step    these, the text that owns the image, and a heading that then heads nothing

A position is never renumbered, and no text is rewritten but for one case: the owner is a list of several
items. Then only the item next to the image goes (the last one before it, or the first one after it), with the
lines that continue it, and the markers of the other items keep their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.records.text import owners

_ITEM = re.compile(r"(\s*)(?:[-*•‣◦]|\d{1,3}[.)])\s")


def without_image(document: Document, image: Image) -> Document:
    """The document without an image and the captions that directly follow it."""
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
    document: Document, image: Image, figures: Mapping[int, int] | None = None
) -> tuple[Document, str]:
    """The document without an image, its captions and the text that owns it, and a sentence about that text.

    figures: position of an image whose owner is its caption -> position of the text of its step, which then
    goes too (owners.steps_of_figures; by default those of `document`).

    The owner stays where another image of the document has the same owner, and where it is a heading that
    still heads something. Where it is unknown, only the image and its captions go. A heading before a removed
    segment goes too when the next segment is a heading or there is none; a heading that headed a heading
    before (a title above sections) stays, unless the document ends there.
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
    said = []
    if (
        owner is not None
        and owner.kind == "list"
        and (shorter := without_item(owner, last=owner.position < image.position))
    ):
        rest = replace(
            rest, segments=tuple(shorter if segment is owner else segment for segment in rest.segments)
        )
        said.append(
            f"the {'last' if owner.position < image.position else 'first'} item of its list "
            f"[{owner.position}]"
        )
    elif owner is not None and owner.kind != "heading":
        rest = replace(rest, segments=tuple(segment for segment in rest.segments if segment is not owner))
    rest = _without_idle_headings(document, rest)
    left = {segment.position for segment in rest.segments}
    gone = [
        segment
        for segment in document.segments
        if segment.position not in left and segment.position != image.position
    ]
    said += [
        f"its {_NAMES.get(text.kind, 'text')} [{text.position}]" for text in gone if isinstance(text, Text)
    ]
    if not said:
        return rest, "no text was dropped with it"
    return rest, (
        f"{', '.join(said[:-1])}{' and ' if said[1:] else ''}{said[-1]} {'were' if said[1:] else 'was'} "
        "dropped with it"
    )


_NAMES = {"heading": "heading", "caption": "caption"}


def without_item(owner: Text, last: bool) -> Text | None:
    """The list without its last or its first item; None where it has one item only.

    An item is a line that starts with a marker, and the lines without one that follow it; lines before the
    first marker continue an item that an image split, and count as one. The first item also takes the deeper
    items under it.
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


def _without_idle_headings(before: Document, after: Document) -> Document:
    """`after` without the headings that headed something in `before` and now head nothing."""
    follows = {
        one.position: _is_heading(two) for one, two in zip(before.segments, before.segments[1:], strict=False)
    }  # whether a heading follows
    kept: list[Segment] = []
    # from the end, so that a heading above a removed heading is seen too
    for segment in reversed(after.segments):
        if _is_heading(segment) and segment.position in follows:
            first = segment.position == after.segments[0].position
            if not kept or (not first and _is_heading(kept[-1]) and not follows[segment.position]):
                continue
        kept.append(segment)
    return replace(after, segments=tuple(reversed(kept)))


def _is_heading(segment: Segment) -> bool:
    return isinstance(segment, Text) and segment.kind == "heading"
