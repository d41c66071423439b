"""Image placeholders inside texts: a declared pattern and the image column it names. Pure.

    {"<image_start>[image_{n}]<image_end>": "image_{n}"}    one column for each number (Zebra-CoT)
    {"Image #{n}": "images"}                                item n of a list, from 1 or `from` (WEAVE)
    {"<image>": "images"}                                   without a number: the next item of the list

A text is split at a placeholder: the image is placed there, and the placeholder is removed, with a pair of
tags that encloses it (`<image_start>`...`<image_end>`, `<img>`...`</img>`). Every image is in a row once, so
another placeholder of a placed image stays text. A placeholder whose image is missing loses the row
(placeholder_without_image): its text would describe a missing image.

`suspects` finds text that looks like a placeholder and matches no pattern of the recipe: undeclared
placeholders leave the images in another order than the text means.
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
"""Characters within which an enclosing tag is searched."""
_NEAR = _TAG // 2
"""Neighboring placeholders that can enclose a placeholder: a tag has at least 3 characters."""
_IMAGE = r"(?:images?|img|pic|picture|photo)"
_LOOKS = re.compile(
    rf"""<(?P<a>\|?)[\w-]{{0,30}}?{_IMAGE}[ _#-]{{0,2}}(?:[0-9]{{1,9}}|placeholder|token|start|end|pad)?(?P=a)/?>   # <image>, <image_2>, <|image_1|>
    | \[\[?[\w -]{{0,30}}?{_IMAGE}[ _\#-]{{0,2}}[0-9]{{1,9}}\]\]?                                                  # [problem_image_1], [Image 1]
    | \{{\{{?[\w -]{{0,30}}?{_IMAGE}[ _\#-]{{0,2}}[0-9]{{1,9}}\}}\}}?                                              # {{image_1}}
    | \b{_IMAGE}[ ]?\#[ ]?[0-9]{{1,9}}                                                                             # Image #1
    """,  # noqa: E501
    re.IGNORECASE | re.VERBOSE,
)
_RUN = re.compile("[0-9]+")
MANY = 2_000
"""Maximum places of a text that are examined as placeholders: a document has at most this many images, while
a hostile text can have a million places."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder in a text. pattern: as declared; number: as written, None when the pattern has none;
    words: its text."""

    pattern: str
    number: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Unmapped(Rejected):
    """Text that looks like an image placeholder and matches no pattern of the recipe, in one row or, in a
    part's report, in several.

    pattern: its digits replaced by {n}. times: number of occurrences. rows: number of rows. hint: what to
    write into the recipe.
    """

    source: str = ""
    pattern: str = ""
    times: int = 0
    rows: int = 0
    hint: str = ""


def split(text: str, patterns: Sequence[str]) -> Iterator[str | Placeholder]:
    """Yield the text's pieces, unchanged, and its placeholders in order. Pieces and words of placeholders,
    joined, are the text."""
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
    """Compile all patterns into one expression, the longest first."""
    order = sorted(range(len(patterns)), key=lambda index: -len(patterns[index]))
    return re.compile("|".join(f"(?P<m{index}>{_expression(patterns[index], index)})" for index in order))


def _expression(pattern: str, index: int) -> str:
    """Return a pattern as an expression: white space matches any white space, and a placeholder is not part
    of a longer word or number."""
    pieces = [r"\s+".join(map(re.escape, re.split(r"\s+", piece))) for piece in pattern.split(NUMBER)]
    before = f"(?<!{_WORD})" if re.match(_WORD, pattern) else ""
    after = f"(?!{_WORD})" if pattern.endswith(NUMBER) or re.search(f"{_WORD}\\Z", pattern) else ""
    return before + f"(?P<n{index}>{_DIGITS[1:]}".join(pieces) + after


def _enclosed(text: str, start: int, end: int) -> tuple[int, int]:
    """The range of a placeholder including a pair of tags directly around it."""
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
    """Return the known columns that match a name with {n}, in order of their number."""
    before, _, after = name.partition(NUMBER)
    fits = re.compile(f"{re.escape(before)}{_DIGITS}{re.escape(after)}")
    found = [(int(match[1]), column) for column in known if (match := fits.fullmatch(column))]
    return [column for _, column in sorted(found)]


def suspects(text: str, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    """Yield text that looks like an image placeholder and matches no declared pattern: common forms with the
    word image; names of columns in brackets; and bare names of columns, whatever their number, that mention
    an image and are no plain word. columns: those that a placeholder could mean."""
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
    """Return the general pattern of a placeholder: `[reasoning_image_3]` becomes `[reasoning_image_{n}]`."""
    return _RUN.sub(NUMBER, words, count=1) if len(_RUN.findall(words)) == 1 else words


def hint(pattern: str, columns: Sequence[str], lists: Sequence[str]) -> str:
    """Return what to write into the recipe for an undeclared placeholder. columns: of the table; lists: image
    columns of the mapping."""
    core = _OPENED.sub("", pattern.partition("[")[0]) + "".join(pattern.partition("[")[1:])
    core = core.partition("]")[0] if core.startswith("[") else core
    inner = core.strip("[]<>{}|" if NUMBER not in core else "[]<>|").strip()
    known = inner in columns or (NUMBER in inner and bool(numbered(inner, columns)))
    target = inner if known else next(iter(lists), "COLUMN")
    return f'declare it at the text\'s column: placeholders: {{"{pattern}": "{target}"}}'
