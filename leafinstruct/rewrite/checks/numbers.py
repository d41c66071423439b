"""Numbers of a text, in the digits of any script and in words, each with all its readings. Pure.

    1,000  1.000  1 000  1'000     1000; with a dot or comma also 1, unless it ends in 000
    1/2  ½  0,5                    0.5              2½                  2.5
    3:30 pm  15:30                 15:30 of the day; 3:30 is either half
    five  twenty-five              words of number_words.py            三百二十            320
    3.11.2                         a version, only as a whole          25.12.2020          each of its numbers
    5 cm  5 centimeters  5-cm      5 with the unit cm

Two numbers match if they share a reading. A sign before a number is not read (a range and a dash look like
one), the number 1 states nothing ("a cup", "1 cup"), and neither does the number of a list item or a step.
"""

# ruff: noqa: RUF001 - letters and punctuation of other scripts are meant

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import regex

from leafinstruct.records.text.signs import STEP
from leafinstruct.records.text.words import without_markers
from leafinstruct.rewrite.checks import number_words


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    words: as written. readings: what it may mean; one is enough to match. parts: the numbers that it consists
    of, which together match it, too; empty if it is only a whole. unit: known unit after (or before) it, in
    one spelling; None if there is none. states: whether it is a statement, or only explains one.
    """

    words: str
    readings: frozenset[str]
    parts: frozenset[str] = frozenset()
    unit: str | None = None
    states: bool = True


_FORMS = """
mm/millimeter/millimeters/millimetre/millimetres/millimètres/milímetros/millimetri/мм/毫米/مم
cm/centimeter/centimeters/centimetre/centimetres/zentimeter/centimètre/centimètres/centímetros/centimetri/см/厘米/公分/センチ/سم/सेमी
m/meter/meters/metre/metres/mètre/mètres/metros/metri/м/米/メートル/متر/मीटर
km/kilometer/kilometers/kilometre/kilometres/kilomètres/kilómetros/chilometri/км/公里/千米/キロ/كم/किमी
inch/inches/zoll/pouces/pulgadas/pollici/дюймов/英寸/インチ ft/foot/feet/fuß yd/yard/yards
mile/miles/meilen mg/milligram/milligrams/мг/毫克
g/gram/grams/gramme/grammes/gramm/gramos/grammi/г/克/グラム/غرام/ग्राम
kg/kilogram/kilograms/kilo/kilos/кг/公斤/千克/كجم/किलो oz/ounce/ounces lb/lbs/pound/pounds
ml/milliliter/milliliters/millilitres/мл/毫升
l/liter/liters/litre/litres/litros/litri/л/升/リットル/لتر/लीटर cup/cups tbsp/tablespoon/tablespoons/el
tsp/teaspoon/teaspoons/tl
sec/second/seconds/secs/sekunden/secondes/segundos/secondi/секунд/秒/ثانية/सेकंड
min/minute/minutes/mins/minuten/minutos/minuti/минут/分钟/分鐘/دقيقة/मिनट
h/hour/hours/hr/hrs/stunden/heures/horas/ore/часов/小时/小時/時間/ساعة/घंटे
day/days/tage/jours/días/giorni/дней/天/日間 week/weeks/wochen month/months/monate/mois
year/years/jahre/ans/años/anni/лет %/percent/prozent/pourcent/процентов/٪ °c/℃ °f/℉
°/degrees/degree/grad v/volt/volts mv w/watt/watts ma mah hz khz mhz ghz kb mb gb tb px/pixel/pixels
$/usd/dollar/dollars €/eur/euro/euros £/gbp ¥/yen/円 ₹/rupees
"""
"""Spellings of each unit, the first one first."""
_UNITS = {form: forms.split("/")[0] for forms in _FORMS.split() for form in forms.split("/")}
"""Spelling of a unit -> its first spelling."""

_VULGAR = "¼-¾⅐-⅞↉"
_GAP = r"[ \u00a0\u202f]"
_TOKEN = regex.compile(
    rf"(?<![\p{{Latin}}\p{{Greek}}\p{{Cyrillic}}\d_])(?P<money>[$€£¥₹])?{_GAP}?(?:"
    rf"(?P<whole>\d{{1,4}})?{_GAP}?(?P<vulgar>[{_VULGAR}])"
    rf"|(?:(?P<whole2>\d{{1,4}})[ -])?(?<![/\d])(?P<above>\d{{1,4}})[/⁄](?P<below>\d{{1,4}})(?![/\d])"
    r"|(?P<hour>[01]?\d|2[0-4])[:h](?P<minute>[0-5]\d)(?::\d\d)?(?!\d)"
    rf"|(?P<plain>\d{{1,3}}(?:['’\u00a0\u202f ]\d{{3}})++(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*+)"
    rf")(?:{_GAP}?(?P<half>[ap])\.?{_GAP}?m\b\.?)?"
    rf"(?P<behind>(?:{_GAP}|-)?(?:%|٪|°{_GAP}?[cf]?|℃|℉|[$€£¥₹]|[\p{{L}}\p{{M}}]{{1,16}}))?",
    regex.IGNORECASE,
)
_DIGIT = regex.compile(r"[\p{Nd}--[0-9]]", regex.V1)
_SIGNS = str.maketrans({"٫": ".", "٬": ",", "．": ".", "，": ",", "：": ":", "／": "/", "％": "%"})
_GROUPED = re.compile(r"\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3})+")
_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d{4}|\d\d)|\d{4}\.\d{1,2}\.\d{1,2}")
_IDEOGRAPHS = re.compile(rf"[{number_words.IDEOGRAPHS}]+")
_STATED = re.compile(r"[二两兩三四五六七八九][一二三四五六七八九]*[十百千万萬].*")
_LONGEST = 15
"""Digits that a float holds; longer numbers are compared as they are written."""


def numbers_in(text: str, language: str | None, *, all_of_them: bool = False) -> Iterator[Number]:
    """Yield the numbers of a text.

    language: of number words, an ISO 639 code; words of other languages are not read. all_of_them: those of
    list items and steps, too.
    """
    for line in (text if all_of_them else without_markers(text)).split("\n"):
        numbered = None if all_of_them else STEP.match(line)
        rest = line[numbered.end(1 if numbered[1] else 0) :] if numbered else line
        plain = _DIGIT.sub(lambda digit: _in_ascii(digit[0]), rest).translate(_SIGNS)
        yield from chain(_in_digits(plain), _in_words(plain, language), _in_ideographs(plain))


@lru_cache(maxsize=1_024)
def _in_ascii(digit: str) -> str:
    """A decimal digit of any script, by the data of `regex`, which found it: Python's may be older."""
    return next(str(value) for value in range(10) if regex.match(rf"\p{{Numeric_Value={value}}}", digit))


