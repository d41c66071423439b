"""Examples of several turns: one step a turn, questions about a sequence, and the styles of questions."""

from __future__ import annotations

import io
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate
from llm.misbehaving import Body, Step, depending, good, serving
from making import build, document, in_english, recipe, rows
from PIL import Image as Pil

from leafinstruct.errors import RecipeError
from leafinstruct.llm.prompt import Prompt
from leafinstruct.recipe import load as recipes
from leafinstruct.recipe.templates import packaged
from leafinstruct.records import table
from leafinstruct.records.document import ImageRef, Text
from leafinstruct.rewrite import parse, prompt, tasks
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.config import GUIDE, SEQUENCE, WALKTHROUGH
from leafinstruct.rewrite.dialog import answer, ask
from leafinstruct.rewrite.refine.examine import FIELDS
from leafinstruct.rewrite.steps import steps_of
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import STYLES, Style, Task, style_of, tasks_in

PROMPT = Prompt("turns", (packaged("prompts") / "turns.md").read_text(encoding="utf-8"))
HOUSE = (
    "# How to draw a house",
    "First draw the four walls of the house.",
    "!a",
    "Then add a red roof on top of it.",
    "!b",
    "Now paint the wooden door in blue.",
    "!c",
)


def fits(page: Any, task: Task) -> bool:
    return bool(tasks.fitting(page, [task], Facts()))


def texts(parts: list[answer.AnswerPart]) -> list[str | int]:
    return [part["text"] if part["type"] == "text" else part["image"] for part in parts]


def test_a_walkthrough_gives_one_step_a_turn():
    page, [task] = document(*HOUSE), in_english(WALKTHROUGH)
    assert fits(page, task)
    value = ask.by_templates(page, task)
    assert value["context"] == []
    assert [texts(turn["answer"]) for turn in value["turns"]] == [
        ["First draw the four walls of the house.", 1],
        ["Then add a red roof on top of it.", 2],
        ["Now paint the wooden door in blue.", 3],
    ]
    first, *others = (turn["ask"] for turn in value["turns"])
    assert "How to draw a house" in first
    assert task.wording is not None
    assert set(others) <= set(task.wording.turns.next)
    assert len(set(others)) == 2  # not the same words twice in a row
    roles = [turn.role for turn in answer.turns(value, page.images)]
    assert roles == ["user", "assistant"] * 3


def test_a_sequence_asks_for_the_passage_between_two_images_and_for_the_order():
    page, [task] = document(*HOUSE), in_english(SEQUENCE)
    assert fits(page, task)
    value = ask.by_templates(page, task)
    between, order = value["turns"]
    found = re.search(r"image (\d) (?:and|to) image (\d)", between["ask"])
    assert found is not None
    before, after = map(int, found.groups())
    assert after == before + 1
    [passage] = texts(between["answer"])
    assert (
        passage == {1: "Then add a red roof on top of it.", 2: "Now paint the wooden door in blue."}[before]
    )
    shown = texts(value["context"])
    assert passage not in shown
    assert [part for part in shown if isinstance(part, int)] == [1, 2, 3]
    [earlier] = texts(order["answer"])
    quoted = re.findall(r"“(.*?)”", order["ask"])
    assert len(quoted) == 2
    places = [next(at for at, part in enumerate(shown) if str(part).startswith(one)) for one in quoted]
    assert earlier == quoted[places.index(min(places))]


parts = st.lists(
    st.one_of(
        st.sampled_from(["!p", "> a caption", "- an item of a list", "# head"]),
        st.text(alphabet="abcde .", min_size=1, max_size=40),
    ),
    min_size=3,
    max_size=14,
)


