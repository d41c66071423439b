"""Paragraphs that many pages of one host have: navigation, cookie notices, disclaimers.

    paragraphs-   of each part: host and digest of every long paragraph, with its place
    repeated      over all pages of a host: paragraphs on at least `pages` pages and `share` of the pages
    repeats-      of each part: their places, which become edits with the reason `boilerplate.host`

collecting.py runs these over all parts, a bucket of hosts at a time.

A paragraph is a line of a text of prose, of a list or of a table with at least WORDS words; two are equal if
they differ only in typesetting (records/text/words.identity). Headings and captions are left: `Ingredients`
and `Step 1` belong to a how-to. So are code, and conversations. Pages with the same text count once, so a
page that was crawled ten times is not its own boilerplate. What a page loses depends on all documents of
ingest, not on what rules drop, and not on parts or workers.

Defaults: in the pages of the public test data (GNSS receivers, micro:bit, Raspberry Pi: 17 to 37 pages of a
host), how-tos that share a procedure repeat its sentences on up to 11% of the pages of a host, and words of a
table on 19%; navigation is on nearly all. So a paragraph needs 10 pages and 30%. Cost: 0.5 ms per page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leafinstruct.filter.config import HostParagraphs
from leafinstruct.records.document import Document
from leafinstruct.records.edits import Edit, ParagraphRow, RepeatRow
from leafinstruct.records.text.words import count_words, identity
from leafinstruct.records.url import host_of

REASON = "boilerplate.host"
WORDS = 5
"""Minimum words of a paragraph. `Share on Facebook` stays, and so does `Let it dry overnight`."""
_KINDS = ("prose", "list", "table")

PAGES = pa.schema(
    [("host", pa.uint64()), ("text", pa.string()), ("document", pa.string()), ("keys", pa.list_(pa.int64()))]
)
"""host: a number of 64 bits, equal for equal hosts. keys: the different ones of the page, sorted."""

REPEATED = pa.schema([("key", pa.int64()), ("pages", pa.int64()), ("of", pa.int64())])
"""Key of a paragraph; pages that have it; all pages of its host."""


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


def pages_of(rows: Iterable[ParagraphRow]) -> pa.RecordBatch:
    """What decides on repeated paragraphs, of some pages: a batch of PAGES. rows: of PARAGRAPHS."""
    found: dict[str, list[Any]] = {name: [] for name in PAGES.names}
    numbers: dict[str, int] = {}
    for row in rows:
        if row.host not in numbers:
            numbers[row.host] = int.from_bytes(hashlib.sha256(row.host.encode()).digest()[:8], "little")
        found["host"].append(numbers[row.host])
        found["text"].append(row.text)
        found["document"].append(row.document_id)
        found["keys"].append(sorted(set(row.keys)))
    return pa.RecordBatch.from_pydict(found, PAGES)


def repeated(pages: Sequence[pa.RecordBatch], config: HostParagraphs) -> pa.RecordBatch:
    """The repeated paragraphs, a batch of REPEATED in the order of their keys. pages: batches of PAGES, with
    all pages of each host in them."""
    whole = pa.Table.from_batches(pages, PAGES)
    # pages of one text are one page, the one with the smallest id
    order = pc.sort_indices(whole, [(name, "ascending") for name in ("host", "text", "document")])
    host, text = whole["host"].take(order).to_numpy(), whole["text"].take(order)
    is_first = np.ones(len(whole), bool)
    is_first[1:] = host[1:] != host[:-1]
    is_first[1:] |= pc.not_equal(text[1:], text[:-1]).to_numpy() if len(whole) else False
    host, page = host[is_first], order.to_numpy()[is_first]
    _, number, of = np.unique(host, return_inverse=True, return_counts=True)
    of = of[number]  # pages of the host of each page
    of, page = of[of >= config.pages], page[of >= config.pages]
    lists = whole["keys"].take(pa.array(page))
    owner = np.repeat(np.arange(len(page)), pc.list_value_length(lists).to_numpy())
    keys, first, count = np.unique(pc.list_flatten(lists).to_numpy(), return_index=True, return_counts=True)
    of = of[owner[first]]  # a key is of one host
    often = (count >= config.pages) & (count >= config.share * of)
    return pa.RecordBatch.from_arrays([pa.array(one[often]) for one in (keys, count, of)], schema=REPEATED)


def repeats(rows: Iterable[ParagraphRow], found: pa.RecordBatch) -> Iterator[RepeatRow]:
    """The places of repeated paragraphs, rows of REPEATS. rows: of PARAGRAPHS; found: of `repeated`."""
    known, count, of = (column.to_numpy() for column in found.columns)
    for row in rows:
        keys = np.asarray(row.keys, np.int64)
        numbers = np.searchsorted(known[:-1], keys)  # without the last one, so that each is an index
        for at in np.flatnonzero(known[numbers] == keys).tolist() if len(known) else ():
            number = numbers[at]
            place = row.positions[at], row.starts[at], row.ends[at]
            yield RepeatRow(row.document_id, *place, int(count[number]), int(of[number]), row.host)


def edit_of(row: RepeatRow) -> Edit:
    """The removal of a repeated paragraph."""
    detail = f"on {row.pages:,} of {row.of:,} pages of {row.host}"
    return Edit(REASON, "text", row.position, row.start, row.end, detail=detail)
