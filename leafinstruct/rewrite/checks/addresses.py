"""URLs and e-mail addresses of a text, in one spelling. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import regex

_ADDRESS = regex.compile(
    r"(?:https?|ftp)://[^\s<>\"“”«»，。、！？）」』]+"  # noqa: RUF001 - full-width punctuation ends a URL
    r"|(?<![\w@.-])www\.[^\s<>\"“”«»，。、！？）」』]+"  # noqa: RUF001
    r"|(?<![\w.+%-])[\w.+%-]{1,64}+@(?:[\w-]{1,63}\.){1,8}\p{L}{2,24}"
    r"|(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,5}(?:com|net|org|edu|gov|io|info|biz|shop|co|de|fr|es|it|nl|uk|ru|"
    r"cn|jp|in|eu|ai|app|dev)(?![\w-]|\.\p{L})(?:/[^\s<>\"“”«»]*)?",
    regex.IGNORECASE,
)


def addresses_in(text: str) -> Iterator[str]:
    """Yield the addresses of a text without scheme, `www.` and final punctuation, in lower case."""
    for found in _ADDRESS.finditer(text):
        plain = regex.sub(r"^(?:(?:https?|ftp)://)?(?:www\.)?", "", found[0].lower())
        yield plain.rstrip(".,;:!?)]}'/")


def without_addresses(text: str) -> str:
    """The text with a space in place of each address."""
    return _ADDRESS.sub(" ", text)
