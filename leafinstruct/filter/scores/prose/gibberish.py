"""Text that nobody wrote: damaged character sets, dumps of bytes, words that no language has. No model.

    text.mojibake    characters that a wrong character set left, per 100 words: sequences that ftfy counts as
                     improbable ("Ã©", "â€™", "Ð¿Ñ€"), U+FFFD, C1 controls
    text.gibberish   share of letters and digits in words that no language has

A word of no language, each of which occurs in real words of none of the scripts with letters and vowels:

    a digit between small letters, in 5 or more          c0oking, bet5een; covid19, utf8 and i2cs do not
    digits and letters alternate three times or more     h3ll0w0rld, 9f86d081884c7d65; GPIO17 and 3d2n do not
    capitals follow small letters twice or more          aXbQzR; iPhone, JavaScript and microSD do not
    letters of two scripts in one word                   раypal; Greek letters in Latin words do not count: µm
    no vowel in 5 letters or more, or a run of 6         xcvbnm, sdfghjkl; in Angstschweiß, sch counts as one
      consonants
    one letter four times in a row                       aaaah
    more than 50 characters                              base64; URLs, paths and phrases in scripts without
                                                         spaces do not count

It does not see words in a wrong order, nor letters that are shuffled into something pronounceable; these have
few stop words or no language (`text.without_stop_words`, `document.language_confidence`). Abbreviations of
capitals alone (HTML, USB) are words. Code segments do not count.

Chosen: ftfy 6 (Apache-2.0), whose table of improbable sequences covers all single-byte character sets, over
patterns of our own for mojibake; rules over letter statistics of a language, which need a corpus for each.
Cost: 40 microseconds for 100 words.
"""

# ruff: noqa: RUF001, RUF002 - letters of other scripts are intended

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

import regex
from ftfy.badness import badness

from leafinstruct.records.document import Document

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}'’]+")
_ADDRESS = re.compile(r"://|www\.|@|[/\\._-][^\s/\\._-]+[/\\._-]")
"""Occurs in URLs, e-mail addresses, paths, names of packages and files."""
_ALTERNATING = regex.compile(r"(?:\p{L}+\p{N}+){3}|(?:\p{N}+\p{L}+){3}")
_MISREAD = regex.compile(r"\p{Ll}\d\p{Ll}")
"""Digits that a scan took for letters stand between them; those of names stand at an end."""
_CAPITALS = regex.compile(r"\p{Ll}\p{Lu}+\p{N}*\p{Ll}+\p{Lu}+\p{N}*(?:\p{Ll}+\p{Lu}|\p{N})")
_SCRIPTS = regex.compile(r"\p{Cyrillic}\p{M}*\p{Latin}|\p{Latin}\p{M}*\p{Cyrillic}")
_VOWELS = "aeiouyäöüåæøœáàâãéèêëíìîïóòôõúùûýÿıаеёиоуыэюяєіїўαεηιουωάέήίόύώϊϋΐΰ"
_NO_VOWEL = regex.compile(rf"(?:(?![{_VOWELS}])[\p{{Latin}}\p{{Cyrillic}}\p{{Greek}}]\p{{M}}*){{5,}}")
_SYLLABIC = regex.compile("[rl]")
"""Stand for a vowel in short words of Czech, Croatian and others: `čtvrt`, `krk`."""
_CONSONANTS = regex.compile(rf"(?:(?![{_VOWELS}])[\p{{Latin}}\p{{Cyrillic}}\p{{Greek}}]){{6,}}")
_FIVE = regex.compile(rf"(?:(?![{_VOWELS}])[\p{{Latin}}\p{{Cyrillic}}\p{{Greek}}]\p{{M}}*){{5}}")
"""Cheap: most words have no such run."""
_CLUSTERS = regex.compile(r"sch|tch|ch|sh|th|ng|ck|st|ст|вз|тв")
"""Letters that count as one in a run of consonants: they are one sound, or join two words."""
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Line_Break=Complex_Context}]", regex.V1)
"""A phrase in these scripts has no spaces, and no limit."""
_AGAIN = regex.compile(r"(\p{L})\1{3}")
_LONGEST = 50
_DAMAGED = regex.compile(r"[\uFFFD\x80-\x9F]")
_PIECE = 2_000
"""Characters that are examined for mojibake at a time: the patterns of ftfy look back."""


def scores(document: Document, words: float) -> dict[str, float]:
    """Name -> value. words: of the document. NaN without words."""
    prose = [text.text for text in document.texts if text.kind != "code"]
    damaged = sum(map(_damage, prose))
    return {"text.mojibake": 100 * damaged / words if words else math.nan, "text.gibberish": share(prose)}


def _damage(text: str) -> int:
    """Improbable sequences and characters that replace others."""
    if text.isascii():
        return 0
    pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
    return sum(badness(piece) for piece in pieces if not piece.isascii()) + len(_DAMAGED.findall(text))


def share(texts: Iterable[str]) -> float:
    """Share of letters and digits in words that no language has, [0, 1]; NaN if there are none."""
    bad = total = 0
    for text in texts:
        for piece in text.split():
            if _ADDRESS.search(piece):
                continue
            for word in (piece,) if piece.isalpha() else _WORD.findall(piece):
                total += len(word)
                bad += len(word) if is_impossible(word) else 0
    return bad / total if total else math.nan


@lru_cache(maxsize=65_536)
def is_impossible(word: str) -> bool:
    """Whether no language has a word like this. See the module's docstring."""
    if len(word) < 4 or word.isnumeric():
        return False
    if _AGAIN.search(word) or (len(word) > _LONGEST and not _UNSPACED.search(word)):
        return True
    if (
        (len(word) > 4 and _MISREAD.search(word))
        or _ALTERNATING.search(word)
        or _CAPITALS.search(word)
        or _SCRIPTS.search(word)
    ):
        return True
    if word.isupper():
        return False
    small = word.lower()
    if len(small) < 5 or _FIVE.search(small) is None:
        return False
    if _NO_VOWEL.fullmatch(small) and (len(small) > 5 or not _SYLLABIC.search(small)):
        return True
    return _CONSONANTS.search(_CLUSTERS.sub("k", small)) is not None
