"""Questions per language: a language without questions is asked for in the document's own words, and never in
another language."""

# ruff: noqa: RUF001 - digits and letters of other scripts are meant

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate
from making import ENGLISH, document, in_english
from pydantic import ValidationError

from leafinstruct.llm.prompt import Prompt
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.text.genre import genre_of
from leafinstruct.rewrite import parse, prompt, tasks
from leafinstruct.rewrite.config import (
    CONTINUATION,
    EDIT,
    GUIDE,
    NEXT_STEP,
    PACKAGED,
    REPORT,
    RewriteConfig,
    TaskFamily,
)
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import Task, tasks_in
from leafinstruct.rewrite.wording import QuestionFile, Questions

FAMILIES = tuple(PACKAGED.values())
PROMPT = Prompt("rewrite", "Do {{ task }}. Write in {{ language }}.\n---\nThe document:")
BOAT = (
    *(
        "# Ein Papierboot falten",
        "Für ein Boot braucht man nur ein Blatt.",
        "1. Das Blatt in der Mitte falten:",
        "!a",
    ),
    *("2. Die Ecken nach innen legen:", "!b", "3. Den Rand hochklappen:", "!c"),
)


def questions(language: str, **families: dict[str, list[str]]) -> dict[str, QuestionFile]:
    """The packaged questions and those of one more language."""
    file = Questions.model_validate({"language": language, "read_by": "a test", "families": families})
    return {**ENGLISH, language: QuestionFile(file, "0" * 64)}


def german(*parts: str) -> Document:
    return replace(document(*parts), language="de")


def stated(*parts: str) -> Document:
    """A German document whose images belong to the texts behind them, as its source states."""
    page = german(*parts)
    owned = tuple(
        replace(item, owner=item.position + 1, owner_found="stated") if isinstance(item, ImageRef) else item
        for item in page.segments
    )
    return replace(page, segments=owned)


def task(family: TaskFamily, language: str | None = "de") -> Task:
    (found,) = tasks_in(language, (family,), ENGLISH)
    return found


def chosen(page: Document, found: list[Task]) -> set[str]:
    """The families that documents like this one get."""
    picked = (tasks.choose(page, found, Facts(resemblance=0.9), str(number)) for number in range(60))
    return {item.family.name for item in picked if item is not None}


def asked_in(page: Document, item: Task) -> list[str]:
    """The text parts of the question."""
    answer = prompt.by_templates(page, item)
    return [answer["instruction"], *(part["text"] for part in answer["context"] if part["type"] == "text")]


# A language without questions
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", None])
def test_title_and_first_steps_are_the_question_where_a_language_has_no_questions(language):
    page = replace(document(*BOAT), language=language)
    found = tasks_in(language, FAMILIES, ENGLISH)
    assert chosen(page, found) == {"continuation", "next_step"}
    answer = prompt.by_templates(page, task(CONTINUATION, language))
    assert answer["instruction"] == "Ein Papierboot falten"
    assert answer["context"] == [
        {"type": "text", "text": "Für ein Boot braucht man nur ein Blatt."},
        {"type": "text", "text": "1. Das Blatt in der Mitte falten:"},
        {"type": "image", "image": 1},
    ]
    assert answer["response"][0] == {"type": "text", "text": "2. Die Ecken nach innen legen:"}
    assert (
        prompt.by_templates(page, task(NEXT_STEP, language))["response"][0]["text"]
        == "3. Den Rand hochklappen:"
    )


@pytest.mark.parametrize(
    "parts",
    [
        ("# Der Schwarzwald", "Er liegt im Südwesten:", "!a"),  # one step
        # owners are not known
        ("# Der Schwarzwald", "Er liegt im Südwesten.", "!a", "Dort wachsen Tannen.", "!b", "Es regnet oft."),
    ],
)
def test_a_title_alone_asks_for_everything_where_no_step_can_be_given(parts):
    page = german(*parts)
    assert chosen(page, tasks_in("de", FAMILIES, ENGLISH)) == {"report"}
    answer = prompt.by_templates(page, task(REPORT))
    assert (answer["instruction"], answer["context"]) == ("Der Schwarzwald", [])


