# ruff: noqa: RUF001 - digits, letters and punctuation of other scripts are meant
"""Narrative coherence by rules: what is in order scores 5 with any loss, restart and nesting; numbers in
shuffled order score below 4."""

from __future__ import annotations

import json
import unicodedata
from itertools import combinations, permutations
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from making import build, document, recipe

from leafinstruct.filter.judging import rules
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.sketchbook.documents.howto import ORDINALS

IN_ORDER = (5, "no sign of a broken order")


def judged(page: Document) -> tuple[int, str]:
    found = rules.by_rules(page)["narrative_coherence"]
    return found["score"], found["reason"]


def of(*parts: str) -> tuple[int, str]:
    return judged(document(*parts))


def numbered(form: str, order: list[int]) -> list[str]:
    return [form.format(number=number) for number in order]


KINDS = {
    "sub-lists of a list": ["- 1. a\n   1. x\n   2. y\n2. b\n   1. z\n   2. w\n3. c\n   1. v\n4. d"],
    "a sub-list in an item's first line": ["- 1. 1. x\n   2. y\n2. b\n3. c\n4. d"],
    "an item without text": ["- 1. a\n2.", "!i", "- 3. c\n4. d"],
    "a list continued after images": ["- 1. a\n2. b", "!i", "-    more of b\n3. c", "!j", "- 4. d"],
    "section numbers": ["1. a", "1.1 x", "1.2 y", "2. b", "2.1. x", "2.2. y", "3. c", "4. d"],
    "recipes on one page": [
        "# Soup",
        "1. a",
        "2. b",
        "3. c",
        "# Salad",
        "1. a",
        "2. b",
        "# Cake",
        "1. a",
        "2. b",
        "3. c",
        "4. d",
    ],
    "an outline without headings": [
        "1. Prepare",
        "1. a",
        "2. b",
        "3. c",
        "2. Cook",
        "1. a",
        "2. b",
        "3. Serve",
        "1. a",
        "2. b",
        "3. c",
    ],
    "lists below numbered headings": [
        "# 1. Prepare",
        "1. a",
        "2. b",
        "# 2. Cook",
        "1. c",
        "2. d",
        "# 3. Serve",
        "1. e",
    ],
    "lists below named steps": [
        "Step 1: Prepare",
        "- 1. a\n2. b\n3. c",
        "Step 2: Cook",
        "- 1. d\n2. e",
        "Step 3: Serve",
    ],
    "steps of a total": ["Step 1 of 4: a", "Step 2 of 4: b", "Step 3 of 4: c", "Step 4 of 4: d"],
    "questions": [
        "1. What is it?",
        "It is a:",
        "1. x",
        "2. y",
        "2. Why?",
        "Because.",
        "3. When?",
        "Now.",
        "4. Who?",
    ],
    "chapters": ["# Chapter 3", "1. a", "2. b", "3. c", "# Chapter 4", "1. a", "2. b"],
    "a count-down": [f"{number}. A place" for number in range(10, 0, -1)],
    "a count-down with lost places": [f"{number}. A place" for number in (10, 9, 7, 6, 3, 2)],
    "a count-down, then a list": [
        *(f"{number}. A place" for number in range(5, 0, -1)),
        "1. a",
        "2. b",
        "3. c",
    ],
    "a reversed list and a list": ["- 3. a\n2. b\n1. c", "- 1. a\n2. b\n3. c"],
    "a table of contents": [
        "- " + "\n".join(f"{number}. Part" for number in range(1, 9)),
        *(text for number in range(1, 9) for text in (f"# {number}. Part", "A text.")),
    ],
    "a table of contents without lists": [
        *(f"{number}. Part" for number in range(1, 9)),
        *(text for number in range(1, 9) for text in (f"{number}. Part", "A text.")),
    ],
    "a table of steps": [
        *(f"- Step {number}" for number in range(1, 9)),
        *(f"# Step {number}" for number in range(1, 9)),
    ],
    "notes": ["It is so [2].", "[3] C", "[1] A", "[2] B", "[4] D"],
    "steps named in prose": [
        "Step 1: a",
        "Step 2: b",
        "Step 3: c",
        "Step 2 may be repeated.",
        "Repeat step 1 and step 2.",
        "Step 4: d",
    ],
    "links to other steps": ["# Step 4", "A text.", "# Step 3", "# Step 5"],
    "lost steps": ["1. a", "2. b", "4. d", "7. g", "1. a", "2. b", "3. c"],
    "a lost beginning": ["3. c", "4. d", "5. e", "6. f"],
    "a lost beginning before another list": ["3. c", "4. d", "1. a", "2. b", "3. c"],
    "a list from 0": ["0. a", "1. b", "2. c", "3. d"],
    "one number for all": ["1. a", "1. b", "1. c", "1. d"],
    "a number written twice": ["1. a", "2. b", "3. c", "4. d", "4. e", "5. f", "1. a", "2. b", "3. c"],
    "two columns": ["1. a", "1. b", "2. a", "2. b", "3. a", "3. b"],
    "two signs": ["1) a", "1. x", "2. y", "2) b", "1. z", "2. w", "3) c", "4) d"],
    "dates": ["3. Oktober war ein Feiertag.", "9. November", "1. Mai", "17. Juni", "2. August"],
    "a date among steps": ["24. Dezember ist der Tag.", "1. a", "2. b", "3. c", "4. d"],
    "quantities": [
        "2.5 cups of flour",
        "1.5 cups of water",
        "3 eggs",
        "1 - 2 spoons of oil",
        "1. Mix",
        "2. Bake",
        "3. Wait",
        "4. Eat",
    ],
    "quantities with a dash": [
        "2 - onions",
        "1 - egg",
        "4 – cloves of garlic",
        "3 - spoons of oil",
        "1 - lemon",
    ],
    "years": ["1990. The year of a.", "1985. The year of b.", "2001. c", "1994. d"],
    "versions": ["Version 3: a", "Version 1: b", "Version 2: c", "3.11 is out", "3.9 is old"],
    "initials and Roman numerals": ["C. Smith", "A. Jones", "B. Brown", "III. c", "I. a", "II. b", "IV. d"],
    "two procedures in words": [
        "First, a.",
        "Then b.",
        "Finally, c.",
        "First, d.",
        "Next, e.",
        "Finally, f.",
    ],
    "words in prose": [
        "Finally, it works.",
        "A text.",
        "Then test it.",
        "Another text.",
        "Next, at last.",
        "A third.",
        "First, I was sad.",
        "So.",
    ],
    "Chinese outline": [
        "一、准备",
        "1. 甲",
        "2. 乙",
        "二、制作",
        "1. 甲",
        "2. 乙",
        "3. 丙",
        "三、完成",
        "（一）甲",
        "（二）乙",
    ],
    "a Chinese step in prose": ["第一步：切", "第二步：炒", "第三步：煮", "第二步可以重复。", "第四步：吃"],
    "a Japanese list": ["手順1：切る", "手順2：焼く", "1. 塩", "2. 酢", "手順3：食べる"],
    "Korean words": ["첫째, 썬다.", "둘째, 볶는다.", "셋째, 먹는다.", "첫째, 씻는다."],
    "Arabic restarts": ["١. أ", "٢. ب", "٣. ج", "١. أ", "٢. ب"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_order_scores_five(kind):
    assert of("# How to", *KINDS[kind], "The end.") == IN_ORDER


FORMS = {
    "plain": "{number}. Mix it.",
    "bracket": "{number}) Mix it.",
    "brackets": "({number}) Mix it.",
    "Spanish sign": "{number}.- Mezclar.",
    "dash": "{number}- Mix it.",
    "list": "- {number}. Mix it.",
    "heading": "# {number}. Mixing",
    "step": "Step {number}: Mix it.",
    "step of": "Step {number} of 8: Mix it.",
    "step in bold": "**Step {number}** Mix it.",
    "step as heading": "# Step {number}",
    "German": "Schritt {number}: Mischen.",
    "French": "Étape {number} : mélanger.",
    "Russian": "Шаг {number}. Смешать.",
    "Hebrew": "שלב {number}: לערבב.",
    "Hindi": "चरण {number}: मिलाएँ।",
    "Thai": "ขั้นตอนที่ {number} ผสม",
    "Vietnamese": "Bước {number}: Trộn.",
    "Japanese": "手順{number}：混ぜる。",
    "Japanese without a sign": "手順{number}材料を混ぜる。",
    "Korean": "{number}단계: 섞기",
    "Chinese": "第{number}步，搅拌。",
    "Chinese plain": "{number}、搅拌。",
}
DIGITS = {
    "Arabic": [f"{digit}. اخلط" for digit in "١٢٣٤٥٦٧٨"],
    "Arabic with a dash": [f"{digit}-اخلط" for digit in "١٢٣٤٥٦٧٨"],
    "Devanagari": [f"{digit}. मिलाएँ" for digit in "१२३४५६७८"],
    "Thai": [f"{digit}. ผสม" for digit in "๑๒๓๔๕๖๗๘"],
    "full width": [f"{digit}．混ぜる" for digit in "１２３４５６７８"],
    "circled": [f"{digit}搅拌" for digit in "①②③④⑤⑥⑦⑧"],
    "keycaps": [f"{digit}\ufe0f\u20e3 Mix it" for digit in "12345678"],
    "Chinese": [f"{digit}、搅拌" for digit in "一二三四五六七八"],
    "Chinese in brackets": [f"（{digit}）搅拌" for digit in "一二三四五六七八"],
    "Chinese steps": [f"第{digit}步：搅拌" for digit in "一二三四五六七八"],
    "Chinese steps above ten": [
        f"步骤{digit}：搅拌" for digit in ("八", "九", "十", "十一", "十二", "十三", "十四", "十五")
    ],
    "Chinese steps above twenty": [
        f"第{digit}步" for digit in ("十七", "十八", "十九", "二十", "二十一", "二十二", "二十三", "二十四")
    ],
    "Korean ordinals": [
        f"{word}, 섞는다."
        for word in ("첫째", "둘째", "셋째", "넷째", "다섯째", "여섯째", "일곱째", "여덟째")
    ],
    "English ordinals": [f"The {word} step: mix it." for word in ORDINALS],
}
STEPS = {**{name: numbered(form, list(range(1, 9))) for name, form in FORMS.items()}, **DIGITS}


@pytest.mark.parametrize("form", STEPS)
def test_steps_are_numbers_in_every_script(form):
    """In order, with a step lost and begun again they score 5; with 4 and 3, 7 and 6 exchanged they are the
    named contradictions."""
    steps = STEPS[form]
    assert of("# How to", *steps) == IN_ORDER
    assert of("# How to", *steps[:3], *steps[4:], *steps[:4]) == IN_ORDER
    score, reason = of("# How to", *(steps[at] for at in (0, 1, 3, 2, 4, 6, 5, 7)))
    assert score == 3
    assert reason.endswith("2 of 7 successive numbers are out of order")


def test_a_decomposed_word_for_step_is_the_word():
    for form in ("Bước {number}: rửa", "Étape {number} : laver", "ΒΗΜΑ {number}: πλύνε", "ደረጃ {number}፡"):
        parts = [unicodedata.normalize("NFD", part) for part in numbered(form, [3, 1, 4, 2])]
        assert of(*parts)[0] < 4, form


def test_the_reason_names_the_step_that_comes_too_early():
    assert of("Step 1: a", "Step 3: c", "Step 2: b") == (
        2,
        "step 3 comes before 2; 1 of 2 successive numbers are out of order",
    )
    assert of("1. a", "2. b", "4. d", "3. c") == (
        2,
        "number 4 comes before 3; 1 of 3 successive numbers are out of order",
    )


def test_a_few_contradictions_of_many_score_four():
    steps = list(range(1, 13))
    assert of(*numbered("Step {number}: a", steps)) == IN_ORDER
    assert of(*numbered("Step {number}: a", [*steps[1:], 1])) == (
        4,
        "step 2 comes before 1; 1 of 11 successive numbers are out of order",
    )


def test_the_more_steps_are_out_of_order_the_lower_the_score():
    orders = ([1, 2, 4, 3, 5, 6], [2, 1, 4, 3, 5, 6], [6, 5, 4, 3, 2, 1])
    assert [of(*numbered("Step {number}: a", order))[0] for order in orders] == [3, 2, 1]


def test_named_steps_do_not_count_down_but_plain_numbers_do():
    assert of(*numbered("Step {number}: a", [4, 3, 2, 1]))[0] == 1
    assert of(*numbered("{number}. a", [4, 3, 2, 1])) == IN_ORDER


def test_three_plain_numbers_are_too_few():
    assert of("3. Oktober", "1. a", "2. b") == IN_ORDER
    assert of("Step 3: a", "Step 1: b", "Step 2: c")[0] < 4


def test_the_number_of_a_title_is_no_step():
    steps = numbered("Step {number}: a", [1, 2])
    assert of("# Step 3: robots", *steps) == IN_ORDER
    assert of("# Robots", "# Step 3: robots", *numbered("# Step {number}: a", [1, 2]))[0] < 4


def test_each_list_is_judged_by_itself():
    shuffled = "- 1. a\n   2. y\n   4. z\n   1. x\n   3. w\n2. b\n3. c\n4. d"
    assert of(shuffled)[0] < 4
    assert (
        of(shuffled.replace("   2. y\n   4. z\n   1. x\n   3. w", "   1. y\n   2. z\n   3. x\n   4. w"))
        == IN_ORDER
    )


def test_the_second_of_two_lists_is_judged_too():
    assert of(*numbered("Step {number}: a", [1, 2, 3, 4, 2, 3, 4, 1]))[0] < 4
    assert of(*numbered("Step {number}: a", [1, 2, 3, 4, 1, 2, 3, 4])) == IN_ORDER


def test_numbers_of_captions_code_and_tables_are_ignored():
    page = ["> Step 3", "> Step 1", "> Step 2"]
    assert of("# How to", "!i", *page) == IN_ORDER
    assert of("# How to", "!i", *(part.removeprefix("> ") for part in page))[0] < 4


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["First, a.", "!i", "Then b.", "!j", "Finally, c.", "The end."], IN_ORDER),
        (["Then a.", "!i", "Now b.", "!j", "First, c."], (3, "an opening word comes after other steps")),
        (["Then a.", "Finally, b.", "First, c."], (3, "an opening word comes after other steps")),
        (["First, a.", "Finally, b.", "Then c.", "Soon d."], (3, "a closing word comes before other steps")),
        (["At last, a.", "To begin, b.", "Then c."], (3, "a closing word comes before other steps")),
        (["Then a.", "Next, b.", "# Start here", "Draw c."], (3, "an opening word comes after other steps")),
        (["Then a.", "Now b.", "A text.", "First, c.", "Then d."], IN_ORDER),
        (["Then a.", "Now b.", "First, c.", *["A text."] * 4], IN_ORDER),
        (["Then a.", "First, b."], IN_ORDER),
    ],
)
def test_words_count_if_a_page_is_all_steps(parts, expected):
    assert of("# How to", *parts) == expected


