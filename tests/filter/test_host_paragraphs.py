"""Paragraphs that many pages of a host have."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import InlineEngine, document

from leafinstruct.filter.config import FilterConfig, HostParagraphs
from leafinstruct.filter.texts import collecting, hosts
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.edits import PARAGRAPHS, ParagraphRow, RepeatRow
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part

COOKIES = "We use cookies to improve your visit. Read our policy."
DEFAULT = HostParagraphs()


def page(number: int, *texts: str, host: str = "a.example") -> Document:
    own = f"Fold the sheet number {number} along line {number}."
    return document(own, *texts, "!a", file=f"{host}-{number}", url=f"https://{host}/{number}")


def rows(pages: list[Document]) -> list[ParagraphRow]:
    return [row for row in map(hosts.row_of, pages) if row is not None]


def repeats(pages: list[Document], config: HostParagraphs) -> list[RepeatRow]:
    own = rows(pages)
    return list(hosts.repeats(own, hosts.repeated([hosts.pages_of(own)], config)))


def removed(pages: list[Document], config: HostParagraphs = DEFAULT) -> dict[str, list[str]]:
    """id of a page -> its removed paragraphs."""
    found: dict[str, list[str]] = {}
    texts = {(one.id, text.position): text.text for one in pages for text in one.texts}
    for row in repeats(pages, config):
        piece = texts[row.document_id, row.position][row.start : row.end]
        found.setdefault(row.document_id, []).append(piece)
    return found


def test_a_paragraph_of_many_pages_is_removed_from_all_of_them_with_their_number():
    pages = [page(number, *[COOKIES] * (number < 12)) for number in range(30)]
    assert removed(pages) == {one.id: [COOKIES] for one in pages[:12]}
    edit = hosts.edit_of(repeats(pages, DEFAULT)[0])
    assert (edit.reason, edit.position, edit.start, edit.end) == ("boilerplate.host", 1, 0, len(COOKIES))
    assert edit.detail == "on 12 of 30 pages of a.example"


@pytest.mark.parametrize(
    ("many", "of", "lost"), [(9, 9, False), (10, 10, True), (10, 33, True), (10, 34, False), (12, 40, True)]
)
def test_pages_and_share_are_both_needed(many, of, lost):
    pages = [page(number, *[COOKIES] * (number < many)) for number in range(of)]
    assert len(removed(pages)) == (many if lost else 0)


def test_headings_short_lines_code_and_other_hosts_are_left():
    texts = (
        "# Ingredients of the whole recipe today",
        "Step 1",
        "- Let it dry overnight.",
        "> A caption of five words here",
    )
    assert removed([page(number, *texts) for number in range(20)]) == {}
    one_host_each = [page(number, COOKIES, host=f"h{number}.example") for number in range(20)]
    assert removed(one_host_each) == {}
    assert hosts.row_of(document(COOKIES, "!a")) is None


def test_copies_of_one_page_are_one_page():
    copies = [
        document(
            "The same text on every page here.", COOKIES, "!a", file=str(at), url=f"https://a.example/{at}"
        )
        for at in range(20)
    ]
    assert removed(copies) == {}
    assert removed([*copies, *[page(number, COOKIES) for number in range(9)]]).keys() == {
        one.id for one in [*copies, *[page(number, COOKIES) for number in range(9)]]
    }


def test_lines_of_a_text_have_their_own_places():
    again = "we use COOKIES to improve your visit: read our policy"
    text = f"A line that is short\n- {COOKIES}\n{again}"
    pages = [page(number, text.replace("A line", f"Line {number}")) for number in range(10)]
    assert removed(pages)[pages[3].id] == [
        f"- {COOKIES}",
        "we use COOKIES to improve your visit: read our policy",
    ]


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 5), min_size=12, max_size=40),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_any_division_into_parts_and_any_order_gives_the_same(chosen, parts, chance):
    notices = [f"Notice number {at} of this site for all readers." for at in range(6)]
    pages = [page(number, notices[at]) for number, at in enumerate(chosen)]
    whole = removed(pages)
    shuffled = rows(pages)
    chance.shuffle(shuffled)
    divided = [shuffled[at::parts] for at in range(parts)]
    found = hosts.repeated([hosts.pages_of(own) for own in divided], DEFAULT)
    assert {row.document_id for own in divided for row in hosts.repeats(own, found)} == whole.keys()


def corpus(folder: Path) -> tuple[Artifact, list[Part]]:
    """300 pages of 9 hosts in 5 parts, some of them copies and some with notices."""
    chance = random.Random(4)
    notices = [f"Notice number {at} of this site for all readers." for at in range(4)]
    pages = []
    for number in range(300):
        host = f"h{min(chance.randrange(9), chance.randrange(9))}.example"
        some = [notice for at, notice in enumerate(notices) if chance.random() < 0.2 * (at + 1)]
        pages.append(page(number // 2 if number % 10 == 0 else number, *some, host=host))
    out = Artifact(folder)
    parts = [Part(f"p{at}") for at in range(5)]
    for at, part in enumerate(parts):
        path = out.file("paragraphs", part.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        table.write(path, rows(pages[at::5]), PARAGRAPHS, "key")
    return out, parts


def by_definition(out: Artifact, parts: list[Part], config: HostParagraphs) -> dict[str, list[RepeatRow]]:
    """In Python dictionaries, over all pages at once."""
    given = {
        part.name: list(table.records(out.file("paragraphs", part.name), ParagraphRow)) for part in parts
    }
    first: dict[tuple[str, str], ParagraphRow] = {}
    for row in sorted((row for own in given.values() for row in own), key=lambda row: row.document_id):
        first.setdefault((row.host, row.text), row)
    pages = Counter(row.host for row in first.values())
    having = Counter((row.host, key) for row in first.values() for key in set(row.keys))
    return {
        part: [
            RepeatRow(row.document_id, position, start, end, count, pages[row.host], row.host)
            for row in own
            for key, position, start, end in zip(row.keys, row.positions, row.starts, row.ends, strict=True)
            if (count := having[row.host, key]) >= max(config.pages, config.share * pages[row.host])
        ]
        for part, own in given.items()
    }


@pytest.mark.parametrize("size", [1000, 80, 20])
def test_any_number_of_buckets_finds_what_the_definition_says(tmp_path, monkeypatch, size):
    monkeypatch.setattr(collecting, "PAGES_A_BUCKET", size)
    out, parts = corpus(tmp_path)
    engine, config = InlineEngine(), FilterConfig()
    collecting.collect(config, out, parts, engine)
    found = {part.name: list(table.records(out.file("repeats", part.name), RepeatRow)) for part in parts}
    assert config.host_paragraphs is not None
    assert found == by_definition(out, parts, config.host_paragraphs)
    assert len({(row.host, row.pages) for own in found.values() for row in own}) > 10
    buckets = -(-sum(table.count(out.file("paragraphs", part.name)) for part in parts) // size)
    assert len(engine.reports.get("counting paragraphs of hosts", [])) == (buckets if buckets > 1 else 0)
    assert not list(tmp_path.rglob("*.tmp"))
    before = [out.file("repeats", part.name).stat().st_ino for part in parts]
    collecting.collect(config, out, parts, InlineEngine())
    assert [out.file("repeats", part.name).stat().st_ino for part in parts] == before


def test_real_pages_and_their_shared_procedures_lose_nothing(real):
    import leafinstruct

    for name in ("html", "web.warc.gz", "mmc4", "obelics"):
        pages = list(leafinstruct.read(str(real / name)))
        assert removed(pages) == {}
        # with a notice on every page, they lose it and nothing else
        chance = random.Random(1)
        noted = [_with_notice(one, chance) for one in pages]
        lost = removed(noted)
        assert len(lost) == len(pages)
        assert {piece for pieces in lost.values() for piece in pieces} == {COOKIES}


def _with_notice(page: Document, chance: random.Random) -> Document:
    from dataclasses import replace

    at = chance.choice([at for at, segment in enumerate(page.segments) if segment in page.texts])
    segments = list(page.segments)
    text = segments[at]
    segments[at] = replace(text, text=f"{text.text}\n{COOKIES}", kind="prose")  # type: ignore[call-arg, union-attr]
    return replace(page, segments=tuple(segments))
