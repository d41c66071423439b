"""Clean every string before it enters a document, in every reader.

White space is collapsed, and kept where it has a meaning (code, sentences with line breaks). Control
characters, byte order marks and lone surrogates are removed, because Arrow and JSON reject them and terminals
obey them. Nothing else is changed: no Unicode normalization (NFKC changes formulas and code), and text that
looks like a special token (`<image>`, `<|im_end|>`) stays text.
"""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
"""Without control characters that are white space (\\x0b, \\x0c, \\x1c-\\x1f, \\x85), which separate words
and become spaces."""
_SPACE = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0", " "))
_SURROGATE = re.compile("[\ud800-\udfff]")


def one_line(text: str) -> str:
    """Replace runs of white space (no-break space included) with one space and strip the ends."""
    if text.isprintable() and "  " not in text:  # the only white space that is printable is the space
        return text.strip(" ")
    line = " ".join(text.split())
    return line if line.isprintable() else " ".join(_clean(text).split())


def lines(text: str) -> str:
    """Keep line breaks and indentation; remove trailing space and blank lines at both ends; replace no-break
    spaces, which compilers reject."""
    if text.isprintable():
        return text.rstrip(" ")
    plain = text.replace("\n", "").replace("\t", "").isprintable()  # most code; there is nothing to replace
    kept = text if plain else _clean(text.translate(_SPACE).replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.rstrip() for line in kept.split("\n")).strip("\n")


def prose(texts: list[str]) -> list[str]:
    """Clean each text: `lines` where it has line breaks between its words, else `one_line`.

    Most records need no more than `strip`, which one look at all their texts shows, in a third of the time.
    """
    together = "".join(texts)
    if together.isprintable() and "  " not in together:
        return [text.strip(" ") for text in texts]
    return [text.strip(" ") if text.isprintable() and "  " not in text else _sentence(text) for text in texts]


def _sentence(text: str) -> str:
    return lines(text) if "\n" in text.strip() else one_line(text)


def word_set(text: str) -> frozenset[str]:
    """The words of a text, to write long lists of names."""
    return frozenset(text.split())


def _clean(text: str) -> str:
    """Remove control characters; replace a lone surrogate, which no encoding can write, with U+FFFD."""
    if text.isprintable():  # no control character, noncharacter or surrogate is
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))
