"""Rewriting: images one to one and in order, every word used, tasks that fit, long documents in pieces."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate
from making import document, in_english
from pydantic import ValidationError

from leafinstruct.evaluate.sketchbook.guide_asks import guide_asks
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.rows import Drop
from leafinstruct.records.text.genre import first_sentence, genre_of
from leafinstruct.rewrite import parse, prompt, tasks
from leafinstruct.rewrite.config import (
    CONTINUATION,
    EDIT,
    GUIDE,
    NEXT_STEP,
    PACKAGED,
    REPORT,
    STORY,
    RewriteConfig,
    TaskFamily,
)
from leafinstruct.rewrite.steps import pieces, steps_of
from leafinstruct.rewrite.tasks import Facts

PROMPT = Prompt("rewrite", "Do {{ task }}.\n---\nThe document:")
TEXT_FIRST = (
    "# How to draw a house",
    "draw a wall",
    "!a",
    "> a wall",
    "add a roof",
    "!b",
    "paint a door",
    "!c",
)
IMAGE_FIRST = ("# How to draw a house", "!a", "draw a wall", "!b", "add a roof")
FAMILIES = tuple(PACKAGED.values())

parts = st.lists(
    st.one_of(
        st.sampled_from(["!p", "> caption", "- item", "# head"]), st.text(alphabet="abc <image>|", min_size=1)
    ),
    min_size=1,
    max_size=12,
)


@st.composite
def documents(draw) -> Document:
    """Any order of texts and images, with at least one image."""
    items = [f"!p{index}" if part == "!p" else part for index, part in enumerate(draw(parts))]
    items = [item if item.strip("!># -") else "word" for item in items]
    return document(*items, "!last", file=draw(st.text(alphabet="abcdef", min_size=3, max_size=3)))


def names(
    page: Document,
    families: tuple[TaskFamily, ...] = FAMILIES,
    facts: Facts = Facts(resemblance=0.9),  # noqa: B008
) -> list[str]:
    return [task.family.name for task in tasks.fitting(page, in_english(*families), facts)]


def test_steps_keep_the_text_that_belongs_to_an_image_on_either_side():
    text_first = steps_of(document(*TEXT_FIRST))
    assert [[segment.position for segment in step] for step in text_first.steps] == [
        [1, 2, 3],
        [4, 5],
        [6, 7],
    ]
    image_first = steps_of(document(*IMAGE_FIRST))
    assert [[segment.position for segment in step] for step in image_first.steps] == [[1, 2], [3, 4]]


def test_an_introduction_does_not_turn_the_steps_around():
    """The fault of the first versions: any text before the first image made every step end with its image."""
    page = document("# T", "In two steps.", "!a", "Step 1: draw a wall.", "!b", "Step 2: add a roof.")
    answer = prompt.by_templates(page, *in_english(CONTINUATION))
    assert answer["context"][-1] == {"type": "text", "text": "Step 1: draw a wall."}
    assert answer["response"] == [
        {"type": "image", "image": 2},
        {"type": "text", "text": "Step 2: add a roof."},
    ]


@given(documents(), st.sampled_from(FAMILIES))
def test_templates_pass_the_check_that_a_model_must_pass(page, family):
    if not tasks.fitting(page, in_english(family), Facts(resemblance=1.0)):
        return
    answer = prompt.by_templates(page, *in_english(family))
    validate(answer, parse.SCHEMA)
    given_images = sum(isinstance(segment, ImageRef) for segment in tasks.parts_of(page, family).context)
    assert parse.fault(answer, given_images, len(page.images)) is None
    user, assistant = parse.turns(answer, page.images)
    shown = [part for turn in (user, assistant) for part in turn.parts if isinstance(part, ImageRef)]
    assert [image.position for image in shown] == [image.position for image in page.images]
    written = [
        part
        for turn in (user, assistant)
        for part in turn.parts[turn.role == "user" :]
        if isinstance(part, str)
    ]
    title = [page.title] if page.title is not None else []
    if family is not EDIT:
        assert [*title, *written] == [text.text for text in page.texts]


def test_a_literal_placeholder_stays_text_and_counts_as_no_image():
    page = document("# T", "use <image> and <|image start|> here", "!a", "then <image>", "!b")
    answer = prompt.by_templates(page, *in_english(REPORT))
    assert parse.fault(answer, 0, 2) is None
    _, assistant = parse.turns(answer, page.images)
    assert "use <image> and <|image start|> here" in assistant.parts


@pytest.mark.parametrize(
    ("shown", "allowed", "reason"),
    [
        (([], [1, 3, 2]), 0, r"images 1 to 3 once each and in this order; you showed \[1, 3, 2\]"),
        (([], [1, 2]), 0, r"you showed \[1, 2\]"),
        (([], [1, 2, 2, 3]), 0, "once each"),
        (([1], [2, 3, 4]), 1, "images 1 to 3"),
        (
            ([1, 2, 3], []),
            1,
            "the context must show images 1 and no other; the response must show images 2 to 3",
        ),
        (([1], [2, 3]), 0, "the context must show no image"),
        (([1, 2], [3]), 1, "the context must show images 1 and no other"),
        (
            ([], [1, 2, 3]),
            2,
            "the context must show images 1 to 2 and no other; the response must show images 3",
        ),
    ],
)
def test_an_answer_that_loses_invents_reorders_or_moves_the_border_gets_a_correction(shown, allowed, reason):
    context, response = ([{"type": "image", "image": number} for number in numbers] for numbers in shown)
    value = {"instruction": "do", "context": context, "response": [*response, {"type": "text", "text": "x"}]}
    found = parse.fault(value, allowed, 3)
    assert found is not None
    assert re.search(reason, found)


# Which task fits
# ----------------------------------------------------------------------------------------------------


def test_stories_and_reports_are_not_asked_for_as_guides():
    story = document(
        "# The cat", "Once upon a time there was a cat.", "!a", "She went out and saw a bird.", "!b"
    )
    assert genre_of(story) == "story"
    assert names(story) == ["story", "continuation"]
    report = document(
        "# Serial radios",
        "A serial radio sends data over the air.",
        "!a",
        "Its range is about two kilometers.",
        "!b",
    )
    assert genre_of(report) == "report"
    assert names(report) == ["report", "continuation"]
    guide = document("# How to bake", "Mix it all.", "!a", "Wait an hour.", "!b", "Bake it.", "!c")
    assert names(guide) == ["guide", "continuation", "next_step"]


@pytest.mark.parametrize(
    ("parts", "genre"),
    [
        (["# Paper boat", "Fold the paper.", "!a", "Press the edges.", "!b", "Pull it open."], "how_to"),
        (["# Printer", "- 1. Open the lid.\n2. Wait.", "!a"], "how_to"),
        (["# 番茄炒蛋", "第1步 洗番茄。", "!a", "第2步 打鸡蛋。", "!b"], "how_to"),
        (["# A walk", "We went to the lake.", "!a", "I saw a swan.", "!b", "Then she left."], "story"),
        (["# Лес", "Лес полон деревьев.", "!a", "Там живут медведи.", "!b"], "report"),
    ],
)
def test_the_genre_is_read_off_the_text(parts, genre):
    assert genre_of(document(*parts)) == genre


def test_a_document_whose_owners_are_unknown_is_never_cut():
    page = document("# How to bake", "Mix it all well.", "!a", "Wait for an hour.", "!b", "Bake it now.")
    assert {image.owner_found for image in page.images} == {"unknown"}
    assert names(page) == ["guide"]


def test_an_edit_wants_images_that_resemble_each_other_and_none_lost():
    page = document("# Before and after", "A red house.", "!a", "Make the roof blue.", "!b")
    assert names(page, (EDIT,), Facts(resemblance=0.8)) == ["edit"]
    assert names(page, (EDIT,), Facts(resemblance=0.79)) == []
    assert names(page, (EDIT,), Facts(resemblance=None)) == []
    assert names(page, (EDIT,), Facts(whole=False, resemblance=0.9)) == []


def test_the_text_behind_the_last_image_of_an_edit_stays_behind_it():
    page = document(
        "# Before and after", "A red house:", "!a", "Make the roof blue.", "!b", "# Appendix", "Write to us."
    )
    answer = prompt.by_templates(page, *in_english(EDIT))
    assert answer["instruction"].startswith(
        ("Make the roof blue.", "Please edit this picture. Make the roof blue.")
    )
    assert answer["context"] == [{"type": "text", "text": "A red house:"}, {"type": "image", "image": 1}]
    assert answer["response"] == [
        {"type": "image", "image": 2},
        {"type": "text", "text": "Appendix"},
        {"type": "text", "text": "Write to us."},
    ]


def test_the_next_step_is_the_last_one():
    answer = prompt.by_templates(document(*TEXT_FIRST), *in_english(NEXT_STEP))
    assert answer["response"] == [{"type": "text", "text": "paint a door"}, {"type": "image", "image": 3}]


def test_without_a_title_the_question_needs_none_and_a_beginning_is_given_first():
    page = document("先把锅烧热、然后倒入两勺油。放入番茄。", "!a", "再打入三个鸡蛋:", "!b")
    assert page.title is None
    assert first_sentence(page) == "先把锅烧热、然后倒入两勺油。"
    chosen = {
        tasks.choose(page, in_english(*FAMILIES), Facts(), str(number)).family.name for number in range(20)
    }
    assert chosen == {"continuation"}
    assert (
        first_sentence(document("Introduction", "This is all about it. And more.", "!a"))
        == "This is all about it."
    )
    assert all(
        "{" not in ask and "None" not in ask for ask in tasks.questions(page, *in_english(CONTINUATION))
    )
    only = tasks.questions(page, *in_english(REPORT))
    assert all("先把锅烧热、然后倒入两勺油。" in ask for ask in only)


def test_a_guide_whose_title_begins_how_to_is_also_asked_for_as_people_ask():
    asked = {
        prompt.by_templates(document("# How to fold a boat", f"step {at}", "!a"), *in_english(GUIDE))[
            "instruction"
        ]
        for at in range(60)
    }
    assert asked == set(guide_asks("How to fold a boat"))
    assert "How do I fold a boat?" in asked
    assert len(asked) == 4
    assert guide_asks("How to Fix a Shelf")[-1] == "How do I fix a Shelf?"
    assert guide_asks("How to DIY")[-1] == "How do I DIY?"
    assert len(guide_asks("Show and how to tell")) == len(guide_asks("However")) == 3


def test_a_title_that_is_a_question_is_the_question():
    page = document("# What is a serial radio?", "It sends data.", "!a")
    assert tasks.questions(page, *in_english(REPORT)) == [
        "What is a serial radio? Answer with text and images."
    ]


@pytest.mark.parametrize(
    ("title", "question"),
    [
        ("Apples…", "Continue this: Apples…. Keep the style of the pictures."),
        ("How do I bake?", "Continue this: How do I bake? Keep the style of the pictures."),
        ("“Apple strudel”", "Here is the first part of “Apple strudel”. Write and illustrate the rest."),
    ],
)
def test_a_title_keeps_its_own_marks_and_no_second_ones(title, question):
    page = document(f"# {title}", "One is this:", "!a", "Two is that:", "!b")
    assert question.replace("….", "…") in tasks.questions(page, *in_english(CONTINUATION))


def test_the_title_is_not_repeated_where_an_image_is_above_it():
    page = replace(document("!hero", "# Apple strudel", "Bake it:", "!a"), title="Apple strudel")
    answer = prompt.by_templates(page, *in_english(REPORT))
    assert [part.get("text") for part in answer["response"]] == [None, "Bake it:", None]


def test_tasks_are_chosen_by_id_among_those_that_fit():
    assert tasks.choose(document("words"), in_english(*FAMILIES), Facts(), "x") is None
    chosen = {
        tasks.choose(document(*TEXT_FIRST), in_english(*FAMILIES), Facts(), str(number)).family.name
        for number in range(60)
    }
    assert chosen == {"guide", "continuation", "next_step"}


# Families as data
# ----------------------------------------------------------------------------------------------------


def test_a_recipe_names_packaged_families_changes_them_and_brings_its_own():
    config = RewriteConfig.model_validate(
        {
            "tasks": [
                "story",
                {"name": "guide", "ask": ["How? {title}"]},
                {"name": "recap", "given": "first", "ask": ["Go on: {title}"]},
            ]
        }
    )
    assert config.tasks[0] == STORY
    assert config.tasks[1].ask == ("How? {title}",)
    assert config.tasks[1].needs == GUIDE.needs
    assert (config.tasks[2].name, config.tasks[2].given, config.tasks[2].asked) == ("recap", "first", "rest")
    answer = prompt.by_templates(document(*TEXT_FIRST), *in_english(config.tasks[2]))
    assert [part for part in answer["context"] if part["type"] == "image"] == [{"type": "image", "image": 1}]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("giude", "unknown task 'giude'; did you mean 'guide'?"),
        ({"name": "x", "ask": ["{titel}"]}, "uses {titel}; did you mean {title}?"),
        ({"name": "x"}, "the task x has no question"),
        ({"name": "x", "ask_untitled": ["{title}"]}, "a question in ask_untitled uses {title}"),
        (
            {"name": "x", "asked": "change", "given": "first", "ask": ["Do it"]},
            "{change} must be in every question",
        ),
        ({"name": "x", "ask": ["{"]}, "is no template"),
        ({"name": "Bad Name", "ask": ["a"]}, "String should match pattern"),
        ({"name": "x", "ask": ["{title:d}"]}, "formats a placeholder; write only its name"),
        ({"name": "x", "ask": ["{title!r:>{opening}}"]}, "formats a placeholder; write only its name"),
        ({"name": "x", "ask": [" "]}, "a question is empty"),
        ({"name": "x", "ask": "Do {title}"}, "questions are a list: write ['Do {title}']"),
        ({"name": "x", "ask": ["a"], "needs": {"genres": []}}, "at least 1 item"),
        ({"name": "conversation", "ask": ["a"]}, "choose another name"),
    ],
)
def test_a_wrong_family_is_an_error_with_a_hint(task, message):
    with pytest.raises(ValidationError) as error:
        RewriteConfig.model_validate({"tasks": [task]})
    assert message in str(error.value)
    assert error.value.error_count() == 1


@pytest.mark.parametrize("given_tasks", ["guide", [], None, {"name": "x"}])
def test_tasks_that_are_no_list_are_an_error_with_a_hint(given_tasks):
    with pytest.raises(
        ValidationError, match=r"tasks is a list of at least one task family, such as \[guide, story"
    ):
        RewriteConfig.model_validate({"tasks": given_tasks})


@given(documents(), st.integers(1, 6), st.integers(1, 3))
def test_pieces_lose_nothing_but_headings_that_became_their_titles(page, max_words, max_images):
    found = pieces(page, max_words, max_images)
    kept = [segment.position for piece in found for segment in piece.document.segments]
    assert kept == sorted(kept)
    gone = {segment.position for segment in page.segments} - set(kept)
    marked = any(text.kind == "heading" for text in page.texts)
    headings = {text.position: text.text for text in page.texts if text.kind == "heading" or not marked}
    assert gone <= set(headings)
    assert all(any((piece.title or "").endswith(headings[position]) for piece in found) for position in gone)
    assert [piece.number for piece in found] == list(range(len(found)))


# What is shown to a model, and what is kept as it is
# ----------------------------------------------------------------------------------


def test_kinds_of_text_stay_visible_and_markup_has_one_owner():
    assert prompt.as_text(Text(0, "- one\n- two", "list")) == "- one\n- two"
    assert prompt.as_text(Text(0, "3. three", "list")) == "3. three"
    assert prompt.as_text(Text(0, "   a second paragraph", "list")) == "   a second paragraph"
    assert prompt.as_text(Text(0, "x = 1", "code")) == "```\nx = 1\n```"


def test_the_question_names_every_image_by_its_number_and_owner():
    request = prompt.request(
        document(*TEXT_FIRST), *in_english(NEXT_STEP), {"a": (b"x", "image/png")}, PROMPT
    )
    assert (
        "next_step: the context is the beginning of the document with images 1 to 2"
        in request.messages[0].parts[0]
    )
    text = "".join(part for part in request.messages[1].parts if isinstance(part, str))
    assert 'title: "How to draw a house"' in text
    assert "image 1 (belongs to [3]):" in text  # its caption
    assert "image 2 (belongs to [4]):" in text
    assert "image 4" not in text


def test_a_conversation_is_kept_unchanged():
    from leafinstruct.records.document import Provenance, Ref
    from leafinstruct.records.example import Example
    from leafinstruct.rewrite.outcome import Refused, keep

    segments = (
        Text(0, "draw it", role="user"),
        ImageRef(1, Ref(file="a.png")),
        Text(2, "so", role="assistant"),
        ImageRef(3, Ref(file="b.png")),
    )
    kept = keep(Document("i", "s", segments, Provenance("f")), ())
    assert isinstance(kept, Example)
    assert [(turn.role, len(turn.parts)) for turn in kept.turns] == [("user", 2), ("assistant", 2)]
    assert kept.task == "conversation"
    holed = keep(Document("i", "s", segments, Provenance("f")), (), [Drop("image.side", None, None, "ok", 3)])
    assert isinstance(holed, Refused)
    assert holed.reason == "image_dropped"
    refused = keep(document("no roles", "!a"), ())
    assert isinstance(refused, Refused)
    assert refused.reason == "not_a_conversation"


@pytest.mark.parametrize("text", ["- one", "1. one\n   - two\n\n   three", "   more\n2. three", "one"])
def test_the_text_of_a_list_is_unchanged_in_an_example(text):
    assert prompt.as_text(Text(0, text, "list")) == text
