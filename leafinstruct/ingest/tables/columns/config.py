"""The `segments:` of a `hub` source: columns of a table in reading order. Loads pydantic and nothing else.

Texts, images, parallel lists, conversations; and placeholders inside texts, each with the column of the
images that it names (placeholders). An error in a placeholder is one line when the recipe is read; whether
its column exists is checked against the table.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator

from leafinstruct.errors import suggestion
from leafinstruct.records.document import Role, TextKind


class Section(BaseModel):
    """Base class of all sections of a recipe that describe sources."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True
    )


class _Images(Section):
    """Columns with facts about the images of a column: each contains one value, or a list of them parallel to
    the images."""

    alt: str | None = Field(default=None, min_length=1)
    """Column of alternative texts."""
    url: str | None = Field(default=None, min_length=1)
    """Column of their original URLs."""
    license: str | None = Field(default=None, min_length=1)
    """Column of their licenses; an image without one has its record's."""
    time: str | None = Field(default=None, min_length=1)
    """Column of their times in a video, in seconds."""


class ImageColumn(_Images):
    """A column of images, one or a list of them: bytes, a path relative to the file, or a URL. `{n}` in its
    name stands for a number: `{image: "problem_image_{n}"}` is problem_image_1, problem_image_2 and so on."""

    image: str = Field(min_length=1)


class PlaceholderImages(ImageColumn):
    """The images that a placeholder in a text names: one column per number (`{n}` in its name), or one column
    with a list."""

    from_: int = Field(default=1, alias="from", ge=0)
    """The number of a list's first image."""


_IMAGE_KEYS = ("image", "alt", "url", "license", "time", "from")


def _with_placeholders(placeholders: Any) -> Any:
    """Expand declared placeholders: `{"[image_{n}]": images}` is short for `{"[image_{n}]": {image:
    images}}`. Raises ValueError."""
    if not isinstance(placeholders, dict):
        return placeholders
    found: dict[Any, Any] = {}
    for pattern, given in placeholders.items():
        value = (
            given.model_dump(by_alias=True)
            if isinstance(given, PlaceholderImages)
            else {"image": given}
            if isinstance(given, str)
            else given
        )
        if (
            not isinstance(pattern, str)
            or not isinstance(value, dict)
            or not isinstance(value.get("image"), str)
            or not value["image"]
        ):
            example = '{"[image_{n}]": images}'
            raise ValueError(
                f"the placeholder {pattern!r} needs the column of its images, such as placeholders: "
                f"{example}; write both in quotes"
            )
        for key in value:
            if key not in _IMAGE_KEYS:
                hint = suggestion(str(key), _IMAGE_KEYS)
                raise ValueError(f"the placeholder {pattern!r} has the unknown key {key!r}; {hint}")
        if fault := _fault(
            pattern, value["image"], "from" in value and not isinstance(given, PlaceholderImages)
        ):
            raise ValueError(fault)
        found[pattern] = value
    return found


def _fault(pattern: str, column: str, starts: bool) -> str | None:
    """Return what is wrong with a placeholder, None for nothing. starts: whether `from` is given."""
    count = pattern.count("{n}")
    other = re.search(
        r"\{\w{0,9}\}|\{[nN#i]|%d", pattern.replace("{n}", "") + " " + column.replace("{n}", "")
    )
    shown = pattern.replace("{n}", "").strip()
    if other is not None and not count:
        return (
            f"the placeholder {pattern!r} with the column {column!r}: write a number as {{n}}, not "
            f"{other[0]!r}"
        )
    if count > 1:
        return f"the placeholder {pattern!r} has {{n}} {count} times; use it once"
    if not shown or (len(shown) < 2 and shown.isalnum()):
        return (
            f"the placeholder {pattern!r} would match ordinary text; include the text around the number, "
            "such as '[image_{n}]'"
        )
    if "{n}" in column and not count:
        return (
            f"the column {column!r} has {{n}} and the placeholder {pattern!r} has none; write {{n}} "
            "where the placeholder has its number"
        )
    if column.count("{n}") > 1:
        return f"the column {column!r} has {{n}} {column.count('{n}')} times; use it once"
    if starts and "{n}" in column:
        return (
            f"the placeholder {pattern!r}: `from` counts the items of a list, and {column!r} is one "
            "column for each number; leave it out"
        )
    return (
        (
            f"the placeholder {pattern!r}: `from` is for placeholders with {{n}}; this one takes the "
            "images in order"
        )
        if starts and not count
        else None
    )


Placeholders = Annotated[dict[str, PlaceholderImages], BeforeValidator(_with_placeholders)]
"""Placeholders inside a text and the images they name."""


class TextColumn(Section):
    """A column of texts, one or a list of them: `{text: title, as: heading}`. Dots lead into structs and into
    lists of them: `steps.caption`."""

    text: str = Field(min_length=1)
    as_: TextKind = Field(default="prose", alias="as")
    """Kind of its texts."""
    role: Role | None = None
    """Speaker of a conversation; None for pages."""
    placeholders: Placeholders = {}
    """Placeholders in the text and the columns of their images: `{"[image_{n}]": "image_{n}"}`, `{"Image
    #{n}": images}`."""


def _which(value: Any) -> str | None:
    """The tag of a mapping by the key that only it has; None for no match."""
    given = value if isinstance(value, dict) else value.__dict__ if isinstance(value, BaseModel) else {}
    return next((f"<{key}>" for key in ("text", "image", "interleave", "conversation") if key in given), None)


def at_least_one(columns: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the columns. Raises ValueError when there are none. A minimum length of the field would be
    reported as a second error for every wrong column."""
    if not columns:
        raise ValueError("at least one column is needed")
    return columns


class InterleavedColumns(Section):
    """Parallel lists, read index by index: the first item of each in this order, then the second of each.
    Nulls are skipped."""

    interleave: tuple[
        Annotated[
            Annotated[TextColumn, Tag("<text>")] | Annotated[ImageColumn, Tag("<image>")],
            Discriminator(
                _which, custom_error_type="columns", custom_error_message="text or image is needed"
            ),
        ],
        ...,
    ]

    @field_validator("interleave")
    @classmethod
    def _not_empty(cls, columns: tuple[Any, ...]) -> tuple[Any, ...]:
        return at_least_one(columns)


class ConversationColumns(_Images):
    """A column of turns (`from`/`value` or `role`/`content`) whose `<image>` placeholders are filled from a
    column of images, in order."""

    conversation: str = Field(min_length=1)
    images: str | None = Field(default=None, min_length=1)
    """Column of images; None when turns have none."""
    placeholders: Placeholders = {}
    """Other placeholders than `<image>`, and the columns of the images that they name. If any are declared,
    `<image>` is a placeholder only when it is one of them."""


Columns = Annotated[
    Annotated[TextColumn, Tag("<text>")]
    | Annotated[ImageColumn, Tag("<image>")]
    | Annotated[InterleavedColumns, Tag("<interleave>")]
    | Annotated[ConversationColumns, Tag("<conversation>")],
    Discriminator(
        _which,
        custom_error_type="columns",
        custom_error_message="one of text, image, interleave or conversation is needed",
    ),
]
