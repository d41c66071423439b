"""Published rows as typed records: the one reader, with one vocabulary of faults, and the writer.

A row is read from a batch in the current schema (`public.PublishedShard.batches`), with the columns that the
batch has. A row of a stranger may hold anything: what its messages and images lack is its `fault`, never an
exception. Cost: 12 microseconds a row, a fifth of reading it from the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from itertools import islice, repeat
from typing import Any, Literal, get_args

import pyarrow as pa

from leafinstruct.errors import SchemaError
from leafinstruct.records.document import ImageRef, Role
from leafinstruct.records.example import Example
from leafinstruct.records.table import Row

FaultReason = Literal["bad_messages", "images_differ", "no_bytes"]
FAULTS: tuple[FaultReason, ...] = get_args(FaultReason)
"""bad_messages: no turns, or one of another role or without content, or a part that is neither text nor
image. images_differ: `messages` and `images` hold different numbers of images. no_bytes: an image is a
reference."""

ROLES: tuple[Role, ...] = get_args(Role)

_TEXTS = ("id", "document_id", "source", "task")
"""Columns of text in which a null is read as an empty text."""
_NULLABLE = ("url", "page_url", "title", "language", "license")
_NOT_READ: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row cannot be used. reason: a short stable name. detail: a message."""

    reason: FaultReason
    detail: str


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Entry of `image_info`. A field that is null, or was not read, is None. document_id, source: only of
    preference rows, whose images may be of another document."""

    sha256: str | None = None
    ref: str | None = None
    url: str | None = None
    license: str | None = None
    source_position: int | None = None
    frame_time: float | None = None
    width: int | None = None
    height: int | None = None
    owner: int | None = None
    owner_found: str | None = None
    document_id: str | None = None
    source: str | None = None


NO_INFO = ImageInfo()
"""Of an image without an entry."""


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """An image in a turn. data: its bytes, None in a shard of references or if `images` was not read."""

    data: bytes | None
    info: ImageInfo


@dataclass(frozen=True, slots=True)
class PublishedTurn:
    """One turn: texts and images in order."""

    role: Role
    parts: tuple[str | PublishedImage, ...]


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One score. image: index of its image, None for a score of the document."""

    name: str
    image: int | None
    value: float | None
    state: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The row's `provenance`. models, prompts: (name, identity) pairs."""

    recipe: str | None = None
    file: str | None = None
    locator: str | None = None
    models: tuple[tuple[str, str], ...] = ()
    prompts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published row. A column that was not read has its default here.

    turns: of `messages`, each image with its bytes and its entry of `image_info`; empty if there is a fault.
    images: bytes, None for a reference. fault: what is wrong with messages and images, if `messages` was
    read; the second and third of FAULTS only if `images` was too. image_info: may be shorter than images in
    a row that leaf did not write; then the images in turns have NO_INFO.
    """

    turns: tuple[PublishedTurn, ...] = ()
    images: tuple[bytes | None, ...] = ()
    image_info: tuple[ImageInfo, ...] = ()
    fault: Fault | None = None
    id: str = ""
    document_id: str = ""
    source: str = ""
    task: str = ""
    url: str | None = None
    page_url: str | None = None
    title: str | None = None
    language: str | None = None
    license: str | None = None
    scores: tuple[PublishedScore, ...] = ()
    provenance: Origin = field(default_factory=Origin)

    def whole(self) -> PublishedRow:
        """The row itself. Raises SchemaError if it has a fault."""
        if self.fault is not None:
            raise SchemaError(f"row {self.id}: {self.fault.detail}")
        return self


def rows_in(batch: pa.RecordBatch) -> Iterator[PublishedRow]:
    """The rows of a batch in the current schema, which may lack columns and fields of it."""

    def read(name: str, convert: Callable[[Any], Iterable[Any]], default: Any) -> Iterable[Any]:
        found = name in batch.schema.names
        return convert(batch.column(name)) if found else repeat(default, batch.num_rows)

    given = zip(
        read("messages", pa.Array.to_pylist, _NOT_READ),
        read("images", _images, None),
        read("image_info", partial(_structs, ImageInfo), ()),
        *(read(name, _texts, "") for name in _TEXTS),
        *(read(name, pa.Array.to_pylist, None) for name in _NULLABLE),
        read("scores", partial(_structs, PublishedScore), ()),
        read("provenance", _origins, Origin()),
        strict=True,
    )
    for messages, images, infos, *plain in given:
        of_images = infos if images is None or len(infos) == len(images) else ()
        found = () if messages is _NOT_READ else _turns(messages or (), images, of_images)
        turns, fault = ((), found) if isinstance(found, Fault) else (found, None)
        yield PublishedRow(turns, images or (), infos, fault, *plain)


def _turns(
    messages: Iterable[Row | None], images: Sequence[bytes | None] | None, infos: Sequence[ImageInfo]
) -> tuple[PublishedTurn, ...] | Fault:
    places = 0
    turns: list[PublishedTurn] = []
    for turn in messages:
        if turn is None or turn["role"] not in ROLES:
            role = None if turn is None else turn["role"]
            return Fault(
                "bad_messages", f"a turn of role {ascii(role)[:40]}; roles are {' and '.join(ROLES)}"
            )
        if turn["content"] is None:
            return Fault("bad_messages", "a turn without content")
        parts: list[str | PublishedImage] = []
        for part in turn["content"]:
            kind, text = (None, None) if part is None else (part["type"], part["text"])
            if kind == "text" and text is not None:
                parts.append(text)
            elif kind == "image":
                data = images[places] if images is not None and places < len(images) else None
                parts.append(PublishedImage(data, infos[places] if places < len(infos) else NO_INFO))
                places += 1
            else:
                return Fault("bad_messages", "a part is neither a text nor an image")
        turns.append(PublishedTurn(turn["role"], tuple(parts)))
    if not turns:
        return Fault("bad_messages", "the row has no turns")
    if images is not None and places != len(images):
        return Fault("images_differ", f"{places} image parts in messages, {len(images)} images")
    if images is not None and not all(images):
        lacking = next(number for number, data in enumerate(images, 1) if not data)
        return Fault("no_bytes", f"image {lacking}: the dataset holds a reference, not the bytes")
    return tuple(turns)


def _images(column: pa.ListArray) -> Iterator[tuple[bytes | None, ...]]:
    (data,) = _fields(column.flatten(), "bytes")
    return _cut(column, data.to_pylist())


def _texts(column: pa.StringArray) -> Iterator[str]:
    return (text or "" for text in column.to_pylist())


def _structs(kind: type, column: pa.ListArray) -> Iterator[tuple[Any, ...]]:
    """Per row the structs of its list as `kind`, whose fields have the names of theirs."""
    values = _fields(column.flatten(), *(each.name for each in fields(kind)))
    return _cut(column, map(kind, *(each.to_pylist() for each in values)))


def _origins(column: pa.StructArray) -> Iterator[Origin]:
    for given in column.to_pylist():
        found = given or {}
        models, prompts = (
            tuple((item["name"], item["identity"]) for item in found.get(name) or ())
            for name in ("models", "prompts")
        )
        yield Origin(found.get("recipe"), found.get("file"), found.get("locator"), models, prompts)


def _fields(structs: pa.StructArray, *names: str) -> list[pa.Array]:
    """Fields by name, null in null structs, and all null if they were not read."""
    known = dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))
    return [known[name] if name in known else pa.nulls(len(structs)) for name in names]


def _cut(column: pa.ListArray, items: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Give each list of a column its items, which are those of all lists in order; none for a null list."""
    left, ends = iter(items), column.offsets.to_pylist()
    valid = column.is_valid().to_pylist() if column.null_count else repeat(True)
    for start, end, here in zip(ends, ends[1:], valid, strict=False):
        yield tuple(islice(left, end - start)) if here else ()


