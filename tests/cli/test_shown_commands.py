"""Every command of `leaf` that the documentation shows has that verb and those options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from leafinstruct.cli import app

_REPOSITORY = Path(__file__).parents[2]
_PAGES = sorted(
    path
    for folder in (_REPOSITORY, _REPOSITORY / "docs", _REPOSITORY / "examples", _REPOSITORY / "pipelines")
    for path in folder.iterdir()
    if path.suffix in (".md", ".sh", ".yaml") and path.name != "CHANGELOG.md"  # it names what is gone
)
_SHOWN = re.compile(r"(?:^[ #$]*|`|&& )leaf +([a-z]+)([^`\n]*)", re.MULTILINE)
_QUOTED = re.compile(r'"[^"]*"')


def _options() -> dict[str, set[str]]:
    """Verb -> its options."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    context = typer.Context(group, info_name="leaf")
    found = {}
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        assert command is not None
        found[verb] = {option for param in command.params for option in param.opts} | {"--help"}
    return found


@pytest.mark.parametrize("path", _PAGES, ids=lambda path: path.name)
def test_verbs_and_options_on_a_page_exist(path):
    known = _options()
    for verb, rest in _SHOWN.findall(path.read_text(encoding="utf-8")):
        assert verb in known, f"leaf {verb}"
        command = re.split(r" #| && |; |  +[A-Za-z]", _QUOTED.sub("", rest))[0]
        unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", command)) - known[verb]
        assert not unknown, f"leaf {verb}{rest}"


def test_the_pages_show_commands():
    shown = {verb for path in _PAGES for verb, _ in _SHOWN.findall(path.read_text(encoding="utf-8"))}
    assert shown == set(_options())
