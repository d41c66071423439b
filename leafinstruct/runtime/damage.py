"""What `leaf verify` lists: one file, or one entry of a file, whose bytes are not those that were recorded;
and what has the place of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leafinstruct.errors import SourceError


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file or entry.

    file: where it is; fault: what is wrong with it, e.g. "its sha256 is not the recorded one"; repair: what
    the user does about it, e.g. "run `leaf build RECIPE`: part demo-0 is made again".
    """

    file: Path
    fault: str
    repair: str


def refuse_folder(path: Path) -> None:
    """Raise SourceError for a folder in the place of a file: nothing says what is in it, so it is not
    deleted."""
    if path.is_dir() and not path.is_symlink():
        raise SourceError(
            f"{path}: a folder has the place of a file; move it away and run the same command again"
        )


def remove(path: Path) -> None:
    """Delete a file, a link or a pipe, if there is one. Raises SourceError for a folder."""
    refuse_folder(path)
    path.unlink(missing_ok=True)
