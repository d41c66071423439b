"""One verdict from several annotators, and their agreement."""

from __future__ import annotations

import pytest

from leafinstruct.evaluate.labels import Label
from leafinstruct.evaluate.verdicts import verdicts


def label(identity: str, value: str, annotator: str, subject: str = "document") -> Label:
    return Label(identity, subject, "keep", value, annotator)


def test_the_majority_counts_and_a_tie_is_left_out():
    found = verdicts(
        [
            *(label("a", value, who) for value, who in (("keep", "ann"), ("drop", "ben"), ("drop", "cem"))),
            *(label("b", value, who) for value, who in (("keep", "ann"), ("drop", "ben"))),
            label("c", "keep", "ann"),
            label("c", "drop", "ann", "image:4"),
        ]
    )
    assert found.kept == {("a", None): False, ("c", None): True, ("c", 4): False}
    assert found.ties == [("b", None)]
    assert found.disagreed == 2
    assert found.annotators == {"ann": 4, "ben": 2, "cem": 1}


def test_agreement_is_counted_over_what_both_labeled():
    given = {"ann": "kkkkddddkk", "ben": "kkkkddddkd", "cem": "d"}
    found = verdicts(
        [
            label(f"{number}", "keep" if letter == "k" else "drop", who)
            for who, letters in given.items()
            for number, letter in enumerate(letters)
        ]
        + [label("other", "keep", "dee")]
    )
    assert [(pair.first, pair.second, pair.equal.n) for pair in found.pairs] == [
        *(("ann", "ben", 10), ("ann", "cem", 1), ("ben", "cem", 1))
    ]
    pair = found.pairs[0]
    assert pair.equal.value == 0.9
    # by hand: chance 0.6 * 0.5 + 0.4 * 0.5 = 0.5
    assert pair.kappa.value == pytest.approx((0.9 - 0.5) / 0.5)
    assert -1 <= pair.kappa.low < 0.6
    assert 0.9 < pair.kappa.high <= 1


def test_labels_about_something_else_are_counted():
    found = verdicts(
        [
            label("a", "keep", "ann"),
            label("a", "drop", "ann", "text:2"),
            Label("a", "document", "text_quality", 4, "ann"),
            Label("b", "document", "text_quality", 2, "ann"),
        ]
    )
    assert found.kept == {("a", None): True}
    assert found.unused == {"of texts, which have no scores": 1, "of the aspect text_quality": 2}
