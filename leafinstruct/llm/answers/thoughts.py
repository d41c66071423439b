"""Find where a model's thoughts end and its answer begins: thinking tags, and the objects after them.

A thinking tag is a word for thinking in brackets, in the spelling of any model family: <think>, </thinking>,
[THINK], <seed:think>, the Kimi triangles, <|begin_of_thought|>, <|END_THINKING|>, <reasoning effort="low">.
Four families write sentences or channels instead (gpt-oss, also without its special tokens; Gemma; Granite).
Rules, from left to right:

- a readable object is one unit: tags inside its strings are text
- an end tag, also one without a start, makes everything before it thoughts
- a start tag without an end means that there is no answer yet
- the remaining objects are candidates for the answer; parse.py chooses

The work is linear: each position is read once, except for objects that break after a tag, whose share is
bounded.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field

from leafinstruct.llm.answers.lenient import UnreadableError, read_object

_SEPARATOR = r"[\s_\u2581-]?"
_WORD = (
    rf"(?:inner{_SEPARATOR}|internal{_SEPARATOR})?(?:think(?:ing)?|thoughts?|reason(?:ing)?|"
    r"reflect(?:ions?|ing)?|analysis|analyzing|"
    rf"deliberation|rationale|monologue|scratch{_SEPARATOR}pad|"
    rf"chain{_SEPARATOR}of{_SEPARATOR}thoughts?|cot)(?:{_SEPARATOR}process)?"
)
_PHASE = rf"(?:(?P<{{0}}>end|close|finish)|begin|start){_SEPARATOR}(?:of{_SEPARATOR})?"


def _tag(name: str, opening: str, closing: str, attributes: str) -> str:
    """A word for thinking in brackets. An end tag fills a group `name` + a letter: `</think>`,
    `<|end_of_thought|>`, `<think/>`."""
    bar = r"[|\uff5c]?"
    phase = _PHASE.format(f"{name}b")
    return rf"{opening}\s?{bar}\s?(?P<{name}a>/)?\s?(?:\w{{1,20}}:)?(?:{phase})?{_WORD}{attributes}(?P<{name}c>/)?{bar}{closing}"  # noqa: E501


_TAG = re.compile(
    "|".join(
        (
            _tag("x", "[<\uff1c\u25c1\u27e8]", "[>\uff1e\u25b7\u27e9]", r"(?:\s[^<>{]{0,200}?)?\s?"),
            _tag("y", r"\[", r"\]", ""),
            # gpt-oss, with its special tokens and without; Gemma; MedGemma; Granite
            r"<\|channel\|>\s*(?:(?P<harmony>final)|analysis|commentary)\b",
            r"(?-i:(?P<bare>assistant\s?final)(?![a-z])|\Aanalysis(?=[A-Z]))",
            r"(?P<gemma><channel\|>)|<\|channel>\s*thought\b",
            r"<unused\d{1,4}>\s*thought\b|(?P<unused><unused\d{1,4}>)",
            r"here(?:'s|\u2019s| is) my (?:(?P<granite>response)|thought process)\s*:",
        )
    ),
    re.IGNORECASE,
)
_TOKEN = re.compile(
    (
        r"\{(?=\s*+(?:[\"'\u201c_A-Za-z}]|/[/*]|\#))|(?=[<\uff1c\u25c1\u27e8\[][\s|\uff5c/]{0,4}\w|"
        r"assistant|\Aanalysis|here)"
    ),
    re.IGNORECASE,
)
_TRIES = 100_000  # objects begun; a thought full of formulas begins a few thousand
LONGEST = 1 << 20  # characters of a text; 200,000 tokens of thoughts have about as many
_FENCES = re.compile(r"```\w*|[\s\ufeff\[\](),.;]")


@dataclass(slots=True)
class Found:
    """The content of a text after its thoughts."""

    start: int = 0
    """Where the answer begins."""
    is_thinking: bool = False
    """A thought was begun and not ended."""
    objects: list[tuple[dict[str, object], int, int]] = field(default_factory=list)
    """Each readable object with its first position and the one after it."""
    broken: tuple[int, UnreadableError] | None = None
    """The last unreadable object, if it has a key of the schema."""
    too_much: str = ""
    """Why the text was not read to its end."""


def find(text: str, keys: Set[str], has_tags: bool = True) -> Found:
    """Return the objects after the thoughts; has_tags=False: all objects, tags are text.

    keys: the schema's, as `plain` writes them. An unreadable object counts only if it has one of them, or
        breaks off in its first key.
    """
    found, at, tries, reread = Found(), 0, 0, 0
    if len(text) > LONGEST:
        found.too_much = f"it has {len(text):,} characters"
        return found
    while (token := _TOKEN.search(text, at)) is not None:
        start = token.start()
        if not token[0]:
            tag = _TAG.match(text, start) if has_tags else None
            at = tag.end() if tag else start + 1
            if tag is not None and tag.lastgroup is not None:
                found = Found(start=at)
            elif tag is not None:
                found.is_thinking = True
            continue
        tries += 1
        try:
            value, at = read_object(text, start)
            found.objects.append((value, start, at))
        except UnreadableError as error:
            if any(plain(key) in keys for key in error.keys) or (error.is_open and not error.keys):
                found.broken = (start, error)
            tag = _TAG.search(text, start + 1, error.at)
            at = max(start + 1, tag.start() if tag else error.at)
            reread += error.at - at
        if tries > _TRIES or reread > len(text) + _TRIES:
            found.too_much = "it opens more braces than an answer has"
        if found.too_much:
            break
    return found


def is_alone(text: str, found: Found, start: int, end: int) -> bool:
    """Whether only code fences and punctuation surround the answer at start:end; a wrapper in brackets
    counts as punctuation."""
    return not _FENCES.sub("", text[found.start : start] + text[end:])


def is_last(text: str, end: int) -> bool:
    """Whether only a code fence and punctuation follow."""
    return not _FENCES.sub("", text[end:])


def plain(key: str) -> str:
    """Return a key without case, spaces, hyphens and underscores, in which models vary."""
    return re.sub(r"[\W_]+", "", key).casefold()
