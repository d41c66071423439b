# ruff: noqa: RUF001 - typographic quotes and dashes, and Cyrillic letters, are what texts have
"""Wordings that refer to images, for references.py. Data only: compiled patterns, grouped by kind.

English, with the basic forms of German, French, Spanish, Dutch, Portuguese, Italian, Russian, Chinese and
Japanese. Group `n` is a stated number of images or steps, group `k` the number of one figure.
"""

from __future__ import annotations

import re

Patterns = tuple[re.Pattern[str], ...]


def _each(*patterns: str) -> Patterns:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


def _stems(words: str) -> tuple[str, ...]:
    return tuple(words.split())


NUMBERS = {
    word: value
    for words, value in (
        ("two zwei deux dos twee dois duas due два две двух двумя 二 两 兩", 2),
        ("three drei trois tres drie três tre три трёх трех 三", 3),
        ("four vier quatre cuatro quatro quattro четыре четырёх четырех 四", 4),
        ("five fünf cinq cinco vijf cinque пять пяти 五", 5),
        ("six sechs seis zes sei шесть шести 六", 6),
        ("seven sieben sept siete zeven sete sette семь семи 七", 7),
        ("eight acht huit ocho oito otto восемь восьми 八", 8),
        ("nine neun neuf nueve negen nove девять девяти 九", 9),
        ("ten zehn dix diez tien dez dieci десять десяти 十", 10),
        ("eleven elf onze once undici одиннадцать 十一", 11),
        ("twelve zwölf douze doce twaalf doze dodici двенадцать 十二", 12),
    )
    for word in words.split()
}
SOME_NUMBER = re.compile(r"\d|\bboth\b|" + "|".join(sorted(NUMBERS, key=len, reverse=True)))
"""Matches text in lower case."""

_SPELLED = "|".join(word for word in sorted(NUMBERS, key=len, reverse=True) if word[0] < "\u3000")
_N = rf"\b(?P<n>\d{{1,2}}|{_SPELLED})\s+"
_CJK_N = r"(?P<n>(?<!\d)\d{1,2}|十[一二]|[二两兩三四五六七八九十])\s*"
_SIZES = (
    "small little easy simple short quick basic big large colou?r(?:ful)? numbered kleinen? "
    "einfachen? kurzen? petites? simples? faciles? "
    "f[áa]ciles"
)
_FEW = rf"(?:(?:{'|'.join(_SIZES.split())})\s+){{0,2}}"
_IMAGES = (
    r"(?:pictures|images|photos|photographs|illustrations|screenshots"
    r"|bildern?|abbildungen|fotos|illustrationen|im[áa]genes|ilustraciones|fotograf[ií]as"
    r"|afbeeldingen|foto['’]s|plaatjes|imagens|ilustra[cç][oõ]es|immagini|foto|illustrazioni"
    r"|картинк\w*|изображени\w*|фотографи\w*|рисунк\w*|фото)\b"
)
"""Plural nouns that mean images and nothing else."""
_UNITS = (
    r"(?:steps|layers|parts|stops|stages|phases|panels|scenes"
    r"|schritten?|teilen?|étapes|pasos|stappen|passos|passi|passaggi|шаг(?:ов|ах|а))\b"
)
_UNIT = r"\b(?:step|part|stage|stop|schritt|teil|[ée]tape|paso|stap|passo|шаг)"

