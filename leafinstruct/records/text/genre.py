"""The genre of a document: instructions in steps, a story, or anything else. Pure; English words, and numbers
in the digits of any script.

    how_to   its title or first text says so ("How to ...", "Draw a house"), or it has two steps called so
             ("Step 2") or,
             in another language, numbered, or 1/4 of its sentences are orders ("Connect the cable."); 1/8 is
             enough if
             texts are numbered or the title may be an order ("Press the keys" is one, "Press freedom" is not)
    story    it opens like a story, or half of its sentences narrate what somebody did and few are orders
    report   everything else, and every text in another language without steps

The wording of the question depends on it, and whether an answer with shuffled steps is a worse one
(shard/preference). Chosen: rules over a classifier, because a wrong question is worse than a general one, and
`report` fits every text.
"""

from __future__ import annotations

import re
from typing import Literal

from leafinstruct.records.document import Document, Text
from leafinstruct.records.text.signs import STEP, is_line
from leafinstruct.records.text.words import first_words, sentences_of

Genre = Literal["how_to", "story", "report"]

FEWEST_STEPS, ORDERS, SOME_ORDERS, NARRATED, FEWEST_SENTENCES = 2, 0.25, 0.125, 0.5, 2
"""Minimum numbered steps of a how-to; minimum share of orders in a how-to, and in one whose numbers or title
hint at it; minimum share of narrating sentences in a story; minimum sentences to compute shares."""

_HOW_TO = re.compile(
    r"\b(?:how to|step[- ]by[- ]step|tutorial|diy|learn to|in \d+ (?:\w+ )?steps)\b", re.IGNORECASE
)
_SHOWS_HOW = re.compile(
    r"^\W*+how to\b|\b(?:show(?:s|n)?|learn|explains?|describes?|here(?:'s|\u2019s| is)|find out|"
    r"teach(?:es)?|guide|know"
    r"|tell you|see)\b.{0,40}\bhow (?:to|you can)\b"
    r"|\b(?:this|the|my|our) (?:recipe|tutorial|lesson|guide)\b|\bstep[- ]by[- ]step\b|\bin \d+ "
    r"(?:\w+ )?steps\b",
    re.IGNORECASE,
)
_HINTS = re.compile(r"\b(?:how (?:do|can)|instructions?|lesson|recipe)\b", re.IGNORECASE)
_REPORTS = re.compile(
    r"\b(?:reviews?|reviewed|report|news|comparison|compared|versus|vs|study)\b", re.IGNORECASE
)
_ENGLISH = re.compile(r"\b(?:the|and|of|is|are|was|were|with|for|its?|that|this|you|your)\b", re.IGNORECASE)
_ORDINAL = re.compile(
    r"\W*+the (?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|next|last) step\b",
    re.IGNORECASE,
)
_STORY = re.compile(
    r"\b(?:once upon a time|one (?:fine |sunny |rainy )?(?:day|morning|night|evening)\b|(?:short|"
    r"small|picture) story\b|the story of\b"
    r"|end of the story\b)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    (
        r"^(?:\W|(?:now|then|next|first|second|third|finally|lastly|after that|please|step "
        r"\d+)\b[,:]?\s*|\d+[.)]\s+)++"
    ),
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"(?:add|adjust|apply|arrange|attach|bake|bend|boil|bring|build|carry|change|check|choose|chop|"
    r"clean|click|close|color|colour|combine|connect"
    r"|continue|cook|copy|cover|create|cut|download|drag|drain|draw|drill|drop|enter|fill|find|fold|"
    r"glue|go|grab|hold|insert|install|join|keep|lay"
    r"|leave|let|lift|look|make|mark|measure|melt|mix|mount|move|navigate|open|paint|paste|peel|pick|"
    r"place|plug|position|pour|press|pull|push|put"
    r"|remove|repeat|replace|rinse|roll|rotate|run|save|screw|select|separate|set|sew|shake|shape|"
    r"slice|slide|solder|sprinkle|spread|stir|start|stick"
    r"|switch|take|tape|tap|test|tie|tighten|touch|trim|try|turn|type|unplug|use|wait|wash|wear|wrap|"
    r"write|preheat|beat|whisk|simmer|serve|season|unscrew|attach|loosen|unfold|crimp|knead|grease|"
    r"toss)\b"
    r"(?!\s+(?:of|is|are|was|were|has|have|had|will|in)\b)",
    re.IGNORECASE,
)
_TITLE_ORDER = re.compile(rf"(?:{_ORDER.pattern})\s+(?:an?|the|your|my|this|it|up|\d+)\b", re.IGNORECASE)
_OPENING = 1_000
"""Characters of the first text in which phrases of a how-to count."""
_NARRATES = re.compile(
    r"\b(?:i|we|he|she|they)\s+(?:\w+ly\s+)?(?:was|were|had|went|saw|found|came|took|made|got|felt|"
    r"knew|thought|ran|ate|met|gave|left|lost|rode"
    r"|swam|flew|fell|began|brought|bought|built|caught|drank|drove|forgot|grew|heard|held|hid|kept|"
    r"led|paid|sang|sat|slept|spent|spoke|stood|threw|told"
    r"|woke|won|wore|wrote|\w{2,}ed)\b",
    re.IGNORECASE,
)
_REPORTED_SPEECH = re.compile(r"\b(?:said|says|told reporters)\b", re.IGNORECASE)
"""Reported speech, which is as common in news as in stories."""


