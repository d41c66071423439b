"""Near-duplicates in whole builds: the best of a group stays, a group is in one split, a kill changes
nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpora import reading
from making import build, mmc4, png, recipe, rows, shard_sums

from leafinstruct.filter import stage
from leafinstruct.records import table
from leafinstruct.runtime.artifact import Artifact

pytestmark = pytest.mark.e2e

BEST = [{"score": "duplicate.near_text", "max": 0}]
ENGLISH = [record for record in reading.records("latin") if record["language"] == "en"]


def pages() -> dict[str, list[tuple[str, bytes | None]]]:
    """Six pages, and of each two copies on other hosts: with a word in 50 changed, and within a frame. The
    framed one has most words."""
    found: dict[str, list[tuple[str, bytes | None]]] = {}
    for number, record in enumerate(ENGLISH):
        text = " ".join(item["text"] for item in record["segments"] if item["type"] == "text")
        words = text.split()
        changed = [f"other{at}" if at % 50 == 7 else word for at, word in enumerate(words)]
        framed = ["Home,", "shop", "and", "news.", *words, "Imprint", "and", "contact."]
        for copy, own in enumerate((words, changed, framed)):
            image = png((40 * number, 80 * copy, 90), dot=copy + 1)
            found[f"https://{number}-{copy}.example/page"] = [(" ".join(own), image)]
    return found


def made(folder: Path, part_size: int, **config: Any) -> Path:
    folder.mkdir()
    mmc4(folder / "data", pages())
    return recipe(
        folder,
        part_size=part_size,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"judge": {"enabled": False}, **config},
        shard={"splits": {"train": 0.5, "test": 0.5}, "group_by": ["near_text"]},
    )


def duplicates(path: Path) -> dict[str, dict[str, Any]]:
    """URL -> row of table.DUPLICATES."""
    run = path.parent / "runs/t"
    urls = {
        page.id: str(page.url)
        for it in run.glob("ingest/documents/*/documents-*")
        for page in table.documents(it)
    }
    found = [row for it in run.glob("filter/duplicates/*/duplicates-*") for row in table.read(it)]
    return {urls[row["document_id"]]: row for row in found}


def test_the_best_of_each_group_stays(tmp_path):
    path = made(tmp_path / "a", 5, rules=BEST)
    record = build(path, until="filter")[-1].record
    assert record["counts"]["kept"] == len(ENGLISH) == 6
    assert record["reasons"] == {"duplicate.near_text": 12}
    kept = {url for url, row in duplicates(path).items() if row["near_text"] == 0}
    assert kept == {f"https://{number}-2.example/page" for number in range(6)}


def test_groups_and_splits_are_the_same_for_any_number_of_parts(tmp_path):
    few, many = made(tmp_path / "few", 50), made(tmp_path / "many", 2)
    for path in (few, many):
        build(path)
    assert duplicates(few) == duplicates(many)
    assert shard_sums(few.parent / "runs/t/shard") == shard_sums(many.parent / "runs/t/shard")
    for split in ("train", "test"):
        shards = (few.parent / "runs/t/shard").glob(f"*.{split}-*.parquet")
        sites = [row["url"].split("-")[0] for shard in shards for row in rows(shard)]
        assert all(sites.count(site) == 3 for site in sites)


def test_a_kill_in_the_global_step_changes_nothing(tmp_path, monkeypatch):
    whole, killed = made(tmp_path / "whole", 4), made(tmp_path / "killed", 4)
    build(whole, until="filter")
    reduce = stage.duplicates_of

    def interrupted(*given: Any) -> Iterator[Any]:
        for at, found in enumerate(reduce(*given)):
            if at == 2:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(stage, "duplicates_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(killed, until="filter")
    assert len(list((killed.parent / "runs/t/filter").rglob("duplicates-*"))) == 2
    monkeypatch.setattr(stage, "duplicates_of", reduce)
    build(killed, until="filter")
    for kind in ("documents", "dropped", "scores", "duplicates", "images", "keys"):
        files = Artifact(whole.parent / "runs/t/filter").files(kind)
        assert len(files) == 5
        assert all(
            path.read_bytes() == (killed.parent / path.relative_to(whole.parent)).read_bytes()
            for path in files
        )
