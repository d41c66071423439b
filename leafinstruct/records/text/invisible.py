"""Characters that a person does not see and a model reads: where they are, and which a text needs. Pure.

Invisible are the characters of Unicode's property Default_Ignorable_Code_Point: zero-width ones, soft
hyphens, directions, tags, variation selectors, fillers. They split words for a tokenizer, spell
instructions that nobody sees (each letter has a tag and each byte a variation selector), or show a person
other words than a model reads (overrides of direction). Some scripts and emoji need them, each in its place:

    joiners                 after a letter of a script that joins letters, and between two emoji
    variation selectors     one, after a symbol, an ideograph, or a letter of a script that has them
    directions              up to three in a row in a text with letters written from right to left, and no
                            override
    zero-width spaces       between letters of a script without spaces
    tags                    the three flags of emoji that are spelled with them
    fillers                 beside the parts of Korean syllables; two of them are shown as blanks, and stay

Everything else is hidden. Sources: Unicode 15, DerivedCoreProperties.txt; UTS #51 (emoji), UTS #37
(ideographic variation), RFC 5892 appendix A (joiners).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import regex

_IGNORABLE = r"(?![\u3164\uFFA0])[\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB]"
_RUN = regex.compile(rf"(?:{_IGNORABLE})+")
_RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}]")
_JOINING = "".join(
    rf"\p{{Script={name}}}"
    for name in (
        *("Arabic", "Syriac", "Mandaic", "Nko", "Mongolian", "Phags_Pa", "Adlam", "Hebrew", "Thaana"),
        *(
            "Devanagari",
            "Bengali",
            "Gurmukhi",
            "Gujarati",
            "Oriya",
            "Tamil",
            "Telugu",
            "Kannada",
            "Malayalam",
        ),
        *("Sinhala", "Tibetan", "Myanmar", "Khmer", "Thai", "Lao", "Balinese", "Javanese", "Grantha", "Newa"),
    )
)
_UNSPACED = "".join(
    rf"\p{{Script={name}}}"
    for name in (
        "Thai",
        "Lao",
        "Khmer",
        "Myanmar",
        "Tibetan",
        "Balinese",
        "Javanese",
        "Tai_Tham",
        "New_Tai_Lue",
    )
)
_DIRECTION = r"[\u061C\u200E\u200F\u202A-\u202C\u2066-\u2069]"
_NEEDED = regex.compile(
    rf"(?<=[{_JOINING}]\p{{M}}?)[\u200C\u200D]"
    r"|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]\uFE0F?)\u200D(?=\p{Extended_Pictographic})"
    r"|(?<=[\p{S}\p{P}\p{N}\p{Extended_Pictographic}\p{Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Myanmar}"
    r"\p{Script=Phags_Pa}\p{Script=Mongolian}])[\uFE00-\uFE0F]"
    r"|(?<=\p{Han})[\U000E0100-\U000E01EF]"
    r"|(?<=\p{Script=Mongolian})[\u180B-\u180F]"
    rf"|(?<=[{_UNSPACED}])\u200B(?=[{_UNSPACED}])"
    r"|(?<=[\p{Script=Hebrew}\p{M}])\u034F"
    r"|[\u115F\u1160](?=[\u1100-\u11FF])|(?<=[\u1100-\u115F])\u1160"
    r"|(?<=\U0001F3F4)\U000E0067\U000E0062[\U000E0061-\U000E007A]{3}\U000E007F"
)
_NEEDED_DIRECTIONS = regex.compile(rf"{_NEEDED.pattern}|(?<!{_DIRECTION}){_DIRECTION}{{1,3}}(?!{_DIRECTION})")
_TAGS, _BYTES = (
    regex.compile(r"[\U000E0020-\U000E007E]+"),
    regex.compile(r"[\uFE00-\uFE0F\U000E0100-\U000E01EF]+"),
)
_SHORTEST = 4
"""Letters of a hidden text. A shorter one says nothing."""


def hidden(text: str) -> list[tuple[int, int]]:
    """Start and end of each run of invisible characters that the text does not need, in order."""
    if text.isascii() or _RUN.search(text) is None:
        return []
    needed = _NEEDED_DIRECTIONS if _RIGHT_TO_LEFT.search(text) else _NEEDED
    kept = deque(found.span() for found in needed.finditer(text))
    return [span for run in _RUN.finditer(text) for span in _without(run.span(), kept)]


def visible(text: str) -> str:
    """The text without what `hidden` finds."""
    pieces, end = [], 0
    for start, stop in hidden(text):
        pieces.append(text[end:start])
        end = stop
    return "".join([*pieces, text[end:]])


def spelled(run: str) -> str:
    """The text that tags, or the bytes that variation selectors spell; empty if there is none of some
    length."""
    tags = "".join(chr(ord(sign) - 0xE0000) for found in _TAGS.finditer(run) for sign in found[0])
    selected = bytes(
        ord(sign) - (0xFE00 if sign <= "\ufe0f" else 0xE0100 - 16)
        for found in _BYTES.finditer(run)
        for sign in found[0]
    ).decode("utf-8", "replace")
    return next((one for one in (tags, selected) if len(one) >= _SHORTEST and one.isprintable()), "")


def _without(run: tuple[int, int], kept: deque[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a run that are not kept. kept: spans in order; those before its end are
    taken out."""
    start, end = run
    while kept and kept[0][0] < end:
        first, last = kept.popleft()
        if first > start:
            yield start, first
        start = max(start, last)
    if start < end:
        yield start, end
