"""`filter.reference`: what of a benchmark is in a document, and that none of it is published."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from corpora import reading
from making import build, recipe
from PIL import Image as Pil

from leafinstruct.errors import RecipeError
from leafinstruct.recipe.load import load
from leafinstruct.records import table

ENGLISH = [record for record in reading.records("latin") if record["language"] == "en"]
WORDS = [word for page in ENGLISH for item in page["segments"] for word in item.get("text", "").split()]


def prose(seed: int, count: int) -> str:
    """Words of real sentences, in an order of their own."""
    source = random.Random(seed)
    return " ".join(source.choice(WORDS) for _ in range(count))


def noise(seed: int, side: int = 192) -> Pil.Image:
    """An image with structure at all scales that its hash has."""
    cells = random.Random(seed).randbytes(24 * 24)
    return Pil.frombytes("L", (24, 24), cells).resize((side, side), Pil.Resampling.BICUBIC).convert("RGB")


def lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def mmc4(name: str, texts: list[str], images: list[str]) -> dict[str, object]:
    infos = [
        {"image_name": image, "raw_url": f"http://{image}", "matched_text_index": 0, "matched_sim": 0.3}
        for image in images
    ]
    url = f"http://a.example/{name}"
    return {"url": url, "text_list": texts, "image_info": infos, "similarity_matrix": []}


QUESTION = prose(1, 20)
SHORT = "make the sky red"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Five pages; a benchmark in the layout of MagicBrush's and InterleavedBench's JSON, mapped by column."""
    images, bench = tmp_path / "data/images", tmp_path / "bench"
    images.mkdir(parents=True)
    (bench / "images").mkdir(parents=True)
    for seed in range(4):
        noise(seed).save(images / f"{seed}.png")
    noise(3).save(bench / "images/same.png")
    mirrored = noise(2).transpose(Pil.Transpose.FLIP_LEFT_RIGHT).resize((150, 150))
    mirrored.save(bench / "images/mirrored.jpg", quality=50)
    noise(9).save(bench / "images/other.png")
    lines(
        bench / "items.jsonl",
        [
            {"instruction": QUESTION, "picture": "images/same.png"},
            {"instruction": SHORT, "picture": "images/mirrored.jpg"},
            {"instruction": prose(2, 200), "picture": "images/other.png"},
            {"instruction": prose(3, 30), "picture": "images/missing.png"},
        ],
    )
    page = prose(5, 1000)
    lines(
        tmp_path / "data/docs.jsonl",
        [
            mmc4("clean", [prose(4, 300), SHORT], ["0.png"]),
            mmc4("question", [f"{page} {QUESTION} {prose(6, 1000)}"], ["1.png"]),
            mmc4("half", [f"{prose(7, 50)} {' '.join(QUESTION.split()[:11])}"], ["1.png"]),
            mmc4("excerpt", [" ".join(prose(2, 200).split()[40:80])], ["0.png", "1.png"]),
            mmc4("images", [prose(8, 60)], ["2.png", "3.png", "0.png", "1.png"]),
        ],
    )
    return recipe(
        tmp_path,
        part_size=2,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "judge": {"enabled": False},
            "reference": [
                {
                    "kind": "hub",
                    "name": "bench",
                    "path": "bench",
                    "segments": [{"text": "instruction"}, {"image": "picture"}],
                }
            ],
        },
    )


def values(own: Path, name: str) -> dict[str, float]:
    """Name of the page -> score."""
    run = own.parent / "runs/t"
    names = {
        page.id: str(page.url).rpartition("/")[2]
        for path in run.glob("ingest/documents/*/documents-*")
        for page in table.documents(path)
    }
    cells = [pair for path in run.glob("filter/scores/*/scores-*") for pair in table.scores(path)]
    return {names[page]: float(cell.value or 0) for page, cell in cells if cell.name == name}


@pytest.mark.e2e
def test_short_items_in_long_pages_excerpts_and_mirrored_images_are_found(own):
    built = build(own, until="filter")[-1]
    text, images = (values(own, f"contamination.{name}") for name in ("text", "images"))
    assert text["question"] == text["excerpt"] == 1  # 20 words of 2,020; 40 of a text of 200
    assert text["half"] == 0.5  # 9 of 18 runs
    assert text["clean"] < 0.1  # four words that are an instruction are no evidence
    assert images == {"clean": 0, "question": 0, "half": 0, "excerpt": 0, "images": 0.5}
    assert built.record["reference"] == {
        "sources": ["bench"],
        "documents": 4,
        "short": 1,
        "images": 4,
        "unread": 1,
    }


@pytest.mark.e2e
def test_contaminated_documents_are_dropped_and_the_reference_is_never_published(own):
    rules = [{"score": "contamination.text", "max": 0.5}, {"score": "contamination.images", "max": 0.2}]
    outcomes = {outcome.stage: outcome for outcome in build(own, f"filter.rules={rules}")}
    record = outcomes["filter"].record
    assert record["reasons"] == {"contamination.text": 2, "contamination.images": 1}
    card = (own.parent / "runs/t/shard/README.md").read_text(encoding="utf-8")
    assert "compared with 4 documents and 4 images of `bench`" in card
    assert "not with 1 of their texts, which are too short, and 1 of their images" in card
    published = b"".join(path.read_bytes() for path in (own.parent / "runs/t/shard").rglob("*.parquet"))
    rows = [row for path in (own.parent / "runs/t/rewrite").rglob("examples-*") for row in table.read(path)]
    assert {row["source"] for row in rows} == {"own"}
    assert len(rows) == 2
    assert (own.parent / "bench/images/other.png").read_bytes() not in published


@pytest.mark.e2e
def test_a_changed_reference_is_compared_again_and_an_unchanged_one_is_not(own):
    build(own, until="filter")
    assert build(own, until="filter")[-1].up_to_date
    noise(0).save(own.parent / "bench/images/other.png")  # the image of two pages
    again = build(own, until="filter")[-1]
    assert not again.up_to_date
    assert values(own, "contamination.images")["clean"] == 1
    without = build(own, "filter.reference=[]", until="filter")[-1]
    assert "reference" not in without.record
    assert not values(own, "contamination.text")
    assert not (own.parent / "runs/t/reference").exists()
    assert not list((own.parent / "runs/t/filter").rglob("reference-*"))


def test_a_rule_without_a_reference_is_an_error_of_the_recipe(tmp_path):
    rules = [{"score": "contamination.text", "max": 0.5}]
    with pytest.raises(RecipeError, match=r"contamination\.text, which needs filter.reference"):
        load(recipe(tmp_path, filter={"rules": rules}))


def test_sources_of_the_reference_are_checked_like_those_of_ingest(tmp_path):
    source, ingest = (
        {"kind": "html", "name": "a", "path": "pages"},
        {"sources": [{"kind": "html", "name": "a", "path": "b"}]},
    )
    loaded = load(recipe(tmp_path, ingest=ingest, filter={"reference": [source]}))
    assert loaded.recipe.filter.reference[0].model_dump()["path"] == str(tmp_path / "pages")
    assert "path" not in loaded.resolved["filter"]["reference"][0]
    with pytest.raises(RecipeError, match="two sources are called 'a'"):
        load(recipe(tmp_path, ingest=ingest, filter={"reference": [source, dict(source)]}))
    with pytest.raises(RecipeError, match=r"filter.reference\[0\].pth: unknown key; .*path"):
        load(recipe(tmp_path, ingest=ingest, filter={"reference": [{**source, "pth": "b"}]}))
