"""The page of a dataset in a real browser: what is clicked, moved, typed and counted there, against what the
tables say and what a build does.

One headless Chromium for the module, one build of the embedded corpus and two more of it under other bounds,
which replay decisions only.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import making
import pytest
from report.browsing import IN_A_BROWSER, PATIENCE, chromium, looking
from report.looking import hostile

from leafinstruct import pipeline
from leafinstruct.filter.steps import without_image, without_step
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.text import owners
from leafinstruct.records.text.words import word_units
from leafinstruct.report.inspect import layout
from leafinstruct.report.inspect import page as inspection

pytestmark = IN_A_BROWSER

RULES: list[dict[str, Any]] = [
    {"score": "text.links", "max": 2},
    {"score": "text.capitals", "max": 0.25},
    {"score": "image.side", "min": 48},
    {"score": "image.entropy", "min": 0.5},
    {"score": "alignment.own", "min": 0.13, "model": "leaf:tiny-clip-1"},
    {"score": "alignment.mean", "min": 0.2, "model": "leaf:tiny-clip-1"},
    {"score": "coherence.adjacent", "min": -0.5, "model": "leaf:tiny-clip-1"},
    {"score": "duplicate.images", "max": 0.5},
    {"score": "rules.text_quality", "min": 4, "model": "offline-rules@4"},
    {"score": "rules.narrative_coherence", "min": 4, "model": "offline-rules@4"},
]


def recipe(folder: Path, **moved: float) -> Path:
    """The corpus under RULES; moved: new bounds by score, with `_` for the dot."""
    rules = [dict(rule) for rule in RULES]
    for rule in rules:
        bound = "min" if "min" in rule else "max"
        rule[bound] = moved.get(rule["score"].replace(".", "_"), rule[bound])
    defects = dict.fromkeys(
        ("misaligned", "spam", "too_short", "icon", "broken", "shuffled", "duplicate"), 0.08
    )
    return making.recipe(
        folder,
        part_size=40,
        ingest={
            "sources": [
                {
                    "kind": "sketchbook",
                    "documents": 90,
                    "videos": 0,
                    "seed": 11,
                    "image_px": 64,
                    "defects": defects,
                }
            ]
        },
        filter={"min_images": 2, "min_words": 20, "rules": rules},
        llm={"provider": "offline"},
    )


def foreign(folder: Path) -> Path:
    """An English and a German page under `languages: [en]`."""
    sentences = json.loads(
        (Path(__file__).parent.parent / "records/languages.json").read_text(encoding="utf-8")
    )
    pages = {
        f"https://{code}.example/": [
            (text, making.png(dot=4 * at)) for at, text in enumerate(sentences[code])
        ]
        for code in ("en", "de")
    }
    making.mmc4(folder / "data", pages)
    source = {"kind": "mmc4", "name": "own", "path": "data"}
    rules = {
        "languages": ["en"],
        "alignment": {"allow_toy": True},
        "rules": [{"score": "text.words", "min": 5}],
    }
    return making.recipe(folder, ingest={"sources": [source]}, filter=rules)


def until(page: Any, expression: str) -> None:
    """Waits for a condition. Not playwright's own way, which evaluates a string in the page, and that is what
    the page forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def stages_of(path: Path) -> dict[str, Any]:
    return pipeline.artifacts(recipes.load(path))


def verdicts(path: Path) -> dict[str, str]:
    """id -> kept or dropped, from the tables of filter."""
    filtered = stages_of(path)["filter"]
    return {
        row["id"]: verdict
        for part in filtered.parts()
        for kind, verdict in (("documents", "kept"), ("dropped", "dropped"))
        for row in table.read(filtered.file(kind, part))
    }


MOVES: dict[str, dict[str, float]] = {
    "tightened": {"alignment_mean": 0.3, "rules_text_quality": 5.0},
    "images": {"alignment_own": 0.3, "image_side": 60.0},
    "loosened": {
        "alignment_own": -1.0,
        "text_links": 9.0,
        "rules_narrative_coherence": 1.0,
        "coherence_adjacent": 0.7,
    },
}