@given(parts, st.sampled_from([WALKTHROUGH, SEQUENCE]))
def test_templates_use_every_text_and_image_once_in_order_and_pass_the_check_of_a_model(items, family):
    made = [f"!p{number}" if item == "!p" else item for number, item in enumerate(items)]
    page = document(*(item if item.strip("!># -.") else "word" for item in made), "!last")
    any_page = family.model_copy(
        update={"needs": family.needs.model_copy(update={"genres": ("how_to", "story", "report")})}
    )
    [task] = in_english(any_page)
    if not fits(page, task):
        return
    value = ask.by_templates(page, task)
    validate(value, answer.SCHEMA)
    assert answer.fault(value, *ask.shown(page, task)) is None
    turned = answer.turns(value, page.images)
    shown = [part for turn in turned for part in turn.parts if isinstance(part, ImageRef)]
    assert shown == list(page.images)
    body = [
        segment for segment in page.segments if not (isinstance(segment, Text) and segment.text == page.title)
    ]
    shown_before = texts(value["context"]) + [
        part for turn in value["turns"][:1] for part in texts(turn["answer"])
    ]
    if family is WALKTHROUGH:
        shown_before = [part for turn in value["turns"] for part in texts(turn["answer"])]
        assert [part for part in shown_before if isinstance(part, str)] == [
            prompt.as_text(segment) for segment in body if isinstance(segment, Text)
        ]
    else:
        wanted = Counter(prompt.as_text(segment) for segment in body if isinstance(segment, Text))
        assert Counter(part for part in shown_before if isinstance(part, str)) == wanted


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value["turns"].pop(), "write exactly 3 turns; you wrote 2"),
        (
            lambda value: value["turns"][0]["answer"].append({"type": "image", "image": 2}),
            r"the answer of turn 1 must show images \[1\], in this order; you showed images \[1, 2\]",
        ),
        (
            lambda value: value["context"].append({"type": "image", "image": 1}),
            "the context must show no image",
        ),
        (lambda value: value["turns"][1].update(ask=" "), "the question of turn 2 must say something"),
        (
            lambda value: value["turns"][2].update(answer=value["turns"][2]["answer"][1:]),
            "the answer of turn 3 must have a text",
        ),
    ],
)
def test_an_answer_that_moves_an_image_or_says_nothing_gets_a_correction(change, reason):
    page, [task] = document(*HOUSE), in_english(WALKTHROUGH)
    value: Any = ask.by_templates(page, task)
    change(value)
    found = answer.fault(value, *ask.shown(page, task))
    assert found is not None
    assert re.search(reason, found)


FOUR = (*HOUSE, "At last plant a tall tree beside it.", "!d")


def reply_of(
    page: Any, family: Any, left: Mapping[int, str] | None = None, **verdict: object
) -> dict[str, Any]:
    """The answer of a model that leaves out images, with the turns that the rest has."""
    [task] = in_english(family)
    context, answers = ask.shown(page, task, left or {})
    words = [text.text for text in page.texts if text.text != page.title]
    turns = [
        {
            "ask": f"What is part {at}?",
            "answer": [
                {"type": "text", "text": words[at]},
                *({"type": "image", "image": number} for number in numbers),
            ],
        }
        for at, numbers in enumerate(answers)
    ]
    out = [{"image": number, "because": why} for number, why in (left or {}).items()]
    images = [{"type": "image", "image": number} for number in context]
    return {"leave_out": out, "context": images, "turns": turns, **verdict}


def fault_of(page: Any, family: Any, value: Mapping[str, object]) -> str | None:
    [task] = in_english(family)
    check = ask.request(page, task, {}, PROMPT).check
    assert check is not None
    return check(value)


def test_a_model_may_leave_out_an_image_of_a_walkthrough_and_its_turn_is_missing():
    page = document(*FOUR)
    whole = ask.shown(page, *in_english(WALKTHROUGH))
    assert whole == ([], [[1], [2], [3], [4]])
    left = {2: "the logo of a shop"}
    assert ask.shown(page, *in_english(WALKTHROUGH), left) == ([], [[1], [3], [4]])
    value = reply_of(page, WALKTHROUGH, left)
    validate({**parse.FITS, **value}, answer.SCHEMA)
    assert fault_of(page, WALKTHROUGH, value) is None
    turned = answer.turns(value, page.images)
    assert [part for turn in turned for part in turn.parts if isinstance(part, ImageRef)] == [
        page.images[number - 1] for number in (1, 3, 4)
    ]
    # without a reason, an image that does not exist, twice, or still with its turn
    assert fault_of(page, WALKTHROUGH, reply_of(page, WALKTHROUGH, {2: " "})) == (
        "leave_out: image 2 needs a reason"
    )
    unknown = {**value, "leave_out": [{"image": 9, "because": "an advertisement"}]}
    assert fault_of(page, WALKTHROUGH, unknown) == "leave_out: image 9 is not there"
    twice = {**value, "leave_out": value["leave_out"] * 2}
    assert fault_of(page, WALKTHROUGH, twice) == "leave_out must list each image once"
    kept = {**reply_of(page, WALKTHROUGH), "leave_out": value["leave_out"]}
    assert fault_of(page, WALKTHROUGH, kept) == "write exactly 3 turns; you wrote 4"
    # two of four images are not enough for a walkthrough, which needs three steps
    two = fault_of(page, WALKTHROUGH, reply_of(page, WALKTHROUGH, {1: "a logo", 2: "a logo"}))
    assert two is not None
    assert two.startswith("the task walkthrough is not possible without")


