"""Fill the generated sections of the documentation: docs/cli.md from `leaf --help`, docs/scores.md from the
catalog of scores.

Run it after changing an option or a score: python scripts/reference.py. tests/docs/test_docs.py compares.
"""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.core import TyperGroup

from leafinstruct.cli import app
from leafinstruct.filter.catalog import SCORES

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("cli.md", "scores.md")
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
_SHARED = "--help"


def written(page: str) -> str:
    """The page with its generated sections as they are now; other text is unchanged."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{_section(found[2])}{found[3]}", page)


def _section(name: str) -> str:
    """All commands, or the scores of a family."""
    return _commands() if name == "commands" else _family(name)


def _commands() -> str:
    """Usage, description and options of every command, in the order of `leaf --help`."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    context = typer.Context(group, info_name="leaf")
    return "\n".join(_command(group, context, name) for name in group.list_commands(context))


def _command(group: TyperGroup, context: typer.Context, name: str) -> str:
    command = group.get_command(context, name)
    assert command is not None, name
    inner = typer.Context(command, info_name=name, parent=context)
    usage = " ".join(["leaf", name, *command.collect_usage_pieces(inner)])
    records = [record for param in command.get_params(inner) if (record := param.get_help_record(inner))]
    rows = "".join(f"| `{_cell(given)}` | {_cell(text)} |\n" for given, text in records if given != _SHARED)
    return f"## leaf {name}\n\n    {usage}\n\n{_line(command.help or '')}\n\n| | |\n|---|---|\n{rows}"


def _family(family: str) -> str:
    found = [score for score in SCORES.values() if score.family == family]
    assert found, f"no score of family {family}"
    rows = "".join(f"| `{score.name}` | {score.level} | {_cell(score.meaning)} |\n" for score in found)
    return f"| score | of each | value |\n|---|---|---|\n{rows}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


if __name__ == "__main__":
    for name in PAGES:
        path = DOCS / name
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
