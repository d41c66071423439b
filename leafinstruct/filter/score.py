"""One declared score: name, level, unit, version. Its family determines the pass that computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["document", "image"]

PASSES = (
    "text",
    "image",
    "extension",
    "prediction",
    "alignment",
    "coherence",
    "duplicate",
    "reference",
    "judge",
)
"""Families in the order in which they are computed and their rules applied; `extension` are all of installed
packages, `prediction` those of the recipe's own models."""

_WITHIN = {
    "classifier": "prediction",
    "contamination": "duplicate",
    "document": "text",
    "markup": "text",
    "perplexity": "prediction",
    "personal": "text",
    "rules": "judge",
    "sequence": "image",
    "text_classifier": "prediction",
    "toxicity": "text",
}
"""Families without a pass of their own -> the pass in which they are computed and their rules applied."""


@dataclass(frozen=True, slots=True)
class Score:
    """One declared score.

    meaning: ends with the unit or range. version: increased when the same document gets another value.
    compute: of a score of an installed package, a pure function; it gets the document
    (records.document.Document), and for a score of images also the decoded image (PIL, RGB). NaN or None: the
    value cannot be computed. package: name and version of the distribution that declares it, empty for scores
    of leafinstruct.
    """

    name: str
    level: Level
    meaning: str
    version: int = 1
    compute: Callable[..., float | None] | None = None
    package: str = ""

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]

    @property
    def turn(self) -> int:
        """Index of the score's pass in PASSES."""
        return PASSES.index("extension" if self.package else _WITHIN.get(self.family, self.family))

    @property
    def identity(self) -> dict[str, Any]:
        """What keys and fingerprints contain of a score of an installed package."""
        return {name: getattr(self, name) for name in ("version", "package", "level", "meaning")}