def test_a_model_may_leave_out_an_image_of_a_sequence_but_none_of_the_two_asked_about():
    page = document(*FOUR)
    [task] = in_english(SEQUENCE)
    value = ask.by_templates(page, task)
    asked = re.search(r"image (\d) (?:and|to) image (\d)", value["turns"][0]["ask"])
    assert asked is not None
    needed = {int(number) for number in asked.groups()}
    for number in range(1, 5):
        left = {number: "an advertisement"}
        found = fault_of(page, SEQUENCE, reply_of(page, SEQUENCE, left))
        if number in needed:
            assert found == f"the questions are about image {number}: show it, or answer fit: false and why"
        else:
            assert found is None
    three = document(*HOUSE)  # a sequence needs three images
    outside = ({1, 2, 3} - {ask._before(three, task), ask._before(three, task) + 1}).pop()
    found = fault_of(three, SEQUENCE, reply_of(three, SEQUENCE, {outside: "an advertisement"}))
    assert found is not None
    assert found.startswith("the task sequence is not possible without")


@pytest.mark.parametrize("family", [WALKTHROUGH, SEQUENCE])
def test_a_model_may_say_that_a_document_makes_no_conversation(family):
    page = document(*HOUSE)
    verdict = {
        "fit": False,
        "because": "It is an advertisement.",
        "leave_out": [],
        "context": [],
        "turns": [],
    }
    validate(verdict, answer.SCHEMA)
    assert fault_of(page, family, verdict) is None
    assert parse.unfit(verdict, 3) == "It is an advertisement."
    assert fault_of(page, family, {**verdict, "because": " "}) == "if fit is false, `because` must say why"
    everything = reply_of(page, family, dict.fromkeys((1, 2, 3), "a logo"))
    assert fault_of(page, family, everything) is None
    assert str(parse.unfit(everything, 3)).startswith("it leaves out all images")
    assert answer.ABSENT.keys() == answer.SCHEMA["properties"].keys()  # type: ignore[attr-defined]


def test_the_wording_of_a_question_does_not_give_away_its_answer():
    """Wording, order of the two sentences, passage and pair are chosen independently of each other."""
    [task] = in_english(SEQUENCE)
    assert task.wording is not None
    seen: Counter[tuple[int, bool]] = Counter()
    places: Counter[tuple[int, int]] = Counter()
    for number in range(400):
        page = document(*(f"{part} It is number {number}." if part[0].isupper() else part for part in FOUR))
        between, order = ask.by_templates(page, task)["turns"]
        wording = next(
            at for at, one in enumerate(task.wording.turns.order) if order["ask"].startswith(one[:10])
        )
        quoted = re.findall(r"“(.*?)”", order["ask"])
        seen[wording, quoted[0] == texts(order["answer"])[0]] += 1
        found = re.search(r"image (\d)", between["ask"])
        assert found is not None
        kind = next(
            at for at, one in enumerate(task.wording.turns.between) if one.partition("{")[0] in between["ask"]
        )
        places[kind, int(found[1])] += 1
    assert len(seen) == 4
    assert min(seen.values()) > 60  # of 100 expected
    assert len(places) == 9
    assert min(places.values()) > 20  # of 44 expected


