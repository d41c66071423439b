"""Letters, words and sentences of a text in any script. Only this module defines them. Pure.

    word        a segment between two word boundaries of UAX 29 that has a letter or a digit: `don't`, `3.14`,
                `www.foo.com`; `well-known` are two
    unspaced    scripts without spaces between words have no such boundaries, so their words are counted in
                smaller units: 1.5 ideographs or hiragana are a word (CJK_A_WORD), 3 grapheme clusters of
                Thai, Lao, Khmer and Burmese are one (CLUSTERS_A_WORD)
    sentence    ends at a sentence terminal (Unicode property STerm, the ellipsis, the Tibetan shad, a
                semicolon after a Greek letter) or at the end of a line; not after abbreviations, initials and
                the number of a list item. Thai has no sentence terminal: a line is a sentence

Counts are added up over texts in sixths of a word (`word_units`), so that they are rounded once. List markers
(`- `, `1. `) are markup, not words.

Chosen: `regex`, which has Unicode's properties in C: 50 microseconds for 100 words and 20 in ASCII, over
uniseg (pure Python, 4,960) and over dictionaries (pythainlp, jieba), whose words change with each release and
which cover one script each. The Unicode data come with its version, not with Python's, so Python 3.11 to 3.13
give equal counts; a cached count has VERSION in its key.
"""

# ruff: noqa: RUF001 - punctuation of other scripts is intended

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Literal

import regex

VERSION = version("regex")
"""Version of the Unicode data that define words."""

UNITS = 6
"""Units of a word: the smallest number that both constants divide."""
CJK_A_WORD, CLUSTERS_A_WORD = 1.5, 3
"""Ideographs or hiragana in a word; grapheme clusters in a word of Thai, Lao, Khmer, Burmese and other
scripts of South-East Asia.

A mean Chinese or Japanese word has 1.5 to 2 characters. In sentences divided by hand, a word has 3.1 clusters
in Thai (62 words), 2.7 in Lao (18), 2.2 in Khmer (26), 3.1 in Burmese (21).
"""

_JOINED = r"\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}"
_LETTERS = r"\p{WB=ALetter}\p{WB=Hebrew_Letter}"
_RUN = rf"{_LETTERS}\p{{WB=Numeric}}\p{{WB=ExtendNumLet}}{_JOINED}"
_JOINTS = "{0,1000}"
"""Maximum joints of a word. An endless `1,1,1` is several words, since `regex` stores the state of each joint
and runs out of memory."""
_WORD = regex.compile(
    r"(?=\p{Line_Break=Complex_Context})\X"  # a cluster of Thai, Lao, Khmer, Burmese
    # WB5 to WB13b: letters and digits
    rf"|(?:(?<!\p{{WB=ExtendNumLet}})\p{{WB=ExtendNumLet}}+)?[{_LETTERS}\p{{WB=Numeric}}][{_RUN}]*+"
    r"""(?:(?=[\p{WB=MidLetter}\p{WB=MidNum}\p{WB=MidNumLet}\p{WB=Single_Quote}"])"""
    rf"(?:(?<=[{_LETTERS}][{_JOINED}]*)[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}][{_JOINED}]*(?=[{_LETTERS}])"
    rf"|(?<=\p{{WB=Numeric}}[{_JOINED}]*)[\p{{WB=MidNum}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}][{_JOINED}]*(?=\p{{WB=Numeric}})"
    rf'|(?<=\p{{WB=Hebrew_Letter}}[{_JOINED}]*)"[{_JOINED}]*(?=\p{{WB=Hebrew_Letter}}))[{_RUN}]++){_JOINTS}+'
    rf"|\p{{WB=Katakana}}[\p{{WB=Katakana}}\p{{WB=ExtendNumLet}}{_JOINED}]*+"
    rf"|[\p{{L}}\p{{N}}][{_JOINED}]*+"  # an ideograph, hiragana, a fraction
)
"""Written out because `\\b` of regex 2026.11 finds no boundary between an apostrophe and a vowel, and so
loses the words 'Auto' and 'Eve'."""
_ASCII_WORD = re.compile(
    r"(?:(?<!_)_+)?[A-Za-z0-9]\w*(?:(?:(?<=[A-Za-z])[:.'](?=[A-Za-z])|(?<=\d)[,;.'](?=\d))\w+){0,1000}",
    re.ASCII,
)
"""The same for ASCII, twice as fast."""
_MARKERS = re.compile(r"^[ \t]*(?:(?:-|\d{1,9}\.)(?:[ \t]+|$))+", re.MULTILINE)
_CJK = regex.compile(r"[\p{Han}\p{Hiragana}ー]")
_UNMARKED = regex.compile(r"[\p{Thai}\p{Lao}]")
_CLUSTERED = regex.compile(r"\p{Line_Break=Complex_Context}")
_SYMBOL = r"[^\p{L}\p{M}\p{N}\p{P}\p{Z}\p{Cf}\s°№℃℉]|[#*@\\_{}•†‡]"

