"""Scores of prose: what each of them counts, and what it must not count."""

# ruff: noqa: E501, RUF001 - pages in one line; signs of other scripts are intended

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import document

from leafinstruct.filter.scores.prose import gibberish, lines, page_talk, scores, stop_words
from leafinstruct.records.document import Document, Text, TextKind

SENTENCE = "Sand the wood with fine paper until the edge is smooth, and wipe it with a cloth."


def page(*texts: str, language: str | None = "en", kind: TextKind = "prose") -> Document:
    empty = document("one")
    segments = tuple(Text(at, text, kind) for at, text in enumerate(texts))
    return replace(empty, segments=segments, language=language)


def values(found: Document) -> dict[str, float | None]:
    return {cell.name.removeprefix("text."): cell.value for cell in scores.scores(found)}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", SENTENCE),
        ("de", "Schleifen Sie das Holz mit feinem Papier, bis die Kante glatt ist, und wischen Sie es ab."),
        (
            "fr",
            "Poncez le bois avec du papier fin jusqu'à ce que le bord soit lisse, puis essuyez-le avec un chiffon.",
        ),
        ("es", "Lije la madera con papel fino hasta que el borde esté liso y límpiela con un paño."),
        ("ru", "Шлифуйте дерево мелкой бумагой, пока край не станет гладким, и протрите его тряпкой."),
        ("ar", "قم بصنفرة الخشب بورق ناعم حتى تصبح الحافة ملساء ثم امسحها بقطعة من القماش في النهاية"),
        ("hi", "लकड़ी को महीन कागज से तब तक घिसें जब तक किनारा चिकना न हो जाए और फिर कपड़े से पोंछ लें।"),
        ("zh", "用细砂纸打磨木头，直到边缘变得光滑，然后用布把它擦干净，这样就可以上漆了。"),
        ("ja", "細かい紙やすりで木を磨き、角が滑らかになったら、布で拭いてください。"),
        ("ko", "고운 사포로 나무를 문질러서 모서리가 매끄러워지면 천으로 닦아 주세요. 그리고 칠을 합니다."),
    ],
)
def test_a_sentence_has_stop_words_in_every_language_that_has_a_list(language, text):
    found = values(page(text, language=language))
    assert found["stop_words"] > stop_words.FEW * 2
    assert found["without_stop_words"] == 0
    assert found["gibberish"] == 0
    assert found["mojibake"] == 0
    assert found["page_talk"] == 0


def test_lists_of_key_words_have_none_and_a_half_of_them_is_half():
    keys = "wood paper edge cloth sanding varnish brush grain joint clamp timber bench plane chisel vise glue"
    assert values(page(keys))["without_stop_words"] == 1
    assert values(page(keys))["stop_words"] == 0
    assert values(page(SENTENCE, keys))["without_stop_words"] == pytest.approx(16 / 33, abs=1e-4)


def test_short_texts_headings_tables_and_code_need_no_stop_words():
    assert values(page("wood paper edge cloth"))["without_stop_words"] == 0
    for kind in ("heading", "table", "code"):
        keys = page("wood paper edge cloth sanding varnish brush grain joint clamp", kind=kind)
        both = replace(keys, segments=(*keys.segments, Text(1, SENTENCE)))
        assert values(both)["without_stop_words"] == 0


@pytest.mark.parametrize("language", ["th", "km", "ka", None])
def test_a_language_without_a_list_is_not_applicable(language):
    cells = {cell.name: cell for cell in scores.scores(page("x " * 20, language=language))}
    assert cells["text.stop_words"].state == "not_applicable"
    assert cells["text.stop_words"].value is None
    assert cells["text.without_stop_words"].state == "not_applicable"


def test_each_list_is_of_lower_case_words_without_repetition():
    for language, words in stop_words.WORDS.items():
        written = stop_words._LISTS[language].split()
        assert len(words) >= len(written) - 4, language
        assert all(word == word.lower() for word in words), language


@pytest.mark.parametrize(
    "word",
    [
        "h3ll0w0rld",
        "9f86d081884c7d65",
        "sdfghjkl",
        "xcvbn",
        "раypal",
        "aaaaargh",
        "aXbQzRtK",
        "dGhpcyBpcw9yZ2" * 4,
        "c0oking",
        "bet5een",
    ],
)
def test_a_word_that_no_language_has(word):
    assert gibberish.is_impossible(word)


