"""How a person is told of what files hold: characters that no terminal obeys, lines of a width, folded where
they are long.

Whatever a file may hold (its name, addresses, licenses, page text, a model's sentence) goes through
`printable`, since a terminal obeys what it is shown: an escape in a file name could hide the line that names
it. Escaping by hand of each color library was refused: one filter by Unicode category also takes
bidirectional overrides and broken surrogates. Every verb prints through it, so nothing heavy is imported
here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

FOLDED_LINES, FOLDED_CHARACTERS = 6, 2_000
"""Lines of a prompt or an answer, and characters of anything else (an address may be a megabyte), unless all
is wanted."""


def printable(text: object, limit: int | None = None) -> str:
    """One line without control, format or surrogate characters (each becomes a space), cut at `limit`
    characters."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


class Page:
    """Lines of a width: what is long is wrapped, or folded unless all is wanted."""

    def __init__(self, width: int, full: bool) -> None:
        self.width, self.full = width, full

    def wrapped(self, text: object, indent: int, hang: int = 0) -> Iterator[str]:
        """All of a text, further lines `hang` deeper; an address longer than a line is broken, not cut."""
        first, rest = " " * indent, " " * (indent + hang)
        line = printable(text, None if self.full else FOLDED_CHARACTERS)
        yield from textwrap.wrap(
            line, self.width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        ) or [first.rstrip()]

    def one(self, text: object, indent: int, hang: int = 0) -> Iterator[str]:
        """The beginning of a text in one line; all of it where all is wanted."""
        if self.full:
            yield from self.wrapped(text, indent, hang)
        else:
            yield (" " * indent + printable(text, self.width - indent)).rstrip()

    def block(self, text: str, indent: int) -> Iterator[str]:
        """A text with its own lines, folded after FOLDED_LINES."""
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
        """Facts under their names, those that are there."""
        for name, value in facts.items():
            if value not in (None, ""):
                yield from self.wrapped(f"{name.replace('_', ' '):<9} {printable(value)}", 2, 10)