def test_without_a_title_the_given_steps_begin_with_the_instruction():
    page = german("Zuerst die Zwiebeln schneiden:", "> Zwiebeln", "!a", "Dann das Öl erhitzen:", "!b")
    assert page.title is None
    assert chosen(page, tasks_in("de", FAMILIES, ENGLISH)) == {"continuation"}
    answer = prompt.by_templates(page, task(CONTINUATION))
    assert answer["instruction"] == "Zuerst die Zwiebeln schneiden:"
    assert answer["context"] == [{"type": "text", "text": "Zwiebeln"}, {"type": "image", "image": 1}]
    image_first = stated("!a", "Zuerst die Zwiebeln schneiden.", "!b", "Dann das Öl erhitzen.")
    answer = prompt.by_templates(image_first, task(CONTINUATION))
    assert (answer["instruction"], answer["context"]) == (
        "Zuerst die Zwiebeln schneiden.",
        [{"type": "image", "image": 1}],
    )
    assert answer["response"] == [
        {"type": "image", "image": 2},
        {"type": "text", "text": "Dann das Öl erhitzen."},
    ]


@pytest.mark.parametrize(
    "parts",
    [
        ("Zuerst die Zwiebeln schneiden:", "!a"),  # nothing can be given
        ("!a", "> Zwiebeln", "!b", "> Öl"),  # a caption asks for nothing
        ("!a", "Voir l'image ci-dessus.", "!b", "Et puis ceci."),  # it cannot go before its image
        # no instruction is that long
        ("Zwiebeln und Öl. " * 200 + "So:", "!a", "Dann das Öl erhitzen:", "!b"),
    ],
)
def test_a_document_whose_own_words_make_no_question_gets_no_task(parts):
    page = stated(*parts) if parts[0] == "!a" else german(*parts)
    assert page.title is None
    assert tasks.choose(page, tasks_in("de", FAMILIES, ENGLISH), Facts(), "x") is None
    met = {family.name for family in tasks.met_by(page, FAMILIES, Facts())}
    assert met & {"report", "continuation"}, "in English a family would fit"


parts_of_pages = st.lists(
    st.one_of(
        st.sampled_from(["!p", "> unten", "- Punkt", "# Kopf"]),
        st.text(alphabet="aбあقक :.?1\n", min_size=1, max_size=60),
    ),
    min_size=1,
    max_size=12,
)


@given(parts_of_pages, st.sampled_from(["de", "zh", "th", "ar", None]), st.booleans())
def test_no_word_is_added_to_a_document_in_a_language_without_questions(parts, language, titled):
    items = [f"!p{at}" if part == "!p" else part for at, part in enumerate(parts)]
    items = [item if item.strip("!># -\n") else "Wort" for item in items]
    page = replace(document(*(["# Titel"] if titled else []), *items, "!last"), language=language)
    own = "\n".join([page.title or "", *(text.text for text in page.texts)])
    for item in tasks.fitting(page, tasks_in(language, FAMILIES, ENGLISH), Facts(resemblance=1.0)):
        answer = prompt.by_templates(page, item)
        validate(answer, parse.SCHEMA)
        given_images = sum(part["type"] == "image" for part in answer["context"])
        assert parse.fault(answer, given_images, len(page.images)) is None
        assert all(text in own for text in asked_in(page, item))
        if item.family.name != "edit":  # whose request is moved before the first image
            answered = [part["text"] for part in answer["response"] if part["type"] == "text"]
            assert [text.strip() for text in (*asked_in(page, item), *answered)] == [
                text.text.strip() for text in page.texts
            ]


