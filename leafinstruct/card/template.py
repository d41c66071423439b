"""Fill the templates of data_cards/: cards (README.md) of datasets and adapters.

Chosen: Jinja2 in its sandbox, without autoescape, which escapes HTML and does not make Markdown safe. Text
that comes from a page or a recipe passes the filter `cell`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from leafinstruct.errors import RecipeError

CELL = 80
"""Maximum number of characters in a table cell, before escaping."""
MAX_INDENT = 40
"""Maximum number of leading spaces that are shown."""

_MARKUP = re.compile(r"[\\`*_#|\[\]<>&:@~$]|(?<=www)\.", re.IGNORECASE)
_OPENING = re.compile(r"^(\d*)([-+=.)])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\\": "&#92;"}
"""The backslash is included because an escaped backslash before a parenthesis opens a formula on the Hub."""


def fill(template: str, contents: Mapping[str, Any], where: str) -> str:
    """Fill a template. where: the recipe key that names the template, for errors.

    Raises RecipeError if the template uses an unknown name or is not valid Jinja.
    """
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(cell=cell, paragraph=paragraph, passage=passage, number=number)
    try:
        return environment.from_string(template).render(**contents)
    except TemplateError as error:
        raise RecipeError(f"{where}: the template cannot be filled: {error}") from error


def cell(text: object, limit: int = CELL) -> str:
    """Escape a text for a cell of a Markdown table: one line of at most `limit` characters without markup,
    links or entities.

    Safe inside a line. At the beginning of a line `-` and `1.` would start a list, see `paragraph`.
    """
    line = "".join(character if character.isprintable() else " " for character in str(text))
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)


def paragraph(text: object, limit: int) -> str:
    """Escape a text for a line of its own: as `cell`, and its beginning starts no list, rule or heading."""
    return _OPENING.sub(r"\1\\\2", " ".join(cell(text, limit).split()))


def passage(text: object, limit: int) -> str:
    """Escape a text of several lines as one paragraph that keeps line breaks and indentation."""
    shown = str(text)
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    rows = [(len(row) - len(row.lstrip(" ")), paragraph(row, limit)) for row in shown.split("\n")]
    return "<br>".join("&nbsp;" * min(indent, MAX_INDENT) + row for indent, row in rows if row)


def number(value: float) -> str:
    """Format a number: 3 significant digits below 1000, else all digits in groups."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
