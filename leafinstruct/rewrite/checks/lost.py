"""References of an example to what it does not have: earlier texts that were cut, links, videos, comments.
Pure; phrases of ten languages. References to images are in records/text/references.py.

    earlier   "as mentioned above", "in the previous section": lost if nothing is before it, or if less than
              half of the text that precedes the same words in the document
    link      "click the link", "read more": an example has no links; not lost if its text states a URL
    page      "see the video below", "in the comments", "sign up for our newsletter": parts of a web page
"""

# ruff: noqa: RUF001 - letters and punctuation of other scripts are meant

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from leafinstruct.records.document import Document
from leafinstruct.records.example import Turn
from leafinstruct.records.text.words import count_words
from leafinstruct.rewrite.checks.addresses import addresses_in
from leafinstruct.rewrite.checks.coverage import Result

BEFORE = 10
"""Words that must precede a reference to an earlier text that the document does not contain."""
SHARE = 0.5
"""Share of the words before a reference in the document that must be before it in the example."""
MOST = 50
"""References to earlier texts in one text that are looked up; a hostile text has thousands."""

_EARLIER = re.compile(
    r"\b(?:as|like|was|were|what|already|we)\s+(?:i\s+|we\s+)?(?:have\s+)?(?:mentioned|described|discussed|"
    r"explained|said|noted|stated|saw|seen|covered)\s+(?:above|before|earlier|previously|"
    r"in the (?:previous|last)"
    r"\s+(?:section|chapter|part|step|paragraph))\b"
    r"|\b(?:mentioned|described|discussed|explained)\s+(?:above|earlier|previously)\b"
    r"|\bwie\s+(?:oben|zuvor|bereits)\s+(?:erwähnt|beschrieben|erklärt|gesagt)\b"
    r"|\bcomme\s+(?:mentionné|indiqué|décrit|expliqué|dit)\s+(?:ci-dessus|plus haut|précédemment)"
    r"|\bcomo\s+(?:se\s+)?(?:mencion[óé]\w*|dicho|descri\w+|explic\w+)\s+(?:anteriormente|arriba|"
    r"antes|acima)\b"
    r"|\bcome\s+(?:detto|menzionato|descritto|spiegato)\s+(?:sopra|prima|in precedenza)\b"
    r"|\bzoals\s+(?:hierboven|eerder)\s+(?:vermeld|beschreven|genoemd)\b"
    r"|\bкак\s+(?:уже\s+)?(?:упоминалось|сказано|описано|говорилось)\s+(?:выше|ранее)\b"
    r"|如上所述|如前所述|上文提到|前面提到|前述の(?:通り|とおり)|上で述べた|先ほど(?:述べ|説明)"
    r"|كما\s+(?:ذكرنا|ذكر)\s+(?:أعلاه|سابقا|سابقًا)|जैसा\s+कि\s+(?:ऊपर|पहले)\s+(?:बताया|कहा)",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\bclick(?:ing)?\s+(?:on\s+)?(?:the|this|these|that)\s+(?:\w+\s+)?links?\b(?!\s+(?:button|icon|"
    r"tool|tab|option|"
    r"menu|in the (?:menu|toolbar)))"
    r"|\bclick\s+here\b|\bfollow\s+(?:the|this|these)\s+links?\b|\b(?:the|this)\s+link\s+(?:below|above)\b"
    r"|\bread\s+more\s*(?:[.…»>]|\.\.\.|here\b|$)|\bdownload\s+(?:it\s+)?here\b"
    r"|\bklicken?\s+sie\s+(?:hier|auf\s+(?:den|diesen)\s+link)|\bhier\s+klicken\b|\bweiterlesen\b"
    r"|\bcliquez\s+(?:ici|sur\s+(?:le|ce)\s+lien)|\blire\s+la\s+suite\b"
    r"|\bha(?:z|ga)\s+cli[ck]\s+(?:aquí|en\s+el\s+enlace)|\bleer\s+más\s*$|\bclique\s+(?:aqui|no\s+link)"
    r"|\bclicca\s+(?:qui|sul\s+link)|\bklik\s+(?:hier|op\s+(?:de|deze)\s+link)"
    r"|\b(?:нажмите|щелкните|перейдите)\s+(?:здесь|сюда|по\s+(?:этой\s+)?ссылке)"
    r"|点击(?:这里|此处|链接|以下链接)|點擊(?:這裡|此處|連結)|(?:こちら|ここ)をクリック|リンクをクリック"
    r"|اضغط\s+(?:هنا|على\s+الرابط)|انقر\s+هنا|यहाँ\s+क्लिक|यहां\s+क्लिक|लिंक\s+पर\s+क्लिक",
    re.IGNORECASE | re.MULTILINE,
)
_PAGE = re.compile(
    r"\b(?:watch|see)\s+(?:the|this|our|my)\s+video\b|\b(?:in|see|"
    r"leave a comment in)\s+the\s+comments?\s+(?:below|"
    r"section)\b|\bleave\s+(?:a|your)\s+comments?\b|\b(?:subscribe|sign\s+up)\s+(?:to|for)\s+(?:our|"
    r"my|the)\s+"
    r"(?:newsletter|channel|mailing list)\b|\bshare\s+this\s+(?:page|post|article)\b"
    r"|\b(?:on|to)\s+the\s+(?:next|previous)\s+page\b"
    r"|\babonnieren\s+sie\s+unseren\b|\babonnez-vous\s+à\b|\bsuscr[íi]bete\s+a\b|\bподпишитесь\s+на\b"
    r"|訂閱我們|订阅我们|チャンネル登録",
    re.IGNORECASE,
)


def lost(document: Document, turns: Sequence[Turn]) -> Result:
    """Number of references to what the example lacks, with their words as detail."""
    found: list[str] = []
    before: list[str] = []
    source = "\n".join(text.text for text in document.texts)
    for text in (part for turn in turns for part in turn.parts if isinstance(part, str)):
        found += _in_text(text, before, source)
        before.append(text)
    shown = ", ".join(f'"{words}"' for words in found[:5])
    return float(len(found)), f"leave out references to what is not there: {shown}" if found else ""


def _in_text(text: str, before: Sequence[str], source: str) -> Iterator[str]:
    if not any(addresses_in(text)):
        yield from (found[0] for found in _LINK.finditer(text))
    yield from (found[0] for found in _PAGE.finditer(text))
    for found in islice(_EARLIER.finditer(text), MOST):
        preceding = count_words([*before[1:], text[: found.start()]])  # the instruction is no earlier text
        at = source.find(found[0])
        needed = BEFORE if at < 0 else SHARE * count_words([source[:at]])
        if preceding < max(1, needed):
            yield found[0]
