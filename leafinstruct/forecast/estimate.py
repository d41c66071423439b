"""Totals over all documents from a sample of them, and from what was paid for some. Pure.

For each source and step, with x = what was predicted for a document and y = what was paid for it:

    total = documents x mean of x over the sample x (sum of y / sum of x over the documents with answers)

The ratio corrects the tokenizer and the length of answers; it is one for each source, because answers about
pages of one source resemble each other. Two errors are computed, as standard deviations:

    sampling   of the mean of x; 0 if the sample is the whole source
    answers    of the ratio, from its spread over the documents of a source; 0 if all were asked about. With
               one document of each source the spread over the sources takes its place, which is larger

Source: ratio estimators and collapsed strata, Cochran, Sampling Techniques (1977), 6.2-6.5 and 5A.12.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

_LEVEL = 0.975  # two-sided 95%


@dataclass(frozen=True, slots=True)
class Stratum:
    """One step over one source. documents: their number; predicted: x of those in the sample, 0 where nothing
    is asked; asked: (x, y) of documents with answers; share: of the documents that are asked about after
    all."""

    documents: float
    predicted: Sequence[float]
    asked: Sequence[tuple[float, float]]
    share: float = 1.0

    @property
    def size(self) -> float:
        """Sum of x over all documents."""
        mean = sum(self.predicted) / len(self.predicted) if self.predicted else 0.0
        return self.share * self.documents * mean

    @property
    def count(self) -> float:
        """Number of documents that something is asked about."""
        share = sum(value > 0 for value in self.predicted) / max(1, len(self.predicted))
        return self.share * self.documents * share

    @property
    def sampling(self) -> float:
        """Standard deviation of `size`; infinite for one document of several."""
        n = len(self.predicted)
        if n >= self.documents or not n:
            return 0.0
        if n == 1:
            return math.inf
        mean = sum(self.predicted) / n
        variance = sum((value - mean) ** 2 for value in self.predicted) / (n - 1)
        return self.share * self.documents * math.sqrt(variance / n * (1 - n / self.documents))


@dataclass(frozen=True, slots=True)
class Total:
    """A total. sampling, answers: its standard deviations; answers is infinite if nothing shows how much
    answers vary. freedom: degrees of freedom of `answers`."""

    value: float
    sampling: float = 0.0
    answers: float = 0.0
    freedom: int = 0

    @property
    def answers_margin(self) -> float:
        """Half of the 95% interval of `answers`."""
        if not self.answers or math.isinf(self.answers):
            return self.answers
        return self.answers * float(stdtrit(self.freedom, _LEVEL))


def total(strata: Sequence[Stratum]) -> Total:
    """The total of one step over all sources. Without any answer it is what was predicted."""
    strata = [one for one in strata if one.size > 0]
    pooled = _ratio([pair for one in strata for pair in one.asked])
    if pooled is None:
        size, sampling = sum(one.size for one in strata), _root(one.sampling for one in strata)
        return Total(size, sampling, math.inf if size else 0.0)
    ratios = [pooled if (own := _ratio(one.asked)) is None else own for one in strata]
    spread, freedom = _spread(strata, ratios, pooled)
    answers = [_answers(one, ratio * one.size, spread) for one, ratio in zip(strata, ratios, strict=True)]
    return Total(
        sum(ratio * one.size for one, ratio in zip(strata, ratios, strict=True)),
        _root(ratio * one.sampling for one, ratio in zip(strata, ratios, strict=True)),
        _root(answers),
        freedom,
    )


def _ratio(pairs: Sequence[tuple[float, float]]) -> float | None:
    size = sum(x for x, _ in pairs)
    return sum(y for _, y in pairs) / size if size > 0 else None


def _root(deviations: Iterable[float]) -> float:
    return math.sqrt(sum(value * value for value in deviations))


def _spread(strata: Sequence[Stratum], ratios: Sequence[float], pooled: float) -> tuple[float, int]:
    """Relative standard deviation of what one document costs beside its prediction, and its degrees of
    freedom; infinite if one document alone was asked about."""
    open_ = [(one, ratio) for one, ratio in zip(strata, ratios, strict=True) if _is_open(one) and one.asked]
    freedom = sum(len(one.asked) - 1 for one, _ in open_)
    if not freedom:
        open_ = [(one, pooled) for one, _ in open_]
        freedom = len(open_) - 1
    if freedom < 1:
        return math.inf, 0
    squares = 0.0
    for one, ratio in open_:
        mean = ratio * sum(x for x, _ in one.asked) / len(one.asked)
        squares += sum(((y - ratio * x) / mean) ** 2 for x, y in one.asked) if mean else 0.0
    return math.sqrt(squares / freedom), freedom


def _answers(one: Stratum, value: float, spread: float) -> float:
    """Standard deviation of a stratum's total, from the answers alone."""
    if not _is_open(one):
        return 0.0
    if not one.asked or math.isinf(spread):
        return math.inf
    return value * spread * math.sqrt((1 - len(one.asked) / one.count) / len(one.asked))


def _is_open(one: Stratum) -> bool:
    """Whether some documents have no answers yet."""
    return len(one.asked) < round(one.count)


def margin(totals: Sequence[Total], further: float = 0.0) -> float:
    """Half of the 95% interval of a sum of totals over the same documents. further: standard deviation of an
    error of its own. Errors of one kind add up, since a long page is long for every step."""
    z = float(stdtrit(1e9, _LEVEL))
    sampling = z * sum(one.sampling for one in totals)
    return math.sqrt(sampling**2 + (z * further) ** 2 + sum(one.answers_margin for one in totals) ** 2)


def from_parts(strata: Sequence[tuple[float, Sequence[tuple[float, float]]]]) -> Total:
    """A total over all documents from some parts of each source, which are read as a whole.

    strata: documents of the source, and (documents, amount) of each part that was read. The amount for a
    document is one ratio for a source; its error comes from how it differs between parts, since documents of
    one part resemble each other. Its standard deviation is in `answers`: infinite for one part of several.
    Degrees of freedom are Satterthwaite's, since sources differ in size.
    """
    value, variances = 0.0, list[tuple[float, int]]()
    for documents, parts in strata:
        read, n = sum(x for x, _ in parts), len(parts)
        if not read:
            continue
        ratio = sum(y for _, y in parts) / read
        value += documents * ratio
        if read >= documents:
            continue
        if n == 1:
            return Total(value, answers=math.inf)
        squares = sum((y - ratio * x) ** 2 for x, y in parts) / (n - 1)
        variances.append((squares * n * (documents / read) ** 2 * (1 - read / documents), n - 1))
    variance = sum(one for one, _ in variances)
    if not variance:
        return Total(value)
    freedom = variance**2 / sum(one**2 / free for one, free in variances)
    return Total(value, answers=math.sqrt(variance), freedom=max(1, int(freedom)))


def kept(passed: int, judged: int, documents: float) -> tuple[float, float]:
    """Share of the judged documents that the rules on verdicts keep, and its standard deviation; Agresti and
    Coull's, so that it is not 0 when all or none passed. documents: all that are judged."""
    if judged >= round(documents):
        return (passed / judged if judged else 1.0), 0.0
    middle = (passed + 2) / (judged + 4)
    share = passed / judged if passed else middle
    return share, math.sqrt(middle * (1 - middle) / (judged + 4) * (1 - judged / documents))
