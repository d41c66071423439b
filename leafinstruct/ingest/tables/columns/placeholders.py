"""Image placeholders inside texts: a declared pattern and the image column it names. Pure.

    {"<image_start>[problem_image_{n}]<image_end>": "problem_image_{n}"}     one column for each number (Zebra-CoT)
    {"Image #{n}": "images"}                                                 item n of a list, counted from 1, or from `from` (WEAVE)
    {"<image>": "images"}                                                    without a number: the next item of the list at each placeholder

A text is split at a placeholder: the image is placed there, and the placeholder is removed, with a pair of
tags that encloses it (`<image_start>`...`<image_end>`, `<img>`...`</img>`). Every image is in a row once, so
a further mention of an image that is placed already stays text. A placeholder whose image is missing loses
the row (placeholder_without_image): a text that speaks of an image that is not there is wrong.

`suspects` finds what looks like a placeholder and is none of the recipe's: an undeclared placeholder leaves
the images in another order than the text means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from leafinstruct.records.document import Rejected

NUMBER = "{n}"
"""Stands for the number in a pattern, and in the name of a column."""
_DIGITS = r"([0-9]{1,9})"
_WORD = "[A-Za-z0-9_]"
_OPENED = re.compile(r"<(\|?)([\w-]{1,40})\|?>\s*\Z")
_CLOSED = re.compile(r"\s*<(\|?)(/?)([\w-]{1,40})\|?>")
_TAG = 64
"""Characters in which an enclosing tag is looked for."""
_NEAR = _TAG // 2
"""Placeholders beside a placeholder that can enclose it: a tag has 3 characters and more."""
_IMAGE = r"(?:images?|img|pic|picture|photo)"
_LOOKS = re.compile(
    rf"""<(?P<a>\|?)[\w-]{{0,30}}?{_IMAGE}[ _#-]{{0,2}}(?:[0-9]{{1,9}}|placeholder|token|start|end|pad)?(?P=a)/?>   # <image>, <image_2>, <|image_1|>
    | \[\[?[\w -]{{0,30}}?{_IMAGE}[ _\#-]{{0,2}}[0-9]{{1,9}}\]\]?                                                  # [problem_image_1], [Image 1]
    | \{{\{{?[\w -]{{0,30}}?{_IMAGE}[ _\#-]{{0,2}}[0-9]{{1,9}}\}}\}}?                                              # {{image_1}}
    | \b{_IMAGE}[ ]?\#[ ]?[0-9]{{1,9}}                                                                             # Image #1
    """,
    re.IGNORECASE | re.VERBOSE,
)
_RUN = re.compile("[0-9]+")
MANY = 2_000
"""Places of a text that look like placeholders which are looked at: a document has at most so many images,
and a hostile text a million places."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder in a text. pattern: the declared one; number: as it is written, None where the pattern
    has none; words: the text of the placeholder."""

    pattern: str
    number: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Unmapped(Rejected):
    """Text that looks like an image placeholder and that no pattern of the recipe fits, in one row or, in a
    part's report, in several.

    pattern: its digits replaced by {n}; times: how often it was found; rows: in how many rows; hint: what to
    write into the recipe.
    """

    source: str = ""
    pattern: str = ""
    times: int = 0
    rows: int = 0
    hint: str = ""


def split(text: str, patterns: Sequence[str]) -> Iterator[str | Placeholder]:
    """The text's pieces and placeholders in order, texts as they are written. Joined, with the words of the
    placeholders, they are the text."""
    at = 0
    for found in _compiled(tuple(patterns)).finditer(text):
        index = next(index for index, _ in enumerate(patterns) if found[f"m{index}"] is not None)
        start, end = _enclosed(text, found.start(), found.end())
        if start < at:
            start, end = found.span()
        if start > at:
            yield text[at:start]
        yield Placeholder(
            patterns[index], found[f"n{index}"] if NUMBER in patterns[index] else None, text[start:end]
        )
        at = end
    if at < len(text):
        yield text[at:]


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """All patterns as one expression, the longest first."""
    order = sorted(range(len(patterns)), key=lambda index: -len(patterns[index]))
    return re.compile("|".join(f"(?P<m{index}>{_expression(patterns[index], index)})" for index in order))


def _expression(pattern: str, index: int) -> str:
    """A pattern as an expression: white space fits any white space, and a placeholder is no part of a longer
    word or number."""
    pieces = [r"\s+".join(map(re.escape, re.split(r"\s+", piece))) for piece in pattern.split(NUMBER)]
    before = f"(?<!{_WORD})" if re.match(_WORD, pattern) else ""
    after = f"(?!{_WORD})" if pattern.endswith(NUMBER) or re.search(f"{_WORD}\\Z", pattern) else ""
    return before + f"(?P<n{index}>{_DIGITS[1:]}".join(pieces) + after


def _enclosed(text: str, start: int, end: int) -> tuple[int, int]:
    """The range of a placeholder with the pair of tags directly around it, where there is one."""
    opened, closed = _OPENED.search(text[max(0, start - _TAG) : start]), _CLOSED.match(text[end : end + _TAG])
    if opened is None or closed is None:
        return start, end
    name, other = opened[2].lower(), closed[3].lower()
    is_pair = (
        name == other if closed[2] else name.replace("start", "end").replace("begin", "end") == other != name
    )
    if not is_pair or not re.search(f"{_IMAGE}|vision", name):
        return start, end
    return start - len(opened[0]), end + len(closed[0])


def numbered(name: str, known: Iterable[str]) -> list[str]:
    """Of the known columns those that a name with {n} fits, in order of their number."""
    before, _, after = name.partition(NUMBER)
    fits = re.compile(f"{re.escape(before)}{_DIGITS}{re.escape(after)}")
    found = [(int(match[1]), column) for column in known if (match := fits.fullmatch(column))]
    return [column for _, column in sorted(found)]


def suspects(text: str, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    """What looks like an image placeholder in a text and fits no declared pattern: common forms with the word
    image, and names of columns in brackets or, where a name speaks of an image and is no plain word, without,
    whatever their number. columns: those that a placeholder could mean."""
    for piece in split(text, patterns) if patterns else [text]:
        if not isinstance(piece, str):
            continue
        spans = [found.span() for found in islice(_looks(tuple(columns)).finditer(piece), MANY)]
        whole = [_enclosed(piece, start, end) for start, end in spans]
        for at, (span, (start, end)) in enumerate(zip(spans, whole, strict=True)):
            near = range(max(0, at - _NEAR), min(len(whole), at + _NEAR + 1))
            outer = [whole[other] for other in near if whole[other] not in ((start, end), spans[other])]
            if not any(before <= span[0] and span[1] <= behind for before, behind in outer):
                yield piece[start:end]


@lru_cache(maxsize=64)
def _looks(columns: tuple[str, ...]) -> re.Pattern[str]:
    names = sorted(
        {_RUN.sub("[0-9]{1,9}", re.escape(column)) for column in columns if column.strip()},
        key=lambda name: (-len(name), name),
    )
    bare = [name for name in names if re.search("[0-9_]", name) and re.search(_IMAGE, name, re.IGNORECASE)]
    found = [_LOOKS.pattern]
    if names:
        either = "|".join(names)
        found += [rf"\[\[?(?:{either})\]\]?", rf"<\|?(?:{either})\|?>", rf"\{{\{{?(?:{either})\}}\}}?"]
    if bare:
        found.append(rf"(?<![\w.])(?:{'|'.join(bare)})(?!\w)")
    return re.compile("|".join(f"(?:{one}\n)" for one in found), re.IGNORECASE | re.VERBOSE)


def general(words: str) -> str:
    """A placeholder as the pattern of its kind: `[reasoning_image_3]` is `[reasoning_image_{n}]`."""
    return _RUN.sub(NUMBER, words, count=1) if len(_RUN.findall(words)) == 1 else words


def hint(pattern: str, columns: Sequence[str], lists: Sequence[str]) -> str:
    """What to write into the recipe for an undeclared placeholder. columns: of the table; lists: image
    columns of the mapping."""
    core = _OPENED.sub("", pattern.partition("[")[0]) + "".join(pattern.partition("[")[1:])
    core = core.partition("]")[0] if core.startswith("[") else core
    inner = core.strip("[]<>{}|" if NUMBER not in core else "[]<>|").strip()
    known = inner in columns or (NUMBER in inner and bool(numbered(inner, columns)))
    target = inner if known else next(iter(lists), "COLUMN")
    return f'declare it at the text\'s column: placeholders: {{"{pattern}": "{target}"}}'
