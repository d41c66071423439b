"""Languages through a whole build: the column, the rule before any image is read, funnel, card, explain,
inspect, and building again."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import leaf
from making import InlineEngine, build, mmc4, png, recipe, rows, shard_sums

from leafinstruct.records import table
from leafinstruct.report.inspect.page import inspect
from leafinstruct.runtime.artifact import Artifact

SENTENCES = json.loads((Path(__file__).parent.parent / "records/languages.json").read_text(encoding="utf-8"))
PAGES = {"en": 3, "de": 2, "th": 1, "ar": 1, "none": 1}


def page(code: str, number: int) -> list[tuple[str, bytes | None]]:
    texts = (
        [f"{at} 5 7 9 11 13 15 17 19 21 {number}" for at in range(5)] if code == "none" else SENTENCES[code]
    )
    return [
        (text, png((20 * number, 90, 40), dot=4 * at) if at % 2 else None) for at, text in enumerate(texts)
    ]


def own(folder: Path) -> Path:
    pages = [(code, number) for code, count in PAGES.items() for number in range(count)]
    mmc4(
        folder / "data",
        {
            f"https://{code}.example/{number}": page(code, 3 * at + number)
            for at, (code, number) in enumerate(pages)
        },
    )
    rules = [{"score": "image.side", "min": 48}]
    return recipe(
        folder,
        part_size=3,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={"min_words": 1, "alignment": {"allow_toy": True}, "rules": rules},
        rewrite={"tasks": [{"name": "quoted", "language": "any", "ask_untitled": ["“{opening}”"]}]},
        shard={"splits": {"train": 1.0}},
    )


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = own(tmp_path_factory.mktemp("all"))
    build(path)
    return path


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = own(tmp_path_factory.mktemp("chosen"))
    text = path.read_text(encoding="utf-8").replace("min_words: 1", "min_words: 1\n  languages: [th, en]")
    path.write_text(text, encoding="utf-8")
    build(path)
    return path


def run_of(path: Path) -> Path:
    return path.parent / "runs/t"


def front(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (run_of(path) / "shard/README.md").read_text(encoding="utf-8").split("---\n")[1]
    )
    return found


def test_every_row_has_the_language_of_its_page(everything):
    found = rows(run_of(everything) / "shard")
    assert all(
        row["language"] == {"none": None}.get(code := row["url"][8:].partition(".")[0], code) for row in found
    )
    assert {row["language"] for row in found} >= {"en", "de"}
    cells = {
        row["language"]: cell
        for row in found
        for cell in row["scores"]
        if cell["name"] == "document.language_confidence"
    }
    assert cells["en"]["value"] >= 0.98
    if None in cells:
        assert (cells[None]["value"], cells[None]["state"]) == (None, "not_scored")


def test_other_languages_are_dropped_before_an_image_is_read(chosen):
    run = run_of(chosen)
    dropped = {
        row["url"]: row["drops"]
        for path in run.glob("filter/dropped/*/dropped-*")
        for row in table.read(path)
    }
    assert Counter(url[8:].partition(".")[0] for url in dropped) == {"de": 2, "ar": 1, "none": 1}
    assert {drops[0]["rule"] for drops in dropped.values()} == {"languages"}
    assert "Arabic (ar)" in dropped["https://ar.example/0"][0]["detail"]
    assert "undetermined" in dropped["https://none.example/0"][0]["detail"]
    read = {row["file"] for path in run.glob("filter/images/*/images-*") for row in table.read(path)}
    assert len(read) == 2 * 4  # two images of each page that stays
    asked = {row["document_id"] for path in run.glob("filter/asked/*/asked-*") for row in table.read(path)}
    assert len(asked) == 4
    assert {row["language"] for row in rows(run / "shard")} <= {"en", "th"}


def test_status_counts_the_dropped_by_language(chosen):
    lines = [line.split() for line in leaf("status", chosen).stdout.splitlines()]
    for language, count in (("de", "-2"), ("ar", "-1"), ("undetermined", "-1")):
        assert any(line[:5] == ["dropped", "by", "languages:", language, count] for line in lines), language
    entry = json.loads(leaf("status", chosen, "--json").stdout)["stages"][1]
    assert entry["reasons"]["languages"] == 4
    assert entry["languages"] == {"de": 2, "ar": 1, "undetermined": 1}


def test_status_counts_each_language_read_kept_and_written(everything, chosen):
    lines = [line.split() for line in leaf("status", chosen).stdout.splitlines()]
    head = lines.index(["languages", "read", "kept", "examples"])
    assert lines[head + 1] == ["English", "(en)", "3", "3", "3"]
    assert lines[head + 2] == ["German", "(de)", "2", "0", "0"]
    assert sorted(lines[head + 3 : head + 6]) == [
        ["Arabic", "(ar)", "1", "0", "0"],
        ["Thai", "(th)", "1", "1", "1"],
        ["undetermined", "1", "0", "0"],
    ]
    ingested, filtered, rewritten, _ = json.loads(leaf("status", everything, "--json").stdout)["stages"]
    assert (
        ingested["kept_languages"]
        == filtered["kept_languages"]
        == {"en": 3, "de": 2, "ar": 1, "th": 1, "undetermined": 1}
    )
    assert sum(rewritten["kept_languages"].values()) == rewritten["counts"]["examples"]


def test_card_croissant_and_build_count_languages_from_the_rows(everything):
    folder = run_of(everything) / "shard"
    counted = Counter(row["language"] for row in rows(folder))
    most_first = sorted((code for code in counted if code), key=lambda code: (-counted[code], code))
    assert front(everything)["language"] == most_first
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| English (en) | 3 | {counted['en']} |" in card
    assert f"| German (de) | 2 | {counted['de']} |" in card
    assert json.loads((folder / "croissant.json").read_text(encoding="utf-8"))["inLanguage"] == sorted(
        most_first
    )
    stated = json.loads((folder / "build.json").read_text(encoding="utf-8"))["languages"]
    assert stated == {code or "undetermined": count for code, count in counted.items()}
    assert "the language of a text" not in card


def test_explain_names_the_language_and_the_rule(chosen):
    kept = leaf("explain", "https://en.example/0", chosen).stdout
    assert "language  English (en)" in " ".join(kept.split()).replace("language English", "language  English")
    assert any(line.split() == ["languages", "en,", "th", "passed"] for line in kept.splitlines())
    lost = leaf("explain", "https://de.example/0", chosen).stdout
    assert "filter: dropped by languages" in lost
    assert "the document's language is German (de), and the recipe keeps English (en), Thai (th)" in " ".join(
        lost.split()
    )
    record = json.loads(leaf("explain", "https://de.example/0", chosen, "--json").stdout)["record"]
    assert (record["source"]["language"], record["source"]["language_confidence"]) == ("de", 0.99)
    (rule,) = [rule for rule in record["filter"]["rules"] if rule["rule"] == "languages"]
    assert (rule["languages"], rule["outcome"]) == (["en", "th"], "dropped_document")


def test_the_page_shows_the_language(chosen, tmp_path):
    upstream, stages = None, {}
    for name in ("ingest", "filter", "rewrite", "shard"):
        upstream = stages[name] = Artifact(run_of(chosen) / name, upstream)
    inspect(stages, tmp_path / "page.html", 100, lambda *_: None)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    records = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert Counter(record["language"] for record in records) == {
        "English (en)": 3,
        "German (de)": 2,
        "Thai (th)": 1,
        "Arabic (ar)": 1,
        "undetermined": 1,
    }


def test_building_again_with_other_languages_reads_only_what_comes_back(tmp_path):
    path = own(tmp_path)
    build(path, "filter.languages=[en]")
    first = shard_sums(run_of(path) / "shard")
    loose = InlineEngine()
    build(path, "filter.languages=[en, de]", engine=loose)
    assert loose.total("looking", "images_read") == 2 * 2
    assert loose.total("looking", "images_embedded") <= 2 * 2
    assert {row["language"] for row in rows(run_of(path) / "shard")} == {"en", "de"}
    same = InlineEngine()
    build(path, "filter.languages=[de, en]", engine=same)
    assert same.reports == {}
    build(path, "filter.languages=[en]")
    assert shard_sums(run_of(path) / "shard") == first


def test_workers_and_order_of_parts_have_no_influence(everything, tmp_path):
    again = own(tmp_path)
    done = leaf("build", again, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert shard_sums(run_of(again) / "shard") == shard_sums(run_of(everything) / "shard")


REAL = {
    **{
        "picamera-es-la-step-2": "es",
        "picamera-pt-br-step-2": "pt",
        "plotter-de-de-step-1": "de",
        "picamera-ar-sa-step-5": "ar",
    },
    **{
        "plotter-es-es-step-4": "es",
        "es-LA/step_4.md": "es",
        "nl-NL/step_4.md": "nl",
        "ru-RU/step_4.md": "ru",
    },
    **{"mr-IN/step_5.md": "mr", "fr-FR/step_3.md": "fr"},
}
"""Part of a real page's place -> its language, as a person reads it; all others are English."""


def test_real_pages_have_their_languages(real, tmp_path):
    kinds = {"mmc4": "mmc4", "html": "html", "warc": "web.warc.gz", "obelics": "obelics"}
    sources = [{"kind": kind, "name": kind, "path": str(real / place)} for kind, place in kinds.items()]
    path = recipe(tmp_path, ingest={"sources": sources}, filter={"alignment": {"allow_toy": True}})
    build(path, until="ingest")
    pages = [
        page for file in run_of(path).glob("ingest/documents/*/documents-*") for page in table.documents(file)
    ]
    assert len(pages) == 90
    wrong, low = [], []
    for found in pages:
        place = f"{found.provenance.file} {found.page_url}"
        wanted = next((language for part, language in REAL.items() if part in place), "en")
        wrong += [(place, found.language)] * (found.language != wanted)
        low += [place] * ((found.language_confidence or 0) < 0.85)
    assert not wrong
    assert not low, os.linesep.join(low)
    assert Counter(page.language for page in pages) == {
        "en": 80,
        "es": 3,
        **dict.fromkeys(("ru", "de", "mr", "fr", "nl", "pt", "ar"), 1),
    }
