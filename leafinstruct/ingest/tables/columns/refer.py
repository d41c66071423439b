"""Values of image columns -> references, one function for each format of tables (cells.Refer). No image is
read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from leafinstruct.images.containers import member
from leafinstruct.ingest.fields.embedded import Literals
from leafinstruct.ingest.fields.reference import Inside, LostError, image_ref, is_embedded, shown
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.tables import tar
from leafinstruct.records.document import Ref


def cell(file: str, row: int, value: object, column: str, item: int | None) -> tuple[Ref, str | None]:
    """Refer to an image of a Parquet row: a struct or bytes in its own cell, or a name or URL, also in a
    struct without bytes."""
    if isinstance(value, str) or (isinstance(value, dict) and value.get("bytes", b"") is None):

        def inside(_: str) -> Ref:
            return Ref(file=file, member=member(row, column, item))

        return named(file, inside, value, column, item)
    if not isinstance(value, (dict, bytes)):
        raise LostError("not_an_image_value", f"{shown(value)} is neither bytes nor a name nor a URL")
    return Ref(file=file, member=member(row, column, item)), None


def named(file: str, inside: Inside, value: object, column: str, item: int | None) -> tuple[Ref, str | None]:  # noqa: ARG001 - one signature for all tables
    """Refer to an image by a name relative to the file, or by a URL."""
    ref = image_ref(value, PurePosixPath(file).parent, inside)
    return ref, ref.url


def of_tar(
    sample: tar.Sample,
    file: str,
    read: Mapping[str, bytes],
    value: object,
    column: str,
    item: int | None,  # noqa: ARG001 - one signature for all tables
) -> tuple[Ref, str | None]:
    """Refer to an image that is a member of the tar, or that a JSON member names: another member, a URL, or
    the image itself. read: JSON members -> their bytes."""
    if isinstance(value, Ref):
        return value, None
    holder = next((name for name in read if column == name or column.startswith(f"{name}.")), None)
    if not isinstance(value, str) or holder is None:
        raise LostError("not_an_image_value", f"{column} is {shown(value)}, no member of the tar")
    stem, _, ending = PurePosixPath(value).name.partition(".")
    if (place := sample.members.get(ending.lower())) is not None and stem == PurePosixPath(sample.key).name:
        return Ref(file=file, offset=place[0], length=place[1]), None
    inside = Literals(file, read[holder], sample.members[holder][0])
    if not (is_embedded(value) or web(value)):
        raise LostError("bad_reference", f"{shown(value)} is neither a member of its record nor a URL")
    ref = image_ref(value, PurePosixPath(), inside.ref)
    return ref, ref.url
