"""Paragraphs that many pages of one host have: navigation, cookie notices, disclaimers.

    paragraphs-   of each part: host and digest of every long paragraph, with its place
    reduce        over all parts: paragraphs on at least `pages` pages and `share` of the pages of a host
    repeats-      of each part: their places, which become edits with the reason `boilerplate.host`

A paragraph is a line of a text of prose, of a list or of a table with at least WORDS words; two are equal if
they differ only in typesetting (records/text/words.identity). Headings and captions are left: `Ingredients`
and `Step 1` belong to a how-to. So are code, and conversations. Pages with the same text count once, so a
page that was crawled ten times is not its own boilerplate. What a page loses depends on all documents of
ingest, not on what rules drop, and not on parts or workers.

Defaults: in the pages of the public test data (GNSS receivers, micro:bit, Raspberry Pi: 17 to 37 pages of a
host), how-tos that share a procedure repeat its sentences on up to 11% of the pages of a host, and words of a
table on 19%; navigation is on nearly all. So a paragraph needs 10 pages and 30%. Cost: 0.5 ms per page; 24
bytes of memory per paragraph of hosts with enough pages, and 400 per page, during the reduction.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.config import HostParagraphs
from leafinstruct.records.document import Document
from leafinstruct.records.edits import Edit, ParagraphRow, RepeatRow
from leafinstruct.records.text.words import count_words, identity
from leafinstruct.records.url import host_of

REASON = "boilerplate.host"
WORDS = 5
"""Minimum words of a paragraph. `Share on Facebook` stays, and so does `Let it dry overnight`."""
_KINDS = ("prose", "list", "table")

Parts = Sequence[tuple[str, Iterable[ParagraphRow]]]
"""Name of a part, and its rows. They are read twice."""


def row_of(document: Document) -> ParagraphRow | None:
    """What the reduction needs to know of one document; None for one without a host, and for a
    conversation."""
    host = host_of(document.page_url or document.url)
    if host is None or document.is_conversation:
        return None
    places = list(_paragraphs(document))
    text = "\0".join(segment.text for segment in document.texts)
    return ParagraphRow(
        document.id,
        host,
        hashlib.sha256(identity(text).encode("utf-8", "surrogatepass")).hexdigest()[:24],
        [_key(host, words) for words, *_ in places],
        [position for _, position, _, _ in places],
        [start for _, _, start, _ in places],
        [end for _, _, _, end in places],
    )


def _paragraphs(document: Document) -> Iterator[tuple[str, int, int, int]]:
    """(normal form, position of the text, start, end) of each long paragraph."""
    for segment in document.texts:
        if segment.kind not in _KINDS:
            continue
        start = 0
        for line in segment.text.split("\n"):
            if count_words([line]) >= WORDS:
                yield identity(line), segment.position, start, start + len(line)
            start += len(line) + 1


def _key(host: str, words: str) -> int:
    """8 bytes: of ten billion paragraphs, three pairs have the same one by chance."""
    found = hashlib.sha256(f"{host}\0{words}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(found[:8], "little", signed=True)


def reduce(parts: Parts, config: HostParagraphs) -> dict[str, list[RepeatRow]]:
    """Rows of all parts -> rows of REPEATS for each part. The only step that sees all pages of a host."""
    seen: set[tuple[str, str]] = set()
    pages: Counter[str] = Counter()
    firsts: dict[str, str] = {}
    for host, text, document in sorted(
        (row.host, row.text, row.document_id) for _, rows in parts for row in rows
    ):
        if (host, text) not in seen:
            seen.add((host, text))
            pages[host] += 1
            firsts[document] = host
    del seen
    large = {host for host, count in pages.items() if count >= config.pages}
    found = [
        np.fromiter(set(row.keys), np.int64)
        for _, rows in parts
        for row in rows
        if row.document_id in firsts and row.host in large
    ]
    keys, counts = _counted(found)
    many = counts >= config.pages
    often = dict(zip(keys[many].tolist(), counts[many].tolist(), strict=True))
    return {
        part: [repeat for row in rows if row.host in large for repeat in _repeats(row, often, pages, config)]
        for part, rows in parts
    }


def _counted(found: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys and the number of pages that have each."""
    together = np.concatenate(found) if found else np.zeros(0, np.int64)
    keys, counts = np.unique(together, return_counts=True)
    return keys, counts.astype(np.int64)


def _repeats(
    row: ParagraphRow, often: dict[int, int], pages: Counter[str], config: HostParagraphs
) -> Iterator[RepeatRow]:
    of = pages[row.host]
    for key, position, start, end in zip(row.keys, row.positions, row.starts, row.ends, strict=True):
        count = often.get(key, 0)
        if count >= config.share * of and count >= config.pages:
            yield RepeatRow(row.document_id, position, start, end, count, of, row.host)


def edit_of(row: RepeatRow) -> Edit:
    """The removal of a repeated paragraph."""
    detail = f"on {row.pages:,} of {row.of:,} pages of {row.host}"
    return Edit(REASON, "text", row.position, row.start, row.end, detail=detail)
