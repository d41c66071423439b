"""Numbers in words, by language. Data, and the value of a sequence of such words. Pure.

`CLAIMED` are words that state a number in any context; `KNOWN` adds those that may mean something else
("one", "second", German "acht"), which may explain a digit but are no statement of their own. Languages
without an entry, and numbers composed in one word (German "einundzwanzig"), are not read.
"""

from __future__ import annotations

from collections.abc import Sequence


def _numbered(first: int, words: str, step: int = 1) -> dict[str, int]:
    """Words of consecutive numbers; forms of one number are joined by a slash, a dash skips a number."""
    return {
        form: first + step * at
        for at, forms in enumerate(words.split())
        for form in forms.split("/")
        if form != "-"
    }


CLAIMED: dict[str, dict[str, int]] = {
    "en": {
        **_numbered(
            2, "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        ),
        **_numbered(16, "sixteen seventeen eighteen nineteen"),
        **_numbered(20, "twenty thirty forty fifty sixty seventy eighty ninety", 10),
        "hundred": 100,
        "thousand": 1_000,
        "million": 1_000_000,
        "dozen": 12,
    },
    "de": {
        **_numbered(2, "zwei drei vier fünf sechs sieben - neun zehn elf zwölf dreizehn vierzehn fünfzehn"),
        **_numbered(20, "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig", 10),
        "hundert": 100,
        "tausend": 1_000,
        "dutzend": 12,
    },
    "fr": {
        **_numbered(2, "deux trois quatre cinq six sept huit - dix onze douze treize quatorze quinze seize"),
        **_numbered(20, "vingt trente quarante cinquante soixante", 10),
        "cent": 100,
        "mille": 1_000,
    },
    "es": {
        **_numbered(2, "dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince"),
        **_numbered(20, "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa", 10),
        "cien": 100,
        "mil": 1_000,
    },
    "it": {
        **_numbered(2, "due tre quattro cinque - sette otto nove dieci undici dodici tredici quattordici"),
        **_numbered(20, "venti trenta quaranta cinquanta sessanta settanta ottanta novanta", 10),
        "cento": 100,
        "mille": 1_000,
    },
    "pt": {
        **_numbered(2, "dois/duas três quatro cinco seis sete oito nove dez onze doze treze catorze quinze"),
        **_numbered(20, "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa", 10),
        "cem": 100,
        "mil": 1_000,
    },
    "nl": {
        **_numbered(2, "twee drie vier vijf zes zeven - negen tien elf twaalf dertien veertien vijftien"),
        **_numbered(20, "twintig dertig veertig vijftig zestig zeventig tachtig negentig", 10),
        "honderd": 100,
        "duizend": 1_000,
    },
    "ru": {
        **_numbered(2, "два/две/двух три/трёх/трех четыре/четырёх/четырех пять/пяти шесть/шести"),
        **_numbered(8, "восемь/восьми девять/девяти десять/десяти одиннадцать двенадцать"),
        **_numbered(20, "двадцать тридцать сорок пятьдесят", 10),
        "сто": 100,
        "тысяча": 1_000,
    },
}

_ALSO: dict[str, dict[str, int]] = {
    "en": {
        **_numbered(1, "one/once/first/single second/twice/both/pair/couple third/thrice fourth fifth sixth"),
        **_numbered(7, "seventh eighth ninth tenth eleventh twelfth"),
    },
    "de": {"ein": 1, "eine": 1, "einen": 1, "beide": 2, "beiden": 2, "acht": 8}
    | _numbered(1, "erste/ersten zweite/zweiten dritte/dritten vierte/vierten fünfte/fünften"),
    "fr": {"un": 1, "une": 1, "neuf": 9} | _numbered(1, "premier/première deuxième troisième quatrième"),
    "es": {"un": 1, "una": 1, "uno": 1} | _numbered(1, "primero/primera segundo/segunda tercero/tercera"),
    "it": {"un": 1, "una": 1, "uno": 1, "sei": 6} | _numbered(1, "primo/prima secondo/seconda terzo/terza"),
    "pt": {"um": 1, "uma": 1} | _numbered(1, "primeiro/primeira segundo/segunda terceiro/terceira"),
    "nl": {"een": 1, "één": 1, "acht": 8} | _numbered(1, "eerste tweede derde vierde vijfde"),
    "ru": {"один": 1, "одна": 1, "одно": 1, "семь": 7, "семи": 7}
    | _numbered(1, "первый/первая второй/вторая третий/третья"),
    "ar": _numbered(1, "واحد/واحدة اثنان/اثنين/اثنتان ثلاثة/ثلاث أربعة/أربع خمسة/خمس ستة/ست سبعة/سبع")
    | _numbered(8, "ثمانية/ثماني/ثمان تسعة/تسع عشرة/عشر"),
    "hi": _numbered(1, "एक दो तीन चार पाँच/पांच छह/छः/छ सात आठ नौ दस ग्यारह बारह")
    | {"आधा": 0, "बीस": 20, "तीस": 30, "पचास": 50, "सौ": 100, "हज़ार": 1_000, "हजार": 1_000},
}
KNOWN: dict[str, dict[str, int]] = {
    code: {**CLAIMED.get(code, {}), **_ALSO.get(code, {})} for code in {*CLAIMED, *_ALSO}
}

_IDEOGRAPHS = dict(zip("〇零一二三四五六七八九两兩", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 2), strict=True))
_POWERS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "萬": 10_000, "亿": 10**8, "億": 10**8}
IDEOGRAPHS = "".join((*_IDEOGRAPHS, *_POWERS))
"""Ideographs of numbers in Chinese and Japanese."""


def value_of(values: Sequence[int]) -> int | None:
    """The number that words of these values state together: 2, 100, 5 is 205; None if they are a list of
    numbers."""
    total = current = last = 0
    for value in values:
        if value >= 100 and current:
            current *= value
            if value >= 1_000:
                total, current = total + current, 0
        elif not current or (current % 100 == 0) or (value < 10 and last >= 20 and last % 10 == 0):
            current += value
        else:
            return None
        last = value
    return total + current


def value_of_ideographs(run: str) -> int:
    """The number of a run of IDEOGRAPHS: 三百二十 is 320, 二〇二〇 is 2020."""
    if not any(sign in _POWERS for sign in run):
        return int("".join(str(_IDEOGRAPHS[sign]) for sign in run))
    total = section = digit = 0
    for sign in run:
        power = _POWERS.get(sign)
        if power is None:
            digit = _IDEOGRAPHS[sign]
        elif power < 10_000:
            section += (digit or 1) * power
            digit = 0
        else:
            total += (section + digit or 1) * power
            section = digit = 0
    return total + section + digit
