"""Guess the mapping of a table's columns from its first rows, if only one reading is possible. Pure.

Refused, with a sentence that lists the columns: two texts without a stated order, several images beside a
text without placeholders. A guess there would put images beside the wrong sentences, and ORDER IS THE DATA.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from leafinstruct.errors import listed
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.tables.columns import placeholders
from leafinstruct.ingest.tables.columns.placeholders import NUMBER
from leafinstruct.ingest.tables.columns.turns import PLACEHOLDER

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff")
_IMAGE_NAME = re.compile(r"image|img|picture|photo|pic\b|thumbnail", re.IGNORECASE)
_TITLE = re.compile(r"(?:^|[._])(?:title|heading|headline)$", re.IGNORECASE)
_ALT = re.compile(r"(?:^|[._])(?:alt|alt_text|alttext)s?$", re.IGNORECASE)
_URL = re.compile(r"(?:^|[._])(?:url|page_url|source_url|link)$", re.IGNORECASE)
_LICENSE = re.compile(r"(?:^|[._])licen[sc]e$", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:^|[._])(?:u?u?id|index|key|__key__|__url__|lang|language|source|dataset|split|hash|sha\d*|"
    r"md5|category|label|tags?|date|time|timestamp|author|"
    r"file|file_?name|path|name|width|height|format|domain|status|type|genre|model|metadata|meta)$",
    re.IGNORECASE,
)
"""Columns with facts about a record, which are not part of its text."""
_PUBLISHED = ("messages", "images", "image_info")
_LISTED = 12


def mapping(rows: Sequence[Mapping[str, Any]]) -> dict[str, object] | str:
    """Return the keys of a `hub` source (segments, url_column, license_column), or why there is no single
    reading."""
    if not rows:
        return "has no row"
    names = list(dict.fromkeys(name for row in rows for name in row))
    if is_published(rows):
        inner = {"url": "image_info.url", "license": "image_info.license", "time": "image_info.frame_time"}
        return {
            "segments": [{"conversation": "messages", "images": "images", **inner}],
            "url_column": "url",
            "license_column": "license",
        }
    kinds = {name: _kind(name, [row[name] for row in rows if row.get(name) is not None]) for name in names}
    if not {"image", "images", "turns"} & set(kinds.values()):
        return "has records without a column of images"
    segments = _segments(rows, kinds)
    if segments is None:
        columns = listed(f"{name} ({kind})" for name, kind in list(kinds.items())[:_LISTED] if kind)
        more = f" and {len(kinds) - _LISTED} more" if len(kinds) > _LISTED else ""
        return (
            f"is a table whose reading order is not certain; its columns are {columns}{more}; write a "
            "source of kind hub with segments by hand "
            "(docs/sources.md)"
        )
    found: dict[str, object] = {"segments": segments}
    for key, pattern in (("url_column", _URL), ("license_column", _LICENSE)):
        fitting = [name for name in names if pattern.search(name) and kinds[name] in ("text", "url")]
        if len(fitting) == 1:
            found[key] = fitting[0]
    return found


def _segments(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> list[dict[str, object]] | None:
    of = {
        kind: [name for name, found in kinds.items() if found == kind]
        for kind in ("image", "images", "text", "texts", "turns")
    }
    alts = [name for name in of["text"] if _ALT.search(name)]
    titles = [name for name in of["text"] if _TITLE.search(name)]
    texts = [
        name
        for name in of["text"]
        if name not in (*alts, *titles)
        and not (_ABOUT.search(name) or _URL.search(name) or _LICENSE.search(name))
    ]
    images = [*of["image"], *of["images"]]
    if len(of["turns"]) == 1 and len(images) == 1 and not of["texts"]:
        return [{"conversation": of["turns"][0], "images": images[0]}]
    if len(images) != 1 or len(titles) > 1 or of["turns"]:
        return None
    image: dict[str, object] = {"image": images[0]}
    heading: list[dict[str, object]] = (
        [{"text": titles[0], "as": "heading"}] if titles and (texts or of["texts"]) else []
    )
    if len(of["texts"]) == 1 and not texts and images == of["images"]:
        if not _equally_long(rows, of["texts"][0], images[0]):
            return None
        return [*heading, {"interleave": [image, {"text": of["texts"][0]}]}]
    texts = texts or titles
    if len(texts) != 1 or of["texts"]:
        return None
    if alts and images == of["image"] and len(alts) == 1:
        image["alt"] = alts[0]
    pattern = _placeholder(rows, texts[0])
    if pattern is not None:
        if pattern == "":
            return None
        return [*heading, {"text": texts[0], "placeholders": {pattern: images[0]}}]
    if images == of["images"] and any(len(row.get(images[0]) or []) > 1 for row in rows):
        return None
    return [*heading, image, {"text": texts[0]}]


def _placeholder(rows: Sequence[Mapping[str, Any]], column: str) -> str | None:
    """The only form of image placeholders in a text; None when there are none, empty when there are
    several or they begin at 0."""
    found = {
        placeholders.general(words)
        for row in rows
        for words in placeholders.suspects(str(row.get(column) or ""), (), ())
    }
    if not found:
        return PLACEHOLDER if any(PLACEHOLDER in str(row.get(column) or "") for row in rows) else None
    pattern = found.pop()
    first = pattern.replace(NUMBER, "0")
    zero = NUMBER in pattern and any(first in str(row.get(column) or "") for row in rows)
    return "" if found or zero else pattern


def is_published(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows have the format that leafinstruct publishes."""
    return all(name in rows[0] for name in _PUBLISHED) and is_turns(rows[0]["messages"])


