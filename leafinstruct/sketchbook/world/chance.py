"""Random streams: every random choice of the corpus comes from a generator with a name.

The name is (seed, purpose, document number). So a document does not depend on the number of choices before
it, and chunks can be written separately. `random` seeds from text by SHA-512, the same on every machine and
Python version.
"""

from __future__ import annotations

import random


def stream(*name: object) -> random.Random:
    """Return the generator of a name; the same name gives the same choices."""
    return random.Random("/".join(map(str, name)))  # noqa: S311 - drawings, not secrets
