"""Write the list of modules of ARCHITECTURE.md: one line a file, the first line of its docstring.

Run it after adding, moving or describing a module: python scripts/module_list.py. tests/test_layout.py
compares.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
DOCUMENT = REPOSITORY / "ARCHITECTURE.md"
_LIST = re.compile(r"(?<=<!-- modules -->\n\n)    leafinstruct/.*?\n(?=\n<!-- end of modules -->)", re.DOTALL)


def listing(package: Path) -> str:
    """The indented tree of a package: folders before files, each with what its docstring says it is."""
    lines: list[str] = []

    def visit(folder: Path, depth: int) -> None:
        lines.append(_line(f"{folder.name}/", folder / "__init__.py", depth))
        modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        for module in modules:
            lines.append(_line(module.name, module, depth + 1))
        for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").is_file()):
            visit(inner, depth + 1)

    visit(package, 0)
    return "\n".join(f"    {line}" for line in lines) + "\n"


def _line(name: str, module: Path, depth: int) -> str:
    described = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    first = described.partition("\n\n")[0].replace("\n", " ")
    sentence = re.split(r"(?<=[.])(?<!al\.)\s(?=[A-Z`])", first, maxsplit=1)[0].removesuffix(".")
    return f"{'  ' * depth}{name:<{30 - 2 * depth}} {sentence}".rstrip()


def written(document: str, package: Path) -> str:
    """The document with the list of now."""
    found, count = _LIST.subn(lambda _: listing(package), document)
    assert count == 1, "ARCHITECTURE.md has no list of modules"
    return found


if __name__ == "__main__":
    DOCUMENT.write_text(
        written(DOCUMENT.read_text(encoding="utf-8"), REPOSITORY / "leafinstruct"), encoding="utf-8"
    )
