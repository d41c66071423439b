"""Extensions of other installed packages (readers, scores, export formats), found by their entry points.

    [project.entry-points."leafinstruct.readers"]      in the pyproject.toml of such a package
    gallery = "leaf_gallery.reader"                    name = "module" or "module:object"

Only metadata is read to find extensions (20 ms); a package is imported when one of its extensions is used.
Distribution and version of an extension belong in the keys of what it computes, so that an upgraded package
computes again.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any, Literal

from leafinstruct import __version__
from leafinstruct.errors import RecipeError, shortened

Group = Literal["leafinstruct.readers", "leafinstruct.scores", "leafinstruct.formats"]
"""The groups of entry points, one for each protocol."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One entry point. target: `module` or `module:object`. distribution, version: of the package that
    declares it."""

    group: Group
    name: str
    target: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    def load(self, needs: Collection[str] = ()) -> Any:
        """Import the package and return the object. needs: attributes that the object must have.

        Raises RecipeError, which names the distribution and the reason, if one of these fails.
        """
        try:
            found = metadata.EntryPoint(self.name, self.target, self.group).load()
        except Exception as error:
            reason = shortened(" ".join(f"{type(error).__name__}: {error}".split()), 300)
            raise self.fault(f"cannot be imported: {reason}") from error
        if missing := [name for name in needs if not hasattr(found, name)]:
            raise self.fault(f"has no {', '.join(missing)}; see docs/extensions.md")
        return found

    def fault(self, what: str) -> RecipeError:
        """The error about something that is wrong with the extension."""
        return RecipeError(f"{self}: {self.name!r} of {self.group} ({self.target}) {what}")


def installed(group: Group, own: Collection[str]) -> dict[str, Extension]:
    """Return the extensions of a group by name, sorted. own: names of leafinstruct itself.

    Raises RecipeError if an extension has one of our names, or that of another extension.
    """
    found: dict[str, Extension] = {}
    for extension in _declared(group, tuple(sys.path)):
        name = extension.name
        if name in own or name in found:
            other = f"leafinstruct {__version__}" if name in own else found[name]
            raise RecipeError(
                f"{group}: both {other} and {extension} provide {name!r}; "
                f"uninstall {extension.distribution}, or rename its entry point"
            )
        found[name] = extension
    return found


@lru_cache
def _declared(group: Group, path: tuple[str, ...]) -> list[Extension]:  # noqa: ARG001 - the key of the cache
    """Every entry point of a group, by name and distribution. path: where packages are searched."""
    return sorted(
        (
            Extension(group, point.name, point.value, point.dist.name, point.dist.version)
            for point in metadata.entry_points(group=group)
            if point.dist is not None
        ),
        key=lambda found: (found.name, found.distribution),
    )
