"""What a stage reports of one part: the content of `report-<part>.json`.

A report is written once, with the files of its part, and read by sums: of a stage (`Artifact.totals`), of the
card, of `leaf status`. Stages do not pass data to each other in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NotRequired, Self, TypedDict

from leafinstruct.runtime.engine.base import TaskResult


class Loss(TypedDict):
    """One record, or a piece of one, that was not read. Its place is a file and locator of a source, or the
    id of a row. The keys from `source` on belong to text that looks like an image placeholder: one entry for
    all rows of a part with the same pattern."""

    reason: str
    detail: str
    file: NotRequired[str]
    locator: NotRequired[str]
    whole: NotRequired[bool]
    id: NotRequired[str]
    source: NotRequired[str]
    pattern: NotRequired[str]
    times: NotRequired[int]
    rows: NotRequired[int]
    hint: NotRequired[str]


class Cost(TypedDict):
    """Cost of a language model's answers. dollars: None if the price of one is unknown; estimated: whether
    some costs were not recorded, or tokens were estimated."""

    questions: int
    requests: int
    input_tokens: int
    output_tokens: int
    estimated: bool
    dollars: float | None


def _names(kind: type[StageReport]) -> tuple[str, ...]:
    return (
        "part",
        "key",
        *(item.name for item in fields(kind) if item.name not in ("part", "key", "repaired")),
    )


@dataclass(frozen=True, kw_only=True)
class StageReport(TaskResult):
    """Report of one part. A subclass adds what one stage alone reads. Fields that are empty are not written.

    part: its name. key: digest of everything that determines the part. reasons, image_reasons: reason ->
    dropped documents, dropped images. edits: reason -> changes of texts in documents that are kept.
    languages: `kept`, `dropped` -> language -> documents. undecoded: `documents`, `images` -> reason of the
    decoder -> those that `image.decoded` dropped. rejected: the losses that are listed; unlisted: reason ->
    those that are only counted. sources: source file -> sha256. cost: of a language model's answers, None
    where it is not asked. intermediate: names of files that are kept for the next build and have no recorded
    sha256. unanswered: state of a question -> message -> count. seconds: of one worker. files: name ->
    sha256.
    """

    part: str = ""
    key: str = ""
    reasons: Mapping[str, int] = field(default_factory=dict)
    image_reasons: Mapping[str, int] = field(default_factory=dict)
    edits: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    undecoded: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rejected: Sequence[Loss] = ()
    unlisted: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    intermediate: Sequence[str] = ()
    unanswered: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seconds: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Mapping[str, object]) -> Self:
        """The report in a file. Keys of other classes are left out."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in found.items() if name in known})  # type: ignore[arg-type]

    @property
    def written(self) -> dict[str, object]:
        """The content of its file. What was repaired belongs to the run, not to the part."""
        values = {name: getattr(self, name) for name in _names(type(self))}
        return {name: value for name, value in values.items() if value or name == "counts"}


@dataclass(frozen=True)
class Totals:
    """Sums over parts: counts (`documents`, `images`, ...), reasons (rule or defect -> count), edits (reason
    -> changes of texts), worker seconds."""

    counts: Counter[str]
    reasons: Counter[str]
    image_reasons: Counter[str]
    edits: Counter[str]
    seconds: float


def total(reports: Iterable[StageReport]) -> Totals:
    sums = Totals(Counter(), Counter(), Counter(), Counter(), 0.0)
    seconds = 0.0
    for report in reports:
        sums.counts.update(report.counts)
        sums.reasons.update(report.reasons)
        sums.image_reasons.update(report.image_reasons)
        sums.edits.update(report.edits)
        seconds += report.seconds
    return replace(sums, seconds=seconds)