_BEFORE_ALL = (
    r"in|for|has|have|contains|includes|comprises|shows|consists of|made of|told in|with the|over|"
    r"through|follow|follow the|look at the"
    r"|see the|read the|study the|there are|here are|in den|hat|enthält|mit den|es gibt|en|tiene|hay|"
    r"em|tem|há|ha|ci sono|heeft|bevat|er zijn"
    r"|comporte|contient|avec les|il y a|в|на|из"
)
_AFTER_ALL = (
    r"tell|show|explain|illustrate|one by one|in all|in total|zeigen|montrent|muestran|tonen|mostram|"
    r"mostrano|показывают"
)
_ONLY = r"(?:(?:just|only|all|alle)\s+)?"
TOTALS = _each(
    rf"\b(?:{_BEFORE_ALL})\s+{_ONLY}{_N}{_FEW}{_IMAGES}",
    rf"{_N}{_FEW}{_IMAGES}\s+(?:{_AFTER_ALL})\b",
    rf"{_CJK_N}(?:张|張|幅|枚|つ)の?(?:图片|圖片|图|圖|照片|插图|插圖|画像|写真|イラスト|絵)",
)
"""A number of all images, if it is in the opening or the closing of a text."""
SOME = _each(
    r"\b(?:the|these|those|all|following|die|diese|alle|les|ces|las|los|estas|estos|as|os|deze|de|le|"
    r"queste|эти)\s+"
    rf"{_N}{_FEW}{_IMAGES}",
    r"\bboth(?:\s+(?:of\s+)?the)?\s+(?:pictures|images|photos|photographs|illustrations|screenshots)\b",
)
"""At least this many images."""
STEPS = _each(
    r"\b(?:in|has|have|with|needs?|takes?|are|follow the|these|the|in den|hat|en|avec|con|com|em|met|"
    r"heeft|tiene|tem|за|в)\s+"
    rf"{_ONLY}{_N}{_FEW}{_UNITS}"
)
"""A number of steps, layers and the like."""
STEP_OF = _each(rf"{_UNIT}\s+\d{{1,2}}\s*(?:/|\b(?:of|von|sur|de|van|di|из)\b)\s*(?P<n>\d{{1,2}})\b")
"""One of a number of steps."""
ILLUSTRATED = re.compile(
    r"\b(?:each|every)\s+(?:step\s+(?:has|with|comes with)\s+(?:a|an|its)\s+)?"
    r"(?:picture|image|photo|photograph|illustration|drawing|map|screenshot)\b"
    r"|\b(?:picture|image|photo|photograph|illustration|drawing|screenshot)s?\s+(?:of|for)\s+(?:each|every)\b"
    r"|\bjedes\s+bild\b|\bzu\s+jedem\s+schritt\s+ein\b",
    re.IGNORECASE,
)
"""Each step has an image."""
NOT_ALL = re.compile(
    r"(?:\b(?:another|other|more|extra|additional|first|last|next|previous|of|or|to|and|at least|at "
    r"most|up to|about|around|over|than"
    r"|every|any|these|those|following|diese|ces|estas|estos|queste|deze|эти|weitere[nr]?|"
    r"andere[nr]?|erste[nr]?|letzte[nr]?|autres?|premi[eè]res?|derni[eè]res?|otr[ao]s|primer[ao]s|"
    r"[úu]ltim[ao]s"
    r"|outr[ao]s|altr[ei]|prim[ei])|\d\s*[-–—/])\s*$",
    re.IGNORECASE,
)
"""Before a number: it counts only some of the images."""
LOCAL = re.compile(
    (
        r"\s+(?:below|above|on|to|at|unten|oben|ci-|hieronder|abajo|abaixo|sotto|which|that|of (?:the|"
        r"this|my|our))\b"
    ),
    re.IGNORECASE,
)
"""After a number of images: it counts those at a place or of a kind."""

