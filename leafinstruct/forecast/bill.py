"""The bill of a build: what each step takes over all documents, and how far that can be from the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from leafinstruct.forecast.estimate import Stratum, Total, margin, total
from leafinstruct.ingest.forecast import Sampled
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.tokens import Predicted
from leafinstruct.records.document import Document

WITHIN = 0.1
"""Error of the bill that a calibration is for."""
_TRIAL = 3  # documents of each source that show how much answers vary

Measure = Callable[[Predicted], float]
_NOTHING = Predicted()


class Spending(TypedDict):
    """Requests to a language model, their tokens, and dollars (None without a price)."""

    requests: int
    input_tokens: int
    output_tokens: int
    dollars: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample of a build. scale: documents of the build for each planned one; kept_scale: the same for
    those that are rewritten. remaining: by id, as the judge and the rewriter get them."""

    sources: Sequence[Sampled]
    scale: float
    kept_scale: float
    remaining: Mapping[str, Document]

    @property
    def judged(self) -> float:
        """Number of documents of the build that remain for the judge."""
        return sum(
            source.planned
            * self.scale
            * sum(document.id in self.remaining for document in source.documents)
            / max(1, len(source.documents))
            for source in self.sources
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of question. llm: who answers. predicted: by document of the sample. paid: by document with
    answers. exact: what it cost, once its stage is finished. kept: whether only documents that the judge
    keeps are asked about."""

    name: str
    llm: LlmConfig
    predicted: Mapping[str, Predicted]
    paid: Mapping[str, Predicted]
    exact: Predicted | None
    kept: bool

    def dollars(self, size: Predicted) -> float:
        """At the model's price; with batches, all requests at their share of it. 0 if it is unknown."""
        price, share = self.llm.price, 1.0 if self.llm.batch is None else self.llm.batch.price
        if price is None:
            return 0.0
        cost = size.input_tokens * price.input_per_million + size.output_tokens * price.output_per_million
        return share * cost / 1e6


def spending(sizes: Sequence[tuple[Step, Predicted]]) -> Spending:
    """The sum of what some steps take; dollars are None if the price of one is unknown."""
    unknown = any(step.llm.price is None for step, _ in sizes)
    return {
        "requests": math.ceil(round(sum(size.requests for _, size in sizes), 6)),
        "input_tokens": round(sum(size.input_tokens for _, size in sizes)),
        "output_tokens": round(sum(size.output_tokens for _, size in sizes)),
        "dollars": None if unknown else round(sum(step.dollars(size) for step, size in sizes), 4),
    }


def _input(size: Predicted) -> float:
    return size.input_tokens


def _output(size: Predicted) -> float:
    return size.output_tokens


def _requests(size: Predicted) -> float:
    return size.requests


@dataclass(frozen=True, slots=True)
class Bill:
    """share: of the judged documents that the rules on verdicts keep; deviation: its standard deviation."""

    sample: Sample
    steps: Sequence[Step]
    share: float = 1.0
    deviation: float = 0.0

    @property
    def sizes(self) -> list[tuple[Step, Predicted]]:
        """What each step takes over all documents."""
        measures = (_requests, _input, _output)
        return [
            (step, Predicted(*(self._total([(step, measure)]).value for measure in measures)))
            for step in self.steps
        ]

    @property
    def error(self) -> float | None:
        """Half of the 95% interval as a share of the bill: of its dollars; if a price is unknown, of input or
        output tokens, whichever is larger. None if nothing shows how much answers vary."""
        found = max((self._error(number) for number in range(len(self._measures()))), default=0.0)
        return None if math.isinf(found) else found

    def needed(self, answers: float) -> int | None:
        """Documents of each source to ask about for an error of WITHIN; None if no number is enough, because
        the sample of documents alone leaves a larger one. answers: documents of each source asked about."""
        if self.error is None:
            return max(_TRIAL, math.ceil(answers) + 1)
        sources = sum(bool(source.documents) for source in self.sample.sources)
        whole, found = self.sample.judged / max(1, sources), 0.0
        for number in range(len(self._measures())):
            totals, further = self._totals(number)
            fixed = margin([Total(one.value, one.sampling) for one in totals]) ** 2
            room = (WITHIN * sum(one.value for one in totals)) ** 2 - fixed
            if room <= 0:
                return None
            now = margin(totals, further) ** 2 - fixed
            if now > room:  # the variance of a sample of n is proportional to 1/n - 1/whole
                found = max(found, 1 / (1 / whole + (1 / answers - 1 / whole) * room / now))
        return math.ceil(found)

    def _measures(self) -> list[list[tuple[Step, Measure]]]:
        """What is measured: each step with what counts of it."""
        if all(step.llm.price is not None for step in self.steps):
            return [[(step, step.dollars) for step in self.steps]] if self.steps else []
        return [[(step, measure) for step in self.steps] for measure in (_input, _output)]

    def _totals(self, number: int) -> tuple[list[Total], float]:
        """The totals of one measure, of judging and of rewriting, and the standard deviation from the share
        that is kept. Steps about the same documents are one total: an example that goes back is both written
        and examined again."""
        measured = self._measures()[number]
        groups = [[pair for pair in measured if pair[0].kept is kept] for kept in (False, True)]
        totals = [self._total(group) for group in groups if group]
        of_kept = sum(
            total.value
            for total, group in zip(totals, filter(None, groups), strict=True)
            if _depends(group[0][0])
        )
        return totals, of_kept * self.deviation / self.share if self.share else 0.0

    def _error(self, number: int) -> float:
        totals, further = self._totals(number)
        value = sum(one.value for one in totals)
        return margin(totals, further) / value if value else 0.0

    def _total(self, measured: Sequence[tuple[Step, Measure]]) -> Total:
        """The sum of some steps about the same documents, over all documents."""
        first = measured[0][0]
        if first.exact is not None:
            return Total(sum(measure(step.exact or _NOTHING) for step, measure in measured))
        scale = self.sample.kept_scale if first.kept else self.sample.scale
        asked = {name for step, _ in measured for name in step.paid}
        strata = []
        for source in self.sample.sources:
            names = [document.id for document in source.documents]
            sizes = {
                name: sum(measure(step.predicted.get(name, _NOTHING)) for step, measure in measured)
                for name in names
            }
            paid = [
                (sizes[name], sum(measure(step.paid.get(name, _NOTHING)) for step, measure in measured))
                for name in sizes
                if name in asked and sizes[name] > 0
            ]
            share = self.share if _depends(first) else 1.0
            strata.append(Stratum(source.planned * scale, [sizes[name] for name in names], paid, share))
        return total(strata)


def _depends(step: Step) -> bool:
    """Whether the number of documents depends on verdicts that are not there yet."""
    return step.kept and step.exact is None
