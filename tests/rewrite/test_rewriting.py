"""Rewriting: pictures one to one and in order, every word used, tasks that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate
from making import document

from leafinstruct.llm.prompt import Prompt
from leafinstruct.records.document import Document, Image, Text
from leafinstruct.rewrite import parse, prompt

PROMPT = Prompt("rewrite", "Do {{ task }}.\n---\nThe document:")
TEXT_FIRST = ("# How to draw a house", "draw a wall", "!a", "> a wall", "add a roof", "!b", "paint a door", "!c")
PICTURE_FIRST = ("# How to draw a house", "!a", "draw a wall", "!b", "add a roof")

parts = st.lists(
    st.one_of(st.sampled_from(["!p", "> caption", "- item", "# head"]), st.text(alphabet="abc <image>|", min_size=1)),
    min_size=1,
    max_size=12,
)


@st.composite
def documents(draw) -> Document:
    """Any order of texts and pictures, with at least one picture."""
    items = [f"!p{index}" if part == "!p" else part for index, part in enumerate(draw(parts))]
    items = [item if item.strip("!># -") else "word" for item in items]
    return document(*items, "!last", file=draw(st.text(alphabet="abcdef", min_size=3, max_size=3)))


def test_steps_keep_the_text_that_belongs_to_a_picture_on_either_side():
    text_first = prompt.steps_of(document(*TEXT_FIRST))
    assert [[segment.position for segment in step] for step in text_first.steps] == [[1, 2, 3], [4, 5], [6, 7]]
    picture_first = prompt.steps_of(document(*PICTURE_FIRST))
    assert [[segment.position for segment in step] for step in picture_first.steps] == [[1, 2], [3, 4]]
    assert text_first.title == "How to draw a house"


@given(documents())
def test_steps_lose_nothing_and_each_holds_one_picture(page):
    cut = prompt.steps_of(page)
    title = [cut.title] if cut.title else []
    body = [segment for step in cut.steps for segment in step]
    assert [*title, *(item.text for item in body if isinstance(item, Text))] == [text.text for text in page.texts]
    assert all(sum(isinstance(item, Image) for item in step) == 1 for step in cut.steps)


@given(documents(), st.sampled_from(["guide", "continuation", "edit"]))
def test_templates_pass_the_check_that_a_model_must_pass(page, task):
    if task not in prompt.fitting(page, (task,)):
        return
    answer = prompt.by_templates(page, task)
    validate(answer, parse.SCHEMA)
    assert parse.fault(answer, task, len(page.images)) is None
    user, assistant = parse.turns(answer, page.images)
    shown = [part for turn in (user, assistant) for part in turn.parts if isinstance(part, Image)]
    assert [image.position for image in shown] == [image.position for image in page.images]
    words = " ".join(part for turn in (user, assistant) for part in turn.parts if isinstance(part, str))
    for text in page.texts[1:]:
        assert text.text in words


def test_a_literal_placeholder_stays_text_and_counts_as_no_picture():
    page = document("# T", "use <image> and <|image start|> here", "!a", "then <image>", "!b")
    answer = prompt.by_templates(page, "guide")
    assert parse.fault(answer, "guide", 2) is None
    _, assistant = parse.turns(answer, page.images)
    assert "use <image> and <|image start|> here" in assistant.parts


@pytest.mark.parametrize(
    ("shown", "task", "reason"),
    [
        (([], [1, 3, 2]), "guide", r"pictures 1 to 3 once each and in this order; you showed \[1, 3, 2\]"),
        (([], [1, 2]), "guide", r"you showed \[1, 2\]"),
        (([], [1, 2, 2, 3]), "guide", "once each"),
        (([1], [2, 3, 4]), "continuation", "pictures 1 to 3"),
        (([1, 2, 3], []), "continuation", "the response must show at least one picture"),
        (([1], [2, 3]), "guide", "all pictures belong to the response"),
        (([], [1, 2, 3]), "continuation", "the context must show at least the first picture"),
    ],
)
def test_an_answer_that_loses_invents_or_reorders_is_told_what_to_mend(shown, task, reason):
    context, response = ([{"type": "image", "image": number} for number in numbers] for numbers in shown)
    value = {"instruction": "do", "context": context, "response": [*response, {"type": "text", "text": "x"}]}
    found = parse.fault(value, task, 3)
    assert found is not None
    import re

    assert re.search(reason, found)


def test_the_edit_instruction_holds_the_change_and_only_the_changed_picture_is_asked_for():
    page = document("# Before and after", "a red ball", "!a", "make the ball blue", "!b")
    answer = prompt.by_templates(page, "edit")
    assert "make the ball blue" in answer["instruction"]
    assert answer["response"] == [{"type": "image", "image": 2}]
    assert {"type": "text", "text": "a red ball"} in answer["context"]


def test_a_guide_whose_title_begins_how_to_is_also_asked_for_as_people_ask():
    asked = {prompt.by_templates(document("# How to fold a boat", f"step {at}", "!a"), "guide")["instruction"] for at in range(60)}
    assert asked == set(prompt.guide_asks("How to fold a boat"))
    assert "How do I fold a boat?" in asked
    assert len(asked) == 4
    assert prompt.guide_asks("How To Fix Your Bike")[3:] == ["How do I Fix Your Bike?"]
    assert len(prompt.guide_asks("Show and how to tell")) == len(prompt.guide_asks("However")) == 3


def test_tasks_are_drawn_by_id_among_those_that_fit():
    assert prompt.choose(document("words"), ("guide",)) is None
    assert prompt.fitting(document(*TEXT_FIRST), ("guide", "continuation", "edit")) == ["guide", "continuation"]
    drawn = {prompt.choose(document(*PICTURE_FIRST, file=str(number)), ("guide", "continuation", "edit")) for number in range(60)}
    assert drawn == {"guide", "continuation", "edit"}


def test_kinds_of_text_stay_visible():
    assert prompt.as_text(Text(0, "one", "list")) == "- one"
    assert prompt.as_text(Text(0, "- one", "list")) == "- one"
    assert prompt.as_text(Text(0, "x = 1", "code")) == "```\nx = 1\n```"


def test_the_question_names_every_picture_by_its_number():
    request = prompt.request(document(*TEXT_FIRST), "guide", {"a": (b"x", "image/png")}, PROMPT)
    assert "guide:" in request.messages[0].parts[0]
    text = "".join(part for part in request.messages[1].parts if isinstance(part, str))
    assert [f"picture {number}:" in text for number in (1, 2, 3, 4)] == [True, True, True, False]


def test_a_conversation_is_kept_as_its_source_tells_it():
    from leafinstruct.records.document import Provenance, Ref
    from leafinstruct.records.example import Example
    from leafinstruct.rewrite.stage import _keep, _Refused

    segments = (Text(0, "draw it", role="user"), Image(1, Ref(file="a.png")), Text(2, "so", role="assistant"), Image(3, Ref(file="b.png")))
    kept = _keep(Document("i", "s", segments, Provenance("f")), ())
    assert isinstance(kept, Example)
    assert [(turn.role, len(turn.parts)) for turn in kept.turns] == [("user", 2), ("assistant", 2)]
    assert kept.task == "conversation"
    holed = _keep(Document("i", "s", segments, Provenance("f")), (), [{"position": 3, "rule": "picture.side"}])
    assert isinstance(holed, _Refused)
    assert holed.reason == "picture_dropped"
    refused = _keep(document("no roles", "!a"), ())
    assert isinstance(refused, _Refused)
    assert refused.reason == "not_a_conversation"