@pytest.mark.parametrize("length", [4, 5, 6])
@pytest.mark.parametrize(
    "form", ["{number}. Mix it.", "Step {number}: Mix it.", "第{number}步：搅拌", "({number}) Mix it."]
)
def test_of_all_orders_of_some_steps_nine_in_ten_are_caught(form, length):
    """All but those with a single pair exchanged; plain numbers that fall are a count-down."""
    orders = [
        list(order)
        for order in permutations(range(1, length + 1))
        if sum(a > b for a, b in combinations(order, 2)) > 1
    ]
    caught = [
        of("# How to", "An introduction.", *numbered(form, order), "The end.")[0] < 4 for order in orders
    ]
    assert sum(caught) / len(caught) >= 0.9
    assert of(*numbered(form, list(range(1, length + 1)))) == IN_ORDER


orders = st.integers(4, 9).flatmap(lambda length: st.permutations(range(1, length + 1)))
between = st.lists(
    st.sampled_from(
        ["!i", "!j", "A text that is no step.", "> Caption", "# Heading", "2.5 cups, and step 3."]
    ),
    max_size=3,
)


@given(
    orders,
    st.sampled_from(["{number}. Mix it.", "- {number}. Mix it.", "Step {number}: Mix it.", "第{number}步"]),
    st.data(),
)
def test_texts_between_steps_change_nothing(order, form, data):
    steps = numbered(form, list(order))
    mixed = [part for step in steps for part in (step, *data.draw(between))]
    assert of("# How to", *mixed) == of("# How to", *steps)


