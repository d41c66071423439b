"""Labels that people (or judges) give: the file `labels.jsonl`, its one reader and its one writer.

    {"id": "8f3c...", "subject": "document", "aspect": "keep", "value": "drop", "annotator": "ann"}
    {"id": "8f3c...", "subject": "image:3", "aspect": "keep", "value": "keep", "annotator": "ann"}
    {"id": "8f3c...", "subject": "document", "aspect": "text_quality", "value": 4, "annotator": "ben"}

    id         id of the document
    subject    what in it is labeled: `document`, or `image:POSITION` or `text:POSITION`, a segment of it
    aspect     what is asked about it: one word, such as keep or text_quality
    value      the answer: true or false, a number, or a text. Of the aspect keep: "keep" or "drop"
    annotator  who answered: the name of a person or of a model

All five are required, and others are errors, because a misspelt name would lose a label silently. Blank lines
are skipped. The same label twice counts once. One annotator who gives one question two values is an error
that names both lines: nobody else can know which one was meant. Several files are read as one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from leafinstruct.errors import SourceError, shortened, suggestion
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.settings_text import text_in, unique

Value = bool | int | float | str
Question = tuple[str, str, str]
"""Id, subject and aspect: what several annotators may answer."""

KEEP = "keep"
"""The aspect of whether something belongs into a dataset."""
VERDICTS = ("keep", "drop")
"""Values of the aspect KEEP."""
WHOLE, SEGMENTS = ("document",), ("image", "text")
"""Subjects without a position, and those with one."""
MAX_BYTES = 64 << 20
"""Maximum size of a file: half a million labels, more than people write."""

_ASPECT = re.compile(r"[a-z][a-z0-9_.]*")
_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")
_EXAMPLE = '{"id": "...", "subject": "document", "aspect": "keep", "value": "keep", "annotator": "your name"}'


@dataclass(frozen=True, slots=True)
class Label:
    """One answer of one annotator; the fields of the file. See the module's docstring."""

    id: str
    subject: str
    aspect: str
    value: Value
    annotator: str

    @property
    def question(self) -> Question:
        return (self.id, self.subject, self.aspect)

    @property
    def kind(self) -> str:
        """The subject without its position: document, image or text."""
        return self.subject.partition(":")[0]

    @property
    def position(self) -> int | None:
        """Position of the labeled segment in its document, None for the document."""
        position = self.subject.partition(":")[2]
        return int(position) if position else None


def read(*paths: Path) -> list[Label]:
    """Read files of labels, in the order of their lines; equal labels once.

    Raises SourceError with file and line for a line that is no label, and for two values of one annotator
    for one question; RecipeError for a file that is no UTF-8 text.
    """
    found: dict[tuple[Question, str], tuple[Label, str]] = {}
    for path in paths:
        for place, label in _lines(path):
            earlier, where = found.setdefault((label.question, label.annotator), (label, place))
            if not _equal(earlier.value, label.value):
                raise SourceError(
                    f"{place}: {label.annotator} labels {label.aspect} of {label.subject} of {label.id} as "
                    f"{json.dumps(label.value)}, but {where} as {json.dumps(earlier.value)}; delete one of "
                    "the two lines, or give the second answer another annotator"
                )
    return [label for label, _ in found.values()]


def write(path: Path, labels: Iterable[Label]) -> None:
    """Write a file of labels by one rename. Raises SourceError if it cannot be written, ValueError for a
    label that `read` would refuse."""
    lines = [json.dumps(asdict(label), ensure_ascii=False) for label in labels]
    for line in lines:
        _label(line)
    with writing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def by_question(labels: Iterable[Label]) -> dict[Question, dict[str, Value]]:
    """The answers to each question: annotator -> value, in the order of the labels."""
    found: dict[Question, dict[str, Value]] = {}
    for label in labels:
        found.setdefault(label.question, {})[label.annotator] = label.value
    return found


def _lines(path: Path) -> Iterator[tuple[str, Label]]:
    """Yield place and label of every line. Not splitlines(): JSON does not escape U+2028 and U+0085."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file of labels; each of its lines is like {_EXAMPLE}")
    for number, line in enumerate(text_in(path, MAX_BYTES).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            yield place, _label(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{place}: {error}") from error


def _label(line: str) -> Label:
    """Raises ValueError with a reason and a hint."""
    try:
        given = json.loads(line, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}); write {_EXAMPLE}") from error
    if not isinstance(given, dict):
        raise ValueError(f"not an object; write {_EXAMPLE}")
    names = [field.name for field in fields(Label)]
    for name in given:
        if name not in names:
            raise ValueError(f"unknown key {shortened(name, 80)!r}; {suggestion(name, names)}")
    if missing := [name for name in names if name not in given]:
        raise ValueError(f"no {missing[0]!r}; write {_EXAMPLE}")
    label = Label(**given)
    if fault := _fault(label):
        raise ValueError(fault)
    return label


def _fault(label: Label) -> str | None:
    """What is wrong with a label, and a hint."""
    for name in ("id", "annotator"):
        text = getattr(label, name)
        if not (isinstance(text, str) and text.strip() == text and text and text.isprintable()):
            return f"{name} must be a text without line breaks and outer spaces, not {_quoted(text)}"
    if not _is_subject(label.subject):
        return (
            f"subject must be {', '.join(WHOLE)} or {' or '.join(f'{kind}:POSITION' for kind in SEGMENTS)}, "
            f"such as image:3, not {_quoted(label.subject)}"
        )
    if not (isinstance(label.aspect, str) and _ASPECT.fullmatch(label.aspect)):
        return f"aspect must be one word of small letters, such as keep, not {_quoted(label.aspect)}"
    if label.aspect == KEEP and label.value not in VERDICTS:
        return f'value of the aspect keep must be "keep" or "drop", not {_quoted(label.value)}'
    if not isinstance(label.value, bool | int | float | str):
        return f"value must be true, false, a number or a text, not {_quoted(label.value)}"
    if isinstance(label.value, float) and not math.isfinite(label.value):
        return f"value must be a finite number, not {label.value}"
    return None


def _is_subject(subject: object) -> bool:
    if not isinstance(subject, str):
        return False
    kind, colon, position = subject.partition(":")
    return _POSITION.fullmatch(position) is not None if kind in SEGMENTS and colon else subject in WHOLE


def _equal(first: Value, second: Value) -> bool:
    """Whether two values are the same answer: 4 and 4.0 are, 1 and true are not."""
    return isinstance(first, bool) == isinstance(second, bool) and first == second


def _quoted(value: object) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), 80)
