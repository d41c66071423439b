# ruff: noqa: RUF001 - digits, letters and punctuation of other scripts are intended
"""The order of a document's steps, as far as its numbers show it: `rules.narrative_coherence`.

    score = 5                          no contradiction
            4                          contradictions in less than a tenth of the steps of each numbering
            3, 2, 1                    in a tenth, a third, two thirds of the steps of a numbering

A marker is a number at the beginning of a line of prose, list or heading; tables, code and captions are
ignored. Markers form a numbering if they are written alike: the same sign after the number or the same word
for step, headings apart from texts, and in lists the same indentation. An image or a text between two steps
changes nothing.

    number + sign     1.  1)  1:  1、  1-  (1)  【1】  ①  一、  (一)          numbers in the decimal digits of any
                                                                        script
    word + number     Step 1, Schritt 1, Étape 1, Шаг 1, الخطوة 1, 手順1, 第一步, 1단계        with or without "of 3"
    ordinal           First, / The second step / On the third day (English), 첫째 (Korean)

A numbering is split into lists: a number continues the latest list that ended with the number before it; 1
and 0 begin a list, and so does every other number that continues none. So restarts, sub-lists, a table of
contents and the sections that it lists, and two interleaved columns are lists of their own.

A contradiction is a number whose predecessor comes only later: 4 in 1, 2, 4, 3. It is not a contradiction if
a number is absent (1, 2, 4: filters and page boundaries lose steps), if a list begins with 3, or if a number
is written twice (1, 2, 2, 3). A number that may continue an earlier list with lost steps has no predecessor
in a list that begins later: 1, 2, 4, then 1, 2, 3 is in order. The share is contradictions / (numbers - 1):
each pair of successive numbers is one chance for a contradiction, so steps in random order have about 1/2,
and one moved step has 1 or 2 contradictions. A numbering is judged from 4 numbers, or from 3 named steps with
the first among them (the page of step 4 links to steps 3 and 5). If more than a third of the numbers between
its smallest and its largest are absent, they are dates or quantities.

A count-down of plain numbers (10, 9, 8, ...) is an order: numbers that fall throughout, or that fall by 1
from 4 or more down to 1, in a list from 3. Named steps do not count down. Not read, since they are rarely
numbers of steps: numbers of more than 3 digits (years), quantities (2.5 cups, 2 - onions), numbers of
sections (1.2), notes ([1]), letters and Roman numerals (A. Smith), and the title.

Words are weaker still. English texts that begin with "First,", "Then" or "Finally," are compared only if 3 or
more follow each other without any other text and are at least half of the document's texts, as in a page that
is all steps; then an opening word after two others or a closing word before two others scores 3. Three such
words are English enough; other languages are judged by numbers.

Cost: about 2 microseconds a line; linear in the length of a line.
"""  # noqa: E501

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from leafinstruct.records.document import Document, Text
from leafinstruct.records.text.words import normalized

Key = tuple[str, bool, int]
"""What markers of one numbering share: their sign or word, whether they are headings, their column in a list.
"""
Cue = Literal["opening", "middle", "closing"]

_FEWEST = 4
_FEWEST_NAMED = 3
_SHARES = (0.1, 1 / 3, 2 / 3)
"""Shares of contradictions from which a numbering scores 3, 2, 1."""
_DENSE = 2 / 3
"""Share of the numbers from the smallest to the largest that must occur in a numbering. Dates and quantities
are sparser."""
_COUNT_DOWN = 4
_COUNT_DOWN_IN_LIST = 3
_RUN_OF_CUES = 3

