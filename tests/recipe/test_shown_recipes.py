"""Every piece of a recipe that the documentation shows is a valid one."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml

from leafinstruct.recipe.load import load, load_training

_REPOSITORY = Path(__file__).parents[2]
_PAGES = [*sorted((_REPOSITORY / "docs").glob("*.md")), _REPOSITORY / "README.md"]
_BLOCK = re.compile(r"^```yaml[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SKETCHBOOK = {"kind": "sketchbook", "seed": 1, "documents": 1}
_HUB = "kind: hub\n      name: shown\n      repo: some-org/some-dataset"


def _shown() -> list[Any]:
    return [
        pytest.param(block, id=f"{path.stem}-{number}")
        for path in _PAGES
        for number, block in enumerate(_BLOCK.findall(path.read_text(encoding="utf-8")), 1)
        if "read_by" not in block  # a file of questions
    ]


def _whole(piece: str) -> str:
    """The recipe that a piece is part of: a list of sources, the columns of a source, or sections."""
    keys = yaml.safe_load(piece)
    if isinstance(keys, list):
        return f"name: shown\ningest:\n  sources:\n{indent(piece, '    ')}"
    if "segments" in keys:
        return f"name: shown\ningest:\n  sources:\n    - {_HUB}\n{indent(piece, '      ')}"
    others = {"name": "shown", "ingest": {"sources": [_SKETCHBOOK]}}
    missing = {key: value for key, value in others.items() if key not in keys}
    return piece + (yaml.safe_dump(missing) if missing else "")


@pytest.mark.parametrize("piece", _shown())
def test_a_piece_of_a_recipe_on_a_page_is_valid(piece, tmp_path):
    path = tmp_path / "recipe.yaml"
    if re.search("^train:", piece, re.MULTILINE):
        path.write_text(piece, encoding="utf-8")
        assert load_training(path).train.steps > 0
    else:
        path.write_text(_whole(piece), encoding="utf-8")
        assert load(path).recipe.ingest.sources


def test_the_pages_show_recipes():
    assert len(_shown()) > 20
