"""Checks of a finished example: a rewriter that misbehaves in twenty ways and more, and faithful rewrites,
over a page made here and over real pages; numbers, names and languages."""

# ruff: noqa: RUF001 - punctuation and letters of other scripts are meant

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import ENGLISH, document, in_english

from leafinstruct.ingest.config import KINDS
from leafinstruct.ingest.readers import base as readers
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.records.text import language, owners
from leafinstruct.rewrite import parse, prompt, tasks
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.checks.finding import Finding, faults, refusal
from leafinstruct.rewrite.checks.run import check
from leafinstruct.rewrite.config import CONTINUATION, EDIT, GUIDE, NEXT_STEP, PACKAGED, REPORT, TaskFamily
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import Task, tasks_in

PROMPT = Prompt("rewrite", "Do {{ task }}.\n---\nThe document:")
PAGE = document(
    "# How to build a kite with Marta Silva",
    "Marta Silva shows how to build a kite from 2 sticks and 1,200 square centimeters of paper, with "
    "half a cup "
    "of glue.",
    "Step 1: Cut a stick of 60 cm and one of 45 cm, and tie them together as a cross with strong thread.",
    "!a",
    "Step 2: Lay the cross on the paper and cut the paper three centimeters wider than the frame on "
    "all sides.",
    "!b",
    "Step 3: Fold the edges over the thread, glue them down, and wait until 3:30 pm before you fly "
    "it in Lisbon.",
    "!c",
    "Questions go to kites@example.org, and the plans are at https://kites.example.org/plans in one file.",
)
Value = dict[str, Any]
Change = Callable[[Value], object]


def answered(page: Document, family: TaskFamily = GUIDE) -> Value:
    """The answer of the templates, which repeats the document's texts."""
    return copy.deepcopy(dict(prompt.by_templates(page, *in_english(family))))


def fault_of(page: Document, value: Value, family: TaskFamily = GUIDE, bounds: Checks | None = None) -> str:
    request = prompt.request(page, *in_english(family), {}, PROMPT, prompt.Bounds(bounds or Checks(), 0))
    assert request.check is not None
    return request.check(value) or ""


def texts(value: Value) -> list[dict[str, Any]]:
    return [part for part in value["response"] if part["type"] == "text"]


def append(value: Value, sentence: str) -> None:
    texts(value)[-1]["text"] += f" {sentence}"


def only(value: Value, *words: str) -> None:
    """Every image in order, behind these texts and without any other."""
    images = [part for part in value["response"] if part["type"] == "image"]
    value["response"] = [*({"type": "text", "text": text} for text in words), *images]


def first_texts(value: Value) -> None:
    value["response"].sort(key=lambda part: part["type"] == "image")


def say(value: Value, instruction: str) -> None:
    value["instruction"] = instruction


def swap(value: Value, old: str, new: str) -> None:
    assert any(old in part["text"] for part in texts(value))
    for part in texts(value):
        part["text"] = part["text"].replace(old, new)


def repeat(value: Value) -> None:
    value["response"][:0] = [{"type": "text", "text": part["text"]} for part in texts(value) * 2]


def leave(value: Value, *numbers: int, because: str = "an advertisement") -> None:
    value["leave_out"] = [{"image": number, "because": because} for number in numbers]
    value["response"] = [part for part in value["response"] if part.get("image") not in numbers]


def reorder(value: Value) -> None:
    images = [part for part in value["response"] if part["type"] == "image"]
    images[0]["image"], images[1]["image"] = images[1]["image"], images[0]["image"]


def leak(value: Value) -> None:
    value["instruction"] = "How do I do this? " + " ".join(part["text"] for part in texts(value))


ENGLISH_TO_GERMAN = (
    "Zuerst wird das Blatt in der Mitte gefaltet, und dann werden die Ecken nach innen gelegt, so "
    "dass man eine "
    "Spitze sieht, und danach wird alles noch einmal umgedreht."
)

ROOT = Path(__file__).parent.parent.parent
REAL_PAGES = 4
"""Real pages over which each misbehavior is tried."""

