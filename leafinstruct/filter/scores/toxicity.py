"""Score of toxic language by counting words of a list.

    toxicity.words   document   words of WORDS per 100 words

The list names insults and vulgar words that are rude in nearly every context, in the languages of the
product. It is short on purpose: it finds pages full of abuse, not a polite page with bad intent. So no rule
uses it by default. Words that are also animals, tools or places are left out. A document is searched for the
words of its language and of English; without a language, for the English ones. In another language the score
is not applicable. Words of scripts without spaces are searched inside the text.
"""

# ruff: noqa: RUF001 - letters of many scripts are intended

from __future__ import annotations

import math
from functools import cache

from leafinstruct.filter.scores.cell import cell
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.text.words import count_words, words_of

NAME = "toxicity.words"

WORDS = {
    "en": "asshole assholes bitch bitches bullshit dickhead dickheads dumbass fuck fucked fucker fuckers "
    "fucking idiot idiots imbecile imbeciles jackass moron morons motherfucker motherfuckers scumbag "
    "scumbags shit shithead shitty slut sluts twat wanker wankers whore whores",
    "de": "arschloch arschlöcher drecksau fick ficken fotze hure huren hurensohn idiot idioten miststück "
    "schlampe schlampen scheiß scheiße trottel vollidiot wichser",
    "fr": "bordel connard connards connasse enculé enculés imbécile merde pute putes putain salaud "
    "salauds salope salopes",
    "es": "cabrón cabrones cojones coño gilipollas hijoputa idiota idiotas imbécil joder mierda pendejo "
    "pendejos puta putas puto",
    "pt": "arrombado babaca bosta caralho cuzão foda fodase idiota imbecil merda porra puta putas vadia",
    "it": "bastardo bastardi cazzo coglione coglioni cretino fanculo idiota imbecille merda puttana stronza "
    "stronzi stronzo vaffanculo",
    "nl": "hoer hoeren idioot idioten klootzak klootzakken kut kutwijf lul neuken slet verdomme",
    "pl": "chuj chuja debil debile dziwka dupek idiota idioci jebać jebany kurwa kurwy pierdolić skurwysyn",
    "tr": "amk gerizekalı kahpe orospu piç siktir şerefsiz",
    "ru": "блядь говно дебил долбоёб идиот идиоты мразь мудак мудаки пиздец сволочь сука суки хуй шлюха",
    "zh": "傻逼 操你 他妈的 混蛋 白痴 贱人 婊子 王八蛋 畜生",
    "ja": "くそったれ 死ね 馬鹿野郎 キチガイ クズ野郎",
    "ko": "씨발 개새끼 병신 지랄 미친놈 미친년 좆",
    "ar": "غبي أحمق عاهرة شرموطة حقير",
}
"""Language -> words in lower case."""

_UNSPACED = frozenset(("zh", "ja", "ko"))


def scores(document: Document) -> list[Cell]:
    """The one cell of a document. NaN (stored as null) for a document without words."""
    language = document.language or "en"
    if language not in WORDS:
        detail = f"there is no list of words for the language {language}"
        return [Cell(NAME, None, "not_applicable", detail=detail)]
    texts = [text.text for text in document.texts if text.kind != "code"]
    together = "\n".join(texts)
    found = _count(together.lower(), language)
    if not found and any(map(str.isalpha, together)):
        return [cell(NAME, 0.0)]  # most texts, whose words need not be counted
    words = count_words(texts)
    return [cell(NAME, 100 * found / words if words else math.nan)]


def _count(text: str, language: str) -> int:
    found = sum(text.count(word) for word in _listed(language)) if language in _UNSPACED else 0
    spaced = _listed("en") | (frozenset[str]() if language in _UNSPACED else _listed(language))
    if any(word in text for word in spaced):
        found += sum(word in spaced for word in words_of(text))
    return found


@cache
def _listed(language: str) -> frozenset[str]:
    return frozenset(WORDS[language].split())
