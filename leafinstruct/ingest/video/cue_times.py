"""Read the line of times of a subtitle cue (`00:00:01,000 --> 00:00:03,000`) in forms that players accept.

Hours may be missing, and so may the fraction of a second; it follows a point, a comma, a semicolon or, with
three digits, a colon, and counts as decimals (`,5` is half a second). There may be blanks inside the times,
other digits than ASCII and other arrows (`->`, `→`, `--&gt;`). Coordinates and settings after the times are
skipped; anything else there is text of the cue. A pair of complete times that a comma or a dash separates
counts, too. The number of the cue may stand before the times.

A line that only looks like times is `Unreadable`, never text: one of its sides is a time and there is an
arrow, or both sides nearly are times (`00:00:O4,500`). `A --> B` and `10:30 -> lunch` are text, and so is
`10:30 -> 11:45` in the middle of a text.

Sources: WebVTT (W3C), section 6.3, "collect WebVTT cue timings and settings"; SubRip has no specification.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# every blank is bounded, so that no line takes more time than its length
_B = r"\s{0,9}"
_TIME = (
    rf"([-+]?){_B}(?:(\d{{1,6}}){_B}:{_B})?(\d{{1,3}}){_B}:{_B}(\d{{1,2}})"
    rf"(?:{_B}[.,;]{_B}(\d{{1,9}})|{_B}:{_B}(\d{{3}}))?(?![\d:])"
)
_SECONDS = r"([-+]?)()()(\d{1,9})[.](\d{1,9})()(?!\d)"
_DASH = r"-=~\u2013\u2014\u2212"
_ARROWS = rf"(?:[{_DASH}][{_DASH} ]{{0,3}}(?:>{{1,2}}|&gt;)|>{{1,3}}|[\u2192\u21d2\u2794\u279c])"
"""With dashes or the like, without, as one character."""
_ARROW = rf"{_B}{_ARROWS}{_B}"
_END = r"[.,;\])]?(?:(?=[\s{])(.*))?"
_FULL = r"([-+]?)(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})()(?!\d)"

_DOTTED = r"([-+]?)(\d{1,3})\.(\d{2})\.(\d{2})(?:[.,](\d{1,3}))?()"

_PAIR = re.compile(rf"{_B}(?:\d{{1,9}}[.)]?\s{{1,9}})?[\[(]?{_TIME}{_ARROW}{_TIME}{_END}\Z", re.DOTALL)
_PAIR_OF_DOTTED = re.compile(rf"{_B}{_DOTTED}{_B}-->{_B}{_DOTTED}{_END}\Z", re.DOTALL)
_PAIR_OF_SECONDS = re.compile(rf"{_B}{_SECONDS}{_B}-->{_B}{_SECONDS}{_END}\Z", re.DOTALL)
_BARE_PAIR = re.compile(
    rf"{_B}{_FULL}(?:{_B}(?:[,;|/~\u2013\u2014]|-{{1,3}}|to){_B}|\s{{1,9}}){_FULL}{_B}()\Z"
)
_NEARLY = r"[\dOoIlS|:.,;'\s+-]{0,30}:[\dOoIlS|:.,;'\s+-]{1,30}"
_GROUPS = r"\W{0,3}[\dOoIlS]{1,4}(?:\s?[.:;'hms]\s?[\dOoIlS]{1,4}){2}[\W\dOoIlSms]{0,9}"
_LOOKS = re.compile(
    rf"{_B}(?:{_TIME}{_B}-->|[\W\dOoIlS]{{0,30}}?-->{_B}{_TIME}|{_NEARLY}{_ARROW}{_NEARLY}|{_GROUPS}-->)"
)
_ALONE = re.compile(rf"{_B}{_FULL}{_B}\Z")
_AGAIN = re.compile(_ARROW)
_SETTINGS = re.compile(
    r"(?:\s*+(?:(?i:vertical|line|position|size|align|region|[xy][12])\s{0,3}[:=]\s{0,3}\S++|[DLAST]:\S++)"
    r"(?=\s|\Z))*+"
)
_PAIRS = (_PAIR, _PAIR_OF_DOTTED, _PAIR_OF_SECONDS)
_SIGNS = ("\u2192", "\u21d2", "\u2794", "\u279c", "\uff1e")


@dataclass(frozen=True, slots=True)
class Times:
    """When a cue is shown. start, end: seconds, negative before the video; text: what follows on the line."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that looks like times and is none, as written."""

    line: str


def times_of(line: str, begins: bool) -> Times | Unreadable | None:
    """Return the times that a line of a subtitle file states; None for a line of text.

    begins: whether the line follows an empty line or a number, where a cue may begin.
    """
    points = ">" in line or "&gt;" in line
    if line.isascii():
        if not points and line.count(":") < 2:
            return None  # most lines
        given = line
    else:
        points = points or any(sign in line for sign in _SIGNS)
        if not points and not line.lstrip()[:1].isdigit():
            return None
        given = _plain(line)
    for pattern in _PAIRS if points else (_BARE_PAIR,):
        if match := pattern.match(given):
            groups = match.groups()
            if not begins and "-->" not in given and not (_is_exact(groups[:6]) and _is_exact(groups[6:12])):
                return None
            rest = groups[12] or ""
            if _AGAIN.match(rest):
                return Unreadable(line.strip())
            text = _SETTINGS.sub("", rest, count=1) if rest else ""
            return Times(_seconds(*groups[:6]), _seconds(*groups[6:12]), text.strip())
    looks = (points and _LOOKS.match(given)) or (begins and _ALONE.match(given))
    return Unreadable(line.strip()) if looks else None


def _is_exact(groups: tuple[str | None, ...]) -> bool:
    """Whether a time has hours or a fraction of a second."""
    return any(groups[index] for index in (1, 4, 5))


def _plain(line: str) -> str:
    """Write full-width characters as ASCII, and leave out marks of direction and byte order."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKC", line) if unicodedata.category(letter) != "Cf"
    )


def _seconds(
    sign: str, hours: str | None, minutes: str | None, seconds: str, fraction: str | None, colon: str | None
) -> float:
    """A time in seconds, rounded to 0.001: more digits name no other frame."""
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)
    digits = fraction or colon or "0"
    value = round(whole + float(f"0.{digits}"), 3)
    return -value if sign == "-" else value
