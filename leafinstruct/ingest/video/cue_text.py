"""The markup of subtitle cues -> plain text. Pure.

Removed are the tags of WebVTT (c i b u ruby rt v lang, times inside a cue) and SRT (i b u s font) and the
overrides of ASS that SRT files carry (`{\\an8}`), and nothing else: `vector<int>`, `a < b` and `{x}` are
text. A tag that has no partner in its cue is text if it stands in a word (`List<i>`) or between blanks (`the
<b> tag`). The reading that ruby gives for a word is left out, since it is the same word again. Character
references end in a semicolon (`?a=1&copy=2` is a URL). A backslash has no meaning outside of overrides.

Sources: WebVTT (W3C), section 6.4, "cue text parsing rules"; SRT as players read it; the override tags of
Aegisub's manual.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from leafinstruct.ingest.fields.text import one_line

_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>c|i|b|u|s|v|lang|ruby|rt|rp|font)(?P<classes>(?:\.[^\s<>.]{1,50}){0,9})"
    r"(?:\s{1,9}(?P<more>[^<>]{0,200}))?>",
    re.IGNORECASE,
)
_PAIRED = frozenset("cibus")
"""Tags of one letter, which code and lessons about HTML contain, too."""
_ATTRIBUTES = re.compile(r"\s{0,9}(?:[\w-]{1,40}\s{0,9}=[^<>]*)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,9}\s{0,9}")
_TIMING = re.compile(r"<(?:\d{1,6}:)?\d{1,2}:\d{2}[.,]\d{1,3}>")
_READING = re.compile(
    r"<(r[tp])(?:\.[^\s<>]{1,50})?>(?:(?!<r[tp][.>]|</r[tp]>|</ruby>).)*+(?:</\1>)?",
    re.DOTALL | re.IGNORECASE,
)
_BREAK = re.compile(r"(?<=\S)<br ?/?>|<br ?/?>(?=\S)", re.IGNORECASE)
_NUMBER = r"-?[\d.]{1,12}"
_COLOR = r"(?:&?H[0-9A-Fa-f]{1,8}&?)"
_OVERRIDE = (
    rf"an?\d{{1,2}}|[ibus]\d{{0,3}}|[1-4]?c{_COLOR}?|[1-4]a{_COLOR}|alpha{_COLOR}|q[0-3]|be\d|k[fo]?\d{{1,5}}"
    rf"|(?:fs|fsp|fsc[xy]|fr[xyz]?|fa[xy]|fe|[xy]?bord|[xy]?shad|blur|pbo?|p){_NUMBER}|fn[^\\{{}}<>]{{1,50}}"
    r"|(?:pos|move|org|fade?|clip|iclip)\([^(){}]{0,100}\)|t\([^{}]{0,150}\)|r(?:[A-Z][^\\{}]{0,40})?"
)
_ASS = re.compile(
    rf"\{{\s{{0,3}}(?:\\(?:{_OVERRIDE})\s{{0,3}}){{1,20}}\}}"
    r"|\{[Yy]:[ibus](?:,[ibus]){0,3}\}|\{[Cc]:\$[0-9A-Fa-f]{6}\}"
)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def plain(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of a cue without markup, each in one line, without those that are then empty."""
    text = "\n".join(lines)
    if "{" in text:
        text = _ASS.sub("", text)
    if "<" in text:
        text = _untagged(text)
    if "&" in text:
        text = _REFERENCE.sub(lambda match: html.unescape(match[0]), text)
    return tuple(line for line in map(one_line, text.split("\n")) if line)


def _untagged(text: str) -> str:
    text = _TIMING.sub("", text)
    lower = text.lower()
    if "<br" in lower:
        text = _BREAK.sub("\n", text)
    if "<ruby" in lower:
        text = _READING.sub("", text)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for match in _TAG.finditer(text):
        if match["end"]:
            last[match["name"]] = match.start()
        else:
            first.setdefault(match["name"], match.start())
    kept: list[str] = []
    at = 0
    for match in _TAG.finditer(text):  # twice: a list of them would take 70 times the text
        name, start = match["name"], match.start()
        paired = first.get(name, start) < start if match["end"] else last.get(name, start) > start
        if _is_markup(match) and (paired or name.lower() not in _PAIRED or _is_open(match)):
            kept.append(text[at:start])
            at = match.end()
    return "".join((*kept, text[at:]))


def _is_markup(match: re.Match[str]) -> bool:
    """Whether a tag is written as its format allows: `<b and c>` is not."""
    name, more = match["name"].lower(), match["more"] or ""
    if not more and name not in ("v", "lang"):
        return True
    if match["end"]:
        return not more.strip()
    if name == "v":
        return match.start() == 0 or not match.string[match.start() - 1].isalnum()
    if name == "lang":
        return bool(_LANGUAGE.fullmatch(more))
    return bool(_ATTRIBUTES.fullmatch(more))


def _is_open(match: re.Match[str]) -> bool:
    """Whether a tag without a partner was left open, or was opened in an earlier cue; else it is a word."""
    text, start, end = match.string, match.start(), match.end()
    before, after = text[start - 1 : start], text[end : end + 1]
    if match["end"]:
        return not (before.isspace() and after.isspace())
    in_word = before.isalnum() or before == "_"
    return not (in_word or (before == " " and (not after or after.isspace())))
