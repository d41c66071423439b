"""Convert a published row to a sample (turns of texts and images), checked and escaped for all formats.

Texts are escaped (records.escaping). The file name of an image is its sha256 and the format in its header,
never a name from the data. Its bytes are those of the row. Adjacent texts are joined as `leaf train` joins
them (records.text.joining), because formats with one string per turn cannot separate them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from leafinstruct.images.decode import Undecodable, probe
from leafinstruct.records.escaping import escape
from leafinstruct.records.published_row import ImageInfo, PublishedImage, PublishedRow
from leafinstruct.records.text.joining import after_placeholder, joined

COLUMNS = (
    "id",
    "document_id",
    "source",
    "task",
    "messages",
    "images",
    "image_info",
    "url",
    "language",
    "license",
    "provenance",
)
"""Columns of the published row that are read. Scores are not exported: they select data and are not training
data."""


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """One image. suffix: of its file name. info: its entry of the row's image_info."""

    sha256: str
    suffix: str
    data: bytes
    info: ImageInfo

    @property
    def path(self) -> str:
        """Path in the export's folder. There are 256 subfolders, because a folder of a million files is
        slow."""
        return f"images/{self.sha256[:2]}/{self.sha256}.{self.suffix}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. role: user or assistant. parts: images, and escaped texts, never two adjacent."""

    role: str
    parts: tuple[str | ExportedImage, ...]

    @property
    def images(self) -> tuple[ExportedImage, ...]:
        return tuple(part for part in self.parts if isinstance(part, ExportedImage))

    def with_placeholders(self, placeholder: str) -> str:
        """The turn as one string: a placeholder for each image, on its own line, and a blank line next to a
        list, which Markdown requires."""
        found, before = "", None
        for index, part in enumerate(self.parts):
            gap = "" if not index else after_placeholder(before, part) if isinstance(part, str) else "\n"
            found += gap + (part if isinstance(part, str) else placeholder)
            before = part if isinstance(part, str) else before
        return found


@dataclass(frozen=True, slots=True)
class Sample:
    """One exportable row. escaped: number of escaped texts. row: as it was published."""

    turns: tuple[Turn, ...]
    escaped: int
    row: PublishedRow

    @property
    def images(self) -> tuple[ExportedImage, ...]:
        return tuple(image for turn in self.turns for image in turn.images)

    @property
    def answered(self) -> int:
        """Number of images in answers."""
        return sum(len(turn.images) for turn in self.turns if turn.role == "assistant")

    def origin(self) -> dict[str, object]:
        """Origin and license. Unknown values are empty strings, not null: `datasets` infers the type of a
        JSON column from its first rows, and fails if those were all null."""
        row, provenance = self.row, self.row.provenance
        return {
            "document_id": row.document_id,
            "source": row.source,
            "url": row.url or "",
            "language": row.language or "",
            "license": row.license or "",
            "provenance": {
                "recipe": provenance.recipe or "",
                "file": provenance.file or "",
                "locator": provenance.locator or "",
            },
            "image_info": [
                {
                    "url": item.info.url or "",
                    "license": item.info.license or "",
                    "ref": item.info.ref or "",
                    "sha256": item.sha256,
                    "frame_time": "" if item.info.frame_time is None else repr(item.info.frame_time),
                }
                for item in self.images
            ],
        }


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that cannot be exported. reason: a short stable name. detail: a message."""

    reason: str
    detail: str


def sample_of(row: PublishedRow) -> Sample | Lost:
    """Convert a row with COLUMNS. Reasons of a Lost row: those of published_row.FAULTS, sha256_differs,
    undecodable."""
    if row.fault is not None:
        return Lost(row.fault.reason, row.fault.detail)
    turns: list[Turn] = []
    escaped = number = 0
    for turn in row.turns:
        parts: list[str | ExportedImage] = []
        for part in turn.parts:
            if isinstance(part, str):
                parts.append(escape(part))
                escaped += parts[-1] != part
                continue
            number += 1
            image = _image(part)
            if isinstance(image, Lost):
                return Lost(image.reason, f"image {number}: {image.detail}")
            parts.append(image)
        turns.append(Turn(turn.role, _joined(parts)))
    return Sample(tuple(turns), escaped, row)


def alternating(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Merge adjacent turns of the same role, for readers that require alternating turns."""
    return tuple(
        Turn(role, _joined([part for turn in members for part in turn.parts]))
        for role, members in groupby(turns, lambda turn: turn.role)
    )


def unanswered(sample: Sample) -> str | None:
    """Why chat trainers reject a row: begins_with_answer, ends_with_question; None if they accept it."""
    if sample.turns[0].role == "assistant":
        return "begins_with_answer"
    return "ends_with_question" if sample.turns[-1].role == "user" else None


def _joined(parts: Sequence[str | ExportedImage]) -> tuple[str | ExportedImage, ...]:
    """Join adjacent texts. Special tokens contain no line break, so joining by one creates none."""
    found: list[str | ExportedImage] = []
    for is_text, run in groupby(parts, lambda part: isinstance(part, str)):
        members = list(run)
        found += [joined([part for part in members if isinstance(part, str)])] if is_text else members
    return tuple(found)


def _image(image: PublishedImage) -> ExportedImage | Lost:
    assert image.data, "a row without a fault has the bytes of its images"
    sha256 = hashlib.sha256(image.data).hexdigest()
    stated = image.info.sha256
    if stated and stated != sha256:
        return Lost("sha256_differs", f"its sha256 is {sha256}, the row states {stated[:64]}")
    found = probe(image.data)
    if isinstance(found, Undecodable):
        return Lost("undecodable", found.reason)
    suffix = "jpg" if found.format == "JPEG" else found.format.lower()
    return ExportedImage(sha256, suffix, image.data, image.info)
