"""What a format is to the rest of the room: how a sample is written, what its reader cannot take, and what a
person must know of it.

A format is data and three short functions, so that parts, resuming, counting and the page beside the files
are written once (run, packing, readme).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leafinstruct.export.row import Sample

Files = Mapping[str, Sequence[str]]
"""Split -> names of its files."""


def nothing(name: str, files: Files) -> dict[str, Any]:  # noqa: ARG001 - the signature of Format.beside
    """No further file."""
    return {}


def takes_all(sample: Sample) -> str | None:  # noqa: ARG001 - the signature of Format.fault
    """No sample that the reader could not take."""
    return None


@dataclass(frozen=True)
class Format:
    """packing: a list of records (.json), a record a line (.jsonl), or tar shards.
    marks: what stands for an image, or is obeyed otherwise, in a text of this format.
    record: a sample as its record. fault: why the format's reader cannot take a sample (a short stable name),
    else None.
    loading: how to load it, in Markdown. beside: further JSON files, name -> value.
    answers: what its reader makes of images in answers, one sentence.
    """

    name: str
    title: str
    packing: Literal["list", "lines", "tar"]
    placeholders: tuple[str, ...]
    record: Callable[[Sample], dict[str, Any]]
    loading: Callable[[str, Files], str]
    answers: str
    fault: Callable[[Sample], str | None] = takes_all
    beside: Callable[[str, Files], dict[str, Any]] = nothing
