"""What a letter, a word and a sentence are, in every script: each case is one that a definition made for
English gets wrong."""

# ruff: noqa: RUF001 - punctuation of other scripts is intended

import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.filter.scores.text import count_links
from leafinstruct.records.text import words
from leafinstruct.records.text.words import (
    UNITS,
    count_capitals,
    count_letters,
    count_symbols,
    count_words,
    ends_clause,
    ends_sentence,
    first_words,
    folded,
    identity,
    identity_of,
    sentence_spans,
    sentences_of,
    word_units,
    words_of,
)

THAI = "ก่อนอื่นล้างข้าวสามครั้งแล้วพักไว้ครึ่งชั่วโมงก่อนหุงด้วยไฟอ่อนอย่างช้าๆ"
"""Before all wash the rice three times, then leave it for half an hour before cooking it slowly over a low
fire: 17 words."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop: it's 3.14, or 1,000.", ["Don't", "stop", "it's", "3.14", "or", "1,000"]),
        ("a well-known C++ -- & foo_bar", ["a", "well", "known", "C", "foo_bar"]),
        ("e-mail https://www.foo.com/x", ["e", "mail", "https", "www.foo.com", "x"]),
        ("l’arbre aujourd'hui", ["l’arbre", "aujourd'hui"]),
        ("Привет, мир! Ёлка.", ["Привет", "мир", "Ёлка"]),
        ("می‌خواهم بروم؟", ["می‌خواهم", "بروم"]),
        ('צה"ל הוא קוב״ה', ['צה"ל', "הוא", "קוב״ה"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया"]),
        ("한국어 단어는", ["한국어", "단어는"]),
        ("把IoT接上。", ["把", "IoT", "接", "上"]),
        ("コーヒーを飲む", ["コーヒー", "を", "飲", "む"]),
        ("น้ำแข็ง", ["น้ำ", "แ", "ข็", "ง"]),
        ("- 1. Cut it.\n  - ok", ["Cut", "it", "ok"]),
        ("😀 … — !", []),
    ],
)
def test_words_have_a_letter_or_a_digit_and_end_at_the_boundaries_of_uax_29(text, expected):
    assert words_of(text) == expected


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_the_fast_path_for_ascii_divides_as_the_other_does(text):
    assert words._ASCII_WORD.findall(text) == words._WORD.findall(text)


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_the_fast_path_for_ascii_keeps_what_the_other_keeps(text):
    assert words._ASCII_TOKEN.findall(text.lower()) == words._TOKEN.findall(text.lower())


@given(st.text(st.sampled_from("aZ09 .,-#'_(\n\t\x0b\x1c"), max_size=40))
def test_plain_ascii_has_the_words_of_the_pattern(text):
    assert identity(text).split() == words._ASCII_TOKEN.findall(words.without_markers(text).lower())


@given(st.text(max_size=80))
def test_characters_are_counted_alike_in_ascii_and_beyond(text):
    assert count_letters(text) == sum(regex.fullmatch(r"\p{L}", letter) is not None for letter in text)
    assert count_symbols(text) == sum(count_symbols(letter) for letter in text)


def test_scripts_without_spaces_are_counted_by_ideographs_and_clusters():
    assert count_words(["画一个红色的房子"]) == 5  # 8 ideographs / 1.5
    assert count_words([THAI]) == 17
    assert count_words(["សូមលាងអង្ករបីដងមុនពេលចម្អិន"]) == 5  # 17 clusters / 3
    assert count_words(["ໃຫ້ລ້າງເຂົ້າສາມຄັ້ງກ່ອນຫຸງ"]) == len(regex.findall(r"\X", "ໃຫ້ລ້າງເຂົ້າສາມຄັ້ງກ່ອນຫຸງ")) // 3
    assert count_words(["hello 世界世"]) == 3


@given(st.lists(st.text("ab 世ค.แ\n- 1", max_size=12), max_size=6))
def test_units_add_up_and_words_are_rounded_once(texts):
    assert count_words(texts) == sum(map(word_units, texts)) // UNITS


@given(st.text("ab 世ค.แก็ю'-\n1", max_size=60), st.integers(0, 12))
def test_the_first_words_are_a_beginning_with_at_most_as_many_words(text, count):
    cut = first_words(text, count)
    assert text.startswith(cut)
    assert word_units(cut.replace("-", " ").replace("1", "x")) <= count * UNITS or cut == text


def test_a_text_without_spaces_is_cut_too():
    assert first_words("首先把米洗三遍，然后静置半小时", 4) == "首先把米洗三"
    assert first_words(THAI, 3) == "ก่อนอื่นล้างข้"
    assert first_words("one, two; three. four", 3) == "one, two; three"
    assert first_words("one two.", 2) == "one two."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'Dr. Smith came. "Really?" he said. Then… He left.',
            ["Dr. Smith came.", '"Really?" he said.', "Then…", "He left."],
        ),
        (
            "See Fig. 3 and no. 7 there. J. R. R. Tolkien wrote it!",
            ["See Fig. 3 and no. 7 there.", "J. R. R. Tolkien wrote it!"],
        ),
        (
            "Am 3. Oktober kam er. Es war 1990. Dann ging er.",
            ["Am 3. Oktober kam er.", "Es war 1990.", "Dann ging er."],
        ),
        ("Repeat step 2. Then stop.", ["Repeat step 2.", "Then stop."]),
        ("1. Wash it. 2. Cook it.", ["1. Wash it.", "2. Cook it."]),
        ("Go to www.foo.com. It runs v2.5.", ["Go to www.foo.com.", "It runs v2.5."]),
        ("第一步：洗米。然后煮饭！好吗？好", ["第一步：洗米。", "然后煮饭！", "好吗？", "好"]),
        ("「はい。」と言った。次。", ["「はい。」", "と言った。", "次。"]),
        ("यह पहला है। यह दूसरा है॥ तीसरा", ["यह पहला है।", "यह दूसरा है॥", "तीसरा"]),
        ("هل هذا؟ نعم. لا", ["هل هذا؟", "نعم.", "لا"]),
        ("یہ پہلا ہے۔ یہ دوسرا ہے۔", ["یہ پہلا ہے۔", "یہ دوسرا ہے۔"]),
        ("ក្រុងសៀមរាប។ទីក្រុង៕", ["ក្រុងសៀមរាប។", "ទីក្រុង៕"]),
        ("one line\nand another\n\n- a third", ["one line", "and another", "- a third"]),
        ("Τι κάνεις; Καλά είμαι. «Πού;»", ["Τι κάνεις;", "Καλά είμαι.", "«Πού;»"]),
        ("a; b", ["a; b"]),
        ("སྐད་ཡིག་ཡིན། དེ་རིང་འདུག །འགྲོ།", ["སྐད་ཡིག་ཡིན།", "དེ་རིང་འདུག །", "འགྲོ།"]),
        ("no end", ["no end"]),
        (" \n ", []),
    ],
)
def test_sentences_end_at_their_script_s_marks_and_not_behind_abbreviations(text, expected):
    assert sentences_of(text) == expected


@given(st.text("aB. ?!。\n\"'1x…؟", max_size=60))
def test_only_white_space_lies_between_sentences(text):
    end = 0
    for start, stop in sentence_spans(text):
        assert not text[end:start].strip()
        assert start < stop
        assert text[start:stop] == text[start:stop].strip()
        end = stop
    assert not text[end:].strip()


@pytest.mark.parametrize("mark", list(".!?…。！？．｡।॥؟۔։།༎።᙮။៕"))
def test_every_script_s_mark_ends_a_sentence(mark):
    assert ends_sentence(f"x{mark}")
    assert ends_sentence(f"x{mark}”)")
    assert not ends_sentence(f"{mark}x")


def test_a_comma_ends_a_clause_and_no_sentence():
    for mark in ":;,、：；，،؛":
        assert ends_clause(f"x{mark}")
        assert not ends_sentence(f"x{mark}")
    assert not ends_clause("x")


def test_letters_capitals_and_symbols_are_those_of_every_script():
    assert (count_letters("IoT 和 GPIO 引脚"), count_capitals("IoT 和 GPIO 引脚")) == (10, 6)
    assert count_letters("नमस्ते") == 4  # two vowel signs and a virama are marks
    prose = "धोइए, फिर छोड़ दीजिए। 首先，把「米」洗三遍。¿Qué? «Да» — №5, 20°… می‌خواهم؟ ๑๒ ฯลฯ"
    assert count_symbols(prose) == 0
    assert count_symbols("$ + < > | # * @ \\ _ ~ ^ → 👍 •") == 15


def test_folding_keeps_letters_marks_and_digits():
    assert folded("Étude №5: „Die Ｆｅｅ“") == "étude no5 die fee"
    assert folded("हिंदी") != folded("हिंदू")


SAME = [
    ("“Foo” – bar… baz!", '"foo" - bar, BAZ.'),
    ("在IoT中使用，好。", "在 IoT 中使用,好."),
    ("ﬁne ３.５", "fine 3.5"),
    ("- 1. Cut it\n2. Bake it", "Cut it. Bake it"),
    ("soft\u00adhyphen", "softhyphen"),
    ("# Heading with *bold* words", "Heading with bold words"),
    ("• one ▪ two", "one two"),
    ("ภาษา ไทย", "ภาษาไทย"),
    ("كتـــاب", "كتاب"),
    ("e\u0301te", "été"[:1] + "te"),
    ("½ cup, 2¼ cups", "1/2 cup, 2 1/4 cups"),
]
DIFFERENT = [
    ("Learn C++", "Learn C#"),
    ("Learn C", "Learn C#"),
    ("set it to -3", "set it to 3"),
    ("50% off", "50 off"),
    ("हिंदी किताब", "हिंदू कताब"),
    ("10² m", "102 m"),
    ("1.5 cups", "15 cups"),
    ("2*3", "2 3"),
    ("$5", "€5"),
    ("A → B", "A B"),
    ("x < y", "x > y"),
    ("กา", "กี"),
    ("お母さん", "お父さん"),
    ("👍", "👎"),
    ("מלך", "מלכה"),
    ("2½ m", "21/2 m"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_typesetting_makes_no_other_text(one, other):
    assert identity(one) == identity(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_a_reader_reads_differently_is_another_text(one, other):
    assert identity(one) != identity(other)


@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "." + 999 * " ",
        "a" + 999 * " ",
        ".'",
        ".\n",
        "_",
        "'",
        ".",
        "a.",
        "1,",
        "! ",
        "a\u0301\u0301.",
        "ก",
        "漢",
        "\n",
        "1. ",
        "https://",
        "a@",
        "a",
        "a.@",
        "a-",
        "👩\u200d",
        'א"',
        "# ",
        "- ",
    ],
)
def test_the_cost_of_a_hostile_text_grows_with_its_length(unit):
    def cost(text: str) -> float:
        start = time.process_time()
        for function in (
            words_of,
            identity,
            sentences_of,
            count_symbols,
            folded.__wrapped__,
            ends_clause,
            count_links,
        ):
            function(text)
        return time.process_time() - start

    cost(unit * 1_000)
    short, long = unit * (10_000 // len(unit)), unit * (100_000 // len(unit))
    # linear: 10 times
    assert min(cost(long) for _ in range(2)) < 40 * max(min(cost(short) for _ in range(3)), 0.005)


def test_texts_without_words_are_no_copies_of_each_other():
    assert identity_of(["→", "* $", ""]) == ""
    assert identity_of(["→", "a"]) == "→ a"


@given(st.text(max_size=60))
def test_any_text_has_words_sentences_and_an_identity(text):
    assert word_units(text) >= 0
    assert identity(text) == identity(f" {text}\n")
    list(sentence_spans(text))
    folded(text)
