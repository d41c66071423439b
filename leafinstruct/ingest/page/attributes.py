"""Whether the tags of a page hold so many attributes that parsing them would take seconds, judged before the
page is parsed.

The parser compares each attribute of a tag with those before it, so the cost is the sum of the squares:
40,000 attributes of one tag take 2 s, 500,000 do not end. The attributes of all <html> tags are those of one
element, and so are those of all <body> tags.

Every sign `<` counts as the beginning of a tag, also in scripts and comments: which of them are tags depends
on states of the parser that a hostile page can confuse. Values without quotes that hold `<` and a quote can
hide attributes from this view, and not from that of nesting, which follows the states. Cost: linear, since a
place is looked at from at most MANY signs before it; 0.2 microseconds a tag.
"""

from __future__ import annotations

import re

MANY = 64
"""Attributes of a tag from which on they are counted; the widest tag of the real pages in the tests has 5."""
EFFORT = 400_000_000
"""Comparisons: one tag of 20,000 attributes, about 0.5 s of parsing."""
_SPACE = r" \t\n\f\r"
_PIECE = (
    rf"[{_SPACE}/]*+[^{_SPACE}/>][^{_SPACE}/>=<]*+"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{_SPACE}>"'<][^{_SPACE}><]*+)?+)?+"""
)
"""An attribute, or a part of one that begins with `<`."""
_ATTRIBUTE = re.compile(_PIECE)
_WIDE = re.compile(rf"<(?:[^{_SPACE}/><]*+|[^{_SPACE}><]*+)(?:{_PIECE}){{{MANY}}}+")
_ROOT = re.compile(rf"<(?:html|body)(?=[{_SPACE}/])((?:{_PIECE}){{0,{MANY}}}+)", re.IGNORECASE)


def too_wide(text: str) -> str:
    """What makes a page too wide to be parsed, in words; empty for other pages."""
    effort = 0
    for found in _WIDE.finditer(text):
        count, place = MANY, found.end()
        while count * count <= EFFORT and (piece := _ATTRIBUTE.match(text, place)) is not None:
            count, place = count + 1, piece.end()
        effort += count * count
        if effort > EFFORT:
            return (
                f"tags of up to {count:,} attributes and more"
                if count * count > EFFORT
                else f"many tags of up to {count:,} attributes"
            )
    together = 0
    for found in _ROOT.finditer(text):
        together += sum(1 for _ in _ATTRIBUTE.finditer(found[1]))
        if together * together > EFFORT:
            return f"<html> and <body> tags of {together:,} attributes and more"
    return ""