def test_an_edit_is_of_documents_in_english_or_in_a_language_that_is_not_known():
    parts = ("# Das Haus", "Ein rotes Haus:", "!a", "Now make the roof blue.", "!b")
    facts = Facts(resemblance=0.9)
    assert tasks.fitting(german(*parts), [task(EDIT)], facts) == [], (
        "the request would be an English question over a German page"
    )
    unknown = replace(german(*parts), language=None)
    assert [item.family.name for item in tasks.fitting(unknown, [task(EDIT)], facts)] == ["edit"]
    assert asked_in(unknown, task(EDIT)) == ["Now make the roof blue.", "Ein rotes Haus:"]
    result = replace(
        german("# Das Haus", "Ein rotes Haus:", "!a", "After: the roof is blue now.", "!b"), language=None
    )
    assert tasks.fitting(result, [task(EDIT)], facts) == [], (
        "a result becomes a request by a sentence that is added"
    )
    assert (
        tasks.questions(replace(result, language="en"), *in_english(EDIT))[0]
        == "Change the picture so that this is true: the roof is blue now."
    )


# A language with questions
# ----------------------------------------------------------------------------------------------------


def test_the_questions_of_a_file_are_used_for_its_language_and_the_other_families_ask_in_own_words():
    files = questions(
        "de",
        guide={"ask": ["Zeige mir mit Bildern: {title}."]},
        next_step={"ask_untitled": ["Was kommt danach?"]},
    )
    page = german(*BOAT)
    found = tasks_in("de", FAMILIES, files)
    by_name = {item.family.name: item for item in found}
    assert tasks.questions(page, by_name["guide"]) == ["Zeige mir mit Bildern: Ein Papierboot falten."]
    assert tasks.questions(page, by_name["continuation"]) == ["Ein Papierboot falten"]
    assert tasks.questions(page, by_name["next_step"]) == [], (
        "the file has it for documents without a title only"
    )
    assert chosen(page, found) == {"guide", "continuation"}
    assert tasks.questions(replace(page, language="en"), *tasks_in("en", (GUIDE,), files)) == [
        "Write an illustrated guide: Ein Papierboot falten.",
        "Show me with text and pictures: Ein Papierboot falten.",
        "I need pictures as well as words: Ein Papierboot falten.",
    ]


def test_what_a_title_begins_with_and_a_title_that_is_a_question_are_data_of_the_language():
    file = Questions.model_validate(
        {
            "language": "fr",
            "read_by": "a test",
            "question_titles": ["{title} Réponds avec des images."],
            "families": {
                "guide": {
                    "ask": ["Montre-moi : {title}."],
                    "begins": {"comment ": ["Comment puis-je {lower_rest} ?"]},
                }
            },
        }
    )
    (guide,) = tasks_in("fr", (GUIDE,), {"fr": QuestionFile(file, "0" * 64)})
    page = replace(
        document("# Comment Plier un bateau", "1. Plier:", "!a", "2. Ouvrir:", "!b"), language="fr"
    )
    assert tasks.questions(page, guide) == [
        "Montre-moi : Comment Plier un bateau.",
        "Comment puis-je plier un bateau ?",
    ]
    asking = replace(page, title="Comment plier un bateau ?")
    assert tasks.questions(asking, guide) == ["Comment plier un bateau ? Réponds avec des images."]


# A recipe's own questions
# ----------------------------------------------------------------------------------------------------


def own(**fields: object) -> TaskFamily:
    config = RewriteConfig.model_validate({"tasks": [{"name": "recap", "given": "first", **fields}]})
    return config.tasks[0]


def test_a_recipes_own_questions_are_used_for_their_language_alone():
    plain, marked = own(ask=["Go on: {title}"]), own(ask=["Weiter: {title}"], language="de")
    assert [
        [len(tasks_in(language, (family,), ENGLISH)) for language in ("en", "de", "fr", None)]
        for family in (plain, marked)
    ] == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert tasks.questions(german(*BOAT), *tasks_in("de", (marked,), ENGLISH)) == [
        "Weiter: Ein Papierboot falten"
    ]


