"""Streams of chance: every random choice of the corpus comes from a generator named by what it is for.

A name (seed, purpose, document number) instead of one long stream: a document then never depends on how many
choices were made before it, which is what lets chunks be written apart. `random` seeds from text by SHA-512,
the same on every machine and Python version.
"""

from __future__ import annotations

import random


def stream(*name: object) -> random.Random:
    """A generator of its own for the name; the same name gives the same choices."""
    return random.Random("/".join(map(str, name)))  # noqa: S311 - drawings, not secrets