outline = st.lists(
    st.tuples(st.integers(1, 6), st.lists(st.integers(0, 5), max_size=6)), min_size=1, max_size=4
)


@given(outline, st.sampled_from(["{number}. a", "Step {number}: a", "- {number}. a"]))
def test_complete_lists_with_restarts_and_sub_lists_are_in_order(lists, form):
    """Each list counts from 1; after an item may come a sub-list that counts from 1, written alike."""
    numbers = []
    for length, sub_lists in lists:
        for item in range(1, length + 1):
            numbers += [item, *range(1, 1 + (sub_lists[item - 1] if item <= len(sub_lists) else 0))]
    assume(numbers)
    assert of("# How to", *numbered(form, numbers)) == IN_ORDER


@given(
    st.sets(st.integers(1, 12), min_size=1),
    st.sampled_from(["{number}. a", "Step {number}: a", "手順{number}"]),
)
def test_steps_may_be_lost(kept, form):
    assert of("# How to", *numbered(form, sorted(kept))) == IN_ORDER


@pytest.mark.parametrize(
    "step",
    [
        "第一步：切",
        "① 切",
        "1단계 썰기",
        "- 1. Cut it.",
        "١. قطع",
        "Then cut it.",
        "The second layer is red.",
    ],
)
def test_numbers_of_every_script_are_steps_of_an_instruction(step):
    def value(text: str) -> tuple[int, bool]:
        found = rules.by_rules(document("# How to", text, "!i", "A text.", "!j"))["instruction_value"]
        return found["score"], "steps that are numbered or marked" in found["reason"]

    assert value(step) == (5, True)
    assert value("A text before it.") == (4, False)


