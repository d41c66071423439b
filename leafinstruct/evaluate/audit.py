"""Results of an audit: how often people agree with the rules of a run, and with each other.

    dropped        of the documents that a rule dropped, the share that people drop too
    dropped_near   the same, of those near the bound
    kept_near      of the documents that were kept near the bound of the rule, the share that people keep too

Each is the precision of a decision, with a 95% interval. A sample has more documents near the bounds than the
run has, so every share is weighted: a document counts for documents of its stratum / labeled ones of it
(report/audit/sample.py). Because the page shows documents in random order, this also holds for labels of the
first documents only. A stratum without labels is not estimated: `uncovered` counts its documents.

A document that several annotators labeled counts as the part of them who agree, so a share is the probability
that one annotator agrees with the rules. A majority would leave out the documents on which two people differ,
which are the hardest ones, and overstate the agreement. Agreement between annotators has no weights: it
describes them on this sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate.labels import KEEP, WHOLE, Label, by_question
from leafinstruct.evaluate.verdicts import Pair, verdicts
from leafinstruct.records.agreement.measures import Estimate, weighted_share
from leafinstruct.report.audit.sample import Sample, Sampled

REASON = "reason"
"""The aspect of why something is kept or dropped: a text."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A document with different answers. answers, reasons: of each annotator. kept: by the rules."""

    id: str
    kept: bool
    answers: dict[str, str]
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """Shares of one rule; see the module's docstring."""

    rule: str
    dropped: Estimate
    dropped_near: Estimate
    kept_near: Estimate

    @property
    def labeled(self) -> int:
        """Number of labeled documents that the shares are of."""
        return self.dropped.n + self.kept_near.n


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Results of an audit.

    sampled, labeled: documents. answers: annotator -> answer -> documents. unknown: labeled ids that are not
    in the sample. uncovered: documents of the run in strata without labels. dropped, kept: of all dropped and
    of all kept documents, the share that people drop and keep too. people_drop: reasons that people gave for
    a drop -> number of answers, the most frequent first.
    """

    run: str
    blind: bool
    sampled: int
    labeled: int
    answers: dict[str, dict[str, int]]
    unknown: tuple[str, ...]
    uncovered: int
    dropped: Estimate
    kept: Estimate
    rules: tuple[RuleResult, ...]
    agreement: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]
    people_drop: dict[str, int]


def results(sample: Sample, labels: Sequence[Label]) -> AuditResult:
    """Compare the labels of documents with the decisions of a sample. Other subjects and aspects are ignored.

    Raises LeafInstructError if no label is about a document of the sample.
    """
    known = {one.id: one for one in sample.documents}
    about = [label for label in labels if label.subject in WHOLE]
    used = [label for label in about if label.aspect == KEEP and label.id in known]
    others = dict.fromkeys(label.id for label in about if label.id not in known)
    if not used:
        raise LeafInstructError(
            f"no label is about a document of this sample of {sample.run} ({len(others):,} others are); name "
            "the page that was labeled (--out)"
        )
    people = verdicts(used)
    answers = {
        question[0]: {who: str(value) for who, value in given.items()}
        for question, given in by_question(used).items()
    }
    shares = _Shares(sample, {name: [*given.values()] for name, given in answers.items()})
    reasons = {(label.id, label.annotator): str(label.value) for label in about if label.aspect == REASON}
    return AuditResult(
        run=sample.run,
        blind=sample.blind,
        sampled=len(known),
        labeled=len(answers),
        answers=_counts(answers, people.annotators),
        unknown=tuple(others),
        uncovered=shares.uncovered,
        dropped=shares.of("drop", lambda one: not one.kept),
        kept=shares.of("keep", lambda one: one.kept),
        rules=tuple(_rule(shares, rule) for rule in _rules(sample)),
        agreement=tuple(people.pairs),
        disagreements=tuple(_disagreements(answers, reasons, known)),
        people_drop=_reasons(answers, reasons),
    )


class _Shares:
    """Weighted shares over the labeled documents of a sample. answers: id -> answers of its annotators."""

    def __init__(self, sample: Sample, answers: Mapping[str, Sequence[str]]) -> None:
        self._answers = answers
        self._labeled = [one for one in sample.documents if one.id in answers]
        counts = Counter(one.stratum for one in self._labeled)
        sizes = [stratum.documents for stratum in sample.strata]
        self._weights = {number: sizes[number] / count for number, count in counts.items()}
        self.uncovered = sum(size for number, size in enumerate(sizes) if number not in counts)

    def of(self, answer: str, wanted: Callable[[Sampled], bool]) -> Estimate:
        """Share of the wanted documents that people give this answer."""
        found = [one for one in self._labeled if wanted(one)]
        parts = [self._answers[one.id].count(answer) / len(self._answers[one.id]) for one in found]
        return weighted_share(parts, [self._weights[one.stratum] for one in found])


def _rules(sample: Sample) -> list[str]:
    """Rules of the recipe, then other reasons of drops, such as min_images."""
    return [*dict.fromkeys([*sample.rules, *(rule for one in sample.documents for rule in one.dropped_by)])]


def _rule(shares: _Shares, rule: str) -> RuleResult:
    return RuleResult(
        rule,
        shares.of("drop", lambda one: rule in one.dropped_by),
        shares.of("drop", lambda one: rule in one.dropped_by and rule in one.near),
        shares.of("keep", lambda one: one.kept and rule in one.near),
    )


def _counts(
    answers: Mapping[str, Mapping[str, str]], annotators: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    return {
        who: {
            verdict: sum(given.get(who) == verdict for given in answers.values())
            for verdict in ("keep", "drop")
        }
        for who in annotators
    }


def _disagreements(
    answers: Mapping[str, Mapping[str, str]],
    reasons: Mapping[tuple[str, str], str],
    known: Mapping[str, Sampled],
) -> Iterator[Disagreement]:
    for name, given in answers.items():
        if len(set(given.values())) > 1:
            why = {who: reasons[name, who] for who in given if (name, who) in reasons}
            yield Disagreement(name, known[name].kept, dict(sorted(given.items())), why)


def _reasons(
    answers: Mapping[str, Mapping[str, str]], reasons: Mapping[tuple[str, str], str]
) -> dict[str, int]:
    found = Counter(
        reason for (name, who), reason in reasons.items() if answers.get(name, {}).get(who) == "drop"
    )
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
