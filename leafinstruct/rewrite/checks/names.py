"""Proper names and quoted names of a text, and whether another text has them. Pure.

    capitalized   a word with a capital letter that does not begin a sentence, in languages that write common
                  nouns small (not German and Luxembourgish), also a word of Latin, Greek or Cyrillic letters
                  in a text of another script; acronyms; words of letters and digits (`A4`)
    quoted        one to six words in quotation marks of any script

A line in title case states nothing, since each of its words is capitalized. A name is known if the source has
it in any case, or an inflection or a derivation of it: in English all but two letters (`Rome`, `Rome's`), in
other languages all but three are the same. Names in scripts without capitals are found only in quotation
marks.
"""

# ruff: noqa: RUF001 - letters and punctuation of other scripts are meant

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from leafinstruct.records.text.words import folded, sentences_of, without_markers

ALL_CAPITALIZED = frozenset({"de", "lb"})
"""Languages whose common nouns are capitalized."""

_UNSPACED = frozenset({"ja", "km", "ko", "lo", "my", "th", "zh", None})
"""Languages in which another word may follow a name without a space."""

_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:['’][\p{L}\p{M}]+)?")
_CASED = regex.compile(r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}]")
_OPENS = regex.compile(r"[:;.!?…\"'“”„«»‘’(\[{\-–—*#•|/>=]\s*$|^\s*$")
"""What is before a word that is capitalized for its place."""
_QUOTED = regex.compile(
    r"“([^“”\n]{2,60})”|„([^„“”\n]{2,60})[“”]|«\s?([^«»\n]{2,60}?)\s?»|‹([^‹›\n]{2,60})›|\"([^\"\n]{2,60})\""
    r"|「([^「」\n]{1,30})」|『([^『』\n]{1,30})』|《([^《》\n]{1,30})》"
)
_WORDS = 6
_COMMON = frozenset(
    {
        "i",
        "i'm",
        "i'd",
        "i'll",
        "i've",
        "ok",
        "tv",
        "pc",
        "am",
        "pm",
        "ad",
        "bc",
        "diy",
        "faq",
        "pdf",
        "url",
        "usb",
        "led",
        "x",
        "y",
        "z",
        "a",
        "b",
        "c",
        "d",
        "e",
        "n",
        "q",
        "s",
        "w",
    }
)
"""Capitalized words that name nothing of a document."""


@dataclass(frozen=True, slots=True)
class Known:
    """The words of a source, folded: sorted, and as one text with spaces around it."""

    words: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, text: str) -> Known:
        plain = folded(text)
        return cls(tuple(sorted(set(plain.split()))), f" {plain} ")

    def has(self, name: str, language: str | None) -> bool:
        """Whether the source has a name of one word, or an inflection of it."""
        plain = folded(name.replace("’", "'").removesuffix("'s").removesuffix("'")).replace(" ", "")
        cut, least = (2, 4) if language == "en" else (3, 3)
        stem = plain[: min(len(plain), max(least, len(plain) - cut))]
        at = bisect_left(self.words, stem)
        is_begun = at < len(self.words) and self.words[at].startswith(stem)
        return not stem or is_begun or (language in _UNSPACED and plain in self.text)

    def has_all(self, quoted: str) -> bool:
        """Whether the source has a quotation, or all its words."""
        plain = folded(quoted)
        return plain in self.text or all(f" {word} " in self.text for word in plain.split())


def names_in(text: str, language: str | None) -> Iterator[str]:
    """Yield the capitalized words of a text that can only be names. language: ISO 639 code."""
    if language in ALL_CAPITALIZED:
        return
    for sentence in sentences_of(without_markers(text)):
        words = [word for word in _WORD.finditer(sentence) if _CASED.match(word[0])]
        long = [word for word in words if len(word[0]) > 3]
        if len(long) > 1 and 2 * sum(word[0][0].isupper() for word in long) > len(long):
            words = [word for word in words if _is_acronym(word[0])] if _has_small(long) else []
        yield from (word[0] for word in words if _is_name(word, sentence))


def _has_small(words: list[regex.Match[str]]) -> bool:
    return any(word[0][1:].islower() for word in words)


def _is_name(word: regex.Match[str], sentence: str) -> bool:
    name = word[0]
    if name.lower().replace("’", "'") in _COMMON or not name[0].isupper():
        return False
    return _is_acronym(name) or not _OPENS.search(sentence, max(0, word.start() - 3), word.start())


def _is_acronym(name: str) -> bool:
    """Whether a word is written in capitals, or of capitals and digits."""
    return len(name) > 1 and name.isupper() and name[:1].isalpha() and len(name) <= 12


def quotations_in(text: str) -> Iterator[str]:
    """Yield what a text has in quotation marks, up to six words."""
    for found in _QUOTED.finditer(text):
        words = next(filter(None, found.groups()), "")
        if folded(words) and len(folded(words).split()) <= _WORDS:
            yield words.strip()
