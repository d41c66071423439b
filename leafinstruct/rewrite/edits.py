"""Find requests for a change of an image in the text between two images, for the task `edit`. Pure; English.

Now make the roof blue.                    an order: it is the request
After: the roof is blue now.               a result: the request is to show it
The next image shows the garden in May.    neither: no edit
"""

from __future__ import annotations

import re

from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.text.words import count_words
from leafinstruct.rewrite.steps import body_of

WORDS = 40
"""Maximum words of the passage; a longer one explains more than one change."""

_LEAD = re.compile(
    (
        r"^(?:\W|(?:now|then|next|after that|finally|please|(?:can|could|would|will) you(?: please)?|"
        r"step \d+|\d+[.)])\b[,:]?\s*)+"
    ),
    re.IGNORECASE,
)
_OBJECT = (
    r"(?:an?|the|this|that|these|those|its?|her|his|their|him|them|my|your|our|one|two|three|some|more|"
    r"another|all|every\w*|each|both)\b"
)
_CHANGE = re.compile(
    # verbs of image editing need no object
    r"(?:blur|brighten|crop|darken|enlarge|erase|flip|mirror|recolou?r|repaint|replace|resize|rotate|"
    r"sharpen|shrink|swap)\b(?!-)"
    rf"|(?:add|colou?r|delete|draw|fill|move|paint|place|put|remove)\s+(?:in\s+)?{_OBJECT}|take "
    r".{1,40}? (?:away|off|out)\b"
    r"|(?:add|draw|paint|remove)\s+(?!to\b|up\b|on\b)\w+(?:\s+\w+){0,2}?(?=\s*[.!]?$|\s+(?:to|on|in|"
    r"at|from|behind|above|below|beside|around)\b)"
    rf"|(?:change|convert|make|turn)\s+{_OBJECT}|give\s+(?!it a (?:try|go|shot)\b){_OBJECT}",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:your (?:own|account|order|e?-?mail|name|data|password)|(?:the|this|our) (?:form|page|cart|"
    r"queue|newsletter|link)|the (?:way|most|best)\b"
    r"|a (?:comment|reservation|donation|difference|note|decision|conclusion)|(?:it|them) a (?:try|"
    r"go|shot))\b",
    re.IGNORECASE,
)
"""Objects of orders that are not about an image: "Fill in the form", "Make the most of it"."""
_RESULT = re.compile(r"^(?:after(?:wards)?|result|after the change)\s*:\s*", re.IGNORECASE)


def passage_of(document: Document) -> str | None:
    """The passage between the two images of a document, if it asks for a change or describes its result; else
    None."""
    passage = _between(document)
    if passage is None or (_order_in(passage) is None and _result_in(passage) is None):
        return None
    return passage


def request_of(document: Document, result: str | None) -> str | None:
    """The request for a change between the two images of a document, as a sentence; None if there is none.

    result: template of the request for a passage that describes the `{result}`; None: such a passage is no
    request.
    """
    passage = _between(document)
    if passage is None:
        return None
    if (shown := _result_in(passage)) is not None:
        return None if result is None else result.format(result=shown)
    order = _order_in(passage)
    return (
        None
        if order is None
        else order[:1].upper() + (f"{order[1:-1]}." if order.endswith("?") else order[1:])
    )


def _between(document: Document) -> str | None:
    """The short paragraph between the only two images."""
    body = body_of(document)
    images = [at for at, segment in enumerate(body) if isinstance(segment, ImageRef)]
    if len(images) != 2 or images[1] != images[0] + 2:
        return None
    passage = body[images[0] + 1]
    if (
        not isinstance(passage, Text)
        or passage.kind != "prose"
        or "\n" in passage.text
        or count_words([passage.text]) > WORDS
    ):
        return None
    return passage.text.strip()


def _result_in(passage: str) -> str | None:
    found = _RESULT.match(passage)
    return None if found is None else passage[found.end() :] or None


def _order_in(passage: str) -> str | None:
    order = _LEAD.sub("", passage)
    return None if _CHANGE.match(order) is None or _OTHER.search(order) is not None else order