ANYWHERE: dict[str, tuple[Change, str]] = {
    "all images and no text": (partial(only), "rewrite.spread is 0"),
    "So: and all images": (lambda value: only(value, "So:"), "rewrite.spread"),
    "all texts, then all images": (first_texts, "rewrite.spread"),
    "a text of its own": (
        lambda value: [part.update(text="Here you can see something nice.") for part in texts(value)],
        "rewrite.kept",
    ),
    "everything three times": (repeat, "rewrite.length"),
    "an invented number": (lambda value: append(value, "It takes 7391 attempts."), "does not have 7391"),
    "an invented number in words": (
        lambda value: append(value, "There are ninety-seven of them."),
        "does not have ninety-seven",
    ),
    "an invented percentage": (lambda value: append(value, "It works in 86.4% of cases."), "have 86.4%"),
    "an invented time": (lambda value: append(value, "We stopped at 4:47 am."), "have 4:47 am"),
    "an invented name": (
        lambda value: append(value, "It was first done by Wilhelmina Quackenbush."),
        "Wilhelmina, Quackenbush",
    ),
    "an invented quotation": (
        lambda value: append(value, "It is called “zygomorphic paperwork” by all."),
        "“zygomorphic paperwork”",
    ),
    "an invented URL": (
        lambda value: append(value, "More at https://buy.example.com/now for all."),
        "buy.example.com/now",
    ),
    "an invented e-mail address": (
        lambda value: append(value, "Write to sales@shop.example.com soon."),
        "sales@shop.example.com",
    ),
    "a link that is not there": (
        lambda value: texts(value)[0].update(text=f"{texts(value)[0]['text']} Click the link below."),
        '"Click the link"',
    ),
    "an earlier text that was cut": (
        lambda value: value["response"].insert(
            0, {"type": "text", "text": "As mentioned above, this is easy."}
        ),
        '"As mentioned above"',
    ),
    "an image that is not there": (
        lambda value: append(value, "The result is shown in the image below."),
        "image below",
    ),
    "the answer in the question": (leak, "rewrite.leak"),
    "an empty question": (lambda value: say(value, "So:"), "it has no content"),
    "a question that asks for nothing": (
        lambda value: say(value, "Some thoughts about this and that."),
        "it asks for nothing",
    ),
    "another language": (
        lambda value: [part.update(text=ENGLISH_TO_GERMAN) for part in texts(value)],
        "write all texts in English",
    ),
    "images in another order": (reorder, "once each and in this order"),
    "an image left out without a reason": (lambda value: leave(value, 1, because=" "), "needs a reason"),
    "a verdict without a reason": (lambda value: value.update(fit=False), "`because` must say why"),
}


def caught_by(fault: str) -> str:
    """What found a fault, as docs/prompts.md names it."""
    found = re.match(r"rewrite\.\w+", fault)
    if found is not None:
        return f"`{found[0]}`"
    kinds = {
        prompt.DANGLING_FAULT: "`max_dangling`",
        "write all texts in": "`rewrite.language`",
        "over context and response": "images: once, in order",
    }
    return next((kind for begin, kind in kinds.items() if fault.startswith(begin)), "form of the verdict")


def test_the_documentation_lists_every_misbehavior_and_what_catches_it():
    shown = (ROOT / "docs/prompts.md").read_text(encoding="utf-8")
    section = shown.partition("## Rewrites that misbehave")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    expected = []
    for name, (change, _) in ANYWHERE.items():
        value = answered(PAGE)
        change(value)
        expected.append(f"| {name} | {caught_by(fault_of(PAGE, value))} |")
    assert rows == expected
    assert f"{len(ANYWHERE)} ways" in section
    assert f"{len(ANYWHERE) * REAL_PAGES} rewrites" in section


