"""Whether a page's tree can be built in about a second, judged from its tags before it is built.

Building an HTML5 tree is quadratic in two ways, and a page of 100 kB can use either to take minutes and
gigabytes:

    depth     each tag may walk all open elements: 100 kB of `<div>`
    copies    a formatting element that its block closed over is opened again in the next one: `<p><b id=1><p><b id=2>...`

So one pass keeps the open elements as the HTML standard would, roughly, and where it is rough it counts too
many: an end tag counts only if its element is open and no border lies between, `/>` closes nothing outside of
drawings and formulas, quoted attributes, comments and raw text hold no tags; a script ends where the standard
has it end, which `<!--<script>` in it puts off. Cost: about 1 microsecond a tag, pages of few tags nothing.
Refused: parsing in a process of its own with a time limit, which costs more than the parsing and makes the
verdict depend on the machine.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.attributes import EFFORT, MANY

_EFFORT = 100_000_000
"""Nesting depth times number of tags: about one second of tree building. Real pages stay a hundred times
below."""
_COPIES = 200_000
"""Open formatting elements, summed over the tags after which they may be opened again; and four more a tag,
as a long page may have that is only long."""
_SPACE = r" \t\n\f\r"
"""White space of HTML. A no-break space is part of a name; a page could hide tags from a pattern that takes
it for a space."""
_NAMED = (
    rf"[{_SPACE}/]*+[^{_SPACE}/>][^{_SPACE}/>=]*+"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{_SPACE}>"'][^{_SPACE}>]*+)?+)?+"""
)
"""An attribute."""
_SMALL = 100_000
"""Characters of a page of few tags that is not looked at: all of them in one tag are 50,000 attributes and 3
s."""
_TAG = re.compile(
    rf"""<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*|</(?![a-zA-Z])[^>]*|<(?P<end>/?)(?P<name>[a-zA-Z][^{_SPACE}/>]*)"""
    rf"""(?:{_NAMED})*+(?P<tail>[{_SPACE}/]*+)(?:>|\Z)""",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(_NAMED)
"""Comments and declarations (no name), and tags with their attributes, whose values may hold any sign. Never
scans a place twice."""
_UNNESTED = word_set(
    """area base br col embed hr img input link meta param source track wbr p li dt dd td tr th thead tbody tfoot option optgroup rp rt
    html head body"""
)
"""Void elements, and those whose end tag may be left out: they do not nest by themselves."""
_FORMATTING = word_set("a b big code em font i nobr s small strike strong tt u")
_BORDERS = word_set("table template select object applet marquee foreignobject svg math")
"""No end tag outside of them closes what is inside; cells and captions, which are others, stand in a
table."""
_BLOCKS = _BORDERS | word_set(
    """address article aside blockquote button center details dir div dl fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6
    header hgroup iframe listing main menu nav noembed noframes noscript ol plaintext pre script section style summary textarea title
    ul xmp"""
) - {"svg", "math"}
"""What the end tag of an inline element does not reach through."""
_HTML = _BLOCKS | _UNNESTED | _FORMATTING | word_set("span sub sup var ruby")
"""What ends a drawing or formula that it stands in."""
_INSIDE_OUT = word_set("foreignobject desc title annotation-xml mi mo mn ms mtext")
"""Elements of drawings and formulas that hold HTML again."""
_TEXT = word_set("script style textarea title xmp iframe noembed noframes")
_RAW = {name: re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE) for name in _TEXT}
"""Elements that hold text and no tags -> where it ends."""
_SCRIPT = re.compile(rf"<!--|-->|</?script(?=[{_SPACE}/>])", re.IGNORECASE)
_REACH = 64
"""Open elements among which an end tag looks for its own; a page that leaves more open is counted as deeper
than it is."""


def too_dear(text: str) -> str:
    """Why building the tree of a page would take more than about a second: too_deep, too_wide; empty where it
    would not."""
    tags = text.count("<")
    if tags * tags <= _COPIES and len(text) <= _SMALL:
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


def _after(text: str, match: re.Match[str], name: str, foreign: bool) -> int:
    """Where the next tag is looked for: behind a tag, and behind the text that an element of raw text or a
    CDATA section holds."""
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
    """Where the </script> of a script stands; -1 when it has none. In `<!-- ... -->` a <script> takes the
    next </script> for itself."""
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
    """The open elements, outermost first, each with whether it is one of a drawing or formula; and the open
    formatting elements, which outlive their blocks: name -> start tags, of which no more than three are
    alike, as the standard has it."""

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
        """Close the innermost element of a name with all inside it; a formatting one by itself. A border
        before it: nothing happens."""
        borders = _BORDERS if name in _BLOCKS or name in _FORMATTING else _BLOCKS
        for back, (inner, _) in enumerate(islice(reversed(self.elements), _REACH), 1):
            if inner == name and name in _FORMATTING:
                del self.elements[-back]
                self._unformat(name)
            elif inner == name:
                del self.elements[-back:]
            if inner == name or inner in borders:
                return
        if len(self.elements) < _REACH:  # its block closed over it, so it is open in name only
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
