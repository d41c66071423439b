"""Text hygiene: what every reader does to every string before it enters a document.

White space is collapsed where it carries no meaning and kept where it does (code, sentences that hold line
breaks). Control characters, byte order marks and lone surrogates go, because Arrow, JSON and terminals refuse
or obey them. Nothing else is touched: no Unicode normalization (NFKC changes formulas and code), and what
looks like a control token (`<image>`, `<|im_end|>`) is text and stays text.
"""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
"""Without those that are white space (\\x0b, \\x0c, \\x1c-\\x1f, \\x85), which separate words and become
spaces."""
_SPACE = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0", " "))
_SURROGATE = re.compile("[\ud800-\udfff]")


def one_line(text: str) -> str:
    """Runs of white space (no-break space included) become one space, ends are stripped."""
    return " ".join(_clean(text).split())


def lines(text: str) -> str:
    """Line breaks and indentation stay; trailing space and blank lines at both ends go; a no-break space,
    which no compiler takes, is one."""
    kept = _clean(text.translate(_SPACE).replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.rstrip() for line in kept.split("\n")).strip("\n")


def word_set(text: str) -> frozenset[str]:
    """The words of a text: how this room writes its long lists of names."""
    return frozenset(text.split())


def _clean(text: str) -> str:
    """Drop control characters; a lone surrogate, which no encoding can write, becomes U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))