@pytest.mark.parametrize("family", [SEQUENCE, WALKTHROUGH], ids=lambda family: family.name)
def test_questions_of_a_model_may_name_images_and_steps_by_their_numbers(family):
    """The request itself asks for what happens "between image 3 and image 4"."""
    page = document(
        "# How to fold a boat",
        *("Take a sheet of paper and put it on the table.", "!a", "Fold it along its longer side.", "!b"),
        *("Open the pocket at the bottom with both hands.", "!c", "Pull it apart until it floats.", "!d"),
    )
    task = replace(in_english(family)[0], by_model=True)
    request = ask.request(page, task, {}, PROMPT, prompt.Bounds(Checks(), 0))
    assert request.check is not None
    value = ask.by_templates(page, task)
    value["turns"][-1]["ask"] = "Is this from image 2, image 3 or image 4?"
    assert request.check(value) is None
    value["turns"][-1]["ask"] = "Is this from image 7?"
    assert "it does not have 7" in (request.check(value) or "")


def test_families_of_several_turns_need_what_they_ask_about():
    [walk], [sequence] = in_english(WALKTHROUGH), in_english(SEQUENCE)
    two = document(
        "# How to bake", "Mix all of the flour with it:", "!a", "Bake all of it for an hour:", "!b"
    )
    assert not fits(two, walk)
    assert not fits(two, sequence)
    short = document("# How to bake", "Mix it well:", "!a", "Wait:", "!b", "Bake it:", "!c")
    assert fits(short, walk)
    assert not fits(short, sequence)  # no passage of five words between two images
    code = document("# How to print", "Type all of this here:", "!a", "    ", "!b", "!c")
    assert not fits(code, sequence)


def test_an_image_that_belongs_to_the_title_is_no_turn_of_its_own():
    page = document(
        "# How to bake", "!a", "Mix it all well.", "!b", "Bake it for long.", "!c", "Eat it all now."
    )
    owners = {1: 0, 3: 2, 5: 6}
    segments = [
        replace(item, owner=owners[item.position], owner_found="stated")
        if isinstance(item, ImageRef)
        else item
        for item in page.segments
    ]
    page = replace(page, segments=tuple(segments))
    assert len(steps_of(page).steps[0]) == 1
    assert not fits(page, *in_english(WALKTHROUGH))


def test_a_language_without_further_questions_has_such_families_only_with_a_model():
    page = replace(document(*HOUSE), language="de")
    for family in (WALKTHROUGH, SEQUENCE):
        [offline], [online] = (tasks_in("de", [family], {}, by_model=model) for model in (False, True))
        assert not fits(page, offline)
        assert fits(page, online) or family is WALKTHROUGH  # `how_to` is not recognized in German words


def test_the_request_states_each_turn_and_its_images():
    page = document(*HOUSE)
    [walk] = in_english(WALKTHROUGH)
    asked = ask.request(page, walk, {}, PROMPT)
    system = str(asked.messages[0].parts[0])
    assert "Write 3 turns" in system
    assert "turn 1 shows image 1; turn 2 shows image 2; turn 3 shows image 3" in system
    assert "{{" not in system
    assert asked.schema is answer.SCHEMA
    [sequence] = in_english(SEQUENCE)
    system = str(ask.request(page, sequence, {}, PROMPT).messages[0].parts[0])
    assert "The context shows images 1 to 3" in system
    assert "Turn 2 asks which of two things" in system


@pytest.mark.parametrize(
    ("questions", "reason"),
    [
        ('turns: {next: ["{title}?"]}', "title"),
        ('turns: {between: ["Between image {before} and?"]}', r"needs \{after\}"),
        ('turns: {order: "Which?"}', "a list"),
        ("turns: {nxt: []}", "nxt"),
    ],
)
def test_a_faulty_question_of_a_turn_is_one_line(tmp_path, questions, reason):
    (tmp_path / "questions").mkdir()
    (tmp_path / "questions/fr.yaml").write_text(
        f'language: fr\nread_by: nobody\n{questions}\nfamilies: {{guide: {{ask: ["{{title}}"]}}}}\n',
        encoding="utf-8",
    )
    source = {"kind": "sketchbook", "name": "s", "documents": 5, "seed": 1}
    with pytest.raises(RecipeError, match=rf"fr\.yaml.*{reason}"):
        recipes.load(recipe(tmp_path, ingest={"sources": [source]}))


