"""An image in a record -> a reference, for readers whose records name files or URLs.

A name is relative to a folder, with forward slashes, and stays below it on every system; a URL is http or
https. Everything else is rejected with a reason, since a record may be as hostile as a page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from leafinstruct.ingest.fields.text import one_line
from leafinstruct.records.document import Ref

Inside = Callable[[str], Ref]
"""Text of an embedded image -> its reference. Raises LostError."""
MIN_BASE64 = 64
"""Characters of base64 without a header; the smallest GIF has 56, a file name rarely as many."""
_BASE64 = re.compile(
    r"(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkqA|TU0AK|AAAA[A-Za-z0-9+/]{4}Z0eXB)[A-Za-z0-9+/\s]*={0,2}\s*\Z"
)
"""Base64 of PNG, JPEG, GIF, WebP, TIFF, AVIF."""
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,1023}")
"""Names of one step that are safe as they are: almost all."""


class RejectedError(Exception):
    """Base of errors that readers turn into a `Rejected`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class LostError(RejectedError):
    """A record or a piece of one cannot be used."""


def image_ref(value: object, folder: PurePosixPath, inside: Inside | None = None) -> Ref:
    """The reference of an image's name or URL, of an image that is written as text (`data:`, base64), or of
    the struct `{path: name}` or `{bytes: base64}` that `datasets` writes.

    folder: that names are relative to, below the source's root. inside: text of an embedded image -> its
    reference; None where the record has none. Raises LostError: bad_reference, unsafe_path, data_uri.
    """
    value = value.get("bytes") or value.get("path") if isinstance(value, dict) else value
    if not isinstance(value, str) or not value.strip():
        raise LostError("bad_reference", f"the image is {shown(value)}, neither a name nor a URL")
    if value.lstrip()[:8].lower().startswith(("http://", "https://")):  # no copy of a long text
        return Ref(url=one_line(value))
    if inside is not None and is_embedded(value):
        return inside(value)
    if "://" in value or value.lower().startswith("data:"):
        raise LostError("bad_reference", f"{shown(value)} is neither a file nor on the web")
    return Ref(file=(folder / safe_name(value)).as_posix())


def is_embedded(value: str) -> bool:
    """Whether a text is an image itself, not its name."""
    if value[:5].lower() == "data:":
        head = value[5:200].lower().partition(",")[0]
        return head.startswith("image/") or head.endswith(";base64")
    return len(value) >= MIN_BASE64 and _BASE64.match(value) is not None


def safe_name(name: str) -> str:
    """Return the name if it stays below its folder on every system. Raises LostError: unsafe_path."""
    if _PLAIN.fullmatch(name):
        return name
    path = PurePosixPath(name)
    hostile = (
        "\\" in name
        or ":" in name.partition("/")[0]
        or any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in name)
    )
    if hostile or path.is_absolute() or ".." in path.parts or not path.parts or len(name) > 1024:
        raise LostError("unsafe_path", f"the name {shown(name)} could leave the image folder")
    return path.as_posix()


def shown(value: object) -> str:
    """A value in a report: short, ASCII, and never nested, since nesting may be deep enough to overflow."""
    if isinstance(value, (dict, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    text = json.dumps(value, default=lambda item: type(item).__name__)
    return text if len(text) <= 60 else f"{text[:57]}..."