@dataclass(frozen=True)
class Built:
    """recipe: of a built run, its page beside it; after: the verdicts of builds with other bounds, by the
    name of the move; doubles: records that some build found to be a duplicate of another; foreign: the page
    of two pages, of which `languages` drops the German one."""

    recipe: Path
    page: Path
    after: dict[str, dict[str, str]]
    doubles: set[str]
    foreign: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Built]:
    """The builds of this module, all before the browser starts: its event loop would be in their way."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        after, found = {}, set()
        for name, moved in {**MOVES, "": {}}.items():  # the last one is the one that is looked at
            path = recipe(folder, **moved)
            making.build(path, until="rewrite" if not name else "filter")
            after[name] = verdicts(path)
            found |= doubles(path)
        inspection.inspect(stages_of(path), folder / "page.html", 1000, lambda *_: None)
        other = foreign(folder / "foreign")
        making.build(other, until="filter")
        inspection.inspect(stages_of(other), folder / "foreign.html", 1000, lambda *_: None)
        yield Built(path, folder / "page.html", after, found, folder / "foreign.html")


@pytest.fixture(scope="module")
def browser(run) -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def look(browser) -> Iterator[Any]:
    with looking(browser, "#gallery article") as look:
        yield look


def shown(page: Any) -> list[str]:
    return page.eval_on_selector_all("#gallery article", "found => found.map(element => element.dataset.id)")


def matching(page: Any) -> set[str]:
    """Ids of all records that match, not only those on this page of the gallery."""
    return set(page.evaluate("found.map(record => record.id)"))


def move(page: Any, score: str, bound: str, value: float) -> None:
    """Type a bound, and wait until every record was judged again."""
    page.get_by_label(f"{score} at {'least' if bound == 'min' else 'most'}", exact=True).fill(str(value))
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def fates(page: Any) -> dict[str, str]:
    """id -> kept, dropped or unknown under the bounds as they stand."""
    names = {"won": "kept", "lost": "dropped", "unknown": "unknown"}
    return {
        name: names.get(moved, verdict)
        for name, verdict, moved in page.evaluate(
            "records.map(record => [record.id, record.verdict, record.moved])"
        )
    }


def test_the_build_s_own_bounds_give_the_build_s_own_verdicts(look, run):
    page = look(run.page)
    decided = run.after[""]
    assert page.evaluate("inconsistent") == 0
    assert fates(page) == decided
    assert 0 < sum(verdict == "dropped" for verdict in decided.values()) < len(decided)
    page.evaluate("replayAll()")
    assert page.locator("#what-if").is_hidden()


def test_a_document_that_languages_dropped_stays_dropped_whatever_bound_moves(look, run):
    page = look(run.foreign)
    assert page.evaluate("inconsistent") == 0
    assert sorted(fates(page).values()) == ["dropped", "kept"]
    (reason,) = page.evaluate(
        "records.filter(record => record.verdict === 'dropped').flatMap(record => record.reasons)"
    )
    assert reason == "languages: the document's language is German (de), and the recipe keeps English (en)"
    move(page, "text.words", "min", 0)
    assert sorted(fates(page).values()) == ["dropped", "kept"]
    assert sorted(page.evaluate("records.map(record => record.language)")) == ["English (en)", "German (de)"]
    assert "German (de)" in page.locator("#gallery").inner_text()


def test_filters_and_search_find_what_the_tables_hold(look, run):
    page = look(run.page)
    filtered, rewritten = (stages_of(run.recipe)[stage] for stage in ("filter", "rewrite"))
    rows = [row for part in filtered.parts() for row in table.read(filtered.file("dropped", part))]
    refused = [row for part in rewritten.parts() for row in table.read(rewritten.file("dropped", part))]
    reason = rows[0]["drops"][0]["rule"]
    page.locator("#funnel-table").get_by_role("button", name=reason, exact=True).first.click()
    every = [
        row
        for part in filtered.parts()
        for kind in ("documents", "dropped")
        for row in table.read(filtered.file(kind, part))
    ]
    assert matching(page) == {row["id"] for row in every if reason in {drop["rule"] for drop in row["drops"]}}
    page.get_by_role("button", name="Clear").click()
    page.select_option("#state", "dropped")
    assert matching(page) == {row["id"] for row in rows + refused}
    assert page.locator("#count").inner_text() == f"{len(rows + refused)} of {len(every)} records"
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Search records").fill(every[3]["id"].upper())
    until(page, f"found.length === 1 && found[0].id === '{every[3]['id']}'")
    assert shown(page) == [every[3]["id"]]


JUDGED = """
(() => {
  const names = (list) => list.map((name) => ({ name }));
  const own = names(["judge.safety", "judge.text_image_relevance"]);
  const image = names(["image.decoded", "judge.image_relevance"]);
  const meta = { scores: { own, image }, minima: { images: 1, words: 0 }, share_above: null };
  const rule = (score, level, min) => ({ score: `judge.${score}`, level, min, max: null, drop: "image" });
  const planned = (image, mean) => plan(meta, [
    rule("safety", "own", 4),
    rule("image_relevance", "image", image),
    rule("text_image_relevance", "own", mean),
  ]);
  const record = { drops: [], order: new Map(), caption_words: [0, 0, 0], words: 600 };
  record.scores = [4, 4];
  record.image_scores = [[1, 1, 1], [5, 3, 1]];
  record.before = replay(record, planned(2, 3)).before; // the build kept the first two images: a mean of 4
  return [[2, 3], [2, 4.5], [null, 3], [null, 3.5], [4, 5], [6, 1]].map(([image, mean]) => {
    const { fate, why } = replay(record, planned(image, mean));
    return [fate, why];
  });
})()
"""
"""Fates of a record under bounds on the relevance of its images (5, 3 and 1) and on their mean."""


def test_the_mean_of_the_judge_follows_its_images_and_its_other_scores_do_not(look, run):
    """As filter/passes.py applies a verdict: images first, then the scores of the document."""
    assert look(run.page).evaluate(JUDGED) == [
        ["kept", None],
        ["dropped", "judge.text_image_relevance"],
        ["kept", None],
        ["dropped", "judge.text_image_relevance"],
        ["kept", None],
        ["dropped", "min_images"],
    ]


RECOUNTED = """
(() => {
  const names = (list) => list.map((name) => ({ name }));
  const meta = {
    scores: { own: names(["reference.dangling"]), image: names(["image.decoded", "judge.image_relevance"]) },
    minima: { images: 1, words: 0 }, share_above: null,
  };
  const planned = (image, most, built) => plan(meta, [
    { score: "judge.image_relevance", level: "image", min: image, max: null, drop: "image" },
    {
      score: "reference.dangling", level: "own", min: null, max: most, drop: "image",
      original: { min: null, max: built },
    },
  ]);
  // the judge of the build dropped the second image, to which one reference is left
  const made = (built) => {
    const record = { drops: [["judge.image_relevance", 3]], order: new Map([[1, 0], [3, 1]]), words: 600 };
    record.caption_words = [0, 0];
    record.scores = [1];
    record.image_scores = [[1, 1], [5, 1]];
    record.before = replay(record, planned(2, built, built)).before;
    return record;
  };
  const moves = [[0, 2, 0], [0, 2, 1], [0, null, 0], [0, 1, 3], [0, 6, 0]];
  return [...moves, [1, 2, 1], [1, null, 1], [1, null, 0], [1, 2, 0]].map(([built, image, most]) => {
    const { fate, why } = replay(made(built), planned(image, most, built));
    return [built, image, most, fate, why];
  });
})()
"""
"""Fates of a record under bounds on the relevance of its images (5 and 1) and on its references; `built`: the
bound on references in the build."""


def test_references_before_the_judge_are_not_those_after_it(look, run):
    """The record has only the count after the judge dropped an image."""
    assert look(run.page).evaluate(RECOUNTED) == [
        [0, 2, 0, "dropped", "reference.dangling"],  # as in the build
        [0, 2, 1, "kept", None],
        [0, None, 0, "kept", None],  # without the drop there was none
        [0, 1, 3, "kept", None],
        [0, 6, 0, "dropped", "min_images"],
        [1, 2, 1, "kept", None],
        [1, None, 1, "kept", None],
        [1, None, 0, "unknown", None],  # the first count was 0 or 1
        [1, 2, 0, "unknown", None],
    ]


@pytest.mark.parametrize("move_name", MOVES)
def test_moved_bounds_keep_what_a_build_keeps(look, run, move_name):
    """What the page calls kept or dropped is what a build with those bounds keeps and drops; what it cannot
    know it calls unknown, and only that.

    Duplicates are not counted anew, as the page says: records that a build found to be one are left aside.
    """
    page, before, after = look(run.page), run.after[""], run.after[move_name]
    for rule in RULES:
        value = MOVES[move_name].get(rule["score"].replace(".", "_"))
        if value is not None:
            move(page, rule["score"], "min" if "min" in rule else "max", value)
    replayed = fates(page)
    certain = {name for name, fate in replayed.items() if fate != "unknown"} - run.doubles
    assert {name: replayed[name] for name in certain} == {name: after[name] for name in certain}
    assert any(replayed[name] != before[name] for name in certain)
    assert len(certain) > 0.6 * len(replayed)
    assert int(page.locator("#now").inner_text()) == sum(fate == "kept" for fate in replayed.values())
    lost = {name for name in replayed if before[name] == "kept" and replayed[name] == "dropped"}
    if lost:
        page.locator("#what-if button[data-state=lost]").click()
        assert matching(page) == lost
    page.get_by_role("button", name="Reset the bounds").click()
    assert fates(page) == before
    assert page.locator("#what-if").is_hidden()


def owned_pages(rng: random.Random) -> Iterator[tuple[Document, list[tuple[int, bool]]]]:
    """Documents whose images have owners, each with images that are dropped: (position, with its step)."""
    texts = (
        "# one two",
        "# three",
        "some words",
        "一二三四 words",
        "> a caption",
        "- 1. one\n2. two words\n3. 三",
        "- - a\n  - b\n- c d",
        "- one item",
        "คำไทย two",
    )
    for _ in range(400):
        kinds = rng.choices(("!", *texts), weights=(5, *(1 for _ in texts)), k=rng.randint(2, 10))
        page = making.document(*(f"!{at}" if kind == "!" else kind for at, kind in enumerate(kinds)))
        places = [text.position for text in page.texts]
        owner = {image.position: rng.choice(places) for image in page.images if places and rng.random() < 0.8}
        segments = (
            replace(one, owner=owner.get(one.position)) if isinstance(one, ImageRef) else one
            for one in page.segments
        )
        lost = rng.sample(page.images, rng.randint(0, len(page.images)))
        yield (
            replace(page, segments=tuple(segments)),
            [(image.position, rng.random() < 0.7) for image in lost],
        )


def test_the_page_drops_the_texts_that_a_build_drops(look, run):
    """The words that are left after each image was dropped, with and without its step, in the page and in
    filter/steps.py."""
    page, compared = look(run.page), 0
    for document, lost in owned_pages(random.Random(5)):
        given = layout.layout(document, {})
        if not given:
            continue
        numbers = {image.position: number for number, image in enumerate(document.images)}
        rest, figures = document, owners.steps_of_figures(document)
        for position, with_step in lost:
            image = next(one for one in rest.images if one.position == position)
            rest = without_step(rest, image, figures)[0] if with_step else without_image(rest, image)
        wanted = sum(word_units(text.text) for text in document.texts) - sum(
            word_units(text.text) for text in rest.texts
        )
        asked = {
            "steps": given["steps"],
            "lost": [(numbers[position], with_step) for position, with_step in lost],
        }
        found = page.evaluate(
            """({ steps, lost }) => {
              const texts = new Texts(steps);
              for (const [index, withStep] of lost) texts.lose(index, withStep);
              return texts.lost().reduce((sum, words) => sum + words, 0);
            }""",
            asked,
        )
        assert found == wanted, (document.segments, lost)
        compared += 1
    assert compared > 200


def doubles(path: Path) -> set[str]:
    filtered = stages_of(path)["filter"]
    return {
        row["document_id"]
        for part in filtered.parts()
        for row in table.read(filtered.file("scores", part))
        if row["name"] in ("duplicate.images", "duplicate.text") and row["value"]
    }


def test_a_bound_counts_what_fails_and_what_is_unknown(look, run):
    """The sentence under a histogram against the table of scores; equal to the bound passes."""
    page = look(run.page)
    filtered = stages_of(run.recipe)["filter"]
    values = [
        row["value"]
        for part in filtered.parts()
        for row in table.read(filtered.file("scores", part))
        if row["name"] == "alignment.mean"
    ]
    bound = sorted(values)[len(values) // 2]
    move(page, "alignment.mean", "min", bound)
    failing, never = sum(value < bound for value in values), len(run.after[""]) - len(values)
    was = sum(value < 0.2 for value in values)
    summary = page.locator('[data-score="alignment.mean"] .summary').inner_text()
    assert summary.startswith(f"{failing} of {len(values)} records fail (was {was})")
    assert f"{never} unknown: dropped before it was computed" in summary
    assert never > 0


def test_the_line_is_dragged_and_the_slider_moved(look, run):
    page = look(run.page)
    card = page.locator('[data-score="alignment.mean"]')
    card.scroll_into_view_if_needed()
    line = card.locator(".shapelayer path").last
    line.wait_for(state="attached")
    page.wait_for_timeout(300)
    box = line.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 30, middle[1] + 10, steps=4)
    page.mouse.up()
    until(page, "rules.find(rule => rule.score === 'alignment.mean').min > 0.2")
    page.wait_for_selector("#what-if:not([hidden])")
    field, slider = (
        card.get_by_label("alignment.mean at least", exact=True),
        card.get_by_label("alignment.mean at least, slider"),
    )
    dragged = float(field.input_value())
    assert dragged > 0.2
    slider.focus()
    slider.press("ArrowRight")
    assert float(field.input_value()) > dragged


def test_it_is_read_with_the_keyboard_alone(look, run):
    page = look(run.page)
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.dataset.id")
    assert first == shown(page)[0]
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.id") == shown(page)[1]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.id") == first
    before = shown(page)
    page.keyboard.press("n")
    assert not set(before) & set(shown(page))
    page.keyboard.press("p")
    assert shown(page) == before
    page.keyboard.press("/")
    page.keyboard.type("jk?")  # typed, not obeyed
    assert page.get_by_label("Search records").input_value() == "jk?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()
    theme = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != theme


def test_it_fits_a_telephone(look, run):
    page = look(run.page, width=380)
    for section in ("#funnel", "#scores", "#records"):
        page.locator(section).scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") <= 380, section


def test_a_hostile_page_is_read_and_not_obeyed(look, tmp_path):
    inspection.inspect(hostile(tmp_path / "run"), tmp_path / "page.html", 1000, lambda *_: None)
    for width in (1280, 380):
        page = look(tmp_path / "page.html", width)
        for number in range(3):
            page.eval_on_selector_all(
                "#gallery details", "found => found.forEach(element => { element.open = true })"
            )
            until(
                page,
                "[...document.querySelectorAll('#gallery img')].every(image => image.complete && "
                "image.naturalWidth)",
            )
            if number < 2:
                page.keyboard.press("n")
        assert page.evaluate("window.hit") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert set(
            page.eval_on_selector_all("a[href]", "found => found.map(element => element.protocol)")
        ) <= {"https:", "file:"}
        assert page.locator("#gallery img").count() > 0
        assert page.get_by_text("<img src=x onerror=").count() > 0
