"""The guard of version numbers, on a package made here: what it notices, what it lets pass, what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import code_versions
import pytest
from code_versions import Code, Number, explained, module_of

NUMBERS = (Number("stage.py CODE", ("stage.py",), ("scores/*",)), Number("other.py CODE", ("other.py",)))

STAGE = '''"""A stage."""
from leafinstruct.rows import row
from leafinstruct.scores.text import links

CODE = 3

def run(values):
    """Write rows."""
    from leafinstruct.late import late
    return [row(value, links) for value in late(values)]
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "stage.py": STAGE,
        "rows.py": "from leafinstruct.errors import Broken\n\ndef row(a, b):\n    return f'{a}' 'x', b\n",
        "late.py": "def late(values):\n    yield from values\n",
        "other.py": "from leafinstruct import rows\nCODE = 1\nTABLE = rows.row\n",
        "scores/text.py": "links = 1\n",
        "errors.py": "class Broken(Exception):\n    pass\n",
        "alone.py": "x = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def code(package: Path) -> Code:
    return Code(code_versions.parsed(package), package, NUMBERS)


def edit(package: Path, name: str, old: str, new: str) -> None:
    text = (package / name).read_text("utf-8")
    assert old in text
    (package / name).write_text(text.replace(old, new), "utf-8")


def test_a_number_covers_what_its_module_imports_anywhere_and_no_module_apart(package):
    now = code(package)
    assert now.covered == {
        "stage.py CODE": {"stage.py", "rows.py", "late.py"},
        "other.py CODE": {"other.py", "rows.py"},
    }
    assert now.state["numbers"] == {"stage.py CODE": 3, "other.py CODE": 1}
    assert list(now.state["modules"]) == ["late.py", "other.py", "rows.py", "stage.py"]


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("late.py", "yield from values", "yield from sorted(values)", {"stage.py CODE": ["late.py"]}),
        ("rows.py", "'x'", "'y'", {"stage.py CODE": ["rows.py"], "other.py CODE": ["rows.py"]}),
        ("stage.py", "CODE = 3", "CODE = 4", {}),
        ("stage.py", "Write rows", "Write all rows", {}),
        ("stage.py", "CODE = 3\n", 'CODE = 3\n"""Increased when ..."""\n# a comment\n', {}),
        ("stage.py", "[row(value, links) for", "[\n        row(value, links)\n        for", {}),
        ("scores/text.py", "1", "2", {}),
        ("errors.py", "Exception", "ValueError", {}),
        ("alone.py", "1", "2", {}),
    ],
)
def test_what_needs_another_number(package, name, old, new, found):
    before = code(package).state
    edit(package, name, old, new)
    assert code(package).unsettled(before) == found


def test_a_new_module_is_noticed_where_it_is_imported(package):
    before = code(package).state
    (package / "fresh.py").write_text("def fresh(): ...\n", "utf-8")
    assert code(package).unsettled(before) == {}
    edit(package, "late.py", "def late", "from leafinstruct.fresh import fresh\n\n\ndef late")
    assert code(package).unsettled(before) == {"stage.py CODE": ["fresh.py", "late.py"]}


def test_a_reason_is_kept_until_the_module_changes_again(package):
    first = code(package).state
    edit(package, "rows.py", "'x'", "'x', 1")
    now = code(package)
    assert explained(now.unsettled(first)) == (
        "Code changed, but not the numbers that are in the keys of its results:\n"
        "  stage.py CODE: rows.py\n"
        "  other.py CODE: rows.py\n"
        "If the same input now gives other bytes or values, raise the number (of a family of scores: the "
        "versions in filter/catalog.py), and run: python scripts/code_versions.py\n"
        'If not, run: python scripts/code_versions.py --unchanged "why"'
    )
    noted = now.merged(first, "an unused value")
    assert noted["modules"]["rows.py"] == f"{now.state['modules']['rows.py']} unchanged: an unused value"
    assert noted["modules"]["late.py"] == first["modules"]["late.py"]
    assert now.unsettled(noted) == {}
    assert now.merged(noted) == noted
    edit(package, "rows.py", "'x', 1", "'x', 2")
    edit(package, "stage.py", "CODE = 3", "CODE = 4")
    assert code(package).unsettled(noted) == {"other.py CODE": ["rows.py"]}
    edit(package, "other.py", "CODE = 1", "CODE = 2")
    raised = code(package)
    assert raised.unsettled(noted) == {}
    assert raised.merged(noted) == raised.state


def test_the_hash_is_that_of_every_version_of_python():
    """Of 3.11, 3.12 and 3.13, whose trees have other fields, and ends of f-strings."""
    source = (
        "def f(a: int, /, *, b=1j) -> str:\n    'd'\n    return f'{a!r:>{b}}' f'{a}' u'x' if b else b'y'\n"
    )
    assert module_of(ast.parse(source)).hash == "2b8919911ef5"
