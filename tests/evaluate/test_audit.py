"""Results of an audit: shares of a sample with unequal weights, several annotators, what is left out."""

from __future__ import annotations

import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate import audit
from leafinstruct.evaluate.labels import Label
from leafinstruct.records.agreement.measures import weighted_share, wilson
from leafinstruct.report.audit import sample as samples
from leafinstruct.report.audit.decided import Decided
from leafinstruct.report.audit.sample import Sample, Sampled, Sized, Stratum

NEAR, FAR, KEPT = (
    Stratum(False, "text.words", True),
    Stratum(False, "text.words", False),
    Stratum(True, None, False),
)


def sampled(sizes: dict[Stratum, int], *strata: Stratum) -> Sample:
    """Documents d0, d1, ... of these strata; sizes: documents of each stratum in the run."""
    order = [*sizes]
    documents = tuple(
        Sampled(
            f"d{at}", "p", order.index(one), () if one.kept else ("text.words",), ("text.words",) * one.near
        )
        for at, one in enumerate(strata)
    )
    sized = tuple(Sized(one, size, strata.count(one)) for one, size in sizes.items())
    return Sample("run", 0, True, ("text.words", "text.links"), sized, documents)


def labels(annotator: str, answers: str, aspect: str = "keep") -> list[Label]:
    """Labels of d0, d1, ...: a letter each, `k` or `d`; `.` for none."""
    words = {"k": "keep", "d": "drop"}
    return [
        Label(f"d{at}", "document", aspect, words[letter], annotator)
        for at, letter in enumerate(answers)
        if letter != "."
    ]


# Shares of samples -----------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.integers(1, 30), st.floats(0.01, 1000))
def test_equal_weights_give_wilsons_interval(count, more, weight):
    n = count + more
    found = weighted_share([True] * count + [False] * more, [weight] * n)
    plain = wilson(count, n)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
    assert found.n == n


def test_unequal_weights_move_the_share_and_widen_the_interval():
    found = weighted_share([True, True, False, False], [1.0, 1.0, 1.0, 7.0])
    assert found.value == pytest.approx(0.2)
    # Kish: 10^2 / 52 = 1.92 documents
    even = weighted_share([True, False, False, False, False], [1.0] * 5)
    assert even.value == pytest.approx(0.2)
    assert found.high - found.low > even.high - even.low
    assert found.low < 0.2 < found.high


def test_agreement_of_all_is_one_and_its_interval_does_not_shrink_to_nothing():
    found = weighted_share([True] * 3, [0.1, 0.2, 0.7])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.5
    assert weighted_share([], []).value is None
    with pytest.raises(ValueError, match="above 0"):
        weighted_share([True], [0.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        weighted_share([1.5], [1.0])


def test_weights_undo_the_stratification():
    """The mean of 200 audits of one run is the truth; without weights it is far off, because documents near
    the bound, about which people disagree with the rule, are sampled more often."""
    dice = random.Random(3)
    run = [Decided(f"d{at}", "p", ("text.words",), {"text.words": dice.random()}) for at in range(400)]
    right = {one.id: "keep" if one.margins["text.words"] < 0.12 else "drop" for one in run}
    truth = sum(verdict == "drop" for verdict in right.values()) / len(run)
    weighted, plain = [], []
    for seed in range(200):
        found = samples.sample("run", ["text.words"], run, 40, seed, True)
        given = [Label(one.id, "document", "keep", right[one.id], "ann") for one in found.documents]
        (rule,) = audit.results(found, given).rules
        weighted.append(rule.dropped.value)
        plain.append(fmean(label.value == "drop" for label in given))
    assert fmean(weighted) == pytest.approx(truth, abs=0.01)
    assert abs(fmean(plain) - truth) > 0.2


def test_labels_of_half_of_a_stratum_count_for_all_of_it():
    sample = sampled({NEAR: 4, FAR: 20, KEPT: 100}, NEAR, NEAR, FAR, FAR, KEPT)
    found = audit.results(sample, labels("ann", "kkdk."))
    (words, links) = found.rules
    assert words.dropped.value == pytest.approx(10 / 24)
    assert words.dropped_near.value == 0.0
    assert (links.dropped.value, links.dropped.n) == (None, 0)
    half = audit.results(sample, labels("ann", "k.d.."))
    assert half.rules[0].dropped.value == pytest.approx(20 / 24)
    assert (half.labeled, half.sampled, half.uncovered) == (2, 5, 100)
    assert half.kept.value is None


# Annotators ------------------------------------------------------------------------------------------------


def test_kappa_of_two_annotators_is_the_published_one():
    """The textbook table of Cohen's kappa: 20 and 15 alike, 5 and 10 not, of 50: kappa 0.4."""
    sample = sampled({KEPT: 50}, *[KEPT] * 50)
    ann = labels("ann", "k" * 25 + "d" * 25)
    ben = labels("ben", "k" * 20 + "d" * 5 + "k" * 10 + "d" * 15)
    found = audit.results(sample, [*ann, *ben])
    (pair,) = found.agreement
    assert (pair.first, pair.second) == ("ann", "ben")
    assert pair.equal.value == pytest.approx(0.7)
    assert pair.kappa.value == pytest.approx(0.4)
    assert 0.1 < pair.kappa.low < 0.4 < pair.kappa.high < 0.7
    assert len(found.disagreements) == 15
    assert found.answers == {"ann": {"keep": 25, "drop": 25}, "ben": {"keep": 30, "drop": 20}}


def test_several_annotators_of_a_document_count_in_part():
    """Without the document on which two people differ, everybody would seem to agree with the rule."""
    sample = sampled({NEAR: 10, FAR: 10}, NEAR, NEAR, FAR)
    given = [*labels("ann", "ddd"), *labels("ben", "kkd"), *labels("eve", "d..")]
    found = audit.results(sample, given)
    assert found.rules[0].dropped_near.n == 2
    assert found.rules[0].dropped_near.value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.rules[0].dropped.value == pytest.approx((5 * 2 / 3 + 5 * 1 / 2 + 10) / 20)
    assert [(pair.first, pair.second) for pair in found.agreement] == [
        ("ann", "ben"),
        ("ann", "eve"),
        ("ben", "eve"),
    ]


def test_disagreements_hold_both_answers_and_reasons():
    given = [
        *labels("ann", "d"),
        *labels("ben", "k"),
        Label("d0", "document", "reason", "spam", "ann"),
        Label("d0", "image:1", "keep", "drop", "ben"),
        Label("d0", "document", "text_quality", 3, "ben"),
    ]
    found = audit.results(sampled({NEAR: 1}, NEAR), given)
    (one,) = found.disagreements
    assert (one.id, one.kept, one.answers) == ("d0", False, {"ann": "drop", "ben": "keep"})
    assert one.reasons == {"ann": "spam"}
    assert found.people_drop == {"spam": 1}


def test_labels_of_other_documents_are_named_and_alone_an_error():
    sample = sampled({NEAR: 1}, NEAR)
    other = Label("x", "document", "keep", "drop", "ann")
    assert audit.results(sample, [*labels("ann", "d"), other]).unknown == ("x",)
    with pytest.raises(LeafInstructError, match="no label is about a document of this sample of run"):
        audit.results(sample, [other])
