"""Cards (README.md) of datasets and adapters: a template of data_cards/, filled.

Chosen: Jinja2 in its sandbox without autoescape, because a card is Markdown, which that would not make safe.
What a page or a recipe named passes the filter `cell`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from leafinstruct.errors import RecipeError

CELL = 80
"""Characters of a page's text in a cell, before escaping."""
MAX_INDENT = 40
"""Spaces at the beginning of a line that are shown."""

_MARKUP = re.compile(r"[\\`*_#|\[\]<>&:@~$]|(?<=www)\.", re.IGNORECASE)
_OPENING = re.compile(r"^(\d*)([-+=.)])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\\": "&#92;"}
"""A backslash is one of them, because an escaped one before a parenthesis opens a formula on the Hub."""


def fill(template: str, contents: Mapping[str, Any], where: str) -> str:
    """The card's text. where: the key that names the template. Raises RecipeError when it uses a name that is
    not there or is not Jinja."""
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(cell=cell, paragraph=paragraph, passage=passage, number=number)
    try:
        return environment.from_string(template).render(**contents)
    except TemplateError as error:
        raise RecipeError(f"{where}: the template cannot be filled: {error}") from error


def cell(text: object, limit: int = CELL) -> str:
    """A page's text for a cell of a Markdown table: one line of at most `limit` characters in which nothing
    is markup, a link or an entity.

    It is safe within a line of ours; at its beginning `-` and `1.` would make a list, see `paragraph`.
    """
    line = "".join(character if character.isprintable() else " " for character in str(text))
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)


def paragraph(text: object, limit: int) -> str:
    """A page's text for a line of its own: as `cell`, and no sign at its beginning makes a list, a rule or a
    heading's line."""
    return _OPENING.sub(r"\1\\\2", " ".join(cell(text, limit).split()))


def passage(text: object, limit: int) -> str:
    """A page's text of several lines, as one paragraph of ours: line breaks and indentation are shown, so
    lists can be read."""
    shown = str(text)
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    rows = [(len(row) - len(row.lstrip(" ")), paragraph(row, limit)) for row in shown.split("\n")]
    return "<br>".join("&nbsp;" * min(indent, MAX_INDENT) + row for indent, row in rows if row)


def number(value: float) -> str:
    """Three digits where there is a fraction, else all of them, in groups."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