@pytest.mark.parametrize("name", ANYWHERE)
def test_each_misbehavior_is_a_fault_for_its_own_reason(name):
    value = answered(PAGE)
    assert fault_of(PAGE, value) == ""
    change, reason = ANYWHERE[name]
    change(value)
    assert reason in fault_of(PAGE, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: swap(value, "60 cm", "60 mm"), "60 mm"),  # another unit
        (lambda value: swap(value, "3:30 pm", "3:30 am"), "3:30 am"),
        (lambda value: swap(value, "1,200", "1,250"), "1,250"),
        (lambda value: swap(value, "half a cup", "3/4 cup"), "3/4 cup"),
        (lambda value: swap(value, "Lisbon", "Porto"), "Porto"),
        (lambda value: swap(value, "kites@", "marta@"), "marta@example.org"),
        (lambda value: swap(value, "three centimeters", "four centimeters"), "four centimeters"),
    ],
)
def test_a_changed_fact_is_named(change, reason):
    value = answered(PAGE)
    change(value)
    found = fault_of(PAGE, value)
    assert found.startswith("rewrite.faithful is 0.")
    assert found.endswith(f"it does not have {reason.removesuffix(' centimeters')}") or reason in found


FAITHFUL: dict[str, Change] = {
    "unchanged": lambda _: None,
    "digits for words": lambda value: swap(value, "three centimeters", "3 cm"),
    "words for digits": lambda value: swap(value, "2 sticks", "two sticks"),
    "no separator": lambda value: swap(value, "1,200", "1200"),
    "another separator": lambda value: swap(value, "1,200", "1 200"),
    "a fraction": lambda value: swap(value, "half a cup", "1/2 cup"),
    "a vulgar fraction": lambda value: swap(value, "half a cup", "½ cup"),
    "a decimal": lambda value: swap(value, "half a cup", "0.5 cups"),
    "24 hours": lambda value: swap(value, "3:30 pm", "15:30"),
    "a spelled unit": lambda value: swap(value, "60 cm", "60 centimeters"),
    "digits of another script": lambda value: swap(value, "60 cm", "６０ cm"),
    "a bare address": lambda value: swap(value, "https://kites.example.org/plans", "kites.example.org/plans"),
    "an inflected name": lambda value: swap(
        value, "Marta Silva shows", "This kite is Marta Silva's. She shows"
    ),
    "reordered sentences": lambda value: swap(
        value,
        "Fold the edges over the thread, glue them down, and",
        "Glue the edges down after you fold them over the thread, and",
    ),
    "synonyms": lambda value: swap(value, "strong thread", "sturdy string"),
    "shortened": lambda value: (
        swap(value, " on all sides", ""),
        swap(value, ", and tie them together as a cross with strong thread", " and tie them"),
    ),
    "without its last text": lambda value: value["response"].pop(),
    "numbered steps": lambda value: swap(value, "Step 3: ", "3. "),
    "how many steps and images": lambda value: say(
        value, "How do I build a kite in 3 steps with three images?"
    ),
    "a heading in title case": lambda value: value["response"].insert(
        0, {"type": "text", "text": "Building And Flying Your Kite"}
    ),
    "a question": lambda value: say(value, "How is a kite made?"),
    "a wish": lambda value: say(value, "I'd love to build a kite, with images of each step."),
    "an order": lambda value: say(value, "Walk me through making a kite."),
}


@pytest.mark.parametrize("name", FAITHFUL)
def test_a_faithful_rewrite_passes(name):
    value = answered(PAGE)
    FAITHFUL[name](value)
    assert fault_of(PAGE, value) == ""


@pytest.mark.parametrize(
    ("family", "instruction", "reason"),
    [
        (CONTINUATION, "Continue this, with images.", ""),
        (CONTINUATION, "What do I do next?", ""),
        (CONTINUATION, "Tell me about kites.", "it must ask for what follows"),
        (NEXT_STEP, "What is the last step?", ""),
        (NEXT_STEP, "How do I build a kite?", "it must ask for what follows"),
        (GUIDE, "How do I build a kite?", ""),
    ],
)
def test_a_question_fits_its_task(family, instruction, reason):
    value = answered(PAGE, family)
    value["instruction"] = instruction
    found = fault_of(PAGE, value, family)
    assert (reason in found) if reason else found == ""