def _ingested(path: Path) -> list[Document]:
    build(path, until="ingest")
    return [
        page
        for part in sorted((path.parent / "runs/t/ingest").rglob("documents-*.parquet"))
        for page in table.documents(part)
    ]


def test_real_pages_are_in_order(real, tmp_path):
    """At most 3% of real how-to pages, of every reader."""
    sources = [
        {"kind": "html", "name": "html", "path": str(real / "html")},
        {"kind": "warc", "name": "warc", "path": str(real / "web.warc.gz")},
        {"kind": "mmc4", "name": "mmc4", "path": str(real / "mmc4")},
        {"kind": "obelics", "name": "obelics", "path": str(real / "obelics")},
    ]
    pages = _ingested(
        recipe(tmp_path, ingest={"sources": sources}, filter={"alignment": {"allow_toy": True}})
    )
    assert len(pages) == 90
    below = {page.provenance.file: judged(page)[1] for page in pages if judged(page)[0] < 4}
    assert len(below) <= 0.03 * len(pages), below


@pytest.mark.e2e
def test_shuffled_lessons_are_caught_and_others_are_not(tmp_path):
    """All topics and formats of Sketchbook: 90% of the shuffled, at most 1% of the others."""
    source = {
        "kind": "sketchbook",
        "seed": 8_112,
        "documents": 1000,
        "image_px": 32,
        "defects": {"shuffled": 0.5},
    }
    pages = _ingested(recipe(tmp_path, ingest={"sources": [source]}))
    lines = (tmp_path / "runs/t/sketchbook/sketchbook/labels.jsonl").read_text(encoding="utf-8").splitlines()
    defects = {(label["file"], label["locator"]): label["defect"] for label in map(json.loads, lines)}
    below: dict[str | None, list[bool]] = {"shuffled": [], None: []}
    for page in pages:
        below[defects[page.provenance.file, page.provenance.locator]].append(judged(page)[0] < 4)
    assert (len(below["shuffled"]), len(below[None])) == (500, 500)
    assert sum(below["shuffled"]) >= 0.9 * 500
    assert sum(below[None]) <= 0.01 * 500