def test_a_family_of_several_turns_gives_nothing(tmp_path):
    source = {"kind": "sketchbook", "name": "s", "documents": 5, "seed": 1}
    own = {"name": "mine", "asked": "steps", "given": "half", "ask": ["{title}"]}
    with pytest.raises(RecipeError, match="asked: steps needs given: nothing"):
        recipes.load(recipe(tmp_path, ingest={"sources": [source]}, rewrite={"tasks": [own]}))


# Styles
# ----------------------------------------------------------------------------------------------------


def test_styles_are_spread_evenly_and_depend_on_the_seed():
    names = [f"{number:016x}" for number in range(1800)]
    counts = Counter(style_of(0, name) for name in names)
    assert counts.keys() == set(STYLES)
    assert min(counts.values()) > 140  # of 200 expected
    changed = sum(style_of(0, name) != style_of(1, name) for name in names)
    assert changed > 1500
    assert [style_of(0, name) for name in names] == [style_of(0, name) for name in names]


@given(
    st.sampled_from(STYLES),
    st.lists(
        st.sampled_from(["Do it.", "How?", "Show me how to do it.", "¿Cómo se hace?", "怎么做\uff1f"]),
        min_size=1,
    ),
)
def test_a_style_keeps_at_least_one_wording_of_its_form_if_there_is_one(style, asks):
    found = style.fitting(asks)
    assert found
    assert set(found) <= set(asks)
    questions = {one for one in asks if one.endswith(("?", "\uff1f"))}
    if style.form == "question" and questions:
        assert set(found) <= questions
    if style.form == "request" and set(asks) - questions:
        assert not set(found) & questions


def test_a_language_model_is_asked_for_the_style_and_templates_choose_by_it():
    page, [task] = document(*HOUSE), in_english(GUIDE)
    styled = replace(task, style=Style("question", "short"))
    assert "The instruction is a question of at most 10 words" in prompt.goal(styled, 0, 3)
    assert "The instruction is" not in prompt.goal(task, 0, 3)
    asked = {prompt.by_templates(page, replace(task, style=style))["instruction"] for style in STYLES}
    assert len(asked) >= 3
    assert prompt.by_templates(page, styled)["instruction"] == "How do I draw a house?"


# Builds
# ----------------------------------------------------------------------------------------------------


def lessons(folder: Path, count: int) -> dict[str, Any]:
    """Pages of three steps in how-to form, and the sections of a recipe that reads them."""
    rng = random.Random(3)
    for number in range(count):
        page = folder / f"pages/{number}"
        page.mkdir(parents=True)
        for image in "abc":
            buffer = io.BytesIO()
            color = tuple(rng.randrange(256) for _ in range(3))
            Pil.new("RGB", (80, 60), color).save(buffer, "PNG")
            (page / f"{image}.png").write_bytes(buffer.getvalue())
        (page / "index.html").write_text(
            f"<html><body><main><h1>How to build shelf {number}</h1>"
            f"<p>Step 1: Saw board {number} to the right length:</p><img src=a.png>"
            f"<p>Step 2: Sand the {number} edges until they are smooth:</p><img src=b.png>"
            f"<p>Step 3: Screw all {number} boards onto the wall:</p><img src=c.png></main></body></html>",
            encoding="utf-8",
        )
    source = {"kind": "html", "name": "pages", "path": str(folder / "pages"), "license": "CC0-1.0"}
    filtering = {"min_images": 1, "min_words": 3, "alignment": {"allow_toy": True}, "rules": []}
    return {"ingest": {"sources": [source]}, "filter": filtering, "shard": {"splits": {"train": 1}}}


def conversation(row: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (message["role"], sum(part["type"] == "image" for part in message["content"]))
        for message in row["messages"]
    ]