def test_questions_without_words_fit_every_language():
    family = own(ask=["“{title}”"], language="any")
    for language in ("en", "de", None):
        page = replace(document(*BOAT), language=language)
        assert tasks.questions(page, *tasks_in(language, (family,), ENGLISH)) == ["“Ein Papierboot falten”"]


def test_a_packaged_family_with_own_questions_keeps_those_of_the_files_for_other_languages():
    (guide,) = RewriteConfig.model_validate({"tasks": [{"name": "guide", "ask": ["How? {title}"]}]}).tasks
    files = questions("de", guide={"ask": ["Wie geht das: {title}?"]})
    asked = {
        language: [found.wording.ask for found in tasks_in(language, (guide,), files) if found.wording]
        for language in ("en", "de", "fr")
    }
    assert asked == {"en": [("How? {title}",)], "de": [("Wie geht das: {title}?",)], "fr": []}
    assert (
        tasks_in("en", (guide,), files)[0].wording.ask_untitled
        == ENGLISH["en"].questions.families["guide"].ask_untitled
    )


def test_a_packaged_family_can_leave_out_the_questions_for_documents_with_a_title():
    (guide,) = RewriteConfig.model_validate({"tasks": [{"name": "guide", "ask": []}]}).tasks
    titled = replace(document(*BOAT), language="en")
    assert tasks.questions(titled, *in_english(guide)) == []
    assert len(tasks.questions(replace(titled, title=None), *in_english(guide))) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"ask": ["Go on: {title}"], "language": "any"},
            "the question 'Go on: {title}' has words, so it fits one language only",
        ),
        ({"ask": ["{title}"], "language": "German"}, "unknown language 'German'; write de"),
        (
            {"ask": ["{title}"], "language": "xx"},
            "unknown language 'xx'; write a code of ISO 639, such as en or de",
        ),
        (
            {"name": "guide", "given": "nothing", "language": "de"},
            "language needs ask or ask_untitled; give one of them",
        ),
    ],
)
def test_a_wrong_language_of_a_family_is_an_error_with_a_hint(fields, message):
    with pytest.raises(ValidationError) as error:
        own(**fields)
    assert message in str(error.value)
    assert error.value.error_count() == 1


# The kind of a document
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "texts", "genre"),
    [
        # `was` is an English word, too
        ("de", ["1. Was man braucht, ist da.", "2. Alles mischen."], "how_to"),
        ("ar", ["١. اقطع البصل.", "٢. سخن الزيت."], "how_to"),
        ("hi", ["चरण १: प्याज काटें।", "चरण २: तेल गरम करें।"], "how_to"),
        ("bn", ["১। পেঁয়াজ কাটুন।", "২। তেল গরম করুন।"], "how_to"),
        ("zh", ["第一步 洗番茄。", "第二步 打鸡蛋。"], "how_to"),
        ("zh", ["1、洗番茄。", "2、打鸡蛋。"], "how_to"),
        ("ko", ["1단계: 양파를 썬다.", "2단계: 기름을 두른다."], "how_to"),
        ("th", ["ขั้นตอนที่ ๑ หั่นหอม", "ขั้นตอนที่ ๒ ใส่น้ำมัน"], "how_to"),
        ("he", ["שלב 1: חותכים בצל.", "שלב 2: מחממים שמן."], "how_to"),
        ("tr", ["1. Adım: soğanı doğra.", "2. Adım: yağı ısıt."], "how_to"),
        ("de", ["Der Wald ist alt.", "1. Er ist groß."], "report"),
        ("zh", ["第一次去北京。", "第二次去上海。"], "report"),
        ("de", ["Test der Kamera.", "Start im Mai.", "Wir haben 1.5 Stunden gewartet."], "report"),
    ],
)
def test_numbered_steps_make_a_how_to_in_any_scripts_digits(language, texts, genre):
    page = document("# T", *(part for at, text in enumerate(texts) for part in (text, f"!{at}")))
    assert genre_of(replace(page, language=language)) == genre


