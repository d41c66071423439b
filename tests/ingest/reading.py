"""Helpers of these tests: run a reader over a source, take its output apart, write small archives
by hand."""

from __future__ import annotations

import gzip
import re
import unicodedata
from pathlib import Path
from types import ModuleType
from typing import Any

from leafinstruct.ingest.page.page import parse
from leafinstruct.ingest.page.sources import PageImage
from leafinstruct.records.document import Document, ImageRef, Rejected

Item = Document | Rejected

TEXT = "Sand the wood until it is smooth and wipe it. " * 3
"""A paragraph that is long enough for a page's main content."""


def shown(inner: str) -> list[str]:
    """What a page shows between two paragraphs: texts, `<sources>` or `!problem` of images, `~reason: detail`
    of what is not read."""
    page = parse(f"<html><body><main><p>{TEXT}</p>{inner}<p>{TEXT}</p></main></body></html>".encode())
    pieces = []
    for item in page.pieces:
        if isinstance(item, PageImage):
            pieces.append(f"<{','.join(item.sources)}>" if item.sources else f"!{item.problem}")
        elif item.text != TEXT.strip():
            pieces.append(item.text)
    return pieces + [f"~{reason}: {detail}" for reason, detail in page.lost]


def read_all(reader: ModuleType, source: Any, cache: Path, part_size: int = 5) -> list[Item]:
    """Everything that a reader gives for a source, part by part."""
    return [
        item for span in reader.plan(source, part_size, cache) for item in reader.read(source, span, cache)
    ]


def documents(items: list[Item]) -> list[Document]:
    return [item for item in items if isinstance(item, Document)]


def rejected(items: list[Item]) -> list[tuple[str, str, bool]]:
    """(locator, reason, whole) of what was lost."""
    return [(item.locator, item.reason, item.whole) for item in items if isinstance(item, Rejected)]


def outline(document: Document) -> list[str]:
    """One line a segment: `kind: text`, `<reference>` for an image."""
    return [
        f"<{item.ref}>" if isinstance(item, ImageRef) else f"{item.kind}: {item.text}"
        for item in document.segments
    ]


def bare(text: str, placeholders: bool = False) -> str:
    """A text without white space and cell borders, and without the markers of list items: what extraction
    must not change. x² is x2."""
    return re.sub(
        r"[\s|]",
        "",
        unicodedata.normalize("NFKC", re.sub(r"(?m)^\s*(- |\d+\. )", "", text) if placeholders else text),
    )


def record(
    url: str,
    body: bytes,
    status: str = "200 OK",
    headers: str = "Content-Type: text/html",
    kind: str = "response",
) -> bytes:
    """One WARC record."""
    block = f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-05-06T10:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>\r\n"
        f"Content-Type: application/http; msgtype={kind}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def archive(path: Path, *records: bytes) -> Path:
    """A .warc of the records, or a .warc.gz with one member a record."""
    packed = path.name.endswith(".gz")
    path.write_bytes(b"".join(gzip.compress(item, mtime=0) if packed else item for item in records))
    return path