_NOUN = (
    r"(?:pictures?|images?|pics?|photos?|photographs?|figures?|diagrams?|screen ?-?shots?|screen "
    r"captures?|illustrations?|drawings?"
    r"|maps?|charts?|graphs?)\b"
)
_THE = (
    rf"\b(?:(?:the|this|these|an?|in)\s+(?:\w+\s+){{0,2}}?|see\s+){_NOUN}\s+"
    r"(?:(?:directly|right|just|shown|here)\s+)*"
)
_NO_OBJECT = r"(?!\s+(?:the|a|an|your|this|that|it|its|each|which|average|all|\d+)\b)"
"""Excludes "the image below the title"."""
_DE_NOUN = r"(?:bild(?:er[n]?)?|abbildung(?:en)?|fotos?|grafik(?:en)?)\b"
_FR_NOUN = r"\b(?:image|photo|figure|illustration|capture d['’]écran)s?\s+"
_ES_NOUN = r"\b(?:im[aá]gen|foto|figura|ilustraci[oó]n|captura de pantalla)(?:es|s)?\s+"
_NL_NOUN = r"(?:afbeelding|foto|figuur|plaatje|schermafbeelding)(?:en|['’]s|s)?\b"
_PT_NOUN = r"\b(?:imagem|imagens|fotos?|figuras?)\s+"
_IT_NOUN = r"(?:immagin[ei]|foto|figur[ae]|illustrazion[ei])\b"
_RU_NOUN = r"(?:рисунке|картинке|изображении|фото|фотографии|скриншоте)"
BELOW = _each(
    rf"{_THE}(?:below|underneath|beneath)\b{_NO_OBJECT}",
    rf"\b(?:the|this|these|in)\s+(?:following|below)\s+(?:\w+\s+)?{_NOUN}",
    rf"\b(?:in|on|by)\s+the\s+next\s+{_NOUN}",
    rf"\bbelow\s+(?:is|are|you (?:can )?see)\s+(?:an?|the|some|two|three|\d)\s+(?:\w+\s+)?{_NOUN}",
    rf"\b(?:im|das|die|den|der)\s+(?:folgende|untenstehende|nachfolgende|untere)[nrs]?\s+{_DE_NOUN}",
    rf"\b{_DE_NOUN}\s+(?:unten|darunter)\b|\bunten\s+(?:abgebildet|im bild)\b",
    rf"{_FR_NOUN}(?:ci-dessous|suivantes?)\b|\billustr\w+\s+ci-dessous\b",
    (
        rf"{_ES_NOUN}(?:de abajo|siguientes?|a continuaci[oó]n|que sigue)\b|"
        r"\bsiguientes?\s+(?:im[aá]gen(?:es)?|fotos?|figuras?)\b"
    ),
    rf"\b{_NL_NOUN}\s+hieronder\b|\bonderstaande\s+{_NL_NOUN}|\bhieronder\s+afgebeeld\b",
    rf"{_PT_NOUN}(?:abaixo|a seguir|seguintes?)\b",
    rf"\b{_IT_NOUN}\s+(?:qui\s+)?(?:sotto|seguent[ei]|in basso)\b|\bseguent[ei]\s+{_IT_NOUN}",
    rf"\b(?:на|в)\s+{_RU_NOUN}\s+ниже\b|\bна\s+следующ\w+\s+{_RU_NOUN}",
    r"(?<!以)下[图圖図](?![书館馆])|下の(?:図|写真|画像|絵|イラスト)|以下の(?:図|写真|画像)|次の(?:図|写真|画像)|如下[图圖]|下面的?(?:图|圖|照片)",
)
ABOVE = _each(
    rf"{_THE}above\b{_NO_OBJECT}",
    rf"\b(?:the|this|these|in)\s+(?:above|preceding)\s+(?:\w+\s+)?{_NOUN}",
    (
        rf"\b(?:im|das|die|den|der)\s+(?:obige|obenstehende|obere)[nrs]?\s+{_DE_NOUN}|"
        rf"\b{_DE_NOUN}\s+oben\b|\boben\s+abgebildet\b"
    ),
    rf"{_FR_NOUN}(?:ci-dessus|précédentes?)\b",
    rf"{_ES_NOUN}(?:de arriba|anterior(?:es)?)\b",
    rf"\b{_NL_NOUN}\s+hierboven\b|\bbovenstaande\s+{_NL_NOUN}",
    rf"{_PT_NOUN}(?:acima|anterior(?:es)?)\b",
    rf"\b{_IT_NOUN}\s+(?:qui\s+)?(?:sopra|precedent[ei])\b",
    rf"\bна\s+{_RU_NOUN}\s+выше\b",
    r"(?<!以)上[图圖図](?![书館馆])|上の(?:図|写真|画像|絵|イラスト)|上記の(?:図|写真|画像)|上面的?(?:图|圖|照片)",
)
BESIDE = _each(rf"{_THE}(?:on|to|at)\s+the\s+(?:left|right)\b(?!\s+(?:of|side of))")
"""An image in either direction."""
_SHOWN = (
    r"\b(?:shown|seen|pictured|illustrated|depicted|displayed|abgebildet|gezeigt|dargestellt|montré|"
    r"illustré|se muestra|mostrado|mostrato"
    r"|illustrato|getoond|показано)\s+(?:here\s+)?(?:(?:directly|right|just)\s+)?"
)
SHOWN_BELOW = _each(
    (
        rf"{_SHOWN}(?:below|underneath|beneath|unten|ci-dessous|abajo|a continuaci[oó]n|abaixo|sotto|di "
        r"seguito|hieronder|ниже)\b"
    ),
    r"\bwie\s+unten\s+(?:gezeigt|dargestellt|abgebildet|zu sehen)\b",
    r"如下所示|以下のように",
)
"""An image, code, a table or a list."""
SHOWN_ABOVE = _each(
    rf"{_SHOWN}(?:above|oben|ci-dessus|arriba|acima|sopra|hierboven|выше)\b",
    r"\bwie\s+oben\s+(?:gezeigt|dargestellt|abgebildet)\b",
)
OTHERS_SHOWN = re.compile(
    r"\b(?:code|program|script|table|text|example|commands?|list|steps?|instructions?|function|"
    r"blocks?|section|paragraph|output|links?"
    r"|formula|settings?|values?|lines?|syntax|format|structure|message)(?:\s+(?:as|is|are|that is|"
    r"that are|which is))?\s*$",
    re.IGNORECASE,
)
"""Before "shown below": something other than an image is shown."""
CODE = re.compile(
    r"[{};]\s*$|=>|\w\.\w+\(|\w\(\)|^[^\S\n]*+(?:\$|>>>|import|def|let|const|var)\s|```|^\|", re.MULTILINE
)
"""Code or a table in a text whose format does not mark it."""
UNFINISHED = re.compile(
    r"\b(?:like this|shown here|looks? like so|like the following (?:picture|image|photo))\s*:\s*$",
    re.IGNORECASE,
)
"""The end of a text that announces something."""

