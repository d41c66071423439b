"""Show the contents of files in a terminal: no control characters, wrapped lines, long texts folded.

Everything that comes from a file (its name, URLs, licenses, page text, a model's sentence) is passed through
`printable`, because an escape sequence in a file name could hide the line that names it. Chosen over the
escaping of each color library: one filter by Unicode category also removes bidirectional overrides and broken
surrogates. Every verb prints through it, so it imports nothing heavy.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

FOLDED_LINES, FOLDED_CHARACTERS = 6, 2_000
"""Unless all is requested: maximum lines of a prompt or an answer, and characters of anything else (a URL may
have a megabyte)."""


def printable(text: object, limit: int | None = None) -> str:
    """One line without control, format or surrogate characters (each becomes a space), cut at `limit`
    characters."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


class Page:
    """Lines of a given width. Long texts are wrapped, and folded unless `full`."""

    def __init__(self, width: int, full: bool) -> None:
        self.width, self.full = width, full

    def wrapped(self, text: object, indent: int, hang: int = 0) -> Iterator[str]:
        """The whole text, further lines indented by `hang`. A URL longer than a line is broken, not cut."""
        first, rest = " " * indent, " " * (indent + hang)
        line = printable(text, None if self.full else FOLDED_CHARACTERS)
        yield from textwrap.wrap(
            line, self.width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        ) or [first.rstrip()]

    def one(self, text: object, indent: int, hang: int = 0) -> Iterator[str]:
        """The beginning of a text in one line; the whole text if `full`."""
        if self.full:
            yield from self.wrapped(text, indent, hang)
        else:
            yield (" " * indent + printable(text, self.width - indent)).rstrip()

    def block(self, text: str, indent: int) -> Iterator[str]:
        """A text with its own line breaks, folded after FOLDED_LINES."""
        parts = (
            text.splitlines()
            if self.full
            else [part[: FOLDED_LINES * self.width] for part in text.splitlines()[: FOLDED_LINES + 1]]
        )
        lines = [line for part in parts for line in self.wrapped(part, indent)]
        yield from lines if self.full else lines[:FOLDED_LINES]
        if not self.full and len(lines) > FOLDED_LINES:
            yield f"{' ' * indent}[of {len(text):,} characters; all of them with --full]"

    def named(self, **facts: object) -> Iterator[str]:
        """Facts with their names, without empty ones."""
        for name, value in facts.items():
            if value not in (None, ""):
                yield from self.wrapped(f"{name.replace('_', ' '):<9} {printable(value)}", 2, 10)
