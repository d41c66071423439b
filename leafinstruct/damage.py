"""What `leaf verify` lists: one file, or one entry of a file, whose bytes are not those that were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file or entry.

    file: where it is; fault: what is wrong with it, e.g. "its sha256 is not the recorded one"; repair: what the user does about it, e.g.
    "run `leaf build RECIPE`: part demo-0 is made again".
    """

    file: Path
    fault: str
    repair: str