@pytest.mark.parametrize(
    ("instruction", "passes"),
    [
        ("Make the dot red.", True),
        ("Could you show this with a red dot?", True),
        ("What is this?", False),
        ("Show it.", False),
    ],
)
def test_an_edit_asks_for_a_change(instruction, passes):
    page = document(
        "# A dot",
        "Here is an image with a dot:",
        "!a",
        "Now make the dot red.",
        "!b",
        "Write to us about it.",
    )
    value = answered(page, EDIT)
    value["instruction"] = instruction
    found = fault_of(page, value, EDIT)
    assert ("ask for the change" not in found) is passes


def test_questions_of_a_recipe_in_any_style_are_no_fault():
    terse = TaskFamily(name="terse", given="half", ask=("{title}, part two",), ask_untitled=())
    value = answered(PAGE, terse)
    assert value["instruction"] == "How to build a kite with Marta Silva, part two"
    assert fault_of(PAGE, value, terse) == ""


# Verdicts and images that are left out
# ----------------------------------------------------------------------------------------------------


def test_a_left_out_image_is_missing_and_no_number_changes():
    value = answered(PAGE)
    leave(value, 2)
    assert fault_of(PAGE, value) == ""
    _, assistant = parse.turns(value, PAGE.images)
    assert [part.position for part in assistant.parts if isinstance(part, ImageRef)] == [3, 7]


@pytest.mark.parametrize(
    ("family", "numbers", "reason"),
    [
        (CONTINUATION, (1,), "continuation is not possible"),  # no image is given
        (NEXT_STEP, (3,), "next_step is not possible"),  # none is asked for
        (GUIDE, (4,), "image 4 is not there"),
        (GUIDE, (2, 2), "each image once"),
    ],
)
def test_a_task_keeps_the_images_that_it_needs(family, numbers, reason):
    value = answered(PAGE, family)
    value["leave_out"] = [{"image": number, "because": "a logo"} for number in numbers]
    for side in ("context", "response"):
        value[side] = [part for part in value[side] if part.get("image") not in numbers]
    assert reason in fault_of(PAGE, value, family)


def test_a_verdict_ends_without_an_example_and_so_does_leaving_out_everything():
    verdict = {"fit": False, "because": " It is a list of links. ", "leave_out": [], "context": []}
    verdict |= {"instruction": "", "response": []}
    assert fault_of(PAGE, verdict) == ""
    assert parse.unfit(verdict, 3) == "It is a list of links."
    value = answered(PAGE)
    leave(value, 1, 2, 3)
    assert fault_of(PAGE, value) == ""
    assert str(parse.unfit(value, 3)).startswith("it leaves out all images: an advertisement;")


# Scores
# ----------------------------------------------------------------------------------------------------


def found_in(page: Document, value: Value, bounds: Checks | None = None) -> dict[str, Finding]:
    turns = parse.turns(value, page.images)
    return {item.name: item for item in check(page, *in_english(GUIDE), turns, bounds or Checks())}


def test_faithful_is_the_share_of_the_statements_that_the_source_has():
    page = document("# Two", "Take 2 eggs and 300 ml of milk.", "!a", "Stir for 4 minutes and wait.", "!b")
    value = answered(page)
    assert found_in(page, value)["faithful"].value == 1.0
    swap(value, "4 minutes", "5 minutes")
    found = found_in(page, value)["faithful"]
    assert (found.value, found.bound, found.refused) == (pytest.approx(0.75), 1.0, True)
    assert found.detail.endswith("it does not have 5 minutes")


def test_each_bound_is_switched_off_alone_and_the_score_remains():
    value = answered(PAGE)
    only(value, "So:")
    say(value, "So: 99 Wobbly")
    scores = found_in(PAGE, value)
    refused = {name for name, item in scores.items() if item.refused}
    assert refused == {"spread", "kept", "faithful", "question"}
    for name in refused:
        others = found_in(PAGE, value, Checks(**{f"min_{name}": None}))
        assert {other for other, item in others.items() if item.refused} == refused - {name}
        assert others[name].value == scores[name].value