_TERMINAL = r"[\p{Sentence_Terminal}…།༎]"
_MARK = rf"(?:{_TERMINAL}|(?<=\p{{Greek}});)"
"""A sentence terminal, the Tibetan shad and the Greek question mark included."""
_CLOSERS = r"""["'\p{Pe}\p{Pf}]"""
_END = regex.compile(
    rf"(?P<mark>(?:{_TERMINAL}++|(?<=\p{{Greek}});)++){_CLOSERS}*+(?P<gap>\s*+)|"
    r"(?P<line>[\n\r\u2028\u2029\x85]\s*+)"
)
_LINE_END = regex.compile(r"[\n\r\u2028\u2029\x85]")
_SPACED_MARKS = frozenset(".!?…‼⁇⁈⁉")
"""Terminals after which a space must follow. Those of other scripts end a sentence anywhere."""
_NO_END = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}])(?:\p{L}|dr|mr|mrs|ms|prof|st|vs|approx|ca|cf|e\.g|i\.e|z\.\s?b|d\.\s?h|"
    r"u\.\s?a|p\.\s?ex|p\.\s?ej|sr|sra|srta|mme|mlle"
    r"|vgl|bzw|inkl|evtl|ggf|sog|np|tzw|tzn|ул|им|напр|т\.\s?е)$"
    r"|(?:^|[\n.!?…]\s)\s*(?:\p{N}{1,3}|[ivxIVX]{1,4})$"
    r"|\b(?:am|vom|zum|ab|de[mnrs]|die|das|im|seit|bis|beim|dne|od|do)\s\p{N}{1,3}$",
    regex.IGNORECASE,
)
"""What a full stop may belong to: an initial, an abbreviation within a sentence, the number of a list item, a
German ordinal ("am 3. Oktober")."""
_NUMBERED = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}])(?:no|nr|n|fig|abb|vol|pp?|рис|стр|č|art|abs|kap)$", regex.IGNORECASE
)
"""Abbreviations that a number follows."""
_LONG = 100_000
"""Characters from which the word count of a text is cached."""
_LONGEST = 16
"""Characters before a full stop that _NO_END checks."""
_PAUSES = ":;,、：；，،؛"
"""Punctuation after which a sentence continues."""
_ENDED = regex.compile(rf"{_MARK}{_CLOSERS}*\s*$")
_PAUSED = regex.compile(rf"[{_PAUSES}{_TERMINAL[1:-1]}]{_CLOSERS}*\s*$")

TITLE_ENDS = ".:!。：！।"
"""Punctuation at the end of a title that a question leaves out; a search for a title in a question leaves it
out, too."""
QUESTION_MARKS = "?？؟\u037e⁇⁈⁉‽"
"""Question marks of all scripts, the Greek one included."""

_FRACTION = re.compile("[¼-¾⅐-⅞↉]")
_SUPERSCRIPT = re.compile("([²³¹\u2070-\u209c]+)")

_APART = r"\p{Han}\p{Hiragana}\p{Line_Break=Complex_Context}"
_TOKEN = regex.compile(
    # a word or a number
    rf"[{_APART}]\p{{M}}*|(?:[[\p{{L}}\p{{N}}]--[{_APART}]]\p{{M}}*)+(?:(?<=\p{{N}})[.,٫٬]\p{{N}}+)*"
    r"|(?<![\p{L}\p{N}])[-−–](?=\p{N})"  # a minus
    # markup if it is separate from words
    r"|(?<=[\p{L}\p{N}])#|#(?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}])[*_~^|\\](?=[\p{L}\p{N}])"
    r"|[[\p{S}%&@/‰]--[~^|`´\p{Block=Geometric_Shapes}\p{Block=Box_Drawing}]]",  # symbols that are no bullets
    regex.V1,
)
"""What `identity` keeps."""
_ASCII_TOKEN = re.compile(
    r"[a-z0-9]+(?:(?<=[0-9])[.,][0-9]+)*|(?<![a-z0-9])-(?=[0-9])|(?<=[a-z0-9])#|#(?=[a-z0-9])|"
    r"(?<=[a-z0-9])[*_~^|\\](?=[a-z0-9])|[$+<=>%&@/]"
)
"""The same for ASCII in lower case, three times as fast."""
_KEPT = b"#*_~^|\\$+<=>%&@/"
_ASCII_SHAPE = bytes(
    35 if code in _KEPT else 46 if code in b".,-" else 48 if code in b"0123456789" else 32
    for code in range(256)
)
"""Bytes of ASCII as _ASCII_TOKEN distinguishes them: `#` may be a token or a part of one, `.` is one before
`0`, a digit; letters, white space and other punctuation are spaces."""
_ASCII_LETTERS = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256)).lower()
"""Letters in lower case and digits; all other bytes are spaces."""
_MARKS = regex.compile(r"\p{M}{30}(?=\p{M})")
_SHORT = 1_000
"""Number of any characters that are normalized in a millisecond."""
_INVISIBLE = regex.compile(r"[\p{Cf}ـ]")


