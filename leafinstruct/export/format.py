"""Interface of an export format: how a sample is written, what its reader rejects, and how to load it.

A format is data and a few short functions; parts, resuming, counting and the README are shared by all formats
(run, packing, readme). Every sample that a format is given has escaped texts (records.escaping), and none of
its texts contains a placeholder of the format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from leafinstruct.export.row import Sample

Files = Mapping[str, Sequence[str]]
"""Split -> names of its files."""


def nothing(name: str, files: Files) -> dict[str, object]:  # noqa: ARG001 - the signature of Format.beside
    """Default of Format.beside: no further files."""
    return {}


def takes_all(sample: Sample) -> str | None:  # noqa: ARG001 - the signature of Format.fault
    """Default of Format.fault: the reader accepts every sample."""
    return None


@dataclass(frozen=True)
class Format:
    """An export format.

    packing: one JSON list (.json), one record a line (.jsonl), or tar shards.
    placeholders: strings that the format's reader interprets in texts, such as the placeholder of an image.
    A row with one in a text, where escaping leaves it, is left out.
    record: converts a sample to its record.
    loading: (dataset name, files) -> how to load the files, in Markdown.
    answers: how the reader treats images in answers, one sentence.
    fault: a short stable reason why the reader rejects a sample, else None.
    beside: (dataset name, files) -> further JSON files, name in the export's folder -> value.
    """

    name: str
    title: str
    packing: Literal["list", "lines", "tar"]
    placeholders: tuple[str, ...]
    record: Callable[[Sample], dict[str, object]]
    loading: Callable[[str, Files], str]
    answers: str
    fault: Callable[[Sample], str | None] = takes_all
    beside: Callable[[str, Files], dict[str, object]] = nothing