names = st.sampled_from(["spread", "kept", "length", "faithful", "lost", "leak", "question", "language"])


@given(names, st.floats(0, 9), st.floats(0, 9), st.text())
def test_a_fault_is_read_back_from_the_detail_of_an_answer(name, value, bound, detail):
    item = Finding(name, round(value, 4), round(bound, 4), detail)
    sent = faults([item])
    assert (sent is not None) is item.refused
    if sent is not None:
        score, read, threshold, sentence = refusal(f"no valid answer after 2 repairs: {sent}") or (
            "",
            0,
            0,
            "",
        )
        assert (score, sentence) == (f"rewrite.{name}", sent)
        assert (read, threshold) == (pytest.approx(item.value, abs=1e-3), pytest.approx(item.bound, abs=1e-3))


def test_a_fault_of_the_form_is_no_refusal_by_a_check():
    assert refusal("no valid answer after 2 repairs: answer with one JSON object") is None


words = st.lists(
    st.sampled_from(["kite", "2", "½", "Lisbon", "three", "1,000", "10:30", "x@y.org", "“so”", "米", "５"])
)


@given(words, words)
def test_what_repeats_its_document_is_faithful_kept_and_within_its_length(one, other):
    page = document("# Kites", " ".join(one) or "word", "!a", " ".join(other) or "word", "!b")
    for family in (GUIDE, REPORT):
        task = in_english(family)[0]
        if tasks.fitting(page, [task], Facts()):
            turns = parse.turns(prompt.by_templates(page, task), page.images)
            scores = {item.name: item.value for item in check(page, task, turns, Checks())}
            assert scores["faithful"] == 1.0
            assert scores["kept"] in (None, 1.0)
            assert scores["length"] is not None
            assert scores["length"] <= 1.0


# Languages
# ----------------------------------------------------------------------------------------------------

LANGUAGES = {
    "ja": (
        "紙を30センチに切り、三枚を重ねて折ります。東京の店で買えます。",
        "糊を2回つけて、10分待ちます。それから乾かして飛ばします。",
        ("紙を３０センチに切り、3枚を重ねて折ります。", "それから45分待ちます。", "45"),
        "紙飛行機を折る方法を教えてください。",
    ),
    "zh": (
        "先把纸剪成三十五厘米，再把两张纸叠在一起，用胶水粘好。",
        "等10分钟，然后把纸翻过来，再用1200克的重物压住它。",
        ("先把纸剪成35厘米，再把2张纸叠在一起。", "最后压上七百二十克的书。", "七百二十"),
        "请告诉我怎样折纸。",
    ),
    "ar": (
        "اقطع الورقة إلى ٣٠ سم ثم ضع ثلاث أوراق فوق بعضها واطوها جيدا.",
        "انتظر ١٠ دقائق ثم اقلب الورقة واضغط عليها بوزن ١٬٢٠٠ غرام.",
        ("اقطع الورقة إلى 30 سم ثم ضع 3 أوراق فوق بعضها.", "ثم انتظر ٤٥ دقيقة.", "45"),
        "كيف أطوي طائرة من الورق؟",
    ),
    "hi": (
        "कागज को ३० सेमी में काटो और तीन टुकड़ों को एक दूसरे के ऊपर रखो।",
        "१० मिनट तक रुको और फिर कागज को पलट कर १,२०० ग्राम के वजन से दबाओ।",
        ("कागज को 30 सेमी में काटो और 3 टुकड़ों को ऊपर रखो।", "फिर ४५ मिनट तक रुको।", "45"),
        "कागज का जहाज कैसे बनाते हैं?",
    ),
    "de": (
        "Schneide das Papier auf 30 cm zu und lege dann drei Blätter genau übereinander auf den Tisch.",
        "Warte 10 Minuten und drehe dann das Papier um und beschwere es mit 1.200 g, bis es trocken ist.",
        (
            "Schneide das Papier auf 30 Zentimeter zu und lege 3 Blätter übereinander.",
            "Warte 45 Minuten.",
            "45",
        ),
        "Wie falte ich ein Flugzeug aus Papier?",
    ),
    "ru": (
        "Отрежьте бумагу на 30 см и положите три листа друг на друга, а потом сложите их в Москве.",
        "Подождите 10 минут, затем переверните бумагу и прижмите её грузом в 1 200 г до вечера.",
        (
            "Отрежьте бумагу на 30 см и положите 3 листа. Их привезли из Москвы.",
            "Это было в Казани.",
            "Казани",
        ),
        "Как сложить самолёт из бумаги?",
    ),
    "fr": (
        "Coupez le papier à 30 cm et posez trois feuilles l'une sur l'autre, comme on le fait à Lyon.",
        "Attendez 10 minutes, puis retournez le papier et pressez-le avec 1 200 g jusqu'à ce qu'il soit sec.",
        (
            "Coupez le papier à 30 centimètres et posez 3 feuilles.",
            "On le vend aussi à Marseille.",
            "Marseille",
        ),
        "Comment plier un avion en papier ?",
    ),
}