def _in_digits(text: str) -> Iterator[Number]:
    for found in _TOKEN.finditer(text):
        behind = (found["behind"] or "").lstrip(" -\u00a0\u202f").replace(" ", "")
        unit = _unit(found["money"] or behind)
        readings, parts = _readings(found)
        words = text[found.start() : found.end() if unit else found.start("behind")]
        words = words if found["behind"] else found[0]
        yield Number(words.strip(), readings, parts, unit, readings != {"1"})


def _readings(found: regex.Match[str]) -> tuple[frozenset[str], frozenset[str]]:
    half = (found["half"] or "").lower()
    if found["vulgar"]:
        whole = int(found["whole"] or 0)
        return frozenset({_shown(whole + unicodedata.numeric(found["vulgar"]))}), frozenset()
    if found["above"]:
        above, below, whole = int(found["above"]), int(found["below"]), int(found["whole2"] or 0)
        value = _shown(whole + above / below) if below else "0"
        return frozenset({value}), frozenset()
    if found["hour"]:
        return _times(int(found["hour"]), found["minute"], half), frozenset()
    plain = found["plain"]
    if half and plain.isdecimal() and len(plain) <= 2:
        return _times(int(plain), "00", half), frozenset()
    if re.fullmatch(r"\d{1,2}\.[0-5]\d", plain) and half:
        hour, _, minute = plain.partition(".")
        return _times(int(hour), minute, half), frozenset()
    return _of_plain(plain)


