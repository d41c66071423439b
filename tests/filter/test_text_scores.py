"""Scores of text: each is a definition, and each test a case that another definition would fail."""

# ruff: noqa: RUF001 - punctuation of other scripts is intended

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.filter.config import Rule
from leafinstruct.filter.decision import judge
from leafinstruct.filter.scores import text


def values(*parts: str) -> dict[str, float | None]:
    return {cell.name: cell.value for cell in text.scores(document(*parts))}


def test_words_are_those_of_the_document_rounded_once():
    assert values("one two", "# three")["text.words"] == 3
    assert values("画一个红色的房子")["text.words"] == 5  # 8 ideographs / 1.5
    assert values("hello 世", "世世")["text.words"] == 3


def test_repetition_is_the_share_of_words_in_runs_seen_before():
    assert text.repetition(["a", "b", "c", "d", "e", "f", "g", "h"]) == 0.0
    assert text.repetition(["a", "b", "c", "d", "e", "a", "b", "c", "d", "e"]) == 0.5
    assert text.repetition(["a", "b", "c", "d"]) == 0.0


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=5, max_size=30))
def test_saying_it_all_twice_repeats_at_least_half(words):
    assert text.repetition(words * 2) >= 0.5


def test_capitals_symbols_links_and_exclamations_are_rates():
    found = values("BUY NOW! Visit www.shop.example and https://a.example now!")
    assert found["text.words"] == 8  # BUY NOW Visit www.shop.example and https a.example now
    assert found["text.links"] == round(100 * 2 / 8, 4)
    assert found["text.exclamations"] == round(100 * 2 / 8, 4)
    assert text.capital_share("AAbb") == 0.5
    assert values("ab¤¤")["text.symbols"] == 0.5


def test_code_is_no_spam():
    from dataclasses import replace

    page = document("# Title", "printf('%d' && ~x ^ y);")
    code = replace(page, segments=(page.segments[0], replace(page.segments[1], kind="code")))
    assert {cell.name: cell.value for cell in text.scores(code)}["text.symbols"] == 0.0


def test_a_document_without_words_has_no_rates_and_a_reason():
    cells = {cell.name: cell for cell in text.scores(document("!a"))}
    assert cells["text.words"].value == 0.0
    assert cells["text.links"].value is None
    assert cells["text.links"].state == "not_scored"


@given(st.text(max_size=200))
def test_no_text_breaks_a_score(content):
    for cell in text.scores(document(content)):
        assert cell.value is None or math.isfinite(cell.value)


def test_list_markers_are_neither_words_nor_symbols():
    marked = values("- 1. Cut the red apple.\n   - Peel it.\n\n     Now.\n10. Bake it for 2. hours")
    assert marked == values("- Cut the red apple.\nPeel it.\nNow.\nBake it for 2. hours")
    assert marked["text.words"] == 12
    assert values("-", "2.", "- 1. a", "a - b")["text.words"] == 3


SPAM = {
    "en": "Click here to buy at the best price today. ",
    "zh": "点击购买优惠大酬宾",
    "ja": "ここをクリックして今すぐ購入",
    "th": "คลิกที่นี่เพื่อซื้อสินค้าราคาถูก",
    "lo": "ກົດບ່ອນນີ້ເພື່ອຊື້",
    "km": "ចុចទីនេះដើម្បីទិញ",
    "my": "ဝယ်ရန်ဒီမှာနှိပ်ပါ",
    "ko": "지금 바로 여기를 눌러 싸게 사세요. ",
    "ar": "انقر هنا للشراء بأفضل سعر اليوم. ",
    "hi": "सबसे अच्छे दाम पर खरीदने के लिए यहाँ क्लिक करें। ",
}


@pytest.mark.parametrize("language", SPAM)
def test_a_repeated_phrase_is_repetition_in_every_script(language):
    assert values(SPAM[language] * 40)["text.repetition"] > 0.95
    assert values(SPAM[language])["text.repetition"] == 0


@pytest.mark.parametrize(
    "phrase",
    [
        "cheapshoesonline",
        "지금바로여기를눌러싸게사세요",
        "купитьдешевосейчас",
        "اشترالآنبسعررخيص",
        "अभीसस्तेमेंखरीदें",
    ],
)
def test_a_phrase_without_its_spaces_is_repetition_too(phrase):
    assert values(phrase * 20)["text.repetition"] > 0.8
    assert values(f"{phrase} {phrase[::-1]}")["text.repetition"] == 0


def test_long_words_and_codes_are_no_repetition():
    assert (
        values("Donaudampfschifffahrtsgesellschaftskapitän und Rindfleischetikettierung")["text.repetition"]
        == 0
    )
    assert (
        values("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 and abc")["text.repetition"]
        == 0
    )


