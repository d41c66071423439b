"""The whole build on real pages and on broken ones, with counts that were verified by hand
(tests/ingest/real_counts.json has them per document).

The tiny CLIP is allowed to judge here (`allow_toy`), so its scores mean nothing; everything else is as a user
would run it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from command import leaf_process as leaf
from making import build, recipe, rows

from leafinstruct.records import table


@pytest.fixture(scope="module")
def run(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    sources = [
        {"kind": "mmc4", "name": "mmc4", "path": str(real / "mmc4")},
        {"kind": "html", "name": "pages", "path": str(real / "html")},
        {"kind": "warc", "name": "crawl", "path": str(real / "web.warc.gz")},
        {"kind": "html", "name": "messy", "path": str(real / "messy")},
        {"kind": "mmc4", "name": "lines", "path": str(real / "messy/broken_lines.jsonl")},
        {"kind": "warc", "name": "cut", "path": str(real / "messy/truncated.warc.gz")},
    ]
    rules = [{"score": "image.side", "min": 48}, {"score": "duplicate.text", "max": 0}]
    path = recipe(
        folder,
        part_size=20,
        ingest={"truncated": "keep", "sources": sources},
        filter={"rules": rules, "alignment": {"allow_toy": True}},
    )
    done = leaf("build", path)
    assert done.returncode == 0, done.stderr
    return folder / "runs/t"


def test_every_form_gives_its_documents_and_images(run):
    documents, images = Counter[str](), Counter[str]()
    for path in (run / "ingest").rglob("documents-*.parquet"):
        for page in table.documents(path):
            documents[page.source] += 1
            images[page.source] += len(page.images)
    assert (documents["mmc4"], documents["pages"], documents["crawl"]) == (17, 37, 19)
    assert (images["mmc4"], images["pages"], images["crawl"]) == (76, 189, 107)
    assert (documents["messy"], documents["lines"], documents["cut"]) == (2, 5, 2)


def test_every_image_of_the_forms_is_read_and_each_row_decodes(run):
    states = Counter[str]()
    for path in (run / "filter").rglob("images-*.parquet"):
        for row in table.read(path):
            states["read" if row["sha256"] else row["reason"].split(":")[0]] += 1
    assert set(states) <= {"read", "url_not_fetched", "missing", "not_in_archive"}
    found = rows(run / "shard")
    assert len(found) > 60
    for row in found:
        shown = [part for turn in row["messages"] for part in turn["content"] if part["type"] == "image"]
        assert len(shown) == len(row["images"]) == len(row["image_info"])


def test_broken_records_are_reasons_with_their_place(run):
    reports = [json.loads(path.read_text()) for path in (run / "ingest").rglob("report-*.json")]
    reasons = Counter(item["reason"] for report in reports for item in report.get("rejected", ()))
    assert reasons["truncated"] == 1
    assert {
        "broken_json",
        "not_utf8",
        "empty_line",
        "not_an_object",
        "no_text_list",
        "null_text",
        "index_out_of_range",
        "no_body",
    } <= set(reasons)
    assert all(
        item["file"] and (item["locator"] or item["reason"] == "no_body")
        for report in reports
        for item in report.get("rejected", ())
    )


def test_without_keep_the_cut_archive_is_named_with_its_offset(real, tmp_path):
    source = {"kind": "warc", "name": "cut", "path": str(real / "messy/truncated.warc.gz")}
    path = recipe(tmp_path, ingest={"sources": [source]}, filter={"alignment": {"allow_toy": True}})
    done = leaf("build", path)
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert "truncated.warc.gz, offset=195642" in line
    assert "documents kept before it: 2" in line
    build(path, "ingest.truncated=keep", until="ingest")