@pytest.mark.parametrize(
    "word",
    [
        *(
            "GPIO17",
            "3d2n",
            "iPhone",
            "JavaScript",
            "microSD",
            "HTML",
            "TypeScript",
            "MacBook",
            "YouTube",
            "LaTeX",
        ),
        *(
            "rhythm",
            "Borschtsch",
            "Angstschweiß",
            "Rechtschreibung",
            "strč",
            "взгляд",
            "здравствуйте",
            "čtvrt",
        ),
        *(
            "Geschwindigkeitsbegrenzung",
            "watchstrap",
            "lengths",
            "µm",
            "12345678",
            "10000",
            "ΔT",
            "don't",
            "1st",
        ),
        *(
            "zmrzlina",
            "skrz",
            "Krk",
            "čtvrtek",
            "Strumpfhose",
            "Herbstschlussverkauf",
            "вскрыть",
            "агентство",
        ),
        "covid19",
        "mp3s",
        "i2cs",
    ],
)
def test_a_word_that_some_language_has(word):
    assert not gibberish.is_impossible(word)


def test_gibberish_is_a_share_of_letters_without_addresses_and_code():
    assert values(page("abcd sdfghjkl"))["gibberish"] == pytest.approx(8 / 12, abs=1e-4)
    assert values(page("see https://a.example/x9F3kQz0pA/b7dK2m and lib/sdfghjkl/xx.py"))["gibberish"] == 0
    assert values(page("sdfghjkl", kind="code"))["gibberish"] is None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe und Länge sind schön für die Übung", "cp1252"),
        ("Les élèves préfèrent déjeuner à l’école", "cp1252"),
        ("Шлифуйте дерево мелкой бумагой", "latin-1"),
    ],
)
def test_text_of_a_wrong_character_set_is_mojibake(text, encoding):
    damaged = text.encode().decode(encoding, errors="replace")
    assert values(page(damaged))["mojibake"] > 20
    assert values(page(text))["mojibake"] == 0


def test_replacement_characters_are_mojibake():
    assert values(page("one two three fo\ufffdr"))["mojibake"] > 0


@pytest.mark.parametrize(
    "sentence",
    [
        *(
            "Click the image to enlarge it.",
            "Click here for more.",
            "Read more ...",
            "Share this recipe on Facebook.",
        ),
        *("Subscribe to our newsletter.", "Log in to leave a comment.", "Scroll down to the next section."),
        *(
            "Go back to the previous page.",
            "Next step",
            "Please open an issue on GitHub.",
            "Was this page helpful?",
        ),
        *(
            "Follow us on Instagram.",
            "This site uses cookies.",
            "This page was last updated in May.",
            "Add to cart",
        ),
        *(
            "Your browser does not support the video tag.",
            "Terms of service",
            "Related articles:",
            "Edit this page",
        ),
        *(
            "You may also like these lamps.",
            "Download the PDF.",
            "Opens in a new tab",
            "Comments are closed.",
        ),
        "I hope this helps!",
        "Certainly! Here is an article on the topic.",
        "[Insert title here] is a testament to change.",
    ],
)
def test_a_sentence_about_its_page_is_page_talk(sentence):
    assert page_talk.is_talk(sentence, "en")
    assert page_talk.is_talk(sentence, "de")  # navigation is often English


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        *(
            ("de", "Klicken Sie hier."),
            ("de", "Zum Seitenanfang"),
            ("fr", "Cliquez sur l'image."),
            ("fr", "Lire la suite"),
        ),
        *(
            ("es", "Haz clic en la imagen."),
            ("pt", "Deixe um comentário"),
            ("it", "Clicca qui"),
            ("nl", "Lees verder"),
        ),
        *(
            ("ru", "Нажмите на картинку."),
            ("zh", "点击图片查看大图"),
            ("ja", "続きを読む"),
            ("ko", "이미지를 클릭하세요"),
        ),
    ],
)
def test_page_talk_is_known_in_the_language_of_the_page(language, sentence):
    assert page_talk.is_talk(sentence, language)
    assert not page_talk.is_talk(sentence, "en")


@pytest.mark.parametrize(
    "sentence",
    [
        *(
            "Click the green button to start the motor.",
            "The output looks like this:",
            "Read the next step twice.",
        ),
        *(
            "Share the dough between two bowls.",
            "Turn the page of the book.",
            "Print the part with 20% infill.",
        ),
        *("Open the issue of the magazine.", "He signed up for the race.", "More water makes it softer."),
        *("The comments of the author are in italics.", "Next, press the lid.", "Scroll saws cut curves."),
        "Certainly the hardest part is the handle.",
        "This helps the glue to dry.",
        "Insert the title card here.",
    ],
)
def test_a_step_of_a_how_to_is_no_page_talk(sentence):
    assert not page_talk.is_talk(sentence, "en")


def test_page_talk_is_a_share_of_sentences():
    assert values(page(f"{SENTENCE} Click here.", "Read more"))["page_talk"] == pytest.approx(2 / 3, abs=1e-4)


