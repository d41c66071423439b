"""A prompt template: its name, its text, and the sha256 that fingerprints and rows carry.

Templates are Markdown with `{{ name }}` placeholders, filled by plain replacement, so a document's text can
never be executed as a template (Jinja's sandbox would be more than needed). The recipe decides where prompts
are looked up.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_PLACE = re.compile(r"\{\{ (\w+) \}\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One template. name: as in the recipe, e.g. `judge`; text: the template."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fill(self, **places: str) -> str:
        """Replace every `{{ name }}` in one pass, so that placeholders inside values are not replaced."""
        return _PLACE.sub(lambda found: places.get(found[1], found[0]), self.text)