# Words
# ----------------------------------------------------------------------------------------------------


def words_of(text: str) -> list[str]:
    """The words of a text in order, without list markers. In unspaced scripts each ideograph and each
    grapheme cluster is listed alone."""
    text = without_markers(text)
    return _ASCII_WORD.findall(text) if text.isascii() else _WORD.findall(text)


def count_words(texts: Sequence[str]) -> int:
    """Count the words of all texts together, rounded down once."""
    return sum(map(word_units, texts)) // UNITS


def word_units(text: str) -> int:
    """Count the words of a text in sixths of a word, which can be added up over texts."""
    return _units_of_long(text) if len(text) > _LONG else units_of(words_of(text))


@lru_cache(maxsize=8)
def _units_of_long(text: str) -> int:
    """The count of a long text, cached because about a dozen scores and rules need it: 5,000,000 ideographs
    take a second."""
    return units_of(words_of(text))


def units_of(words: Iterable[str]) -> int:
    """The count of words as `words_of` divides them, in sixths of a word."""
    return sum(map(weight, words))


@lru_cache(maxsize=65_536)
def weight(word: str) -> int:
    """Sixths of a word that an item of `words_of` counts: 6, but 4 for an ideograph or hiragana and 2 for a
    grapheme cluster of an unspaced script."""
    if _CJK.match(word):
        return int(UNITS / CJK_A_WORD)
    return UNITS // CLUSTERS_A_WORD if _CLUSTERED.match(word) else UNITS


def first_words(text: str, count: int) -> str:
    """The beginning of a text with at most `count` words, unchanged; the whole text if it has no more."""
    left, end = count * UNITS, 0
    if word_units(text) <= left:
        return text
    markers = (found.span() for found in _MARKERS.finditer(text))
    beyond = (len(text), len(text))
    marker = next(markers, beyond)
    for found in _WORD.finditer(text):
        while marker[1] <= found.start():
            marker = next(markers, beyond)
        if marker[0] <= found.start():
            continue
        left -= weight(found[0])
        if left < 0:
            return text[:end]
        end = found.end()
    return text


def without_markers(text: str) -> str:
    """The text without the list markers and the indentation at the beginning of its lines."""
    return _MARKERS.sub("", text)


# Letters
# ----------------------------------------------------------------------------------------------------


class _Counter:
    """Counts the characters of a class: ASCII characters in bytes, 30 times faster, and the others with the
    pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = regex.compile(pattern)
        self._ascii = bytes(code for code in range(128) if self._pattern.fullmatch(chr(code)))

    def __call__(self, text: str) -> int:
        plain = text.encode("ascii", "ignore")
        found = len(plain) - len(plain.translate(None, self._ascii))
        return found if len(plain) == len(text) else found + len(self._pattern.findall(_ASCII.sub("", text)))


_ASCII = re.compile(r"[\x00-\x7f]+")

count_letters = _Counter(r"\p{L}")
"""Letters of all scripts (general category L). Vowel signs and other combining marks are parts of letters and
not counted."""
count_capitals = _Counter(r"[\p{Lu}\p{Lt}](?<!\p{Cherokee})")
"""Upper-case and title-case letters, without those of Cherokee, which is written in them throughout."""
count_marks = _Counter(r"[\p{M}\p{Cf}\p{GCB=V}\p{GCB=T}]")
"""Combining marks, invisible format characters, and the vowels and final consonants of decomposed Korean
syllables."""
count_symbols = _Counter(_SYMBOL)
"""Characters that are neither letters, combining marks, digits, white space, invisible format characters nor
punctuation of prose in any script.

Symbols are the categories S and C (except the degree and numero signs), and the punctuation of markup: `# * @
\\ _ { }` and bullets.
"""

count_alphanumeric = _Counter(r"[\p{L}\p{M}\p{N}]")
"""Letters with their combining marks, and digits of all scripts."""
count_punctuation = _Counter(r"\p{P}")
"""Punctuation of all scripts (general category P)."""


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Words of a text without case, punctuation and symbols, separated by one space: what two spellings of a
    title or a name share."""
    return " ".join(_LETTERS_AND_DIGITS.findall(_width_folded(text).casefold()))