def test_repeated_lines_and_paragraphs_are_shares_of_characters():
    other = "Cut the second board to the same length, and mark both of its ends."
    assert values(page(SENTENCE, other))["repeated_lines"] == 0
    assert values(page(SENTENCE, SENTENCE))["repeated_lines"] == 0.5
    assert values(page(SENTENCE, f"{SENTENCE}\n{other}"))["repeated_paragraphs"] == 0
    assert values(page(SENTENCE, SENTENCE.upper()))["repeated_paragraphs"] == 0.5
    assert values(page("Step 1", SENTENCE, "Step 1", other))["repeated_lines"] == 0


@given(st.lists(st.text(alphabet="abc defg", min_size=30, max_size=60), min_size=1, max_size=6))
def test_saying_all_lines_twice_repeats_at_least_half_of_the_long_ones(texts):
    long = [text for text in texts if len("".join(text.split())) >= 25]
    assert lines.repeated(long * 2) >= (0.5 if long else 0) - 1e-9


def test_lines_that_end_are_cut_or_are_short():
    found = values(page("The lamp is on.", "Then it…", "Read more", "a b c"))
    assert found["ended_lines"] == 0.5  # the ellipsis is a terminal
    assert found["cut_lines"] == 0.5
    assert found["short_lines"] == 1
    assert values(page("Wait for the lamp to turn green, then:", kind="heading"))["ended_lines"] is None


def test_bullets_are_words_in_lists():
    found = replace(
        page("one two", "- three four"), segments=(Text(0, "one two"), Text(1, "three four", "list"))
    )
    assert values(found)["bullets"] == 0.5
    assert values(page("Read this\n- one two"))["bullets"] == 0.5


def test_ratios_of_characters_and_words():
    found = values(page("ab 12, !?"))
    assert found["alphabetic_words"] == 0.5
    assert found["alphanumeric"] == pytest.approx(4 / 7, abs=1e-4)
    assert found["punctuation"] == pytest.approx(3 / 7, abs=1e-4)


def test_image_rate_is_images_per_hundred_words():
    found = {cell.name: cell.value for cell in scores.scores(document("one two three four", "!a", "!b"))}
    assert found["text.image_rate"] == 50


SENTENCES = (
    "Measure the wooden board twice before you cut it with the small saw.",
    "Sand every edge slowly until the whole surface feels smooth and clean.",
    "Mix water and flour in a large bowl, then knead the dough for ten minutes.",
    "Carry the finished chair outside and let the paint dry behind the garden wall.",
)


def shuffled(text: str) -> str:
    source = random.Random(3)
    return " ".join(
        "".join(source.sample(word, len(word))) if len(word) > 3 else word for word in text.split()
    )


def test_damaged_letters_do_not_fit_the_language_and_prose_does():
    clean = values(page(*SENTENCES))["language_fit"]
    damaged = values(page(*map(shuffled, SENTENCES)))["language_fit"]
    assert clean is not None
    assert damaged is not None
    assert clean > 0.6
    assert damaged < 0.55
    mixed = " ".join(sorted(" ".join(SENTENCES).split()))  # words that exist fit, in whatever order
    assert values(page(mixed))["language_fit"] == pytest.approx(clean, rel=0.2)


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        (page("Sand it. Wipe it."), "fewer than 12 longer words"),
        (page(*SENTENCES, language="th"), "no strength of the language th is known"),
        (page(*SENTENCES, language=None), "no strength of the language None is known"),
    ],
)
def test_the_fit_is_not_applicable_to_few_words_and_other_languages(found, detail):
    (cell,) = (cell for cell in scores.scores(found) if cell.name == "text.language_fit")
    assert (cell.value, cell.state, cell.detail) == (None, "not_applicable", detail)


def test_the_most_frequent_pair_of_words_is_a_share_of_the_words():
    assert scores.top_pair(["a", "b", "c", "a", "b", "d", "a", "b"]) == 6 / 8
    assert scores.top_pair(["a", "b", "c", "d", "e"]) == 0
    assert scores.top_pair(["1", "2", "1", "2", "1", "2"]) == 0
    assert math.isnan(scores.top_pair([]))
    stuffed = values(
        page("Buy drawing tutorial now. A drawing tutorial is the best drawing tutorial of all.")
    )
    assert stuffed["top_pair"] == pytest.approx(6 / 14, abs=1e-4)
    assert values(page(*SENTENCES))["top_pair"] < 0.1