def is_turns(value: object) -> bool:
    """Whether a value is a conversation."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(turn, dict)
            and ({"from", "value"} <= turn.keys() or {"role", "content"} <= turn.keys())
            for turn in value
        )
    )


def is_parallel(rows: Sequence[Mapping[str, Any]], texts: str, images: str) -> bool:
    """Whether two lists have a text or an image at each index, never both."""
    places: list[tuple[Any, Any]] = []
    for row in rows:
        one, other = row.get(texts), row.get(images)
        if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
            return False
        places += zip(one, other, strict=True)
    return all(
        (text is None or image is None) and (image is None or isinstance(image, str))
        for text, image in places
    )


def flat(row: Mapping[str, Any]) -> dict[str, object]:
    """Return a row with the members of its inner objects as columns with dotted names; values that look like
    images stay whole."""
    found: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, dict) and not _is_image(name, value):
            found.update({f"{name}.{inner}": item for inner, item in value.items()})
        else:
            found[name] = value
    return found


def member(column: str, data: bytes) -> Any:
    """Return a member of a tar as a value: an image, a JSON object or a text; None for anything else."""
    if f".{column.rpartition('.')[2]}" in IMAGE_SUFFIXES:
        return data
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text) if column.rpartition(".")[2] == "json" else text
    except (ValueError, RecursionError):
        return None


def _equally_long(rows: Sequence[Mapping[str, Any]], one: str, other: str) -> bool:
    return all(len(row.get(one) or []) == len(row.get(other) or []) for row in rows)


def _kind(name: str, values: Sequence[Any]) -> str:
    """Return image, images, text, texts, turns or url; empty for anything else."""
    if not values:
        return ""
    if all(map(is_turns, values)):
        return "turns"
    if all(isinstance(value, (list, tuple)) for value in values):
        items = [item for value in values for item in value if item is not None]
        inner = (
            _kind(name, items) if items and not any(isinstance(item, (list, tuple)) for item in items) else ""
        )
        return {"image": "images", "text": "texts"}.get(inner, "")
    if all(_is_image(name, value) for value in values):
        return "image"
    if all(isinstance(value, str) for value in values):
        return "url" if all(web(value) is not None for value in values) else "text"
    return ""


def _is_image(name: str, value: object) -> bool:
    if isinstance(value, bytes):
        return True
    if isinstance(value, dict):
        return bool(value) and value.keys() <= {"bytes", "path"}
    if not isinstance(value, str) or len(value) > 2_000 or "\n" in value:
        return False
    path = value.partition("?")[0].lower()
    return path.endswith(IMAGE_SUFFIXES) or (web(value) is not None and _IMAGE_NAME.search(name) is not None)