# What a language model is asked
# ----------------------------------------------------------------------------------------------------


def system(page: Document, item: Task) -> str:
    (text,) = prompt.request(page, item, {}, PROMPT).messages[0].parts
    assert isinstance(text, str)
    return text


def test_the_prompt_names_the_language_and_shows_wordings_of_that_language_alone():
    page = german(*BOAT)
    silent = system(page, task(CONTINUATION))
    assert "Write in German (de)." in silent
    assert "worded like" not in silent
    assert (
        "continuation: the context is the beginning of the document with image 1; the instruction asks "
        "for the rest"
    ) in silent
    files = questions("de", continuation={"ask": ["Weiter: {title}"]})
    assert system(page, *tasks_in("de", (CONTINUATION,), files)).count('worded like: "Weiter: {title}".') == 1
    assert "Go on with text and pictures" in system(replace(page, language="en"), *in_english(CONTINUATION))
    unknown = replace(page, language=None)
    assert "Write in the document's own language." in system(unknown, task(CONTINUATION, None))
    assert "worded like" not in system(unknown, task(CONTINUATION, None))


def test_a_language_model_words_what_the_documents_own_words_do_not():
    page = german("Zuerst die Zwiebeln schneiden:", "!a")
    assert chosen(page, tasks_in("de", FAMILIES, ENGLISH, by_model=True)) == {"report"}
    assert chosen(german(*BOAT), tasks_in("de", FAMILIES, ENGLISH, by_model=True)) == {
        "guide",
        "continuation",
        "next_step",
    }


GERMAN_TEXT = (
    "Zuerst wird das Blatt in der Mitte gefaltet, und dann werden die Ecken nach innen gelegt, so dass "
    "man eine Spitze sieht."
)
ENGLISH_TEXT = (
    "First the sheet is folded in the middle, and then the corners are laid to the inside, so that you "
    "can see the tip of it."
)


@pytest.mark.parametrize(
    ("instruction", "response", "place"),
    [
        ("Falte ein Boot.", GERMAN_TEXT, None),
        ("Fold a boat.", GERMAN_TEXT, None),  # too short to be sure
        (ENGLISH_TEXT, GERMAN_TEXT, "instruction"),
        ("Falte ein Boot.", ENGLISH_TEXT, "response"),
        ("Falte ein Boot.", f"{GERMAN_TEXT}\n```\n{ENGLISH_TEXT}\n```", None),
    ],
)
def test_an_answer_in_another_language_than_the_document_gets_a_correction(instruction, response, place):
    page = german("# Boot", GERMAN_TEXT, "!a")
    check = prompt.request(page, task(REPORT), {}, PROMPT).check
    assert check is not None
    value = {
        "instruction": instruction,
        "context": [],
        "response": [{"type": "text", "text": response}, {"type": "image", "image": 1}],
    }
    reported = (
        None
        if place is None
        else (
            f"write all texts in German (de): the {place} is in English (en), but the document is in German "
            "(de)"
        )
    )
    assert check(value) == reported
    unknown = prompt.request(replace(page, language=None), task(REPORT, None), {}, PROMPT).check
    assert unknown is not None
    assert unknown(value) is None


def test_what_a_document_quotes_in_another_language_may_stand_in_the_answer():
    page = german("# Boot", ENGLISH_TEXT, "!a")
    check = prompt.request(page, task(REPORT), {}, PROMPT).check
    assert check is not None
    quoted = [{"type": "text", "text": ENGLISH_TEXT}, {"type": "image", "image": 1}]
    assert check({"instruction": "Zeige mir das Boot.", "context": [], "response": quoted}) is None
