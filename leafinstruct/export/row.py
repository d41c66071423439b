"""A published row -> a sample: turns of texts and images, checked and escaped once for all formats; or the
reason why there is none.

Texts are escaped (records.escaping). An image's name is made of its sha256 and of what its header says it is,
never of a name that the data holds. Its bytes are the row's. Texts that follow each other are joined as in
what `leaf train` reads (records.joining): formats of one string a turn have no other way to say it.
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
"""Of the published row. Scores stay behind: they are what a dataset is chosen by, not what is learnt from
it."""
ROLES = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """info: sha256, url, license, ref, frame_time as the row has them."""

    sha256: str
    suffix: str
    data: bytes
    info: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Below the export's folder; 256 folders, because some file systems and all people are slow in a
        folder of a million files."""
        return f"images/{self.sha256[:2]}/{self.sha256}.{self.suffix}"


@dataclass(frozen=True, slots=True)
class Turn:
    """role: user or assistant; parts: texts, escaped and never two in a row, and images."""

    role: str
    parts: tuple[str | ExportedImage, ...]

    @property
    def images(self) -> tuple[ExportedImage, ...]:
        return tuple(part for part in self.parts if isinstance(part, ExportedImage))

    def marked(self, mark: str) -> str:
        """One string, a mark for each image on a line of its own, and a blank line where a Markdown parser
        needs it beside a list."""
        found, before = "", None
        for index, part in enumerate(self.parts):
            gap = "" if not index else after_placeholder(before, part) if isinstance(part, str) else "\n"
            found += gap + (part if isinstance(part, str) else mark)
            before = part if isinstance(part, str) else before
        return found


@dataclass(frozen=True, slots=True)
class Sample:
    """escaped: texts that hold a mark or a control token. row: its columns that are neither messages nor
    images."""

    turns: tuple[Turn, ...]
    escaped: int
    row: Mapping[str, Any]

    @property
    def images(self) -> tuple[ExportedImage, ...]:
        return tuple(image for turn in self.turns for image in turn.images)

    @property
    def answered(self) -> int:
        """Images in answers."""
        return sum(len(turn.images) for turn in self.turns if turn.role == "assistant")

    def origin(self) -> dict[str, Any]:
        """Where it comes from and under which license. Nothing is null (unknown is empty), since `datasets`
        takes the type of a JSON column from its first rows and refuses a text where only nulls stood."""
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
    """A row without a sample. reason: a short stable name; detail: for a person."""

    reason: str
    detail: str


def sample_of(row: Mapping[str, Any]) -> Sample | Lost:
    """The sample of a row with COLUMNS, or why it is none: bad_messages, images_differ, no_bytes,
    sha256_differs, not_an_image."""
    messages = row["messages"] or []
    if not messages or any(
        message["role"] not in ROLES or message["content"] is None for message in messages
    ):
        return Lost("bad_messages", f"the row has no turns of {' and '.join(ROLES)} alone")
    parts = [part for message in messages for part in message["content"]]
    if any(
        part["type"] not in ("text", "image") or (part["type"] == "text" and part["text"] is None)
        for part in parts
    ):
        return Lost("bad_messages", "a part is neither a text nor the place of an image")
    places, images = sum(part["type"] == "image" for part in parts), row["images"] or []
    if places != len(images):
        return Lost("images_differ", f"{places} places of images, {len(images)} images")
    found = []
    for at, (image, info) in enumerate(zip(images, _infos(row["image_info"], len(images)), strict=True)):
        one = _image(image, info)
        if isinstance(one, Lost):
            return Lost(one.reason, f"image {at + 1}: {one.detail}")
        found.append(one)
    rest = iter(found)
    turns = tuple(Turn(message["role"], tuple(_parts(message["content"], rest))) for message in messages)
    escaped = sum(part["type"] == "text" and escape(part["text"]) != part["text"] for part in parts)
    return Sample(
        turns,
        escaped,
        {name: row[name] for name in COLUMNS if name not in ("messages", "images", "image_info")},
    )


def alternating(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Turns of one speaker in a row as one, for readers that want them to alternate."""
    return tuple(
        Turn(role, _joined([part for turn in members for part in turn.parts]))
        for role, members in groupby(turns, lambda turn: turn.role)
    )


def unanswered(sample: Sample) -> str | None:
    """Why chat trainers cannot take a row, None when they can: begins_with_answer, ends_with_question."""
    if sample.turns[0].role == "assistant":
        return "begins_with_answer"
    return "ends_with_question" if sample.turns[-1].role == "user" else None


def _parts(
    content: Sequence[Mapping[str, Any]], images: Iterator[ExportedImage]
) -> tuple[str | ExportedImage, ...]:
    return _joined([escape(part["text"]) if part["type"] == "text" else next(images) for part in content])


def _joined(parts: Sequence[str | ExportedImage]) -> tuple[str | ExportedImage, ...]:
    """Neighboring texts in one. No mark or control token holds a line break, so none is made where two
    meet."""
    found: list[str | ExportedImage] = []
    for is_text, run in groupby(parts, lambda part: isinstance(part, str)):
        members = list(run)
        found += [joined([part for part in members if isinstance(part, str)])] if is_text else members
    return tuple(found)


def _infos(infos: Sequence[Mapping[str, Any]] | None, count: int) -> Sequence[Mapping[str, Any]]:
    """What is known of each image; nothing where the row does not say it for all of them."""
    return infos if infos is not None and len(infos) == count else [{}] * count


def _image(image: Mapping[str, Any] | None, info: Mapping[str, Any] | None) -> ExportedImage | Lost:
    data, known = (image or {}).get("bytes"), info or {}
    if not data:
        return Lost("no_bytes", "the dataset holds a reference to it and not its bytes")
    sha256 = hashlib.sha256(data).hexdigest()
    if known.get("sha256") not in (None, "", sha256):
        return Lost("sha256_differs", f"its bytes are {sha256}, and the row says {str(known['sha256'])[:64]}")
    found = probe(data)
    if isinstance(found, Undecodable):
        return Lost("not_an_image", found.reason)
    return ExportedImage(sha256, "jpg" if found.format == "JPEG" else found.format.lower(), data, known)