_LETTERS_AND_DIGITS = regex.compile(r"[\p{L}\p{M}\p{N}]+")


def identity(text: str) -> str:
    """What two copies of a text share that differ only in typesetting: case, white space, quotation marks,
    dashes, ligatures, width of characters, punctuation between words and sentences. `C++` and `C#`, `-3` and
    `3`, `50%` and `50` stay different, and so do vowel signs."""
    text = without_markers(text)
    if text.isascii():
        data = text.encode()
        shape = data.translate(_ASCII_SHAPE)
        if b"#" in shape or b".0" in shape:
            return " ".join(_ASCII_TOKEN.findall(text.lower()))
        # only letters and digits are kept: ten times as fast
        return b" ".join(data.translate(_ASCII_LETTERS).split()).decode()
    return " ".join(_TOKEN.findall(spelled_alike(text)))


def identity_of(texts: Iterable[str]) -> str:
    """The identity of all texts together; empty if they have no word, since texts without words are not
    copies of each other."""
    found, has_words = list[str](), False
    for text in texts:
        found.append(identity(text))
        has_words = has_words or bool(words_of(text))
    return " ".join(filter(None, found)) if has_words else ""


def spelled_alike(text: str) -> str:
    """The text in lower case and in one spelling: composed, of one width, with straight apostrophes, without
    invisible characters and tatweel."""
    return (
        text.lower()
        if text.isascii()
        else _INVISIBLE.sub("", _width_folded(text).casefold()).replace("’", "'")
    )


def _width_folded(text: str) -> str:
    """NFKC, except for superscripts, subscripts and fractions: `10²` is not `102`, `2½` is `2 1/2`."""
    if text.isascii():
        return text
    pieces = _SUPERSCRIPT.split(
        _FRACTION.sub(lambda found: f" {unicodedata.normalize('NFKC', found[0])} ".replace("⁄", "/"), text)
    )
    return "".join(piece if at % 2 else normalized(piece, "NFKC") for at, piece in enumerate(pieces))


def normalized(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """The text in a normal form.

    Sorting the combining marks of one letter is quadratic in their number, so a run of more than 30 is split
    as in Stream-Safe Text (UAX 15).
    """
    return unicodedata.normalize(form, _MARKS.sub("\\g<0>\u034f", text) if len(text) > _SHORT else text)


# Sentences
# ----------------------------------------------------------------------------------------------------


def sentences_of(text: str) -> list[str]:
    """The sentences of a text in order, without the white space between them."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence. Only white space is between them."""
    start = len(text) - len(text.lstrip())
    for found in _END.finditer(text, start):
        is_line = found.lastgroup == "line"
        gap = found.start("line" if is_line else "gap")
        if gap > start and (is_line or _is_end(text, found)):
            yield start, start + len(text[start:gap].rstrip())
            start = found.end()
    end = len(text.rstrip())
    if end > start:
        yield start, end


def ends_sentence(text: str) -> bool:
    """Whether a text ends with a sentence terminal of any script. Closing quotation marks and brackets after
    it are skipped."""
    return _ENDED.search(text) is not None


def ends_clause(text: str) -> bool:
    """Whether a text ends like a sentence or a part of one: with a sentence terminal, a colon, a semicolon or
    a comma."""
    return _PAUSED.search(text) is not None


def is_unmarked(text: str) -> bool:
    """Whether most of a text is Thai or Lao, which have no sentence terminals: there, a line without one need
    not be a heading or a title."""
    return 2 * len(_UNMARKED.findall(text)) > len(text)


def ends_with_colon(text: str) -> bool:
    """Whether a text ends with a colon."""
    return text.rstrip().endswith((":", "："))


def _is_end(text: str, found: regex.Match[str]) -> bool:
    mark, gap = found.group("mark", "gap")
    if mark[-1] not in _SPACED_MARKS:
        return True
    start, end = found.span()
    if end < len(text) and not gap:
        return False
    following = text[end : end + 1]
    if gap != " " and _LINE_END.search(gap):
        return True
    if following.islower():
        return False
    # each abbreviation and number ends with a letter or a digit
    if mark != "." or not text[max(0, start - 2) : start].removesuffix("\n")[-1:].isalnum():
        return True
    before = text[max(0, start - _LONGEST) : start]
    return not (_NO_END.search(before) or (following.isnumeric() and _NUMBERED.search(before)))
