"""A prompt template: its name, its text, and the sha256 that fingerprints and rows carry.

Templates are Markdown with `{{ name }}` places, filled by plain replacement: a document's text can therefore
never be executed as a template (Jinja's sandbox was refused as more than is needed). Where a prompt is looked
for is the recipe's business, not ours.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_PLACE = re.compile(r"\{\{ (\w+) \}\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """name: as the recipe gives it, e.g. `judge`; text: the template."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fill(self, **places: str) -> str:
        """The text with every `{{ place }}` replaced in one pass, so that no value is looked through for
        places."""
        return _PLACE.sub(lambda found: places.get(found[1], found[0]), self.text)
