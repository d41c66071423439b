"""The two URLs of a page: where it was found, and what it states itself; and what its links are relative
to."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest.reading import archive, documents, read_all, record
from making import build, png, recipe, rows

from leafinstruct import pipeline
from leafinstruct.ingest.config import (
    ConversationsSource,
    HtmlSource,
    HubSource,
    Mmc4Source,
    ObelicsSource,
    WarcSource,
)
from leafinstruct.ingest.readers import conversations, html, hub, mmc4, obelics, warc
from leafinstruct.ingest.tables.columns.config import TextColumn
from leafinstruct.publish.remove import remove
from leafinstruct.recipe import load as recipes
from leafinstruct.records.document import Document
from leafinstruct.records.removals import entry
from leafinstruct.report.explain.find import find

AT = "https://www.shop.example/found?id=1"


def archived(tmp_path: Path, head: str, at: str = AT) -> Document:
    page = f"<html><head>{head}</head><body><main><p>Fold the paper.</p></main></body></html>"
    path = archive(tmp_path / "a.warc.gz", record(at, page.encode()))
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path))
    return found


def local(tmp_path: Path, head: str) -> Document:
    (tmp_path / "a.html").write_text(
        f"<html><head>{head}</head><body><main><p>Fold the paper.</p></main></body></html>"
    )
    (found,) = documents(read_all(html, HtmlSource(name="h", path=str(tmp_path)), tmp_path))
    return found


def canonical(url: str) -> str:
    return f'<link rel="canonical" href="{url}">'


def og_url(url: str) -> str:
    return f'<meta property="og:url" content="{url}">'


@pytest.mark.parametrize(
    ("head", "url"),
    [
        ("", AT),
        (canonical("https://shop.example/page"), "https://shop.example/page"),
        (canonical("/page"), "https://www.shop.example/page"),
        ('<base href="/en/">' + canonical("page"), "https://www.shop.example/en/page"),
        (canonical("https://victim.example/page"), AT),
        (canonical("https://shop.example@victim.example/page"), AT),
        (canonical("https://shop.example.victim.example/page"), AT),
        (canonical("https:\\\\victim.example\\@shop.example/"), AT),
        (canonical("//victim.example/page"), AT),
        ('<base href="https://victim.example/">' + canonical("page"), AT),
        (canonical("javascript:alert(1)"), AT),
        (canonical(""), AT),
        (canonical("https://shop.example/1") + canonical("https://shop.example/2"), AT),
        (canonical("https://shop.example/1") * 2, "https://shop.example/1"),
        ('<link REL="Canonical" href="https://shop.example/1">', "https://shop.example/1"),
        (og_url("https://shop.example/og"), "https://shop.example/og"),
        (canonical("https://shop.example/1") + og_url("https://shop.example/og"), "https://shop.example/1"),
        (
            canonical("https://victim.example/1") + og_url("https://shop.example/og"),
            "https://shop.example/og",
        ),
        (og_url("https://victim.example/og"), AT),
    ],
)
def test_a_canonical_url_is_taken_on_the_page_s_own_domain_only(tmp_path, head, url):
    found = archived(tmp_path, head)
    assert (found.url, found.page_url) == (url, AT)


def test_hosts_of_one_registered_domain_are_one_site(tmp_path):
    found = archived(tmp_path, canonical("https://www.maker.co.uk/page"), "https://m.maker.co.uk/page")
    assert (found.url, found.page_url) == ("https://www.maker.co.uk/page", "https://m.maker.co.uk/page")


def test_two_tenants_of_one_host_are_two_domains(tmp_path):
    found = archived(tmp_path, canonical("https://bob.github.io/page"), "https://alice.github.io/page")
    assert found.url == found.page_url == "https://alice.github.io/page"


def test_a_canonical_link_outside_the_head_is_a_part_of_the_text(tmp_path):
    page = (
        "<html><head></head><body><main><p>Fold "
        f"it.</p>{canonical('https://shop.example/page')}</main></body></html>"
    )
    path = archive(tmp_path / "a.warc.gz", record(AT, page.encode()))
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path))
    assert found.url == AT


@pytest.mark.parametrize(
    ("head", "url"),
    [
        ("", None),
        (canonical("https://shop.example/page"), "https://shop.example/page"),
        (og_url("https://shop.example/page"), "https://shop.example/page"),
        (canonical("/page"), None),
        ('<base href="https://shop.example/en/">' + canonical("page"), "https://shop.example/en/page"),
    ],
)
def test_a_local_file_has_no_url_but_the_one_that_it_states(tmp_path, head, url):
    found = local(tmp_path, head)
    assert (found.url, found.page_url) == (url, None)


@pytest.mark.parametrize(
    ("head", "license_"),
    [
        ('<link rel="license" href="/terms">', "https://www.shop.example/terms"),
        (
            '<base href="https://shop.example/en/"><link rel="license" href="terms">',
            "https://shop.example/en/terms",
        ),
        ('<link rel="license" href="//creativecommons.org/licenses/by/4.0/">', "CC-BY-4.0"),
        ('<meta name="dc.rights" content="CC BY 4.0, the authors">', "CC BY 4.0, the authors"),
        ('<meta name="license" content="https://creativecommons.org/licenses/by/4.0/">', "CC-BY-4.0"),
    ],
)
def test_a_license_link_is_relative_to_the_base_and_the_name_of_a_license_is_no_link(
    tmp_path, head, license_
):
    assert archived(tmp_path, head).license == license_


def test_a_license_link_of_a_local_file_is_relative_to_its_canonical_url(tmp_path):
    head = canonical("https://shop.example/a/page") + '<link rel="license" href="terms">'
    assert local(tmp_path, head).license == "https://shop.example/a/terms"


def test_records_of_other_sources_have_the_url_at_which_they_were_found(tmp_path):
    row = {"url": AT, "text_list": ["Fold the paper."], "image_info": []}
    (tmp_path / "docs.jsonl").write_text(json.dumps(row))
    columns = {
        "images": [[None]],
        "texts": [["Fold it."]],
        "general_metadata": [json.dumps({"url": AT})],
        "u": [AT],
        "t": ["Fold it."],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    turns = [{"from": "human", "value": "Fold"}, {"from": "gpt", "value": "So."}]
    talks = [
        {"url": "https://shop.example/1", "page_url": AT, "conversations": turns},
        {"url": AT, "conversations": turns},
    ]
    (tmp_path / "talks.json").write_text(json.dumps(talks))
    parquet = str(tmp_path / "a.parquet")
    found = [
        *documents(read_all(mmc4, Mmc4Source(name="m", path=str(tmp_path / "docs.jsonl")), tmp_path)),
        *documents(read_all(obelics, ObelicsSource(name="o", path=parquet), tmp_path)),
        *documents(
            read_all(
                hub,
                HubSource(name="t", path=parquet, segments=[TextColumn(text="t")], url_column="u"),
                tmp_path,
            )
        ),
        *documents(
            read_all(
                conversations, ConversationsSource(name="c", path=str(tmp_path / "talks.json")), tmp_path
            )
        ),
    ]
    assert [(item.url, item.page_url) for item in found] == [(AT, AT)] * 3 + [
        ("https://shop.example/1", AT),
        (AT, AT),
    ]


# --- through a build
# ----------------------------------------------------------------------------------------------------

ATTACKER, VICTIM, COPY = (
    "http://attacker.example/steal",
    "http://victim.example/page",
    "http://shop.example/print/page",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Three archived pages: a victim, an attacker whose canonical link names the victim, and a print version
    with a canonical URL on its own site."""
    folder = tmp_path_factory.mktemp("urls")
    (folder / "data").mkdir()
    heads = {VICTIM: "", ATTACKER: canonical(VICTIM), COPY: canonical("http://shop.example/page")}
    records = []
    for number, (url, head) in enumerate(heads.items()):
        words = f"Draw a red wall on the green grass of the meadow, number {number}."
        body = (
            f"<html><head>{head}</head><body><main><h1>Wall {number}</h1><p>{words}</p><img "
            f"src='/{number}.png'></main></body></html>"
        )
        records.append(record(url, body.encode()))
        host = url.rpartition("/")[0] if number < 2 else "http://shop.example"
        records.append(
            record(f"{host}/{number}.png", png(dot=10 * number + 10), headers="Content-Type: image/png")
        )
    archive(folder / "data" / "a.warc.gz", *records)
    path = recipe(
        folder,
        ingest={"sources": [{"kind": "warc", "name": "w", "path": "data", "license": "CC0-1.0"}]},
        filter={
            "min_words": 5,
            "min_images": 1,
            "alignment": {"allow_toy": True},
            "judge": {"enabled": False},
            "rules": [],
        },
    )
    build(path)
    return path


