"""Convert a published row to a sample (turns of texts and images), checked and escaped for all formats.

Texts are escaped (records.escaping). The file name of an image is its sha256 and the format in its header,
never a name from the data. Its bytes are those of the row. Adjacent texts are joined as `leaf train` joins
them (records.text.joining), because formats with one string per turn cannot separate them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from leafinstruct.images.decode import Undecodable, probe
from leafinstruct.records.escaping import escape
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
ROLES = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """One image. suffix: of its file name. info: sha256, url, license, ref, frame_time as in the row."""

    sha256: str
    suffix: str
    data: bytes
    info: Mapping[str, Any]

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
    """One exportable row. escaped: number of escaped texts. row: its columns except messages and images."""

    turns: tuple[Turn, ...]
    escaped: int
    row: Mapping[str, Any]

    @property
    def images(self) -> tuple[ExportedImage, ...]:
        return tuple(image for turn in self.turns for image in turn.images)

    @property
    def answered(self) -> int:
        """Number of images in answers."""
        return sum(len(turn.images) for turn in self.turns if turn.role == "assistant")

    def origin(self) -> dict[str, Any]:
        """Origin and license. Unknown values are empty strings, not null: `datasets` infers the type of a
        JSON column from its first rows, and fails if those were all null."""
        provenance = self.row["provenance"] or {}
        return {
            **{
                name: self.row[name] or "" for name in ("document_id", "source", "url", "language", "license")
            },
            "provenance": {name: provenance.get(name) or "" for name in ("recipe", "file", "locator")},
            "image_info": [
                {name: str(item.info.get(name) or "") for name in ("url", "license", "ref")}
                | {
                    "sha256": item.sha256,
                    "frame_time": ""
                    if item.info.get("frame_time") is None
                    else repr(item.info["frame_time"]),
                }
                for item in self.images
            ],
        }


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that cannot be exported. reason: a short stable name. detail: a message."""

    reason: str
    detail: str


def sample_of(row: Mapping[str, Any]) -> Sample | Lost:
    """Convert a row with COLUMNS. Reasons of a Lost row: bad_messages, images_differ, no_bytes,
    sha256_differs, not_an_image."""
    messages = row["messages"] or []
    if not messages or any(
        message["role"] not in ROLES or message["content"] is None for message in messages
    ):
        return Lost("bad_messages", f"the row has no turns, or roles other than {' and '.join(ROLES)}")
    parts = [part for message in messages for part in message["content"]]
    if any(
        part["type"] not in ("text", "image") or (part["type"] == "text" and part["text"] is None)
        for part in parts
    ):
        return Lost("bad_messages", "a part is neither a text nor an image")
    places, images = sum(part["type"] == "image" for part in parts), row["images"] or []
    if places != len(images):
        return Lost("images_differ", f"{places} image parts in messages, {len(images)} images")
    found = []
    for at, (image, info) in enumerate(zip(images, _infos(row["image_info"], len(images)), strict=True)):
        one = _image(image, info)
        if isinstance(one, Lost):
            return Lost(one.reason, f"image {at + 1}: {one.detail}")
        found.append(one)
    in_order = iter(found)
    turns = tuple(Turn(message["role"], tuple(_parts(message["content"], in_order))) for message in messages)
    escaped = sum(part["type"] == "text" and escape(part["text"]) != part["text"] for part in parts)
    return Sample(
        turns,
        escaped,
        {name: row[name] for name in COLUMNS if name not in ("messages", "images", "image_info")},
    )


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


def _parts(
    content: Sequence[Mapping[str, Any]], images: Iterator[ExportedImage]
) -> tuple[str | ExportedImage, ...]:
    return _joined([escape(part["text"]) if part["type"] == "text" else next(images) for part in content])


def _joined(parts: Sequence[str | ExportedImage]) -> tuple[str | ExportedImage, ...]:
    """Join adjacent texts. Special tokens contain no line break, so joining by one creates none."""
    found: list[str | ExportedImage] = []
    for is_text, run in groupby(parts, lambda part: isinstance(part, str)):
        members = list(run)
        found += [joined([part for part in members if isinstance(part, str)])] if is_text else members
    return tuple(found)


def _infos(infos: Sequence[Mapping[str, Any]] | None, count: int) -> Sequence[Mapping[str, Any]]:
    """image_info of each image; empty dictionaries if the row does not have one for each image."""
    return infos if infos is not None and len(infos) == count else [{}] * count


def _image(image: Mapping[str, Any] | None, info: Mapping[str, Any] | None) -> ExportedImage | Lost:
    data, known = (image or {}).get("bytes"), info or {}
    if not data:
        return Lost("no_bytes", "the dataset holds a reference, not the bytes")
    sha256 = hashlib.sha256(data).hexdigest()
    if known.get("sha256") not in (None, "", sha256):
        return Lost("sha256_differs", f"its sha256 is {sha256}, the row states {str(known['sha256'])[:64]}")
    found = probe(data)
    if isinstance(found, Undecodable):
        return Lost("not_an_image", found.reason)
    return ExportedImage(sha256, "jpg" if found.format == "JPEG" else found.format.lower(), data, known)
