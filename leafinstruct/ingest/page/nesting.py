"""Detect pages whose tree would take more than about a second to build, from their tags, before parsing.

Building an HTML5 tree is quadratic in two ways, and a page of 100 kB can use either to take minutes and
gigabytes:

    depth     each tag may walk all open elements: 100 kB of `<div>`
    copies    a formatting element whose block was closed is opened again in the next one:
              `<p><b id=1><p><b id=2>...`

One pass tracks the open elements approximately as the HTML standard does, and counts too many where it is not
exact: an end tag counts only if its element is open and no border is between; `/>` only closes elements of
drawings and formulas; quoted attributes, comments and raw text contain no tags; a script ends as in the
standard, which `<!--<script>` in it delays. Cost: about 1 microsecond per tag, nothing for pages of few tags.
Rejected: parsing in a process of its own with a time limit, which costs more than the parsing and makes the
result depend on the machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.attributes import EFFORT, MANY, SPACE

_EFFORT = 100_000_000
"""Maximum of nesting depth times number of tags: about one second of tree building. Real pages have a
hundredth of it."""
_COPIES = 200_000
"""Maximum open formatting elements, summed over the tags after which they may be opened again; plus four per
tag, for pages that are only long."""
_NAMED = (
    rf"[{SPACE}/]*+[^{SPACE}/>][^{SPACE}/>=]*+"
    rf"""(?:[{SPACE}]*+=[{SPACE}]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{SPACE}>"'][^{SPACE}>]*+)?+)?+"""
)
"""An attribute."""
_SMALL = 100_000
"""Characters of a page of few tags that is not checked: all of them in one tag are 50,000 attributes and 3 s.
"""
_TAG = re.compile(
    rf"""<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*|</(?![a-zA-Z])[^>]*|<(?P<end>/?)(?P<name>[a-zA-Z][^{SPACE}/>]*)"""
    rf"""(?:{_NAMED})*+(?P<tail>[{SPACE}/]*+)(?:>|\Z)""",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(_NAMED)
"""Comments and declarations (no name), and tags with their attributes, whose values may contain any
character. Never reads a place twice."""
_UNNESTED = word_set(
    """area base br col embed hr img input link meta param source track wbr p li dt dd td tr th thead tbody
    tfoot option optgroup rp rt html head body"""
)
"""Void elements, and those whose end tag is optional: they do not nest."""
_FORMATTING = word_set("a b big code em font i nobr s small strike strong tt u")
_FORMAT = re.compile(rf"<(?:{'|'.join(sorted(_FORMATTING))})(?=[{SPACE}/>]|\Z)", re.IGNORECASE)
_BORDERS = word_set("table template select object applet marquee foreignobject svg math")
"""No end tag outside of them closes an element inside. Cells and captions, which are borders too, are inside
tables."""
_BLOCKS = _BORDERS | word_set(
    """address article aside blockquote button center details dir div dl fieldset figcaption figure footer
    form frameset h1 h2 h3 h4 h5 h6 header hgroup iframe listing main menu nav noembed noframes noscript
    ol plaintext pre script section style summary textarea title ul xmp"""
) - {"svg", "math"}
"""Elements that the end tag of an inline element does not close."""
_HTML = _BLOCKS | _UNNESTED | _FORMATTING | word_set("span sub sup var ruby")
"""Tags that end the drawing or formula around them."""
_INSIDE_OUT = word_set("foreignobject desc title annotation-xml mi mo mn ms mtext")
"""Elements of drawings and formulas that contain HTML."""
_TEXT = word_set("script style textarea title xmp iframe noembed noframes")
_RAW = {name: re.compile(rf"</{name}(?=[{SPACE}/>])", re.IGNORECASE) for name in _TEXT}
"""Elements that contain text and no tags -> where it ends."""
_SCRIPT = re.compile(rf"<!--|-->|</?script(?=[{SPACE}/>])", re.IGNORECASE)
_REACH = 64
"""Open elements among which an end tag is matched. A page that leaves more open counts as deeper than it is.
"""


def too_expensive(text: str) -> str:
    """Why building the tree of a page would take more than about a second: too_deep, too_wide; empty if it
    would not."""
    tags = text.count("<")
    if len(text) <= _SMALL and (tags * tags <= _COPIES or _is_cheap(text, tags)):
        return ""
    tree, place, compared = _Open(), 0, 0
    while match := _TAG.search(text, place):
        name = (match["name"] or "").lower()
        place = _after(text, match, name, tree.foreign)
        if match["end"]:
            tree.end(name)
            tree.copies += tree.again
        elif name:
            tree.start(name, match[0], closed=match["tail"].endswith("/"))
        if len(tree.elements) * tags > _EFFORT or tree.copies > _COPIES + 4 * tags:
            return "too_deep"
        if name and match.end() - match.start() > 2 * MANY:
            compared += sum(1 for _ in _ATTRIBUTE.finditer(text, match.end("name"), match.end())) ** 2
            if compared > EFFORT:
                return "too_wide"
    return ""


def _is_cheap(text: str, tags: int) -> bool:
    """Whether counts alone show that building a tree is cheap: nothing nests deeper than its tags are many,
    no more formatting elements are opened again at a tag than there are, and before each attribute is one of
    a few signs."""
    attributes = sum(map(text.count, " \t\n\f\r/\"'"))
    if tags * tags > _EFFORT or attributes * attributes > EFFORT:
        return False
    return len(_FORMAT.findall(text)) * tags <= _COPIES + 4 * tags


def tags(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name, in lower case, and the attributes of each start tag that is not inside a comment or raw
    text, as they are written. Drawings and formulas are read like HTML."""
    place = 0
    while match := _TAG.search(text, place):
        name = (match["name"] or "").lower()
        place = _after(text, match, name, foreign=False)
        if name and not match["end"]:
            yield name, text[match.end("name") : match.end()]


def _after(text: str, match: re.Match[str], name: str, foreign: bool) -> int:
    """Where the next tag is searched for: after a tag, and after the content of an element of raw text or a
    CDATA section."""
    if foreign and match[0].startswith("<![CDATA["):
        stop = text.find("]]>", match.start())
    elif name == "script" and not match["end"] and not foreign:
        stop = _end_of_script(text, match.end())
    elif name in _RAW and not match["end"] and not foreign:
        found = _RAW[name].search(text, match.end())
        stop = found.start() if found else -1
    else:
        return match.end()
    return stop if stop >= 0 else len(text)


def _end_of_script(text: str, start: int) -> int:
    """Offset of the </script> of a script, -1 if it has none. In `<!-- ... -->`, a <script> is closed by the
    next </script>."""
    escaped = doubly = False
    place = start
    while match := _SCRIPT.search(text, place):
        place = match.end()
        sign = match[0].lower()
        if sign == "<!--":
            escaped, place = True, match.start() + 2  # `<!-->` ends at once
        elif sign == "-->":
            escaped = doubly = False
        elif sign == "<script":
            doubly = escaped
        elif not doubly:
            return match.start()
        else:
            doubly = False
    return -1


@dataclass(slots=True)
class _Open:
    """The open elements, outermost first, each with whether it belongs to a drawing or formula.

    formatting: the open formatting elements, which stay open after their blocks: name -> start tags. alike:
    number of equal start tags, of which only three count, as in the standard. again: number of open
    formatting elements. copies: their sum over the tags.
    """

    elements: list[tuple[str, bool]] = field(default_factory=list)
    formatting: dict[str, list[str]] = field(default_factory=dict)
    alike: Counter[str] = field(default_factory=Counter)
    again: int = 0
    copies: int = 0

    @property
    def foreign(self) -> bool:
        return bool(self.elements) and self.elements[-1][1]

    def start(self, name: str, tag: str, closed: bool) -> None:
        """Open an element. closed: its tag ends with `/>`."""
        if name in _HTML and name not in _INSIDE_OUT:
            while self.foreign:
                self.elements.pop()
        foreign = name in ("svg", "math") or (self.foreign and name not in _INSIDE_OUT)
        # they never nest, so a second one closes the first
        if name in ("a", "nobr") and self.formatting.get(name):
            self.end(name)
        if name in _FORMATTING:
            self._format(name, tag)
        else:
            self.copies += self.again
        if name not in _UNNESTED and not (closed and foreign):
            self.elements.append((name, foreign))

    def end(self, name: str) -> None:
        """Close the innermost element of a name with everything inside it, a formatting one alone. Nothing
        happens if a border is before it."""
        borders = _BORDERS if name in _BLOCKS or name in _FORMATTING else _BLOCKS
        for back, (inner, _) in enumerate(islice(reversed(self.elements), _REACH), 1):
            if inner == name and name in _FORMATTING:
                del self.elements[-back]
                self._unformat(name)
            elif inner == name:
                del self.elements[-back:]
            if inner == name or inner in borders:
                return
        if len(self.elements) < _REACH:  # its block is closed, so only its formatting is still open
            self._unformat(name)

    def _format(self, name: str, tag: str) -> None:
        if self.alike[tag] < 3:
            self.alike[tag] += 1
            self.formatting.setdefault(name, []).append(tag)
            self.again += 1

    def _unformat(self, name: str) -> None:
        if self.formatting.get(name):
            self.alike[self.formatting[name].pop()] -= 1
            self.again -= 1
