"""The package that CONTRIBUTING.md shows, from the document's own blocks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from installing import install
from making import png

DOCUMENT = Path(__file__).parent.parent / "CONTRIBUTING.md"
_FILE = re.compile(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def shown_files() -> dict[str, str]:
    """Name -> text of each file that the document shows."""
    return dict(_FILE.findall(DOCUMENT.read_text(encoding="utf-8")))


def shown_commands() -> list[str]:
    """The commands that the document shows, in order."""
    (block,) = _COMMANDS.findall(DOCUMENT.read_text(encoding="utf-8"))
    return str(block).splitlines()


def install_toy(site: Path, version: str | None = None, **changed: str) -> Path:
    """Install the document's package into a folder, for `sys.path` or PYTHONPATH. changed: file name without
    its ending -> another text. Returns the folder."""
    texts = shown_files()
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    modules = {
        name: changed.get(Path(name).stem, text) for name, text in texts.items() if name.endswith(".py")
    }
    return install(site, project["name"], project["entry-points"], modules, version or project["version"])


def write_project(folder: Path) -> Path:
    """Write the document's recipe, its gallery and two images. Returns the recipe."""
    for name, text in shown_files().items():
        if name == "recipe.yaml" or name.startswith("data/"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    for number, name in enumerate(("mill.png", "bridge.png")):
        (folder / "data" / name).write_bytes(png((200 - 60 * number, 90, 30), dot=20 * number))
    return folder / "recipe.yaml"
