"""The classes of bad text."""

from __future__ import annotations

from functools import partial

from leafinstruct.sketchbook.planting import noise, personal, phrases, text
from leafinstruct.sketchbook.planting.planter import Planter
from leafinstruct.sketchbook.planting.text import everywhere, lines_of

TEXT, LANGUAGE, GIBBERISH = "score: text", "score: document.language", "score: gibberish"
HOST, PERSONAL, PLEA = "score: repeated on host", "score: personal", "score: plea"
TALK, REPEATED = "score: page talk", "score: text.repetition"
JUDGE = "judge"
SITE = 12
"""Pages of a site: filter removes a paragraph that 10 pages of a host or more have."""
MOST, ALL = "two thirds of the paragraphs", "all paragraphs"

CLASSES = (
    Planter("keywords", "text", "lists of key words without stop words", (TEXT, JUDGE), MOST, text.keywords),
    Planter("list_only", "text", "lists of two or three words an item", (TEXT, JUDGE), ALL, text.list_only),
    Planter(
        "teasers",
        "text",
        "beginnings of articles that end in `Read more ...`",
        (TEXT, JUDGE),
        ALL,
        text.teasers,
    ),
    Planter("symbols", "text", "every other word is a run of symbols", (TEXT, JUDGE), MOST, noise.symbols),
    Planter(
        *("repeated_lines", "text", "one sentence of the page again and again", (REPEATED, JUDGE), MOST),
        text.repeated_lines,
    ),
    Planter(
        *(
            "repeated_paragraphs",
            "text",
            "two paragraphs three more times",
            (REPEATED, JUDGE),
            "six paragraphs",
        ),
        *(text.repeated_paragraphs, "document", 1, 2),
    ),
    Planter(
        "keyboard_mash",
        "text",
        "words of neighboring keys",
        (GIBBERISH, LANGUAGE, JUDGE),
        MOST,
        noise.keyboard_mash,
    ),
    Planter(
        "mojibake", "text", "UTF-8 read as Windows-1252", (GIBBERISH, LANGUAGE, JUDGE), MOST, noise.mojibake
    ),
    Planter(
        *(
            "shuffled_letters",
            "text",
            "letters of every longer word in another order",
            (GIBBERISH, LANGUAGE, JUDGE),
        ),
        *(ALL, noise.shuffled_letters),
    ),
    Planter(
        "ocr_rubble",
        "text",
        "misread letters of a bad scan",
        (GIBBERISH, LANGUAGE, JUDGE),
        ALL,
        noise.ocr_rubble,
    ),
    Planter(
        "random_words",
        "text",
        "words of the page in random order",
        (GIBBERISH, JUDGE),
        ALL,
        noise.random_words,
    ),
    Planter(
        "byte_dump",
        "text",
        "base64 and hashes with file names",
        (TEXT, GIBBERISH, JUDGE),
        MOST,
        noise.byte_dump,
    ),
    Planter(
        "wrong_language",
        "text",
        "another language than title and alt texts",
        (LANGUAGE, JUDGE),
        ALL,
        text.wrong_language,
    ),
    Planter(
        "mixed_language",
        "text",
        "half of the page in another language",
        (LANGUAGE, JUDGE),
        "half of the paragraphs",
        text.mixed_language,
    ),
    *(
        Planter(
            name,
            "text",
            f"{what} that all pages of the site have",
            (HOST, JUDGE),
            "one paragraph",
            partial(everywhere, words),
            site=SITE,
        )
        for name, what, words in (
            ("navigation", "navigation", phrases.NAVIGATION),
            ("cookie_text", "a cookie notice", phrases.COOKIES),
            ("disclaimer", "a disclaimer", phrases.DISCLAIMER),
        )
    ),
    Planter(
        "page_talk", "text", "talk about the page: click, scroll, log in", (TALK, JUDGE), MOST, text.page_talk
    ),
    Planter(
        "advertising",
        "text",
        "advertising: capitals, links, repetition",
        (TEXT, REPEATED, JUDGE),
        MOST,
        text.advertising,
    ),
    Planter("seo_spam", "text", "sentences made for search terms", (TEXT, REPEATED, JUDGE), MOST, text.seo),
    Planter("machine_text", "text", "phrases of a language model", (TALK, JUDGE), MOST, text.machine),
    Planter(
        "truncated_text",
        "text",
        "ends within a word, half-way",
        (TEXT, JUDGE),
        "second half of the text",
        text.truncated,
    ),
    Planter("code_dump", "text", "code without prose", (TEXT, JUDGE), ALL, text.code_dump),
    Planter("license_text", "text", "a license instead of the text", (TEXT, JUDGE), ALL, text.license_text),
    *(
        Planter(name, "text", what, (PLEA, JUDGE), "two sentences", partial(lines_of, lines, 2))
        for name, what, lines in (
            ("judge_plea", "asks the judge for a high score", phrases.JUDGE_PLEAS),
            ("model_plea", "gives orders to a language model", phrases.MODEL_PLEAS),
        )
    ),
    *(
        Planter(name, "text", what, (PERSONAL,), "three values", partial(personal.private, value))
        for name, what, value in (
            ("emails", "e-mail addresses of no reserved name", personal.email),
            ("phones", "telephone numbers that are valid", personal.phone),
            ("cards", "card numbers with a valid check digit", personal.card),
            ("ip_addresses", "public IPv4 addresses", personal.ip_address),
            ("keys", "access keys", personal.key),
        )
    ),
    Planter(
        "toxic",
        "text",
        "mild insults of a stated list",
        ("score: toxic", JUDGE),
        "four sentences",
        text.toxic,
    ),
)