@pytest.mark.parametrize("code", LANGUAGES)
def test_checks_read_numbers_and_names_of_each_language(code):
    first, second, (kept, invented, intruder), instruction = LANGUAGES[code]
    page = replace(document("# X", first, "!a", second, "!b"), language=code, title=None)
    task = Task(REPORT, None, by_model=True)
    request = prompt.request(page, task, {}, PROMPT, prompt.Bounds(Checks(), 0))
    assert request.check is not None
    value: Value = {
        "instruction": instruction,
        "context": [],
        "response": [
            {"type": "text", "text": kept},
            {"type": "image", "image": 1},
            {"type": "text", "text": second},
            {"type": "image", "image": 2},
        ],
    }
    assert request.check(value) is None
    append(value, invented)
    found = request.check(value) or ""
    assert found.startswith("rewrite.faithful")
    assert intruder in found.partition("it does not have")[2]
    findings = {item.name: item for item in check(page, task, parse.turns(value, page.images), Checks())}
    assert "only the content of the instruction is checked" in findings["question"].detail
    say(value, "…")
    assert "it has no content" in (request.check(value) or "")


# Real pages
# ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_page(real: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """The real pages as read."""
    folder = tmp_path_factory.mktemp("index")
    found: list[Document] = []
    for kind, path in (("mmc4", real / "mmc4"), ("html", real / "html")):
        reader = readers.reader(kind)
        source = KINDS[kind](kind=kind, name=kind, path=str(path))
        read = (
            item for span in reader.plan(source, 50, folder) for item in reader.read(source, span, folder)
        )
        found += [language.with_language(owners.infer(item)) for item in read if isinstance(item, Document)]
    assert len(found) == 17 + 37
    return found


@pytest.fixture(scope="module")
def pages(every_page: list[Document]) -> list[Document]:
    """The first real pages in English with three images or more."""
    found = [page for page in every_page if len(page.images) > 2 and page.language == "en"][:REAL_PAGES]
    assert len(found) == REAL_PAGES
    return found


@pytest.mark.parametrize("name", ANYWHERE)
def test_each_misbehavior_over_real_pages_is_a_fault_for_its_own_reason(name, pages):
    change, reason = ANYWHERE[name]
    for page in pages:
        value = answered(page, REPORT)
        change(value)
        assert reason in fault_of(page, value, REPORT), page.provenance


def test_real_pages_as_they_are_pass_every_bound_but_for_references_to_a_video(every_page):
    refused: list[tuple[str, str]] = []
    checked = 0
    for page in every_page[::2]:
        families = tasks_in(page.language, tuple(PACKAGED.values()), ENGLISH)
        for task in tasks.fitting(page, families, Facts(resemblance=1.0)):
            turns = parse.turns(prompt.by_templates(page, task), page.images)
            findings = check(page, task, turns, Checks())
            refused += [(item.name, item.detail) for item in findings if item.refused]
            checked += 1
    assert checked > 40
    assert {name for name, _ in refused} <= {"lost"}
    assert all("video" in detail for _, detail in refused)