def genre_of(document: Document) -> Genre:
    """The genre of a document, from its title and its prose."""
    texts = [text for text in document.texts if text.kind in ("prose", "list", "heading")]
    title = document.title or ""
    if _HOW_TO.search(title):
        return "how_to"
    if any(_STORY.search(text.text) for text in texts[:3]) or _STORY.search(title):
        return "story"
    body = [text for text in texts if text.text != title]
    called, numbered = _steps(body)
    if document.language not in (None, "en"):
        return "how_to" if called + numbered >= FEWEST_STEPS else "report"
    first = body[0].text[:_OPENING] if body else ""
    if (
        called >= FEWEST_STEPS
        or (_SHOWS_HOW.search(first) and not _NARRATES.search(first))
        or _TITLE_ORDER.match(title)
    ):
        return "how_to"
    sentences = [part for text in texts if text.kind != "heading" for part in sentences_of(text.text)]
    if called + numbered >= FEWEST_STEPS and not any(_ENGLISH.search(sentence) for sentence in sentences):
        return "how_to"
    if len(sentences) < FEWEST_SENTENCES:
        return "report"
    orders = sum(_ORDER.match(_LEAD.sub("", sentence)) is not None for sentence in sentences) / len(sentences)
    narrated = sum(
        _NARRATES.search(sentence) is not None and not _REPORTED_SPEECH.search(sentence)
        for sentence in sentences
    ) / len(sentences)
    hinted = called + numbered >= FEWEST_STEPS or _ORDER.match(title) or _HINTS.search(title)
    if orders >= (SOME_ORDERS if hinted else ORDERS):
        return "how_to"
    return "story" if narrated >= NARRATED and not _REPORTS.search(title) else "report"


def _steps(texts: list[Text]) -> tuple[int, int]:
    """Number of steps called so (`Step 2: ...`, in any kind of text), and of lines with only a number
    (`2. ...`)."""
    called = numbered = 0
    for text in texts:
        for line in text.text.split("\n"):
            found = STEP.match(line)
            plain = found is not None and found[1] is None
            numbered += plain
            called += not plain and (found is not None or _ORDINAL.match(line) is not None)
    return called, numbered


def first_sentence(document: Document, words: int = 25, characters: int = 160) -> str:
    """The first sentence of the prose, shortened if it is long; empty if there is none.

    A short line that is no sentence ("Introduction") is skipped if a sentence follows.
    """
    prose = [text for text in document.texts if text.kind == "prose"]
    first = next((text for text in prose if not is_line(text)), None) or next(
        iter([*prose, *document.texts]), None
    )
    text = "" if first is None else first.text
    sentence = next(iter(sentences_of(" ".join(text.split()))), "")
    cut = first_words(sentence, words)
    return sentence if cut == sentence and len(sentence) <= characters else cut[:characters].rstrip() + "…"
