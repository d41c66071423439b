"""Scores of what a page states about an image: its URL or file name, and its alternative text. No image is
read, so a logo is not even fetched.

    markup.decoration      share of the words of its file name, or of the name of its folder if that is more,
                           that name decoration: `site-logo.png` 0.5, `icons/arrow.png` 1
    markup.alt_words       words of its alternative text that can describe: 0 for `IMG_2041.jpg` or `image`
    markup.alt_repetition  share of the words of its alternative text that occurred in it before

Source: OBELICS (Laurencon et al. 2023, arXiv 2306.16527, appendix A.2) drops images whose URL contains logo,
button, icon, plugin or widget; Conceptual Captions (Sharma et al. 2018, section 3.1) drops alternative texts
with a high rate of repeated tokens. Deviations: whole words count, not letters inside words (`silicon` has
no icon), and their share, since a lesson about buttons has `press-the-button.jpg`. Words that the title or a
heading of the page has too are its subject: `speed_button.png` on "Speed button". An image without an
alternative text is not applicable, since most sources have none.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

from leafinstruct.filter.scores.cell import cell
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.example import Cell
from leafinstruct.records.text.words import words_of

_DECORATION = re.compile(
    r"advert|avatars?|badges?|banners?|btn|buttons?|divider|emojis?|favicon|gravatar|icons?|ico|loader|loading"
    r"|logos?|logotype|pixel|placeholder|plugins?|smileys?|spacer|spinner|sprites?|track(?:er|ing)"
    r"|transparent|widgets?"
)
_SOCIAL = re.compile(r"facebook|instagram|linkedin|pinterest|reddit|tiktok|tumblr|twitter|whatsapp|youtube")
"""Decoration only where nothing else is named: `twitter.png`, not `twitter-settings-step-2.png`."""
_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")
"""A word of a file name of two letters and more; in camel case, each hump."""
_GENERIC = re.compile(
    r"alt|bild|caption|description|figure|foto|graphic|icon|images?|imagen|img|immagine|logo|null|photo|photograph"
    r"|pic|picture|screenshot|thumbnail|undefined|untitled|\d+"
)
"""Words that name no content when an alternative text has no others."""
_AROUND = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*|[?#].*", re.DOTALL)
"""What a URL has besides its path. `urlsplit` raises for an unusual host."""
_FILE = re.compile(
    r"(?<!\S)\S+\.(?:avif|bmp|gif|jpe?g|png|svg|tiff?|webp)\b|\b(?:IMG|DSC[NF]?|P)_?\d{3,}\b", re.IGNORECASE
)
"""A name of a file, or one that a camera gives. It begins only where a word does, since a long word took
quadratic time."""

_SLUG = re.compile(r"^[^\s_-]+(?:[_-][^\s_-]+){2,}$")
"""A name of a file without its ending: words that hyphens join."""


def scores(document: Document) -> list[Cell]:
    """The three cells of each image."""
    headings = [text.text for text in document.texts if text.kind == "heading"]
    subject = frozenset(
        _singular(word.casefold()) for line in (document.title or "", *headings) for word in words_of(line)
    )
    return [item for image in document.images for item in _of(image, subject)]


def decoration(location: str, subject: frozenset[str] = frozenset()) -> float:
    """Share of decoration among the words of the file name of a URL or path, or of its folder; 0 without
    words. subject: words that are no decoration on this page."""
    path = PurePosixPath(unquote(_AROUND.sub("", location)))
    return max(_share(path.stem, subject), _share(path.parent.name, subject) if path.name else 0.0)


def alt_words(alt: str) -> int:
    """Number of words of an alternative text without names of files; 0 if all of them are generic."""
    words = [word.casefold() for word in words_of(_SLUG.sub("", _FILE.sub(" ", alt)))]
    return 0 if all(map(_GENERIC.fullmatch, words)) else len(words)


def alt_repetition(alt: str) -> float:
    """Share of the words of an alternative text that occurred in it before; 0 without words."""
    words = [word.casefold() for word in words_of(alt)]
    return 1 - len(set(words)) / len(words) if words else 0.0


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _share(name: str, subject: frozenset[str]) -> float:
    words = [word.lower() for word in _WORD.findall(name)]
    foreign = [word for word in words if _singular(word) not in subject]
    named = sum(_DECORATION.fullmatch(word) is not None for word in foreign)
    social = sum(_SOCIAL.fullmatch(word) is not None for word in foreign)
    if not words or not named + social:
        return 0.0
    return 1.0 if named + social == len(words) else named / len(words)


def _of(image: ImageRef, subject: frozenset[str]) -> list[Cell]:
    location = image.url or image.ref.url or image.ref.file or ""
    named = cell("markup.decoration", decoration(location, subject), image.position)
    if not image.alt.strip():
        names = ("markup.alt_words", "markup.alt_repetition")
        missing = "it has no alternative text"
        return [named, *(Cell(name, None, "not_applicable", image.position, None, missing) for name in names)]
    return [
        named,
        cell("markup.alt_words", float(alt_words(image.alt)), image.position),
        cell("markup.alt_repetition", alt_repetition(image.alt), image.position),
    ]