FIGURES = _each(
    r"\b(?:figure|fig\.|fig|abbildung|abb\.|figura|figuur|рисунок|рис\.)\s*#?(?P<k>\d{1,2})\b(?![.\-–]\d)",
    r"(?:(?<=\bin )|(?<=\bsee )|(?<=\()|(?<=\bin the )|(?<=\bsiehe )|(?<=\bvoir )|(?<=\bver ))"
    r"(?:image|picture|photo|photograph|screenshot|illustration|diagram|bild|foto|imagen|imagem|"
    r"immagine|afbeelding)"
    r"\s*#?(?P<k>\d{1,2})\b(?![.\-–]\d)",
    r"\b(?:image|picture|photo|photograph|screenshot|illustration)\s*#\s?(?P<k>\d{1,2})\b",
    r"[图圖図]\s*(?P<k>\d{1,2})(?![.\-–]?\d)(?!\s*[张張幅枚])",
)
LABEL = re.compile(
    r"\s*(?:figure|fig\.?|image|picture|photo|photograph|screenshot|illustration|diagram|abbildung|"
    r"abb\.?|bild|figura|figuur|afbeelding"
    r"|рисунок|рис\.?|[图圖図])\s*#?(\d{1,2})(?:\s*[:.|)–—-]|\s|$)",
    re.IGNORECASE,
)
"""The beginning of a caption that carries a number."""

IMAGE_STEMS = _stems(
    "picture image photo illustration screenshot bild abbildung foto imágen ilustra afbeelding plaatje "
    "imagens immagin картин изображен рисун фото 图 圖 片 写真 画像 絵 イラスト"
)
STEP_STEMS = _stems(
    "step layer part stop stage phase panel scene schritt teil tape paso stap passo passi passagg шаг"
)
SHOWN_STEMS = _stems(
    "fig diagram screen illustr draw map chart graph pic shown seen depicted displayed gezeigt sehen "
    "dargestellt abgebildet abb. grafik captur montré muestra mostrad mostrat getoond показан рис "
    "скриншот 図 下 上 like looks"
)
DIRECTION_STEMS = _stems(
    "below above neath following preceding next left right this: here: so: unten oben darunter folgend "
    "unter ober ci-dess suivant précédent abajo arriba siguiente continuaci anterior sigue hieronder "
    "hierboven onderstaande bovenstaande abaixo acima seguir seguinte sotto sopra seguent precedent basso "
    "ниже выше следующ 下 上 以下 次"
)
"""Stems, in lower case, without which no pattern of a kind matches: searching plain strings costs a hundredth
of the patterns."""
