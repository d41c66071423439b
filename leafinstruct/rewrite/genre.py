"""What kind of text a document is: instructions in steps, a story, or anything else. Pure; English words, and numbers of any language.

    how_to   its title or first text says so ("How to ...", "Draw a house"), or it has two numbered steps or more, or a quarter of its sentences are
             orders ("Connect the cable.")
    story    it opens like a story, or half of its sentences tell what somebody did, and few of them are orders
    report   everything else, and every text whose language these words do not know

Only the wording of the question depends on it. Chosen over a classifier: the question must be right, and `report` fits every text.
"""

from __future__ import annotations

import re

from leafinstruct.records.document import Document, Text
from leafinstruct.records.signs import STEP
from leafinstruct.rewrite.config import Genre

FEWEST_STEPS, ORDERS, TOLD, FEWEST_SENTENCES = 2, 0.25, 0.5, 2
"""Numbered steps of a how-to; share of orders in a how-to; share of told sentences in a story; sentences below which shares mean nothing."""

_HOW_TO = re.compile(
    r"\b(?:how (?:to|do|can)|step[- ]by[- ]step|instructions?|tutorial|lesson|recipe|diy|learn to|in \d+ (?:\w+ )?steps)\b", re.IGNORECASE
)
_ORDINAL = re.compile(r"\W*the (?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|next|last) step\b", re.IGNORECASE)
_STORY = re.compile(
    r"\b(?:once upon a time|one (?:fine |sunny |rainy )?(?:day|morning|night|evening)\b|(?:short|small|picture) story\b|the story of\b"
    r"|end of the story\b)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:\W|(?:now|then|next|first|second|third|finally|lastly|after that|please|step \d+|\d+[.)])\b[,:]?\s*)+", re.IGNORECASE
)
_ORDER = re.compile(
    r"(?:add|adjust|apply|arrange|attach|bake|bend|boil|bring|build|carry|change|check|choose|chop|clean|click|close|color|colour|combine|connect"
    r"|continue|cook|copy|cover|create|cut|download|drag|drain|draw|drill|drop|enter|fill|find|fold|glue|go|grab|hold|insert|install|join|keep|lay"
    r"|leave|let|lift|look|make|mark|measure|melt|mix|mount|move|navigate|open|paint|paste|peel|pick|place|plug|position|pour|press|pull|push|put"
    r"|remove|repeat|replace|rinse|roll|rotate|run|save|screw|select|separate|set|sew|shake|shape|slice|slide|solder|sprinkle|spread|stir|start|stick"
    r"|switch|take|tape|tap|test|tie|tighten|touch|trim|try|turn|type|unplug|use|wait|wash|wear|wrap|write)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:i|we|he|she|they)\s+(?:\w+ly\s+)?(?:was|were|had|went|saw|found|came|took|made|got|said|felt|knew|thought|ran|ate|met|gave|left|\w{2,}ed)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。！？।؟])\s+|\n+")  # noqa: RUF001 - the sentence ends of other scripts are meant


def genre_of(document: Document) -> Genre:
    """The kind of a document, from its title and its prose."""
    texts = [text for text in document.texts if text.kind in ("prose", "list", "heading")]
    title = document.title or ""
    if _HOW_TO.search(title):
        return "how_to"
    if any(_STORY.search(text.text) for text in texts[:3]) or _STORY.search(title):
        return "story"
    if _ORDER.match(title) or _HOW_TO.search(texts[0].text if texts else "") or _numbered(texts) >= FEWEST_STEPS:
        return "how_to"
    sentences = [part for text in texts if text.kind != "heading" for part in _SENTENCE.split(text.text) if part.strip()]
    if len(sentences) < FEWEST_SENTENCES:
        return "report"
    orders = sum(_ORDER.match(_LEAD.sub("", sentence)) is not None for sentence in sentences) / len(sentences)
    told = sum(_TOLD.search(sentence) is not None for sentence in sentences) / len(sentences)
    return "how_to" if orders >= ORDERS else "story" if told >= TOLD else "report"


def _numbered(texts: list[Text]) -> int:
    """Numbered steps: `Step 2: ...` in any kind of text, `2. ...` where an item of a list or a paragraph begins so."""
    return sum((STEP.match(line) or _ORDINAL.match(line)) is not None for text in texts for line in text.text.split("\n"))


def first_sentence(document: Document, words: int = 25, characters: int = 160) -> str:
    """The first sentence of the prose, cut where it is long; empty for a document without one. Scripts without spaces are cut by characters."""
    text = next((text.text for text in document.texts if text.kind == "prose"), "") or next((text.text for text in document.texts), "")
    sentence = _END.split(" ".join(text.split()), maxsplit=1)[0]
    cut = " ".join(sentence.split()[:words])[:characters]
    return cut + ("…" if len(cut) < len(sentence) else "")


_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？।؟۔])")  # noqa: RUF001 - the sentence ends of other scripts are meant
