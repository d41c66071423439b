"""Make rejected answers from the chosen one: steps in another order, an image or texts of another row. Pure.

A step is a run of texts and the images after it, or of images and the texts after them where the answer
begins with an image. All choices follow from the seed and the id of the example, so they depend on no other
row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from leafinstruct.records.example import PreferenceKind
from leafinstruct.shard.split import unit

PLANTED: tuple[PreferenceKind, ...] = ("shuffled_steps", "swapped_image", "other_text")
"""Kinds that need no language model. An example gets at most one."""

Image = TypeVar("Image")


def kinds_of(seed: int, example: str, wanted: Sequence[str]) -> list[PreferenceKind]:
    """The planted kinds that are wanted, in the order in which they are tried for an example."""
    found = [kind for kind in PLANTED if kind in wanted]
    return sorted(found, key=lambda kind: unit(seed, f"kind\0{kind}\0{example}"))


def steps_of(parts: Sequence[str | Image]) -> list[list[str | Image]]:
    """Divide the parts of an answer into steps."""
    steps: list[list[str | Image]] = []
    for part in parts:
        begins = isinstance(part, str) == isinstance(parts[0], str)
        if not steps or (begins and isinstance(part, str) != isinstance(steps[-1][-1], str)):
            steps.append([])
        steps[-1].append(part)
    return steps


def order_of(seed: int, example: str, steps: Sequence[object]) -> list[int] | None:
    """The order of an answer's steps in the rejected answer: a permutation of their indices that gives
    another sequence. None if there is none, because there is one step or all are equal. steps: by which they
    are compared."""
    order = sorted(range(len(steps)), key=lambda at: unit(seed, f"step\0{at}\0{example}"))
    if [steps[at] for at in order] == list(steps):
        order = order[1:] + order[:1]
    return order if [steps[at] for at in order] != list(steps) else None


def shuffled(parts: Sequence[str | Image], order: Sequence[int]) -> list[str | Image]:
    """The parts of an answer with its steps in an order from `order_of`."""
    steps = steps_of(parts)
    return [part for at in order for part in steps[at]]


def swapped(parts: Sequence[str | Image], image: int, lent: Image) -> list[str | Image]:
    """The parts of an answer with another image in place of one. image: its index among the images."""
    places = [at for at, part in enumerate(parts) if not isinstance(part, str)]
    return [lent if at == places[image] else part for at, part in enumerate(parts)]


def retold(parts: Sequence[str | Image], texts: Sequence[str]) -> list[str | Image]:
    """The parts of an answer with other texts in the places of its own, in order. Texts that have no place
    are left out, and so are places that get no text."""
    return list(_retold(parts, texts))


def _retold(parts: Sequence[str | Image], texts: Sequence[str]) -> Iterator[str | Image]:
    left = iter(texts)
    for part in parts:
        if not isinstance(part, str):
            yield part
        elif (text := next(left, None)) is not None:
            yield text
