"""Write the formulas and emoji of a page as text, once, where the page shows them.

A formula is in a page up to three times: as MathML, drawn from spans or as an image, and as TeX (KaTeX,
MathJax, Wikipedia). Its text is the TeX if the page has it (MathML's annotation, alttext, a script, the alt
of the image), else the MathML on one line: x², (a+b)/2, √2. An emoji that the site replaced by an image is
its alternative text. Both stay in their sentence, and are no images.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

import regex
from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.text import one_line, word_set
from leafinstruct.ingest.page.nodes import Attributes

_LEVELS = 8
"""Elements around a formula among which its outermost box is searched."""
_DEPTH, _LONGEST = 24, 20_000
"""Maximum depth of MathML that is written with fractions and powers, and maximum characters of a formula."""
_BOXES = word_set(
    """katex katex-display MathJax MathJax_Display MathJax_SVG MathJax_SVG_Display MathJax_CHTML
    MathJax_Preview MJXc-display mjx-chtml mwe-math-element"""
)
_TEX = word_set("application/x-tex application/x-latex tex latex text/tex")
_STYLED = re.compile(r"\{\\(?:displaystyle|textstyle|scriptstyle)\b\s*(.*)\}", re.DOTALL)
_RAISED = str.maketrans("0123456789+-\u2212=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾")
_LOWERED = str.maketrans("0123456789+-\u2212=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_DIGITS = frozenset("0123456789+-\u2212=()")
_ATOM = re.compile(r"\w+|\(.*\)|[^\W\d]")

_MAYBE = re.compile(
    r"emoji|smil|emoticon|joypixels|tex|math|equation|formula|cht=tx|mimetex|/[0-9a-f]{4,5}[-.]"
)
"""Every image that is text has one of these in its class or URL, in lower case."""
_EMOJI_WORDS = word_set(
    "emoji emojis twemoji emojione joypixels gemoji smiley smileys smilies smilie emoticon"
)
_EMOJI_URL = re.compile(
    r"/(?:emojis?|twemoji|emojione|smil(?:ey|ie|eye?)s?|emoticons?|noto-?emoji)/|/wp-includes/images/smilies|"
    r"/[0-9a-f]{4,5}(?:-[0-9a-f]{2,5}){0,8}\.(?:svg|png)$",
    re.IGNORECASE,
)
_EMOJI = regex.compile(
    r"(?:[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\u200d\ufe0f\U000e0020-\U000e007f\s]|"
    r"[#*0-9]\ufe0f?\u20e3){1,32}"
)
_ALTS = ("alt", "data-emoji", "aria-label")
_LONG_NAME = 24
"""Maximum characters of an emoji's text: `:smiling_face_with_tear:`."""
_PHOTO = re.compile(r"\.(?:jpe?g|webp|avif)(?:[?#]|$)", re.IGNORECASE)
"""Files of photos. Emoji and formulas are drawings."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_BIG = 64
"""Pixels from which the side of an image is too long for an emoji in a sentence."""
_FORMULA_WORDS = word_set("latex tex math mathjax katex mathml equation formula texerror mathtex mimetex")
_FORMULA_URL = re.compile(
    r"latex\.codecogs\.com|/latex\.php|/math/render/|quicklatex|[?&]cht=tx|mathtex|mimetex|/equation\?tex=|"
    r"/wiki/(?:images/)?math/",
    re.IGNORECASE,
)
_TEX_URL = re.compile(
    r"latex\.codecogs\.com/(?:[a-z]{3,5}\.(?:latex|download))?\??(?P<codecogs>.+)|"
    r"[?&](?:latex|tex|chl)=(?P<parameter>[^&#]+)|(?:mathtex|mimetex)\.cgi\?(?P<cgi>.+)",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")


def text_of_symbol(attributes: Attributes) -> str | None:
    """The text of an image that is an emoji or a formula; empty for an emoji without one, None for any other
    image."""
    src = (attributes.get("src") or "")[:_LONGEST]
    if _MAYBE.search(f"{attributes.get('class') or ''} {src}".lower()) is None:
        return None
    words = {word.lower() for word in _SPLIT.split(attributes.get("class") or "")}
    alt = one_line(
        attributes.get("alt") or attributes.get("data-emoji") or attributes.get("aria-label") or ""
    )
    photo = _PHOTO.search(src) is not None
    if not photo and _is_emoji(words, src, alt) and not _is_big(attributes):
        return alt or one_line(attributes.get("title") or "")
    named = not photo and not _FORMULA_WORDS.isdisjoint(words) and not _is_sentence(alt)
    if named or _FORMULA_URL.search(src) is not None:
        return tex(alt) or _from_url(src) or None
    return None


def _is_emoji(words: set[str], src: str, alt: str) -> bool:
    if len(alt) > _LONG_NAME:
        return False
    path = src.partition("?")[0]
    return not _EMOJI_WORDS.isdisjoint(words) or _EMOJI_URL.search(path) is not None


def _is_sentence(alt: str) -> bool:
    """Whether a text is of words: a photo of a lesson in mathematics is no formula."""
    return len(_WORD.findall(alt)) > 1 and not any(sign in alt for sign in "\\^_={}$")


def _is_big(attributes: Attributes) -> bool:
    sides = [(attributes.get(side) or "").removesuffix("px") for side in ("width", "height")]
    return any(side.isdecimal() and len(side) < 5 and int(side) > _BIG for side in sides)


def _from_url(src: str) -> str:
    found = _TEX_URL.search(src)
    if found is None:
        return ""
    return tex(unquote(next(part for part in found.groups() if part).replace("+", " ")))


def tex(written: str) -> str:
    """TeX on one line, without the style that Wikipedia puts around it."""
    text = one_line(written[:_LONGEST])
    styled = _STYLED.fullmatch(text)
    return styled[1].strip() if styled else text


def write_formulas(formulas: Sequence[LexborNode]) -> None:
    """Replace each formula, with all that shows it, by its text. formulas: <math> elements and scripts of
    TeX, in the order of the document."""
    boxes: dict[int, tuple[LexborNode, str]] = {}
    alone: dict[int, bool] = {}
    for node in formulas:
        text = tex(node.text()) if node.tag == "script" else _of_math(node)
        box = _box(node, alone)
        if box.mem_id not in boxes:
            boxes[box.mem_id] = box, text
        if node.tag == "script":
            _remove_shown(node)
    for box, text in boxes.values():
        if box.parent is not None:
            box.replace_with(text)


def show_drawn(body: LexborNode) -> None:
    """Write the formulas of KaTeX that are only drawn, without MathML, as the text that is shown."""
    for drawn in body.css(".katex-html"):
        drawn.replace_with(one_line(drawn.text()))


def _box(node: LexborNode, alone: dict[int, bool]) -> LexborNode:
    """The outermost element that shows only this formula. alone: whether a box has only one, by its memory
    address."""
    box, around = node, node.parent
    for _ in range(_LEVELS):
        if around is None:
            break
        classes = (around.attributes.get("class") or "").split()
        if around.tag == "mjx-container" or not _BOXES.isdisjoint(classes):
            if around.mem_id not in alone:
                alone[around.mem_id] = len(around.css("math")) <= 1
            if not alone[around.mem_id]:
                break
            box = around
        around = around.parent
    return box


def _remove_shown(script: LexborNode) -> None:
    """Remove what MathJax 2 put before its script of TeX."""
    before = script.prev
    while before is not None and before.tag and before.tag[0] != "-":
        classes = (before.attributes.get("class") or "").split()
        if _BOXES.isdisjoint(classes):
            return
        shown, before = before, before.prev
        shown.remove()


def _of_math(node: LexborNode) -> str:
    """The text of a <math>: its TeX, else its elements on one line."""
    for annotation in node.css("annotation"):
        if (annotation.attributes.get("encoding") or "").strip().lower() in _TEX:
            return tex(annotation.text())
    if alt := node.attributes.get("alttext"):
        return tex(alt)
    return one_line(_line(node, _DEPTH)[:_LONGEST])


def _line(node: LexborNode, depth: int) -> str:
    """MathML on one line. depth: levels that may follow; what is deeper is written as plain text."""
    tag = node.tag or ""
    if tag == "-text":
        return " ".join((node.text_content or "").split())
    if tag in ("annotation", "annotation-xml", "-comment"):
        return ""
    if depth == 0:
        return " ".join(node.text().split())
    parts = [_line(child, depth - 1) for child in node.iter(include_text=True)]
    shown = [part for part in parts if part]
    if tag == "mfrac" and len(shown) == 2:
        return f"{_atom(shown[0])}/{_atom(shown[1])}"
    if tag in ("msup", "msub") and len(shown) == 2:
        return shown[0] + _shifted(shown[1], raised=tag == "msup")
    if tag == "msubsup" and len(shown) == 3:
        return shown[0] + _shifted(shown[1], raised=False) + _shifted(shown[2], raised=True)
    if tag in ("munder", "mover", "munderover") and 1 < len(shown) < 4:
        return shown[0] + "".join(
            _beyond(part, under) for part, under in zip(shown[1:], _SIDES[tag], strict=False)
        )
    if tag == "mroot" and len(shown) == 2:
        return f"{_shifted(shown[1], raised=True).removeprefix('^')}√{_atom(shown[0])}"
    if tag == "msqrt":
        return f"√{_atom(''.join(shown))}"
    if tag == "mtable":
        return f"({'; '.join(shown)})"
    if tag == "mtr":
        return ", ".join(shown)
    return "".join(
        f" {part} " if child == "mo" and part in _SPACED else part for child, part in _tagged(node, parts)
    )


_SPACED = frozenset("=<>≤≥≠≈+−×÷·±∈→⇒")  # noqa: RUF001 - operators


def _tagged(node: LexborNode, parts: Sequence[str]) -> list[tuple[str, str]]:
    return [(child.tag or "", part) for child, part in zip(node.iter(include_text=True), parts, strict=True)]


_SIDES = {"munder": (True,), "mover": (False,), "munderover": (True, False)}
"""Element -> whether each part after the first is under it."""


def _beyond(text: str, under: bool) -> str:
    """A bound of a sum, or an accent."""
    bare = text.strip()
    return bare if len(bare) == 1 and not bare.isalnum() else _shifted(bare, raised=not under)


def _atom(text: str) -> str:
    return text if _ATOM.fullmatch(text.strip()) else f"({text.strip()})"


def _shifted(text: str, *, raised: bool) -> str:
    """An exponent or an index: in raised or lowered characters if all exist, else after ^ or _."""
    bare = text.strip()
    if bare and _DIGITS.issuperset(bare):
        return bare.translate(_RAISED if raised else _LOWERED)
    return f"{'^' if raised else '_'}{_atom(bare)}"
