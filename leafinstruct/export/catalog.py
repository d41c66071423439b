"""The export formats by name: of leafinstruct, and of installed packages. Light, so that `leaf export --help`
can list them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from leafinstruct.errors import RecipeError
from leafinstruct.runtime.extensions import Extension, installed

if TYPE_CHECKING:
    from leafinstruct.export.format import Format

MODULES = {
    "conversations": "conversations",
    "webdataset": "webdataset",
    "llama-factory": "llama_factory",
    "ms-swift": "ms_swift",
}
"""Name of a format -> its module in formats/."""


def extensions() -> dict[str, Extension]:
    """Return the formats of installed packages by name. Raises RecipeError for a name that exists twice."""
    return installed("leafinstruct.formats", MODULES)


def names() -> list[str]:
    """Return the names of all formats. Raises RecipeError for a name that exists twice."""
    return [*MODULES, *extensions()]


def format_of(name: str) -> Format:
    """Return the format with a name. Raises RecipeError for an unknown name, and if the package of an
    extension cannot be imported or provides no Format with this name."""
    from leafinstruct.export.format import Format  # not at the top: it loads Pillow

    if name in MODULES:
        own: Format = import_module(f"leafinstruct.export.formats.{MODULES[name]}").FORMAT
        return own
    if (extension := extensions().get(name)) is None:
        raise RecipeError(f"no format {name!r}; one of {', '.join(names())} is needed")
    found = extension.load()
    if not isinstance(found, Format) or found.name != name:
        raise extension.fault(f"is no export.format.Format with the name {name!r}")
    return found
