"""Lines of CDXJ, the index of web archives that pywb, cdxj-indexer and Common Crawl write.

    org,e)/a.png 20240506100000 {"url": "http://e.org/a.png", "mime": "image/png", "status": "200",
                                 "length": "9", "offset": "0", "filename": "a.warc.gz"}

The first field is the URL in the order in which archives are searched (SURT): host reversed, without `www.`,
in lower case, arguments sorted. So it is the same for URLs that differ, and readers compare `url` too. Lines
are sorted by bytes.

Also read are JSON lines without the first two fields (`warcio index`, `cdxj-indexer --json`), and the older
CDX of columns, whose letters the first line names (https://iipc.github.io/warc-specifications/, CDX 2015).
Values are texts or numbers. Nothing in a line is trusted; the caller counts lines that cannot be read.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from leafinstruct.errors import SourceError
from leafinstruct.runtime.store.path import openable

SUFFIXES = (".cdxj", ".cdxj.gz", ".cdx", ".cdx.gz")
_NUMBERED = re.compile(r"cdx-\d+(?:\.gz)?", re.IGNORECASE)
"""Names of the files of Common Crawl's index: cdx-00000.gz."""
MAX_LINE = 1 << 16
FREE, EXPANSION = 64 << 20, 200
"""Bytes that an index may always unpack to, and otherwise how many times its size; CDXJ packs 5 to 20
times."""
_ALIASES = {
    "url": ("url", "warc-target-uri"),
    "time": ("timestamp", "warc-date"),
    "mime": ("mime", "http:content-type", "content-type"),
    "status": ("status", "http:status"),
    "offset": ("offset",),
    "length": ("length",),
    "filename": ("filename",),
    "detected": ("mime-detected",),
}
"""Field -> its names in CDXJ and in the lines of `warcio index`."""
_LETTERS = {
    "a": "url",
    "b": "timestamp",
    "m": "mime",
    "s": "status",
    "S": "length",
    "V": "offset",
    "g": "filename",
}
_COLUMNS = ["N", "b", "a", "m", "s", "k", "r", "M", "S", "V", "g"]
"""Columns of a CDX without a first line that names them."""
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_NO_DIGITS = re.compile(r"[^0-9]+")
_WWW = re.compile(r"^www\d*\.")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(.*)", re.DOTALL)
"""A host, and its port with the colon."""
_UNKNOWN_TIME = "0" * 14


class Capture(NamedTuple):
    """A line of an index. time: 14 digits; mime, status: `-` if not stated; redirect: the URL that it leads
    to, a member of our own lines."""

    url: str
    time: str
    mime: str
    status: str
    offset: int
    length: int
    filename: str
    redirect: str = ""


def is_index(name: str) -> bool:
    """Whether a file is an index by its name."""
    return name.lower().endswith(SUFFIXES) or _NUMBERED.fullmatch(name) is not None


def surt(key: str) -> str:
    """Return the first field of a line, from the key of its URL (`url_key`)."""
    place, _, rest = key.lower().replace(" ", "%20").partition("/")
    found = _HOST.fullmatch(place)
    assert found is not None, "the pattern matches everything"
    host = _WWW.sub("", found[1], count=1) or found[1]
    if not host.startswith("["):
        host = ",".join(reversed(host.split(".")))
    path, sign, query = rest.partition("?")
    return f"{host}{found[2]})/{path.rstrip('/')}{sign}{'&'.join(sorted(query.split('&')))}"


def written(key: str, capture: Capture) -> str:
    """Return the line of a capture without its line break. key: of its URL."""
    members = {
        "url": capture.url,
        "mime": capture.mime,
        "status": capture.status,
        "length": str(capture.length),
        "offset": str(capture.offset),
        "filename": capture.filename,
    }
    if capture.redirect:
        members["redirect"] = capture.redirect
    return f"{surt(key)} {capture.time} {json.dumps(members)}"


def time_of(date: str) -> str:
    """Return the 14 digits of a WARC-Date."""
    if _DATE.fullmatch(date):  # most dates
        return f"{date[:4]}{date[5:7]}{date[8:10]}{date[11:13]}{date[14:16]}{date[17:19]}"
    digits = _NO_DIGITS.sub("", date)[:14]
    return digits if len(digits) == 14 else _UNKNOWN_TIME


def captures(file: Path) -> Iterator[Capture | None]:
    """Yield each line of an index; None for a line without a usable url, offset, length or file name. Headers
    and empty lines are skipped.

    Raises SourceError when the file cannot be read, or unpacks to more than an index does.
    """
    try:
        left = max(FREE, EXPANSION * file.stat().st_size)
        with file.open("rb") as start:
            is_packed = start.read(2) == b"\x1f\x8b"
        columns = _COLUMNS
        with gzip.open(openable(file)) if is_packed else file.open("rb") as stream:
            while line := stream.readline(MAX_LINE):
                left -= len(line)
                if left < 0:
                    raise SourceError(
                        f"{file}: unpacks to more than {EXPANSION} times its size; is it a CDXJ index?"
                    )
                if line[1:5] == b"CDX ":
                    columns = line[5:].decode(errors="replace").split()
                elif not line.startswith(b"!") and line.strip():
                    yield capture_of(line, columns)
    except (OSError, EOFError) as error:
        raise SourceError(f"{file}: cannot be read as a CDXJ index: {error}") from error


def capture_of(line: bytes, columns: list[str] = _COLUMNS) -> Capture | None:
    """Read a line: CDXJ, JSON, or columns. None if it does not locate a record."""
    start = 0 if line.startswith(b"{") else line.find(b" {") + 1
    if not start and not line.startswith(b"{"):
        fields = _of_columns(line, columns)
    else:
        try:
            found = json.loads(line[start:])
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        head = line[:start].split()
        fields = {"timestamp": head[1].decode(errors="replace")} if len(head) > 1 else {}
        fields |= {str(name).lower(): f"{value}" for name, value in found.items() if value is not None}
    values = {
        field: next((fields[name] for name in names if name in fields), "")
        for field, names in _ALIASES.items()
    }
    try:
        offset, length = int(values["offset"]), int(values["length"])
    except ValueError:
        return None
    if offset < 0 or length <= 0 or not values["url"] or not values["filename"]:
        return None
    mime = values["mime"] if values["mime"].startswith("image/") else values["detected"] or values["mime"]
    return Capture(
        values["url"],
        time_of(values["time"]),
        mime.partition(";")[0].strip().lower() or "-",
        values["status"] or "-",
        offset,
        length,
        values["filename"],
        fields.get("redirect", ""),
    )


def _of_columns(line: bytes, columns: list[str]) -> dict[str, str]:
    values = line.decode(errors="replace").split()
    if len(values) != len(columns):
        return {}
    named = zip(columns, values, strict=True)
    return {_LETTERS[letter]: value for letter, value in named if letter in _LETTERS}
