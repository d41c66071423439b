"""Fill the generated sections of the documentation: docs/cli.md from `leaf --help`, docs/scores.md from the
catalog of scores, the settings of docs/alignment.md and docs/training.md from their sections of a recipe.

Run it after changing an option, a score or a setting: python scripts/reference.py.
tests/e2e/test_documentation.py compares.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup

from leafinstruct.cli import app
from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.config import AlignmentConfig, ReassignConfig
from leafinstruct.train.config import AdapterConfig, BackboneConfig, TrainConfig

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("alignment.md", "cli.md", "scores.md", "training.md")
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
_SHARED = "--help"


def written(page: str) -> str:
    """The page with its generated sections as they are now; other text is unchanged."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{_section(found[2])}{found[3]}", page)


def _section(name: str) -> str:
    """All commands, all settings of training or of alignment, or the scores of a family."""
    if name == "train":
        return "\n".join(
            _settings(*section)
            for section in (
                ("train", TrainConfig),
                ("train.backbone", BackboneConfig),
                ("train.adapter", AdapterConfig),
            )
        )
    if name == "models":
        inner = _settings("filter.alignment.reassign", ReassignConfig)
        return f"{_settings('filter.alignment', AlignmentConfig)}\n{inner}"
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
    rows = "".join(f"| {_code(given)} | {_cell(text)} |\n" for given, text in records if given != _SHARED)
    head = "| option | meaning |\n|---|---|\n"
    return f"## leaf {name}\n\n    {usage}\n\n{_line(command.help or '')}\n\n{head}{rows}"


def _family(family: str) -> str:
    found = [score for score in SCORES.values() if score.family == family]
    assert found, f"no score of family {family}"
    rows = "".join(f"| `{score.name}` | {score.level} | {_cell(score.meaning)} |\n" for score in found)
    return f"| score | of each | value |\n|---|---|---|\n{rows}"


def _settings(section: str, model: type[BaseModel]) -> str:
    """The keys of a section of a recipe, without those that are sections themselves."""
    rows = "".join(
        f"| `{name}` | {_values(field.annotation)} | {_default(field.get_default())} "
        f"| {_cell(field.description or '')} |\n"
        for name, field in model.model_fields.items()
        if field.annotation not in (BackboneConfig, AdapterConfig)
    )
    return f"### {section}\n\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}"


def _values(kind: Any) -> str:
    """What a key may hold, as a recipe writes it."""
    names = {int: "integer", float: "number", str: "text", bool: "`true`, `false`", dict: "mapping"}
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return f"list of {_values(get_args(kind)[0])}"
    if get_args(kind) and get_origin(kind) is not dict:
        return ", ".join(_values(inner) for inner in get_args(kind) if inner is not type(None))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "mapping"
    return names[get_origin(kind) or kind]


def _default(value: object) -> str:
    """A default as YAML writes it; "required" for a key without one."""
    if value is PydanticUndefined:
        return "required"
    return "none" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Text of a table's cell, with code in backticks: a name such as runs/<name> is no element of HTML."""
    parts = _line(text).split("`")
    return "".join(_code(part) if at % 2 else _prose(part) for at, part in enumerate(parts))


def _prose(text: str) -> str:
    return re.sub(r"<(?=[A-Za-z/])", "&lt;", text).replace("|", "&#124;")


def _code(text: str) -> str:
    """Code in a table's cell; an element of HTML for code with a bar, whose backslash MkDocs would show."""
    return f"<code>{_prose(text)}</code>" if "|" in text else f"`{_line(text)}`"


if __name__ == "__main__":
    for name in PAGES:
        path = DOCS / name
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
