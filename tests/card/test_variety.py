"""Variety of questions and answers: figures counted by hand, and sketches that depend on no order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import build, messages, mmc4, png, recipe
from records.golden import SHARDS

from leafinstruct.card import similarity, sketch, variety
from leafinstruct.card import template as cards
from leafinstruct.card.sketch import Distinct, Frequencies
from leafinstruct.card.tally import Tally, count_shard
from leafinstruct.card.variety import templated
from leafinstruct.records import public
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part

TEMPLATE = Path(__file__).parents[2] / "data_cards/default.md"
IMAGE = b"image"


def row(task: str, title: str | None, *turns: tuple[str, list[str | bytes]]) -> dict[str, Any]:
    turns_of_row, _ = messages(*turns)
    name = hashlib.sha256(repr((task, title, turns)).encode()).hexdigest()
    return {"id": name, "task": task, "title": title, "messages": turns_of_row}


def figures(*batches: list[dict[str, Any]]) -> dict[str, Any]:
    schema = pa.schema([public.schema().field(name) for name in variety.COLUMNS])
    counting = variety.Counting()
    for rows in batches:
        counting.add(pa.RecordBatch.from_pylist(rows, schema=schema))
    return variety.figures(counting.tasks)


BY_HAND = [
    row(
        "guide", "A boat", ("user", ["Show me: A boat"]), ("assistant", ["Fold it.", IMAGE, "Fold it again."])
    ),
    row("guide", "a hat!", ("user", ["Show me: a hat"]), ("assistant", ["Fold it.", IMAGE])),
    row("guide", None, ("user", ["Show me: a hat"]), ("assistant", [IMAGE])),
    row(
        "talk",
        None,
        ("user", [IMAGE, "What is it?", "Context that is no question.", IMAGE]),
        ("assistant", ["折り紙。"]),
        ("user", ["And this?", IMAGE]),
        ("assistant", ["A hat"]),
    ),
]
"""Questions: (show me: a boat), (show me: a hat) twice, (what is it?). Answers: (fold it) twice, (fold it
again), (折 り 紙), (a hat)."""


def test_figures_are_those_counted_by_hand():
    found = figures(BY_HAND[:1], BY_HAND[1:])
    whole, guide, talk = found["all"], found["tasks"]["guide"], found["tasks"]["talk"]
    assert list(found["tasks"]) == ["guide", "talk"]
    assert (whole["rows"], whole["titled"]) == (4, 2)
    assert whole["turns"] == {"mean": 2.5, "min": 2, "max": 4}
    assert whole["prompt_images"] == {"mean": 0.75, "min": 0, "max": 3}
    assert (whole["with_prompt_images"], guide["with_prompt_images"], talk["with_prompt_images"]) == (
        0.25,
        0,
        1,
    )
    # words of questions: show me a boat hat what is it = 8 of 4 + 4 + 4 + 3
    assert whole["question_distinct_1"] == pytest.approx(8 / 15, abs=1e-6)
    # pairs: show me, me a, a boat, a hat, what is, is it of 3 + 3 + 3 + 2
    assert whole["question_distinct_2"] == pytest.approx(6 / 11, abs=1e-6)
    # show me a, me a boat, me a hat, what is it of 2 + 2 + 2 + 1
    assert whole["question_distinct_3"] == pytest.approx(4 / 7, abs=1e-6)
    # words of answers: fold it again 折 り 紙 a hat = 8 of 2 + 3 + 2 + 3 + 2
    assert whole["answer_distinct_1"] == pytest.approx(8 / 12, abs=1e-6)
    # fold it twice, it again, 折り, り紙, a hat: no pair across two texts
    assert whole["answer_distinct_2"] == pytest.approx(5 / 7, abs=1e-6)
    assert whole["answer_distinct_3"] == pytest.approx(2 / 2, abs=1e-6)
    assert whole["most_frequent_question"] == 0.5
    assert whole["most_frequent_template"] == 0.5  # of two titled rows; the third states no title
    assert whole["most_frequent_opening"] == 0.5
    assert whole["most_frequent_opening_words"] == "show me a hat"
    # {show me: a boat}, twice {show me: a hat}, {what is it?}: pairs 3/5, 3/5, 1, 0, 0, 0
    assert whole["question_self_similarity"] == pytest.approx(2.2 / 6, abs=1e-6)
    # {fold it again}, {fold it}, nothing, {折 り 紙 a hat}: pairs 2/3, 0, 0
    assert whole["answer_self_similarity"] == pytest.approx(2 / 9, abs=1e-6)
    assert talk["question_self_similarity"] is None  # of one row
    assert (guide["most_frequent_template"], talk["most_frequent_template"]) == (
        pytest.approx(2 / 3, abs=1e-6),
        1,
    )
    assert whole["estimated"] == []


def test_rows_without_questions_or_turns_are_counted_as_such():
    found = figures(
        [
            row("guide", None, ("assistant", ["Only an answer"])),
            {"task": "guide", "title": None, "messages": []},
        ]
    )["all"]
    assert (found["rows"], found["turns"], found["with_prompt_images"]) == (
        2,
        {"mean": 0.5, "min": 0, "max": 1},
        0,
    )
    assert found["question_distinct_1"] is found["most_frequent_question"] is None
    assert found["answer_distinct_1"] == 1


def test_no_rows_give_no_shares():
    found = figures()["all"]
    assert (found["rows"], found["turns"], found["with_prompt_images"], found["answer_distinct_3"]) == (
        0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("question", "title", "expected"),
    [
        ("Show me: How to fold a boat.", "How to fold a boat", "Show me: {title}."),
        ("How do I fold a boat?", "How to fold a boat!", "How do I {title}?"),
        ("Continue “fold A BOAT”.", "Fold a boat", "Continue “{title}”."),
        ("Boats and a boat", "a boat", "Boats and {title}"),
        ("A boatman", "A boat", "A boatman"),
        ("Show me.", None, "Show me."),
        ("Show me.", " .!", "Show me."),
        ("Why is the sky blue? Answer with images.", "Why is the sky blue?", "{title} Answer with images."),
        ("Explain why is the sky blue.", "Why is the sky blue?", "Explain {title}."),
        ("Go on: “A boat on a…”.", "A boat on a…", "Go on: “{title}”."),
        ("Continue this: नाव बनाना. Go on.", "नाव बनाना।", "Continue this: {title}. Go on."),
        ("What is (a+b)! Why (a+b)!", "(a+b)!", "What is {title}! Why {title}!"),
        ("请介绍折纸船的方法", "折纸船", "请介绍{title}的方法"),
    ],
)
def test_a_title_is_replaced(question, title, expected):
    assert templated(question, title) == expected


rows = st.lists(
    st.builds(
        lambda task, title, question, answer: row(task, title, ("user", question), ("assistant", answer)),
        st.sampled_from(["guide", "edit"]),
        st.sampled_from([None, "a b", "c"]),
        st.lists(st.sampled_from(["do a b", "do c", "c", IMAGE, ""]), max_size=3),
        st.lists(st.text("abc ", max_size=12) | st.just(IMAGE), max_size=3),
    ),
    max_size=30,
)


@given(rows, st.randoms(use_true_random=False), st.integers(2, 9), st.integers(1, 5))
def test_figures_do_not_depend_on_order_shards_or_batches(found, random, size, shards):
    """Sketches of `size` hashes, so that most of them overflow: counted in one piece, and in shuffled shards
    that are merged in any order."""
    kept, sketch.SIZE = sketch.SIZE, size
    sampled, similarity.SAMPLE = similarity.SAMPLE, size
    try:
        schema = pa.schema([public.schema().field(name) for name in variety.COLUMNS])
        at_once = figures(found)
        shuffled = random.sample(found, len(found))
        tallies = []
        for number in range(shards):
            counting = variety.Counting()
            for one in shuffled[number::shards]:
                counting.add(pa.RecordBatch.from_pylist([one], schema=schema))
            tallies.append(Tally(variety=counting.tasks))
        tally = Tally()
        for other in random.sample(tallies, len(tallies)):
            tally.merge(other)
        assert json.dumps(variety.figures(tally.variety)) == json.dumps(at_once)
    finally:
        sketch.SIZE, similarity.SAMPLE = kept, sampled


def hashes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 64, count, dtype=np.uint64)


def test_distinct_is_exact_up_to_its_size_and_within_four_errors_above(monkeypatch):
    monkeypatch.setattr(sketch, "SIZE", 1 << 12)
    exact, large = Distinct(), Distinct()
    exact.add(np.tile(hashes(1 << 12), 3))
    assert (exact.count, exact.total, exact.is_estimate) == (1 << 12, 3 << 12, False)
    for start in range(0, 200_000, 10_000):
        large.add(np.tile(hashes(200_000)[start : start + 10_000], 2))
    assert large.is_estimate
    assert len(large.kept) == 1 << 12
    assert abs(large.count / 200_000 - 1) < 4 / 64
    assert large.share == pytest.approx(0.5, rel=4 / 64)


def test_the_most_frequent_is_exact_up_to_the_size_and_a_close_bound_above(monkeypatch):
    monkeypatch.setattr(sketch, "SIZE", 1 << 12)
    found = Frequencies()
    rare, often = hashes(3 << 12), np.full(5000, 77, np.uint64)
    found.add(np.concatenate([often, rare[:4000]]))
    assert (found.share, found.is_estimate) == (5000 / 9000, False)
    found.add(rare[4000:])
    assert found.is_estimate
    assert len(found.keys) <= 1 << 12
    true = 5000 / (5000 + len(rare))
    assert true <= found.share < true + 0.002


def test_only_a_sample_of_many_rows_is_compared_and_templates_are_more_alike():
    subjects = [f"{one} {other}" for one in "abcdefghijklmnopq" for other in "rstuvwxyz"]
    templates = figures(
        [row("guide", None, ("user", [f"show me how to draw {subject}"])) for subject in subjects]
    )
    others = figures([row("guide", None, ("user", [subject])) for subject in subjects])
    assert len(subjects) > similarity.SAMPLE
    alike, apart = (found["all"]["question_self_similarity"] for found in (templates, others))
    assert alike > 0.5
    assert apart < 0.2
    assert set(templates["all"]["estimated"]) == {"question_self_similarity", "answer_self_similarity"}
    assert templates["all"]["most_frequent_opening_words"] == "show me how to"


def test_golden_shards_have_known_figures():
    tally = Tally()
    for path in SHARDS["2"]:
        tally.merge(count_shard(Artifact(path.parent), Part(path.stem)).value)
    found = variety.figures(tally.variety)
    assert (found["all"]["rows"], found["all"]["titled"], found["all"]["turns"]["mean"]) == (2, 2, 2)
    assert found["all"]["prompt_images"] == {"mean": 0.5, "min": 0, "max": 1}
    assert found["all"]["question_distinct_1"] == 1  # paint the ball red. / how do i draw a house?
    assert found["tasks"]["edit"]["answer_distinct_1"] is None  # the answer is an image alone


def test_the_card_and_build_json_state_the_figures_of_the_shards(tmp_path):
    steps = [
        [
            (f"Put block {page} on the table, please.", png(dot=page)),
            (f"Then turn it {page} times.", png((9, 90, page), dot=30)),
        ]
        for page in range(4)
    ]
    mmc4(tmp_path / "data", {f"https://h{page}.example/": steps[page] for page in range(4)})
    source = {"kind": "mmc4", "name": "s", "path": "data", "license": "MIT"}
    path = recipe(
        tmp_path,
        ingest={"sources": [source]},
        filter={"min_words": 1, "min_images": 1, "alignment": {"allow_toy": True}, "rules": []},
        shard={"splits": {"train": 1}},
    )
    build(path)
    folder = tmp_path / "runs/t/shard"
    stated = json.loads((folder / "build.json").read_text(encoding="utf-8"))["variety"]
    tally = Tally()
    for shard in sorted(folder.glob("*.parquet")):
        tally.merge(count_shard(Artifact(folder), Part(shard.stem)).value)
    assert stated == variety.figures(tally.variety)
    card = (
        (folder / "README.md")
        .read_text(encoding="utf-8")
        .split("## Questions and answers")[1]
        .split("\n## ")[0]
    )
    whole = stated["all"]
    assert f"| **all** | 4 | 2.00 | 2 | 2 | {whole['prompt_images']['mean']:.2f} |" in card
    line = next(
        line
        for line in card.splitlines()
        if line.startswith("| **all** | 0") or line.startswith("| **all** | 1")
    )
    assert line.startswith(
        f"| **all** | {whole['question_distinct_1']:.3f} | {whole['question_distinct_2']:.3f} |"
    )
    assert line.endswith(f"| {whole['most_frequent_template']:.1%} | {whole['most_frequent_opening']:.1%} |")
    similar = [f"{whole[f'{side}_self_similarity']:.3f}" for side in ("question", "answer")]
    assert f"| **all** | {' | '.join(similar)} | {whole['most_frequent_opening_words']} |" in card
    assert "≈" not in card


def test_an_estimate_is_marked_and_a_hostile_task_stays_in_its_cell():
    section = TEMPLATE.read_text(encoding="utf-8").split("## Questions and answers")[1].split("\n## ")[0]
    found = figures([row("a|b", "A boat", ("user", ["Show me: A boat"]))])
    found["all"]["estimated"] = ["question_distinct_2", "most_frequent_question"]
    card = cards.fill(section, {"variety": found}, "card")
    assert "| **all** | 1.000 | ≈ 1.000 | 1.000 | - | - | - | ≈ 100.0% | 100.0% | 100.0% |" in card
    assert "| a\\|b | 1 |" in card
    assert "`≈` marks an estimate: distinct-n has a standard error of 0.3%" in card
    assert f"{1 / sketch.SIZE**0.5:.1%}" == "0.3%"


def test_hashes_of_words_are_the_same_everywhere():
    """Known values: figures would change without a word if the hash did."""
    digest = hashlib.blake2b(b"boat", digest_size=8).digest()
    assert variety._hash("boat") == int.from_bytes(digest, "little")
    words = np.array([1, 2, 3], np.uint64)
    assert (
        len(
            {int(variety._mixed([words[:1], words[1:2]])[0]), int(variety._mixed([words[1:2], words[:1]])[0])}
        )
        == 2
    )
