"""Text hygiene: what every reader does to every string before it enters a document.

White space is collapsed where it carries no meaning and kept where it does (code, sentences that hold line breaks). Control characters, byte
order marks and lone surrogates go, because Arrow, JSON and terminals refuse or obey them. Nothing else is touched: no Unicode
normalisation (NFKC changes formulas and code), and what looks like a control token (`<image>`, `<|im_end|>`) is text and stays text.
"""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def one_line(text: str) -> str:
    """Runs of white space (no-break space included) become one space, ends are stripped."""
    return _clean(" ".join(text.split()))


def lines(text: str) -> str:
    """Line breaks and indentation stay; trailing space and blank lines at both ends go; a no-break space, which no compiler takes, is one."""
    kept = [_clean(line).rstrip() for line in text.replace("\xa0", " ").replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(kept).strip("\n")


def word_set(text: str) -> frozenset[str]:
    """The words of a text: how this room writes its long lists of names."""
    return frozenset(text.split())


def _clean(text: str) -> str:
    """Drop control characters; a lone surrogate, which no encoding can write, becomes U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))
