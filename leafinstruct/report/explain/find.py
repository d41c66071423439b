"""Which documents are meant by what a person has in hand: an id, an image's sha256, an address, a place in a
source file.

    16 hex digits                  id of a document, or of an example
    8 to 64 hex digits             sha256 of an image, or its beginning
    anything with ://              URL of a page (where it was found, or its canonical one), of an image, or where an image's URL led
    file, or `file locator`        where the record stands in its source

Every document that ingest read is found, whatever became of it. All readings of what was given are tried,
since sixteen hex digits may also begin a sha256; only an id that is found ends the search. Cost: one column
of a table is read of all parts (records/files/lookup.py). Of 5,000 documents in parts of 100 an id takes 0.1
s of CPU, a sha256 0.15, an address 0.3, and the lineage of what is found 0.1; searches grow with the number
of parts first (2 ms a part, 6 for an address), and with documents (benchmarks/explain.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leafinstruct.records import table
from leafinstruct.records.files.lookup import Test, begins, one_of, rows_where, same_url
from leafinstruct.records.url import normal
from leafinstruct.runtime.artifact import Artifact

ID = re.compile(r"[0-9a-f]{16}")
SHA256 = re.compile(r"[0-9a-f]{8,64}")

Stages = Mapping[str, Artifact]


@dataclass(frozen=True, slots=True)
class Match:
    """One document that may be meant. by: what of it fitted; positions: of the images that did."""

    document: str
    part: str
    by: str
    positions: tuple[int, ...] = ()
    example: str | None = None


def find(stages: Stages, wanted: str) -> list[Match]:
    """Every document that may be meant, each once, by its first reading."""
    found: dict[str, Match] = {}
    for match in _readings(stages, wanted):
        found.setdefault(match.document, match)
        if match.by in ("document", "example"):
            break
    return list(found.values())


def _readings(stages: Stages, wanted: str) -> Iterator[Match]:
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
        for _, row in rows_where(stages["ingest"].file("documents", part), column, test, ["id"]):
            yield Match(row["id"], part, by)


def _by_canonical(stages: Stages, wanted: str) -> Iterator[Match]:
    """A local page has no other URL than the one that it states."""
    for part in stages["ingest"].parts():
        for _, row in rows_where(
            stages["ingest"].file("documents", part), "url", same_url({wanted}), ["id", "page_url"]
        ):
            yield Match(row["id"], part, "page URL" if row["page_url"] is None else "canonical URL")


def _by_example(stages: Stages, example: str) -> Iterator[Match]:
    for part in stages["rewrite"].parts():
        for _, row in rows_where(
            stages["rewrite"].file("examples", part), "id", one_of({example}), ["document_id"]
        ):
            yield Match(row["document_id"], part, "example", example=example)


def _by_sha256(stages: Stages, name: str) -> Iterator[Match]:
    """Images are named in filter's image files, one row a reference; documents of the same part hold the
    references."""
    # of filter's files also those that a judge's outage left without a verdict
    for part in stages["ingest"].parts():
        refs = {
            row["ref"]
            for _, row in rows_where(stages["filter"].file("images", part), "sha256", begins(name), ["ref"])
        }
        if refs:
            yield from _with_refs(stages, part, refs)


def _with_refs(stages: Stages, part: str, refs: set[str]) -> Iterator[Match]:
    for row in table.read(stages["ingest"].file("documents", part), ["id", "segments"]):
        shown = [segment for segment in row["segments"] if segment["type"] == "image"]
        positions = tuple(segment["position"] for segment in shown if table.image_ref(segment) in refs)
        if positions:
            yield Match(row["id"], part, "image sha256", positions)


def _by_image(stages: Stages, wanted: Mapping[str, set[str]], by: str) -> Iterator[Match]:
    """wanted: part -> addresses. An image is known by what its page calls it and by where it is fetched."""
    for part, urls in wanted.items():
        forms = {normal(url) for url in urls}
        path = stages["ingest"].file("documents", part)
        for column in ("segments.url", "segments.ref.url"):
            for _, row in rows_where(
                path, column, same_url(urls), ["id", "segments.position", "segments.url", "segments.ref.url"]
            ):
                own = [
                    (item["position"], item["url"], (item["ref"] or {}).get("url"))
                    for item in row["segments"]
                ]
                yield Match(
                    row["id"],
                    part,
                    by,
                    tuple(
                        position
                        for position, *here in own
                        if any(normal(each) in forms for each in here if each)
                    ),
                )


def _led_to(filtered: Artifact, part: str, url: str) -> Iterator[str]:
    for _, row in rows_where(filtered.file("fetches", part), "final_url", same_url({url}), ["url"]):
        yield row["url"]


def _by_place(stages: Stages, wanted: str) -> Iterator[Match]:
    """A file name may hold spaces, so every cut between file and locator is tried, the whole as a file name
    too."""
    cuts = {
        (wanted, None),
        *((wanted[: cut.start()], wanted[cut.end() :]) for cut in re.finditer(" ", wanted)),
    }
    locators: dict[str, set[str | None]] = {}
    for file, locator in cuts:
        locators.setdefault(file, set()).add(locator)
    for part in stages["ingest"].parts():
        path = stages["ingest"].file("documents", part)
        for _, row in rows_where(path, "provenance.file", one_of(locators), ["id", "provenance"]):
            meant = locators[row["provenance"]["file"]]
            if None in meant or row["provenance"]["locator"] in meant:
                yield Match(row["id"], part, "place")