def test_a_build_publishes_conversations_of_one_step_a_turn(tmp_path):
    sections = lessons(tmp_path, 4)
    path = recipe(tmp_path, **sections, rewrite={"tasks": ["walkthrough"]})
    build(path)
    found = rows(tmp_path / "runs/t/shard")
    assert len(found) == 4
    for row in found:
        assert conversation(row) == [("user", 0), ("assistant", 1)] * 3
        assert [info["source_position"] for info in row["image_info"]] == sorted(
            info["source_position"] for info in row["image_info"]
        )
    figures = json.loads((tmp_path / "runs/t/shard/build.json").read_text(encoding="utf-8"))["variety"]["all"]
    assert figures["turns"] == {"mean": 6.0, "min": 6, "max": 6}
    first = {row["id"]: row["messages"][0]["content"][0]["text"] for row in found}
    build(path, "seed=5")
    other = {row["id"]: row["messages"][0]["content"][0]["text"] for row in rows(tmp_path / "runs/t/shard")}
    assert first.keys() == other.keys()
    assert first != other


def test_a_model_writes_the_turns_and_is_corrected_where_it_moves_an_image(tmp_path):
    examined: list[str] = []

    def reply(body: Body) -> Step:
        text = json.dumps(body["messages"])
        if "You examine" in text:
            examined.append(text)
            low = len(examined) == 1
            found = {field: {"reason": "r", "score": 2 if low else 5} for field in FIELDS}
            return good({**found, "critique": "Say more."})
        wanted = int(re.search(r"Write (\d+) turns", text)[1])  # type: ignore[index]
        shown = list(range(1, wanted + 1))
        if "must show images" not in text:
            shown.reverse()
        turns = [
            {
                "ask": f"And part {number}?",
                "answer": [{"type": "text", "text": f"Part {number}."}, {"type": "image", "image": image}],
            }
            for number, image in enumerate(shown, start=1)
        ]
        return good({"context": [], "turns": turns})

    with serving(depending(reply)) as server:
        llm = {"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60, "timeout": 60}
        sections = lessons(tmp_path, 2)
        sections["filter"]["judge"] = {"enabled": False}
        build(
            recipe(
                tmp_path,
                **sections,
                rewrite={"tasks": ["walkthrough"], "checks": {"min_kept": None}},
                llm=llm,
            )
        )
        # both are corrected; one is written again and corrected, and the same example is not examined twice
        assert len(server.seen) == 4 + 2 + 2
        assert len(examined) == 2
    found = rows(tmp_path / "runs/t/shard")
    assert [conversation(row) for row in found] == [[("user", 0), ("assistant", 1)] * 3] * 2
    assert [item["name"] for item in found[0]["provenance"]["prompts"]] == [*("examine", "rewrite", "turns")]
    assert all("a conversation that gives one step in each answer" in text for text in examined)


def test_a_build_keeps_the_reasons_of_a_refused_dialog_and_of_images_left_out_of_one(tmp_path):
    def reply(body: Body) -> Step:
        text = json.dumps(body["messages"])
        if "shelf 0" in text:
            return good({"fit": False, "because": "Nobody asks for this.", "context": [], "turns": []})
        turns = [
            {
                "ask": f"And part {image}?",
                "answer": [{"type": "text", "text": f"Part {image}."}, {"type": "image", "image": image}],
            }
            for image in (1, 3)
        ]
        left = [{"image": 2, "because": "the logo of a shop"}]
        return good({"leave_out": left, "context": [], "turns": turns})

    with serving(depending(reply)) as server:
        sections = lessons(tmp_path, 2)
        sections["filter"]["judge"] = {"enabled": False}
        sections["llm"] = {"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60}
        family = {"name": "walkthrough", "needs": {"min_steps": 2}}
        checks = dict.fromkeys(Checks.model_fields)
        build(recipe(tmp_path, **sections, rewrite={"tasks": [family], "checks": checks, "refine": None}))
        assert len(server.seen) == 2  # both are accepted at once
    [row] = rows(tmp_path / "runs/t/shard")
    assert conversation(row) == [("user", 0), ("assistant", 1)] * 2
    positions = [info["source_position"] for info in row["image_info"]]
    paths = sorted((tmp_path / "runs/t/rewrite").rglob("dropped-*.parquet"))
    drops = [drop for path in paths for row in table.read(path) for drop in row["drops"]]
    assert sorted((drop["rule"], drop["detail"]) for drop in drops) == [
        ("rewrite.left_out", "the logo of a shop"),
        ("unfit", "Nobody asks for this."),
    ]
    [gone] = [drop["position"] for drop in drops if drop["position"] is not None]
    assert positions[0] < gone < positions[1]