def test_a_run_is_five_words_and_not_five_ideographs():
    # six ideographs are four words
    assert text.repetition(list("我喜欢吃苹果") + list("他不喜欢吃") + list("我喜欢吃苹果")) == 0
    assert text.repetition(list("我们都喜欢吃苹果") * 2) == 0.5
    assert (
        text.repetition(list("我们都喜欢吃苹果") + list("今天天气很好") + list("我们都喜欢吃苹果")) == 8 / 22
    )


def test_capitals_are_a_share_of_all_letters():
    assert text.capital_share("把IoT接到GPIO") == 6 / 10
    assert (
        values("开发板通过几根短线连接到传感器的IoT模块，再接上GPIO引脚，然后打开电源。")["text.capitals"]
        < 0.25
    )
    assert text.capital_share("ΑΒγδ ДЖ") == 4 / 6
    assert text.capital_share("... 12") == 0.0


@pytest.mark.parametrize(
    "prose",
    [
        "पहले चावल को तीन बार धोइए, फिर आधे घंटे के लिए छोड़ दीजिए।",
        "首先把米洗三遍，然后静置半小时，再用小火慢慢煮熟。",
        "「まず」米を三回洗い、30分置いてから、弱火でゆっくり炊きます。",
        "می‌خواهم برنج را سه بار بشویم؛ سپس نیم ساعت صبر می‌کنم.",
        "¿Qué? ¡No! «Да» — №5, 20°…",
    ],
)
def test_punctuation_and_vowel_signs_of_no_script_are_symbols(prose):
    assert values(prose)["text.symbols"] == 0


@pytest.mark.parametrize(
    ("prose", "links"),
    [
        ("See https://www.foo.com/x for more", 1),
        ("See http://a.org/b?c=d.com and www.e.net.", 2),
        ("https://a.com,https://b.com", 2),
        ("visit foo.shop or Foo-bar.COM/x", 2),
        ("write to bob.smith@mail.foo.com", 1),
        ("访问www.foo.com，或者foo.com吧", 2),
        ("Put @property above it, @Override too, and @media in CSS.", 0),
        ("ASP.NET and Node.js, e.g. v2.5, obj.network, end.Info", 0),
        ("http://пример.рф/путь and http://例え.jp/パス", 2),
        ("https://münchen.com and www.münchen.com/straße", 2),
        ("Пишите на почта@пример.рф", 1),
        ("写信到a@b.com或c@d.com，看https://a.com/x再看www.b.com", 4),
        ("https://web.archive.org/web/2020/https://foo.com/x", 1),
        ("https://a.com/?next=https://b.com", 1),
        ("foo.com/bar.com", 1),
        ("ftp://ftp.foo.de/x", 1),
        ("import java.net.URL and com.android.net, see System.Net.Http", 0),
        ("logo@2x.png and icon@3x.webp", 0),
        ("Visit foo.com. Then foo.com.au.", 2),
    ],
)
def test_an_address_is_counted_once(prose, links):
    assert text.count_links(prose) == links
    found = values(prose)
    assert found["text.links"] == round(100 * links / found["text.words"], 4)


def test_the_length_of_words_has_no_meaning_where_none_are_between_spaces():
    (cell,) = (
        cell
        for cell in text.scores(document("首先把米洗三遍，然后静置半小时。", "用 IoT 设备"))
        if cell.name == "text.mean_word_length"
    )
    assert (cell.value, cell.state, cell.detail) == (
        None,
        "not_applicable",
        "most of its words are of a script without spaces between words",
    )
    assert judge(Rule(score="text.mean_word_length", min=3), cell) is None
    # vowel signs and the virama are parts of their letters
    assert values("नमस्ते नम")["text.mean_word_length"] == 3
    assert values("ab abcd", "- 1. abc")["text.mean_word_length"] == 3
    # letters of a decomposed syllable are one
    assert values(unicodedata.normalize("NFD", "먼저 쌀을"))["text.mean_word_length"] == 2


def test_numbers_that_repeat_are_no_repetition():
    table = "\n".join("0 0 0 0 0 12" for _ in range(9))
    assert values(table)["text.repetition"] == 0
    assert values("Buy 1 2 3 4 5 now. " * 9)["text.repetition"] > 0.8


def test_letters_of_cherokee_are_no_capitals():
    assert text.capital_share("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ") == 0
    assert text.capital_share("ᏣᎳᎩ ABC") == 0.5


@pytest.mark.parametrize("mark", ["!", "！"])
def test_exclamations_are_counted_in_every_width(mark):
    assert values(f"one two{mark} three{mark}")["text.exclamations"] == round(200 / 3, 4)
