"""Detect pages whose tags have so many attributes that parsing them would take seconds, before parsing.

The parser compares each attribute of a tag with those before it, so the cost is the sum of the squares:
40,000 attributes of one tag take 2 s, 500,000 do not end. The attributes of all <html> tags are those of one
element, and so are those of all <body> tags.

Every `<` counts as the beginning of a tag, also in scripts and comments, because a hostile page can confuse
the parser's states that decide which of them are tags. Unquoted values that contain `<` and a quote can hide
attributes from this check, but not from that of nesting, which follows the states. Cost: linear, since a
place is read from at most MANY signs before it; 0.2 microseconds per tag, nothing for pages
that are too short to have so many attributes.
"""

from __future__ import annotations

import re

MANY = 64
"""Attributes of a tag from which they are counted; the widest tag of the real pages in the tests has 5."""
EFFORT = 400_000_000
"""Maximum comparisons: one tag of 20,000 attributes, about 0.5 s of parsing."""
SPACE = r" \t\n\f\r"
"""White space of HTML. A no-break space is part of a name; a pattern that reads it as a space would miss
tags."""
_PIECE = (
    rf"[{SPACE}/]*+[^{SPACE}/>][^{SPACE}/>=<]*+"
    rf"""(?:[{SPACE}]*+=[{SPACE}]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{SPACE}>"'<][^{SPACE}><]*+)?+)?+"""
)
"""An attribute, or a part of one that begins with `<`."""
_ATTRIBUTE = re.compile(_PIECE)
_ORDINARY = r"""/?+[a-z0-9]{1,20}+(?: [a-z-]{1,20}+="[^">]*+"){0,20}+>"""
"""The rest of a tag as most are written, with few attributes: it is recognized in half of the time."""
_WIDE = re.compile(rf"<(?!{_ORDINARY})(?:[^{SPACE}/><]*+|[^{SPACE}><]*+)(?:{_PIECE}){{{MANY}}}+")
_ROOT = re.compile(rf"<(?:html|body)(?=[{SPACE}/])((?:{_PIECE}){{0,{MANY}}}+)", re.IGNORECASE)


def too_wide(text: str) -> str:
    """Describe what makes a page too wide to be parsed; empty for other pages."""
    if len(text) * len(text) <= 4 * EFFORT:  # an attribute has two characters at least
        return ""
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
