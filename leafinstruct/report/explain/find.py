"""Find documents by an id, the sha256 of an image, a URL, or a place in a source file.

    16 hex digits             id of a document, or of an example
    8 to 64 hex digits        sha256 of an image, or its beginning
    text with ://             URL of a page (found or canonical), of an image, or to which an image's URL led
    file, or `file locator`   place of the record in its source

Finds kept and dropped documents. All interpretations are tried, since 16 hex digits may also begin a sha256;
the search ends early only if an id is found. Cost: one column of a table is read for all parts
(records/files/lookup.py). With 5,000 documents in parts of 100 an id takes 0.1 s of CPU, a sha256 0.15, a URL
0.3, and the lineage of the document 0.1; time grows mainly with the number of parts (2 ms a part, 6 for a
URL), see benchmarks/explain.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leafinstruct.records import table
from leafinstruct.records.files.lookup import Test, begins, one_of, same_url, values_where
from leafinstruct.records.url import normal
from leafinstruct.runtime.artifact import Artifact

ID = re.compile(r"[0-9a-f]{16}")
SHA256 = re.compile(r"[0-9a-f]{8,64}")

Stages = Mapping[str, Artifact]


@dataclass(frozen=True, slots=True)
class Match:
    """A document that matches. by: what matches. positions: of the matching images. example: id of the
    matching example."""

    document: str
    part: str
    by: str
    positions: tuple[int, ...] = ()
    example: str | None = None


def find(stages: Stages, wanted: str) -> list[Match]:
    """All documents that match, each once, by its first match."""
    found: dict[str, Match] = {}
    for match in _matches(stages, wanted):
        found.setdefault(match.document, match)
        if match.by in ("document", "example"):
            break
    return list(found.values())


def _matches(stages: Stages, wanted: str) -> Iterator[Match]:
    name = wanted.lower()
    if ID.fullmatch(name):
        yield from _by_column(stages, "id", one_of({name}), "document")
        yield from _by_example(stages, name)
    if SHA256.fullmatch(name):
        yield from _by_sha256(stages, name)
    if "://" in wanted:
        yield from _by_column(stages, "page_url", same_url({wanted}), "page URL")
        yield from _by_canonical(stages, wanted)
        yield from _by_image(stages, {part: {wanted} for part in stages["ingest"].parts()}, "image URL")
        led = {part: set(_led_to(stages["filter"], part, wanted)) for part in stages["ingest"].parts()}
        yield from _by_image(
            stages, {part: here for part, here in led.items() if here}, "where an image's URL led"
        )
    yield from _by_place(stages, wanted)


def _by_column(stages: Stages, column: str, test: Test, by: str) -> Iterator[Match]:
    for part in stages["ingest"].parts():
        for (document,) in values_where(stages["ingest"].file("documents", part), column, test, "id"):
            yield Match(document, part, by)


def _by_canonical(stages: Stages, wanted: str) -> Iterator[Match]:
    """Match canonical URLs. A local page has no other URL."""
    for part in stages["ingest"].parts():
        for document, page_url in values_where(
            stages["ingest"].file("documents", part), "url", same_url({wanted}), "id", "page_url"
        ):
            yield Match(document, part, "page URL" if page_url is None else "canonical URL")


def _by_example(stages: Stages, example: str) -> Iterator[Match]:
    for part in stages["rewrite"].parts():
        for (document,) in values_where(
            stages["rewrite"].file("examples", part), "id", one_of({example}), "document_id"
        ):
            yield Match(document, part, "example", example=example)


def _by_sha256(stages: Stages, name: str) -> Iterator[Match]:
    """Match sha256 of images, which are in filter's image tables by reference."""
    # parts of ingest, since filter also has files of parts that an outage of the judge left undecided
    for part in stages["ingest"].parts():
        refs = {
            ref
            for (ref,) in values_where(stages["filter"].file("images", part), "sha256", begins(name), "ref")
        }
        if refs:
            yield from _with_refs(stages, part, refs)


def _with_refs(stages: Stages, part: str, refs: set[str]) -> Iterator[Match]:
    for document in table.documents(stages["ingest"].file("documents", part)):
        positions = tuple(image.position for image in document.images if str(image.ref) in refs)
        if positions:
            yield Match(document.id, part, "image sha256", positions)


def _by_image(stages: Stages, wanted: Mapping[str, set[str]], by: str) -> Iterator[Match]:
    """Match URLs of images, as stated by the page and as fetched. wanted: part -> URLs."""
    for part, urls in wanted.items():
        forms = {normal(url) for url in urls}
        path = stages["ingest"].file("documents", part)
        for column in ("segments.url", "segments.ref.url"):
            read = ("id", "segments.position", "segments.url", "segments.ref.url")
            for document, segments in values_where(path, column, same_url(urls), *read):
                own = [(item["position"], item["url"], (item["ref"] or {}).get("url")) for item in segments]
                yield Match(
                    document,
                    part,
                    by,
                    tuple(
                        position
                        for position, *here in own
                        if any(normal(each) in forms for each in here if each)
                    ),
                )


def _led_to(filtered: Artifact, part: str, url: str) -> Iterator[str]:
    for (found,) in values_where(filtered.file("fetches", part), "final_url", same_url({url}), "url"):
        yield found


def _by_place(stages: Stages, wanted: str) -> Iterator[Match]:
    """Match places in sources. File names may contain spaces, so every split into file and locator is tried,
    and the whole text as a file name."""
    cuts = {
        (wanted, None),
        *((wanted[: cut.start()], wanted[cut.end() :]) for cut in re.finditer(" ", wanted)),
    }
    locators: dict[str, set[str | None]] = {}
    for file, locator in cuts:
        locators.setdefault(file, set()).add(locator)
    for part in stages["ingest"].parts():
        path = stages["ingest"].file("documents", part)
        for document, place in values_where(path, "provenance.file", one_of(locators), "id", "provenance"):
            meant = locators[place["file"]]
            if None in meant or place["locator"] in meant:
                yield Match(document, part, "place")