_STEP_WORDS = (
    "step stage phase schritt étape etape paso passo passaggio pasul stap steg trin trinn vaihe samm "
    "solis žingsnis krok korak lépés adım aşama "
    "addım qadam hapi skref "
    "hakbang langkah bước hatua шаг этап крок стъпка корак чекор қадам алхам βήμα βημα քայլ ნაბიჯი "
    "خطوة الخطوة المرحلة مرحله گام مرحلہ שלב צעד "
    "चरण कदम पायरी ধাপ படி దశ ಹಂತ ഘട്ടം પગલું ਕਦਮ ପଦକ୍ଷେପ පියවර ደረጃ ขั้นตอนที่ ขั้นตอน ขั้นที่ "
    "ຂັ້ນຕອນທີ ជំហានទី အဆင့် 步骤 步驟 手順 工程 ステップ 단계"
)
_LEAD = r"(?:(?![(\[（【$€£¥+±=~≈@&])\W)*+"
"""Signs before a number: emphasis, quotes, marks of direction; no bracket, currency or arithmetic sign."""
_HAN = r"[一二三四五六七八九十]{1,3}"
_CIRCLED = "[①-⒛➀-➓❶-❿]"
_NAMED = re.compile(
    rf"{_LEAD}(?:(?P<word>{'|'.join(sorted(_STEP_WORDS.split(), key=len, reverse=True))})\s{{0,2}}(?:no\.|nr\.|n[º°]|№|#|ya|ke-)?\s{{0,2}}"  # noqa: E501
    rf"(?P<number>\d{{1,3}}(?!\d|[.,]\d|[A-Za-z])|{_HAN}|{_CIRCLED})"
    rf"|第?\s?(?P<before>\d{{1,3}}|{_HAN})\s?(?P<unit>步骤|步驟|步|段階|阶段|階段|工程|ステップ|단계))",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rf"{_LEAD}(?:(?P<digits>\d{{1,3}})"
    r"(?:\s?(?P<sign>\.[-º]|[.):။៖])(?:\s+|$)|(?P<wide>[、．：）])(?!\d)|(?P<tight>\.)(?=[^\W\d_a-z])|"
    r"\ufe0f?\u20e3"
    r"|(?P<dash>[-–—](?:\s+(?!\d)|(?=[\u0590-\u08ff]))))"
    rf"|(?P<han>{_HAN})、|[(（](?P<in_brackets>\d{{1,3}}|{_HAN})[)）]|【(?P<boxed>\d{{1,3}}|{_HAN})】|"
    rf"(?P<circled>{_CIRCLED}))"
)
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|(?P<digits>\d{1,9})[.)])(?:[ \t]+|$)")
"""A marker that a reader writes (ingest.lists). A line may begin with several."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_KOREAN = ("첫째", "둘째", "셋째", "넷째", "다섯째", "여섯째", "일곱째", "여덟째", "아홉째", "열째")
_ORDINAL = re.compile(
    rf"\W*+(?:(?:the\s+)?(?P<alone>{'|'.join(_ORDINALS)})\s*(?:[,:]|$)"
    rf"|(?:\w+\s+){{0,2}}?(?P<of>{'|'.join(_ORDINALS)})\s+(?P<noun>step|part|stage|change|layer|"
    r"picture|image|day|week|round|chapter|scene)\b"
    rf"|(?P<korean>{'|'.join(_KOREAN)}))",
    re.IGNORECASE,
)
_CUES: dict[Cue, re.Pattern[str]] = {
    "opening": re.compile(
        r"\W*+(?:first(?:ly)?\s*(?:,|$)|at first\b|first of all\b|to (?:start|begin)\b|(?:start|"
        r"begin) (?:by|with|here)\b"
        r"|at the (?:start|beginning)\b|in the beginning\b|once upon\b|before\s*:)",
        re.IGNORECASE,
    ),
    "closing": re.compile(
        r"\W*+(?:finally\b|last(?:ly)?\s*(?:,|$)|at last\b|in the end\b|at the end\b|to (?:finish|end)\b)",
        re.IGNORECASE,
    ),
    "middle": re.compile(r"\W*+(?:next|then|now|soon|after(?: that| this|wards)?|later)\b", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Marker:
    """The number at the beginning of a line. named: it has a word for step. in_list: it is in a segment of
    kind list."""

    key: Key
    number: int
    named: bool
    in_list: bool


@dataclass(slots=True)
class _Run:
    """Successive numbers, from `start` at place `begin` to `last` at place `end` of a numbering.

    continues: whether a list ended before `start - 1`, which this one may continue after lost steps.
    """

    start: int
    begin: int
    last: int
    end: int
    continues: bool


def coherence(document: Document) -> tuple[int, str]:
    """The score from 1 to 5 and its reason in one sentence."""
    texts = [
        text
        for at, text in enumerate(_numbered(document))
        if at or text.text.strip() != (document.title or "").strip()
    ]
    numberings: dict[Key, list[Marker]] = {}
    for text in texts:
        for marker in markers(text):
            numberings.setdefault(marker.key, []).append(marker)
    found = [*map(_judged, numberings.values()), _cues_judged(texts)]
    return min(found, key=lambda item: item[0])


def is_step(text: Text) -> bool:
    """Whether a text has a marker, or begins with a word that marks a step."""
    return any(True for _ in markers(text)) or _cue(text.text) is not None


def markers(text: Text) -> Iterator[Marker]:
    """The markers of a text, line by line."""
    composed = text.text if text.text.isascii() else normalized(text.text, "NFC")
    for number, line in enumerate(composed.split("\n")):
        yield from _of_line(line, text.kind, number == 0)


def contradictions(numbers: Sequence[int]) -> list[int]:
    """The numbers of one numbering whose predecessors come only later, as defined in this module's
    docstring."""
    runs: list[_Run] = []
    open_runs: dict[int, list[_Run]] = {}
    for place, number in enumerate(numbers):
        if number > 1 and place and number == numbers[place - 1]:
            continue  # written twice
        if before := open_runs.get(number - 1):
            run = before.pop()
            run.last, run.end = number, place
        else:
            continues = any(last < number - 1 and rest for last, rest in open_runs.items())
            run = _Run(number, place, number, place, continues)
            runs.append(run)
        open_runs.setdefault(number, []).append(run)
    found = []
    for run in runs:
        ended = open_runs.get(run.start - 1, ()) if run.start > 1 else ()
        earlier = next(
            (it for it in ended if it.end > run.begin and (it.begin < run.begin or not run.continues)), None
        )
        if earlier is not None:
            open_runs[run.start - 1].remove(earlier)
            found.append(run.start)
    return found


def _numbered(document: Document) -> list[Text]:
    return [text for text in document.texts if text.kind in ("prose", "list", "heading")]


def _of_line(line: str, kind: str, is_first: bool) -> Iterator[Marker]:
    """A line's markers: those that a reader wrote, each in its column, then at most one at the beginning of
    the text itself."""
    heading, in_list, at = kind == "heading", kind == "list", 0
    while in_list and (item := _ITEM.match(line, at)):
        if item["digits"] and len(item["digits"]) <= 3:
            yield Marker((".", False, item.start("digits")), int(item["digits"]), False, True)
        at = item.end()
    rest = line[at:]
    if found := _NAMED.match(rest):
        number = _value(found["number"] or found["before"])
        yield Marker(((found["word"] or found["unit"]).lower(), heading, 0), number, True, in_list)
    elif found := _PLAIN.match(rest):
        signs = found["sign"] or found["wide"] or found["tight"] or (found["dash"] and "-")
        digits = next(
            filter(None, (found[name] for name in ("digits", "han", "in_brackets", "boxed", "circled")))
        )
        sign = unicodedata.normalize("NFKC", signs) if signs else found.lastgroup or ""
        column = at + len(rest) - len(rest.lstrip()) if in_list else 0
        yield Marker((sign, heading, column), _value(digits), False, in_list)
    elif is_first and (found := _ORDINAL.match(rest)):
        word = next(filter(None, (found["alone"], found["of"], found["korean"]))).lower()
        place = _KOREAN.index(word) if found["korean"] else _ORDINALS.index(word)
        yield Marker((f"the nth {(found['noun'] or '').lower()}", heading, 0), place + 1, True, in_list)


def _value(digits: str) -> int:
    """Value of decimal digits of any script, circled numbers, or Chinese numerals up to 99."""
    if digits.isdecimal():
        return int(digits)
    if digits[0] not in "一二三四五六七八九十":
        return int(unicodedata.numeric(digits))
    tens, ten, ones = digits.rpartition("十")
    return sum(
        factor * int(sum(map(unicodedata.numeric, part)))
        for factor, part in ((10, tens or "一" * len(ten)), (1, ones))
        if part
    )


def _judged(numbering: Sequence[Marker]) -> tuple[int, str]:
    """Score and reason of one numbering."""
    named = numbering[0].named
    numbers = [marker.number for marker in numbering] if named else _without_count_downs(numbering)
    fewest = _FEWEST_NAMED if named and 1 in numbers else _FEWEST
    enough = len(numbers) >= fewest and len(set(numbers)) >= _DENSE * (max(numbers) - min(numbers) + 1)
    found = contradictions(numbers) if enough else []
    if not found:
        return 5, "no sign of a broken order"
    share = len(found) / (len(numbers) - 1)
    word = numbering[0].key[0] if named else "number"
    reason = (
        f"{word} {found[0]} comes before {found[0] - 1}; {len(found)} of {len(numbers) - 1} successive "
        "numbers are out of order"
    )
    return 4 - sum(share >= least for least in _SHARES), reason


def _without_count_downs(numbering: Sequence[Marker]) -> list[int]:
    """The numbers of a numbering: none if they fall throughout, else those outside of runs that fall by 1
    down to 1."""
    if all(before.number > after.number for before, after in pairwise(numbering)):
        return []
    kept: list[int] = []
    begin = 0
    for end in range(1, len(numbering) + 1):
        if end < len(numbering) and numbering[end].number == numbering[end - 1].number - 1:
            continue
        run = numbering[begin:end]
        least = _COUNT_DOWN_IN_LIST if all(marker.in_list for marker in run) else _COUNT_DOWN
        if run[-1].number != 1 or len(run) < least:
            kept += [marker.number for marker in run]
        begin = end
    return kept


def _cue(text: str) -> Cue | None:
    return next((cue for cue, pattern in _CUES.items() if pattern.match(text)), None)


def _cues_judged(texts: Sequence[Text]) -> tuple[int, str]:
    """Score and reason of the words at the beginning of texts."""
    least = max(_RUN_OF_CUES, sum(text.kind != "heading" for text in texts) / 2)
    for run in _runs_of_cues(texts):
        if len(run) < least:
            continue
        at, end = (run.index(cue) if run.count(cue) == 1 else None for cue in ("opening", "closing"))
        if at is not None and at >= 2 and ("closing" not in run[:at] or at == len(run) - 1):
            return 3, "an opening word comes after other steps"
        if end is not None and len(run) - end > 2 and ("opening" not in run[end:] or end == 0):
            return 3, "a closing word comes before other steps"
    return 5, "no sign of a broken order"


def _runs_of_cues(texts: Sequence[Text]) -> Iterator[list[Cue]]:
    """Opening words of texts that follow each other. The text below a heading that has such a word belongs to
    it."""
    run: list[Cue] = []
    below = False
    for text in texts:
        cue = _cue(text.text)
        if cue is not None:
            run.append(cue)
        elif not below:
            yield run
            run = []
        below = cue is not None and text.kind == "heading"
    yield run
