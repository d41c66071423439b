"""Read the URLs in attributes: candidates of a srcset, and whether a value is a URL at all.

Scripts for lazy loading keep settings in the attributes that others keep URLs in (`data-lazy="true"`), and
templates leave their variables (`data-src="undefined"`, `src="{{ image.url }}"`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CANDIDATE = re.compile(r"[\s,]*+(\S++)(?:(?<=,)|((?:[^,(]|\([^)]*+(?:\)|\Z))*+))")
"""A URL and its descriptors; one that ends with a comma has none (HTML Standard, parsing a srcset attribute).
Never reads a place twice."""
_DESCRIPTORS = re.compile(r"(?:[^\s(]|\([^)]*+(?:\)|\Z))++")
_WIDTH = re.compile(r"0*[1-9]\d{0,8}w", re.ASCII)
_HEIGHT = re.compile(r"0*[1-9]\d{0,8}h", re.ASCII)
_DENSITY = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(?:e[-+]?\d)?x", re.ASCII | re.IGNORECASE)
_SOME = 4
"""Descriptors that are checked; a candidate has two."""
_SET = re.compile(r"\s(?:\d{1,9}[wh]|[\d.]{1,9}x)\s*(?:,|\Z)")

_NO_URL = re.compile(
    r"""true|false|null|nil|none|undefined|nan|yes|no|on|off|auto|lazy|eager|sync|async|load(?:ing|ed)?|pending|
    \#.*|about:.*|(?:https?:)?//(?::0)?/?|
    \[object.*|[\[{(].*|.*(?:\{\{|\}\}|<%|%>|\$\{|%7b%7b|\[\[).*""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_USUAL = re.compile(r"(?:https?://)?[\w./-]*\.\w+", re.ASCII)
"""Most URLs, and nothing that _NO_URL matches."""
_NUMBER = re.compile(r"[-+]?[\d.,]+(?:px|%|ms|s|r?em|x|w|h|vh|vw)?", re.IGNORECASE)
"""A setting, unless a `src` has it: <img src=0> is the file `0` in the folder of the page."""
_BEGINNING = re.compile(r"(?:https?:/|data:image/|\.{0,2}/)", re.IGNORECASE)
_FILES = (".jpg", ".jpeg", ".jfif", ".png", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff")
_PARAMETERS = re.compile(r"[?#]")
_WHOLE = re.compile(r"[^\s\"'<>{}|]++")
LONGEST = 4_000
"""Maximum characters of a URL in an attribute for scripts."""
_KEYWORD = 200
"""Maximum characters of a value that is compared with what is no URL; a data: URL has megabytes."""


def candidates(srcset: str) -> Iterator[tuple[float, str]]:
    """Yield (size, URL): size is the width in pixels, or density times 1000, so that `2x` sorts like 2000 px.
    A candidate with descriptors that are invalid is left out, as in browsers."""
    place = 0
    # match, because search would scan a run of commas before a URL from each of them
    while found := _CANDIDATE.match(srcset, place):
        place = found.end()
        size = _size(found[2] or "")
        if size is not None and (url := found[1].rstrip(",")) and not is_no_url(url):
            yield size, url


def _size(descriptors: str) -> float | None:
    width = density = None
    height = False
    for count, found in enumerate(_DESCRIPTORS.finditer(descriptors)):
        word = found[0]
        if count >= _SOME:
            return None
        if _WIDTH.fullmatch(word) and width is None and density is None:
            width = float(word[:-1])
        elif _DENSITY.fullmatch(word) and width is None and density is None and not height:
            density = float(word[:-1])
        elif _HEIGHT.fullmatch(word) and not height and density is None:
            height = True
        else:
            return None
    if width is None and height:
        return None
    return width if width is not None else 1000 * (1.0 if density is None else density)


def is_no_url(value: str) -> bool:
    """Whether a value is a setting in words, a variable of a template, or nothing."""
    bare = value.strip()
    if not bare:
        return True
    return len(bare) <= _KEYWORD and _USUAL.fullmatch(bare) is None and _NO_URL.fullmatch(bare) is not None


def is_set(value: str) -> bool:
    """Whether a value has URLs with descriptors, as a srcset has."""
    return _SET.search(value) is not None


def is_file(value: str) -> bool:
    """Whether a value is the URL of an image by the ending of its file."""
    bare = value.strip()
    if len(bare) > LONGEST or is_no_url(bare):
        return False
    file, *parameters = _PARAMETERS.split(bare, maxsplit=1)
    return file.lower().endswith(_FILES) and not any(len(part.split()) > 1 for part in parameters)


def is_path(value: str) -> bool:
    """Whether a value looks like a URL: it has a beginning or a path of one, or the ending of an image."""
    bare = value.strip()
    if bare[:11].lower() == "data:image/":
        return True
    if is_no_url(bare) or len(bare) > LONGEST or _NUMBER.fullmatch(bare) is not None:
        return False
    inner = bare[1:-1]
    whole = _WHOLE.fullmatch(bare) is not None
    return is_file(bare) or (whole and (_BEGINNING.match(bare) is not None or "/" in inner or "." in inner))


def is_absolute(value: str) -> bool:
    """Whether a value is a whole URL, or begins with a slash."""
    bare = value.strip()
    return len(bare) <= LONGEST and not is_no_url(bare) and re.match(r"(?:https?:/)?/\S+\Z", bare) is not None
