"""The law of borders: for every topic, layout and format of the Sketchbook, what its labels call a step is on
one side of question and answer."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from making import build, recipe, rows

pytestmark = pytest.mark.e2e

SEED, DOCUMENTS, VIDEOS = 77, 240, 6


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("borders")
    source = {"kind": "sketchbook", "seed": SEED, "documents": DOCUMENTS, "videos": VIDEOS, "image_px": 48}
    build(recipe(folder, ingest={"sources": [source]}, filter={"min_images": 2, "judge": {"enabled": False}}))
    return folder / "runs/t"


def sides(row: dict, steps: list[dict]) -> list[set[str]]:
    """For each step of the label the roles of the turns that hold its text, its image or its caption. Without
    defects image k is of step k."""
    found: list[set[str]] = [set() for _ in steps]
    image = 0
    for message in row["messages"]:
        for at, part in enumerate(message["content"]):
            if part["type"] == "image":
                found[image].add(message["role"])
                image += 1
                continue
            if message["role"] == "user" and at == 0:
                continue  # the question
            text = part["text"].lower().rstrip(".")
            for step, roles in zip(steps, found, strict=True):
                written, caption = step["text"].lower().rstrip("."), step["caption"].lower().rstrip(".")
                if text == caption and sum(other["caption"] == step["caption"] for other in steps) > 1:
                    continue  # two steps have the same text and cannot be distinguished
                if (
                    text in (written, caption)
                    or written.endswith(f": {text}")
                    or f"{text}:" == written.partition(" ")[0]
                ):
                    roles.add(message["role"])
    assert image == len(steps)
    return found


def test_no_border_between_prompt_and_answer_separates_an_image_from_its_step(built):
    lines = (built / "sketchbook/sketchbook/labels.jsonl").read_text(encoding="utf-8").splitlines()
    labels = {(label["file"], label["locator"]): label for label in map(json.loads, lines)}
    seen: Counter[tuple[str, str]] = Counter()
    divided: Counter[str] = Counter()
    for row in rows(built / "shard"):
        label = labels[row["provenance"]["file"], row["provenance"]["locator"]]
        kind = label["file"].partition("/")[0]
        seen[kind, label["topic"]] += 1
        divided[kind] += (
            len(
                {
                    message["role"]
                    for message in row["messages"]
                    for part in message["content"]
                    if part["type"] == "image"
                }
            )
            > 1
        )
        torn = [number for number, roles in enumerate(sides(row, label["steps"])) if len(roles) > 1]
        assert not torn, (label["file"], label["locator"], row["task"], torn)
    assert {topic for _, topic in seen} == {"lesson", "story", "edit", "assembly", "map"}
    assert set(divided) == {"mmc4", "html", "warc", "obelics", "video"}
    assert min(divided.values()) >= 3, divided
    assert sum(divided.values()) >= 100, divided


def test_the_row_has_the_owner_and_how_it_was_found(built):
    found: Counter[tuple[str, str]] = Counter()
    for row in rows(built / "shard"):
        kind = row["provenance"]["file"].partition("/")[0]
        for info in row["image_info"]:
            assert (info["owner"] is None) == (info["owner_found"] == "unknown")
            found[kind, info["owner_found"]] += 1
        if any(info["owner_found"] == "unknown" for info in row["image_info"]):
            assert {part["type"] for part in row["messages"][0]["content"]} == {"text"}, (
                "unknown owners make no border"
            )
    assert found["mmc4", "stated"] > 100
    assert found["mmc4", "inferred"] == found["mmc4", "unknown"] == 0
    assert found["html", "stated"] > 20  # figures
    assert found["html", "inferred"] > 50
    unknown = sum(count for (_, how), count in found.items() if how == "unknown")
    assert unknown <= 0.05 * sum(found.values()), found
