"""Whether the text between two images asks for a change of the first: what makes an edit. Pure; English.

Now make the roof blue.                      an order: it is the request
After: the roof is blue now.                 a result: the request is to show it
The next picture shows the garden in May.    neither: no edit
"""

from __future__ import annotations

import re

from leafinstruct.records.document import Document, Image, Text
from leafinstruct.rewrite.steps import body_of

WORDS = 40
"""A longer passage explains something else than one change."""

_LEAD = re.compile(r"^(?:\W|(?:now|then|next|after that|finally|please|step \d+|\d+[.)])\b[,:]?\s*)+", re.IGNORECASE)
_CHANGE = re.compile(
    r"(?:add|blur|brighten|change|color|colour|convert|crop|darken|delete|draw|enlarge|erase|fill|flip|give|make|mirror|move|paint|place|put|recolor"
    r"|recolour|remove|repaint|replace|resize|rotate|sharpen|shrink|swap|take .{1,40}? (?:away|off|out)|turn)\b",
    re.IGNORECASE,
)
_RESULT = re.compile(r"^(?:after(?:wards)?|result|after the change)\s*:\s*", re.IGNORECASE)


def request_of(document: Document) -> str | None:
    """The request for a change that stands between the two images of a document, as a sentence; None where there is none."""
    body = body_of(document)
    images = [at for at, segment in enumerate(body) if isinstance(segment, Image)]
    if len(images) != 2 or images[1] != images[0] + 2:
        return None
    passage = body[images[0] + 1]
    if not isinstance(passage, Text) or passage.kind != "prose" or "\n" in passage.text or len(passage.text.split()) > WORDS:
        return None
    text = passage.text.strip()
    if (result := _RESULT.match(text)) is not None and text[result.end() :]:
        return f"Change the picture so that this is true: {text[result.end() :]}"
    order = _LEAD.sub("", text)
    return order[:1].upper() + order[1:] if _CHANGE.match(order) else None
