"""Fill the generated sections of the documentation: docs/cli.md from `leaf --help`, docs/scores.md from the
catalog of scores, docs/recipe.md and the settings of docs/alignment.md and docs/training.md from the models
of a recipe.

Run it after changing an option, a score or a setting: python scripts/reference.py.
tests/e2e/test_documentation.py compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup

from leafinstruct.cli import app
from leafinstruct.filter.catalog import OF_EXAMPLES, SCORES
from leafinstruct.filter.config import AlignmentConfig
from leafinstruct.ingest.config import Source
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.other_model import OtherModel
from leafinstruct.recipe.schema import Recipe
from leafinstruct.train.config import TrainConfig

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("alignment.md", "cli.md", "recipe.md", "scores.md", "training.md")
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
_SHARED = "--help"


def written(page: str) -> str:
    """The page with its generated sections as they are now; other text is unchanged."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{_section(found[2])}{found[3]}", page)


def _section(name: str) -> str:
    """All commands, all settings of a recipe, of training or of alignment, or the scores of a family."""
    sections: dict[str, tuple[str, type[BaseModel]]] = {
        "recipe": ("", Recipe),
        "train": ("train", TrainConfig),
        "models": ("filter.alignment", AlignmentConfig),
    }
    if name in sections:
        return "\n".join(_settings(*section) for section in _sections(*sections[name]))
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
    found = [score for score in (*SCORES.values(), *OF_EXAMPLES.values()) if score.family == family]
    assert found, f"no score of family {family}"
    rows = "".join(f"| `{score.name}` | {score.level} | {_cell(score.meaning)} |\n" for score in found)
    return f"| score | of each | value |\n|---|---|---|\n{rows}"


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """A section of a recipe, then those inside it: the path of each and its model."""
    yield path, model
    for name, field in _own_fields(model).items():
        for inner in _models(field.annotation):
            yield from _sections(f"{path}.{name}".lstrip("."), inner)


def _own_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a section, without those that it shares with `llm`."""
    shared = LlmConfig.model_fields if issubclass(model, OtherModel) else {}
    return {name: field for name, field in model.model_fields.items() if name not in shared}


def _models(kind: Any) -> list[type[BaseModel]]:
    """The models in the type of a key. Sources have kinds, which are described in docs/sources.md; another
    model has the keys of `llm`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [] if kind in (Source, OtherModel) else [kind]
    return [model for inner in get_args(kind) for model in _models(inner)]


def _settings(section: str, model: type[BaseModel]) -> str:
    """The keys of a section of a recipe. Raises ValueError for a key without a description."""
    rows = ""
    for name, field in _own_fields(model).items():
        path = f"{section}.{name}".lstrip(".")
        inside = f"[{path}](#{path.replace('.', '')})" if _models(field.annotation) else ""
        if inside and get_origin(field.annotation) in (list, tuple):
            inside = f"list of {inside}"
        meaning = field.description or (inside and _line(_models(field.annotation)[0].__doc__ or ""))
        if not meaning:
            raise ValueError(f"{section}.{name}: the key has no description")
        default = "" if inside else _default(field.get_default())
        rows += f"| `{name}` | {inside or _values(field.annotation)} | {default} | {_cell(meaning)} |\n"
    return f"### {section or 'The recipe'}\n\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}"


def _values(kind: Any) -> str:
    """What a key may hold, as a recipe writes it."""
    names = {int: "integer", float: "number", str: "text", bool: "`true`, `false`", dict: "mapping"}
    names |= {Source: "[sources](sources.md)", OtherModel: "keys of [llm](#llm)"}
    if get_origin(kind) is Annotated:
        return _values(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return f"list of {_values(get_args(kind)[0])}"
    if get_args(kind) and get_origin(kind) is not dict:
        return ", ".join(_values(inner) for inner in get_args(kind) if inner is not type(None))
    if kind not in names and isinstance(kind, type) and issubclass(kind, BaseModel):
        return "mapping"
    return names[get_origin(kind) or kind]


def _default(value: object) -> str:
    """A default as YAML writes it; "required" for a key without one."""
    if value is PydanticUndefined:
        return "required"
    plain = [*value] if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=1000).partition("\n")[0]
    return "none" if value is None else f"`{text}`"


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