def _of_plain(plain: str) -> tuple[frozenset[str], frozenset[str]]:
    """Readings and parts of digits with separators."""
    pieces = re.findall(r"\d+", plain)
    if len(pieces) == 1:
        return frozenset({_shown(plain)}), frozenset()
    if _GROUPED.fullmatch(plain) and plain[0] != "0":
        readings = {_shown("".join(pieces))}
        if len(pieces) == 2 and pieces[1] != "000" and re.search(r"[.,]", plain):
            readings.add(_shown(".".join(pieces)))
        return frozenset(readings), frozenset(map(_shown, pieces)) if " " in plain else frozenset()
    if len(pieces) == 2:
        decimal = frozenset({_shown(".".join(pieces))})
        is_time = re.fullmatch(r"(?:[01]?\d|2[0-3])\.[0-5]\d", plain)
        return decimal | (_times(int(pieces[0]), pieces[1], "") if is_time else frozenset()), frozenset()
    if _DATE.fullmatch(plain) or "," in plain.replace(".", ""):
        whole, fraction = "".join(pieces[:-1]), pieces[-1]
        return frozenset({_shown(f"{whole}.{fraction}")}), frozenset(map(_shown, pieces))
    return frozenset({f"v{plain}"}), frozenset()


def _times(hour: int, minute: str, half: str) -> frozenset[str]:
    """Times of the day; without `am` or `pm` an hour up to 12 is in either half."""
    if half:
        return frozenset({f"t{hour % 12 + (12 if half == 'p' else 0)}:{minute}"})
    if 0 < hour <= 12:
        return frozenset({f"t{hour % 12}:{minute}", f"t{hour % 12 + 12}:{minute}"})
    return frozenset({f"t{hour % 24}:{minute}"})


def _shown(value: str | float) -> str:
    """One spelling of a value."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return value.lstrip("0")
    return f"{float(value):.6g}" if float(value) < 100 else f"{float(value):.15g}"


def _unit(words: str) -> str | None:
    known = _UNITS.get(words.casefold())
    # in scripts without spaces the unit is followed by other words
    return known or next((_UNITS[words[:size]] for size in (4, 3, 2, 1) if _is_unspaced(words, size)), None)


def _is_unspaced(words: str, size: int) -> bool:
    return len(words) > size and words[0] >= "\u3000" and words[:size] in _UNITS


def _in_words(text: str, language: str | None) -> Iterator[Number]:
    words, claimed = number_words.KNOWN.get(language or ""), number_words.CLAIMED.get(language or "", {})
    if words is None:
        return
    for found in _sequence(language or "").finditer(text.lower()):
        forms = [form for form in regex.findall(r"[\p{L}\p{M}]+", found[0]) if form in words]
        values = [words[form] for form in forms]
        whole = number_words.value_of(values)
        parts = frozenset(_shown(value) for value in values)
        states = all(form in claimed for form in forms)
        behind = re.match(r"[ -]?([^\W\d_]{1,16})", text[found.end() :])
        unit = _unit(behind[1]) if behind else None
        readings = frozenset({_shown(whole)} if whole is not None else ())
        yield Number(found[0], readings, parts, unit, states)
    if language == "en":
        for word, value in (("half", "0.5"), ("quarter", "0.25")):
            if re.search(rf"\b{word}\b", text, re.IGNORECASE):
                yield Number(word, frozenset({value}), states=False)


@lru_cache(maxsize=16)
def _sequence(language: str) -> regex.Pattern[str]:
    forms = "|".join(sorted(number_words.KNOWN[language], key=len, reverse=True))
    glue = r"(?:[ -](?:and |und |y |et |e )?)"
    return regex.compile(
        rf"(?<![\p{{L}}\p{{M}}])(?:{forms})(?:{glue}(?:{forms})){{0,12}}(?![\p{{L}}\p{{M}}])"
    )


def _in_ideographs(text: str) -> Iterator[Number]:
    for found in _IDEOGRAPHS.finditer(text):
        run = found[0][:16]
        digits = frozenset(_shown(number_words.value_of_ideographs(sign)) for sign in run)
        value = _shown(number_words.value_of_ideographs(run))
        unit = _unit(text[found.end() : found.end() + 4])
        yield Number(run, frozenset({value}), digits, unit, _STATED.fullmatch(run) is not None)