def explained(path: Path, url: str) -> list[tuple[str, str]]:
    stages = pipeline.artifacts(recipes.load(path, ()))
    files = {row["document_id"]: row["url"] for row in rows(path.parent / "runs/t/shard")}
    return sorted((files[match.document], match.by) for match in find(stages, url))


def test_explain_finds_a_page_by_each_of_its_urls(built):
    assert explained(built, COPY) == [("http://shop.example/page", "page URL")]
    assert explained(built, "https://shop.example/page/") == [("http://shop.example/page", "canonical URL")]
    assert explained(built, "https://VICTIM.example:443/page#x") == [(VICTIM, "page URL")]


def test_a_canonical_link_neither_hides_a_page_nor_moves_it_under_another_removal(built):
    loaded = recipes.load(built, ())
    stages = pipeline.artifacts(loaded)
    listed = built.with_name(f"{built.stem}.suppressed.jsonl")
    by_page = [
        ("url", ATTACKER),
        ("domain", "attacker.example"),
        ("url", VICTIM),
        ("domain", "victim.example"),
    ]
    for kind, value in (*by_page, ("url", COPY), ("url", "https://shop.example/page/")):
        report = remove(loaded.path, loaded.directory, stages, [entry(kind, value)])
        listed.unlink()
        assert (report["records"], report["examples"]) == (1, 1), value
    shown = {(row["url"], row["page_url"], row["title"]) for row in rows(loaded.directory / "shard")}
    assert shown == {
        (VICTIM, VICTIM, "Wall 0"),
        (ATTACKER, ATTACKER, "Wall 1"),
        ("http://shop.example/page", COPY, "Wall 2"),
    }