@pytest.mark.parametrize(
    ("last", "is_broken"),
    [
        ("Now carry the finis", 1),
        ("Now carry the finished chair", 0),  # the word exists
        ("Now carry the edge", 0),
        ("Now carry the surfaces", 0),  # no longer word begins with it
        ("Now carry the minute", 0),  # a plural is no continuation
        ("Now carry it and the", 1),  # no sentence ends so
        ("Now carry the varn", 1),  # in a page of whole sentences, an end without a terminal
        ("Photo by Jane Miller", 0),
        ("Posted in Woodworking and Crafts", 0),
        ("Enjoy your brand new nightlight", 0),
        ("Now you can turn it on", 0),
        ("Look at the photo of the surface and tell your friends what they find difficul", 1),
        ("Carry varn", 0),  # a heading, or the name of a link
        ("Now carry the finis.", 0),
        ("finis", 0),
    ],
)
def test_a_page_that_ends_within_a_word_is_broken(last, is_broken):
    assert values(page(*SENTENCES, last))["broken_end"] == is_broken


def test_where_some_lines_lack_a_terminal_only_half_a_word_is_a_broken_end():
    lines = [*SENTENCES, *SENTENCES, SENTENCES[0].rstrip(".")]
    assert values(page(*lines, "Now carry the finis"))["broken_end"] == 1
    assert values(page(*lines, "Now carry the varn"))["broken_end"] == 0


def test_where_lines_need_no_terminal_the_last_one_needs_none():
    assert values(page(*(line.rstrip(".") for line in SENTENCES), "Carry finis"))["broken_end"] == 0


def test_a_line_that_was_pasted_again_is_counted_whatever_the_length_of_the_page():
    long = [f"Sentence number {number} about the finished chair." for number in range(300)]
    assert values(page(*long, *long))["line_copies"] == 0
    assert values(page(*long, "Sand the edge.", *long[:20], *long[:20]))["line_copies"] == 20
    assert values(page("Sand the edge.", "- SAND  the edge\n- Wipe it", "Sand the edge!"))["line_copies"] == 1
    assert values(page("GND", "GND", "GND", "3 V", "3 V"))["line_copies"] == 0  # cells of a table


def test_a_step_that_was_pasted_again_has_the_same_texts_as_the_one_before():
    def copies(*parts: str) -> float | None:
        (found,) = (cell.value for cell in scores.scores(document(*parts)) if cell.name == "text.step_copies")
        return found

    assert copies("Facet:", "!a", "Facet:", "!b", "facet", "!c", "Connect it.") == 3
    assert copies("Facet:", "Open it.", "!a", "Facet:", "!b", "Facet:", "Open it.", "!c") == 1
    assert copies("!a", "!b", "!c") == 0
    assert copies("# T", "Before", "!a", "Before", "!b", "Before", "!c") == 3


def test_a_particle_is_no_half_of_a_word():
    lines = (*SENTENCES, "Once the lamp is dry, screw it to the wall with two long screws.")
    assert values(page(*lines, "Now you can turn it on"))["broken_end"] == 0


def test_one_sentence_shows_not_how_the_last_line_should_end():
    lines = ("Carry the finished boat to the water and let it go.", "A boat.", "Carry the boat to the wat")
    assert values(page(*lines))["broken_end"] == 0
    assert values(page(lines[0], *lines))["broken_end"] == 1


def test_a_document_without_words_has_no_shares():
    cells = {cell.name: cell for cell in scores.scores(document("!a"))}
    assert cells["text.gibberish"].state == "not_scored"
    assert cells["text.image_rate"].value is None


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a1" * 500_000, "Ã©" * 500_000, "." * 1_000_000, "click " * 170_000]
)
@pytest.mark.e2e
def test_a_megabyte_of_anything_takes_linear_time(text):
    import time

    half = page(text[: len(text) // 2])
    started = time.process_time()
    scores.scores(half)
    first = time.process_time() - started
    started = time.process_time()
    scores.scores(page(text))
    assert time.process_time() - started < 3 * first + 1


def test_a_long_phrase_in_a_script_without_spaces_is_no_gibberish():
    thai = "ขัดไม้ด้วยกระดาษทรายละเอียดจนขอบเรียบแล้วเช็ดด้วยผ้าสะอาดก่อนที่จะทาสีในขั้นตอนต่อไปของงานนี้"
    japanese = "細かい紙やすりで木を磨き角が滑らかになったら布で拭いてから次の手順に進んでください" * 2
    assert len(thai) > 50
    assert values(page(thai, language="th"))["gibberish"] == 0
    assert values(page(japanese, language="ja"))["gibberish"] == 0
    assert values(page("QmFzZTY0" * 8))["gibberish"] == 1


def test_lines_of_scripts_without_terminals_need_none():
    thai = page("ขัดไม้ด้วยกระดาษทรายละเอียดจนขอบเรียบ แล้วเช็ดด้วยผ้าสะอาด", language="th")
    (cell,) = (cell for cell in scores.scores(thai) if cell.name == "text.ended_lines")
    assert (cell.state, cell.value) == ("not_applicable", None)
    assert values(page("wood", "paper"))["ended_lines"] == 0
