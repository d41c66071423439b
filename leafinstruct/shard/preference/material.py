"""What planning preference rows reads of each row, `pairs-<part>.arrow`, and the examples of worse rounds
as rows, `losers-<part>.arrow`. Both are written beside the gathered rows, and only if the recipe wants
preference rows.

Cost: 40 bytes an image, and 8 bytes a text and a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import pyarrow as pa

from leafinstruct.images.near import hashes_of
from leafinstruct.records.document import ImageRef
from leafinstruct.records.example import Example
from leafinstruct.records.text.words import identity_of
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.shard.group_keys import number
from leafinstruct.shard.preference.negatives import steps_of

NO_LOSER, OTHER_QUESTION = -1, -2
"""Values of `loser` of a row without a worse round, and of one whose worse round answers another question."""

SCHEMA = pa.schema(
    [
        ("language", pa.string()),
        ("ordered", pa.bool_()),
        ("steps", pa.list_(pa.uint64())),
        ("texts", pa.list_(pa.uint64())),
        ("answer_texts", pa.int32()),
        ("images", pa.list_(pa.uint64())),
        ("hashes", pa.list_(pa.uint64())),
        ("answer_images", pa.int32()),
        ("loser", pa.int32()),
        ("loser_digest", pa.string()),
    ]
)
"""One row per published row, in the order of rows-<part>.arrow. ordered: whether its document has an order of
steps or events. steps: of the answer. texts: of all turns, without those that have no word; answer_texts: how
many of them, the last ones, are of the answer. images, hashes (4 numbers each, zero for none), answer_images:
likewise. Texts, steps and images are 64 bits of their sha256."""


class Material(TypedDict):
    """A row of SCHEMA."""

    language: str | None
    ordered: bool
    steps: Sequence[int]
    texts: Sequence[int]
    answer_texts: int
    images: Sequence[int]
    hashes: Sequence[int]
    answer_images: int
    loser: int
    loser_digest: str | None


def file_of(out: Artifact, kind: str, part: str) -> Path:
    """The path of a part's material (kind `pairs`) or worse rounds (`losers`)."""
    return out.file(kind, part, ".arrow")


def has_answer(example: Example) -> bool:
    """Whether the last turn answers the turns before it."""
    return len(example.turns) > 1 and example.turns[-1].role == "assistant"


def is_pair(example: Example, loser: Example) -> bool:
    """Whether two examples of a document have the same question and different answers."""
    return (
        has_answer(example)
        and has_answer(loser)
        and loser.turns[:-1] == example.turns[:-1]
        and loser.turns[-1] != example.turns[-1]
    )


def material_of(
    example: Example,
    ordered: bool,
    hashes: Mapping[str, str | None],
    loser: int = NO_LOSER,
    loser_digest: str | None = None,
) -> Material:
    """The material of an example. hashes: sha256 -> hash of its images. loser: index of its worse round."""
    answer = example.turns[-1].parts if has_answer(example) else ()
    before = [part for turn in example.turns for part in turn.parts][
        : sum(len(turn.parts) for turn in example.turns) - len(answer)
    ]
    texts = [_texts(parts) for parts in (before, answer)]
    images = [[part for part in parts if isinstance(part, ImageRef)] for parts in (before, answer)]
    names = [image.sha256 or "" for side in images for image in side]
    return {
        "language": example.language,
        "ordered": ordered,
        "steps": [number("\0".join(map(_key, step)).encode()) for step in steps_of(answer)],
        "texts": [*texts[0], *texts[1]],
        "answer_texts": len(texts[1]),
        "images": [int(name[:16], 16) for name in names],
        "hashes": hashes_of([hashes.get(name) for name in names]).ravel().tolist(),
        "answer_images": len(images[1]),
        "loser": loser,
        "loser_digest": loser_digest,
    }


def _key(part: str | ImageRef) -> str:
    return f"text {part}" if isinstance(part, str) else f"image {part.sha256}"


def _texts(parts: Iterable[str | ImageRef]) -> list[int]:
    found = (identity_of([part]) for part in parts if isinstance(part, str))
    return [number(text.encode()) for text in found if text]