def row_of(example: Example, data: Mapping[str, bytes], recipe: str) -> Row:
    """The published row of an example. data: sha256 -> bytes of its images. recipe: `name@version`."""
    images = example.images
    index = {image.position: at for at, image in enumerate(images)}
    return {
        **{name: getattr(example, name) for name in (*_TEXTS, *_NULLABLE)},
        "messages": [
            {"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in example.turns
        ],
        "images": [{"bytes": data[image.sha256 or ""], "path": None} for image in images],
        "image_info": [
            {
                **{
                    name: getattr(image, name)
                    for name in ("sha256", "url", "license", "width", "height", "owner", "owner_found")
                },
                "ref": str(image.ref),
                "source_position": image.position,
                "frame_time": image.time,
            }
            for image in images
        ],
        "scores": [
            {
                "name": cell.name,
                "image": None if cell.position is None else index[cell.position],
                "value": cell.value,
                "state": cell.state,
            }
            for cell in example.scores
        ],
        "provenance": {
            "recipe": recipe,
            **asdict(example.provenance),
            "models": [{"name": name, "identity": identity} for name, identity in example.models],
            "prompts": [{"name": name, "identity": identity} for name, identity in example.prompts],
        },
    }


def _content(part: str | ImageRef) -> Row:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "text": None}
