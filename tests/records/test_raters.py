"""Agreement of several annotators on one aspect."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from leafinstruct.records.agreement.measures import cohen_kappa, fleiss_kappa, spearman
from leafinstruct.records.agreement.raters import agreement


def test_two_annotators_have_cohens_kappa_and_a_near_miss_counts_less_in_the_weighted_one() -> None:
    found = agreement("completeness", ["a", "b"], Counter([(1, 1), (2, 3), (4, 4), (5, 5)]))
    assert (found.items, found.annotators) == (4, ("a", "b"))
    # observed 3/4, expected (1+1+1)/16
    assert found.kappa == pytest.approx((3 / 4 - 3 / 16) / (1 - 3 / 16), abs=1e-4)
    # cost 1/4 of one step; expected is the mean of all squared distances of the margins
    costs = [(x - y) ** 2 for x in (1, 2, 4, 5) for y in (1, 3, 4, 5)]
    assert found.weighted == pytest.approx(1 - (1 / 4) / (sum(costs) / 16), abs=1e-4)
    assert found.spearman == 1.0


def test_three_annotators_have_fleiss_kappa_over_what_all_answered() -> None:
    answers = [(5, 5, 5), (1, 1, 1), (5, 5, 1), (None, 5, 1)]
    found = agreement("safety", ["a", "b", "c"], Counter(answers))
    assert found.items == 3
    # of 3 items two are equal in 6 of 6 pairs and one in 2 of 6; 5 of 9 answers are 5
    observed, expected = (1 + 1 + 1 / 3) / 3, (5 / 9) ** 2 + (4 / 9) ** 2
    assert found.kappa == pytest.approx((observed - expected) / (1 - expected), abs=1e-4)
    # the pair b and c has four items, of which two are equal
    assert found.spearman is not None
    assert found.spearman < 1


@pytest.mark.parametrize(
    "answers", [[], [(None, 4)], [(4, 4), (4, 4)], [(4, 4)]], ids=["none", "one", "constant", "single"]
)
def test_where_nothing_can_be_known_a_figure_is_undefined_and_not_zero(
    answers: list[tuple[float | None, float | None]],
) -> None:
    found = agreement("safety", ["a", "b"], Counter(answers))
    assert (found.kappa, found.weighted, found.spearman) == (None, None, None)


def test_a_stricter_judge_has_the_same_order_and_another_kappa() -> None:
    found = agreement("safety", ["a", "b"], Counter([(2, 1), (3, 2), (4, 3), (5, 4)]))
    assert found.spearman == 1.0
    assert found.kappa is not None
    assert found.kappa < 0


def test_one_annotator_agrees_with_nobody() -> None:
    with pytest.raises(ValueError, match="two annotators"):
        agreement("safety", ["a"], {(4,): 1})


def test_counted_answers_are_as_good_as_single_ones() -> None:
    """The grades of a run are counted, so that memory does not grow with it."""
    answers = Counter({(5, 4, 5): 3, (1, 2, None): 2, (4, 4, 3): 5, (2, 1, 2): 1, (None, 3, 3): 4})
    for side in range(2):
        pairs = [item[side : side + 2] for item in answers.elements() if None not in item[side : side + 2]]
        first, second = zip(*pairs, strict=True)
        counted = Counter(pairs)
        one, other = zip(*counted, strict=True)
        counts = list(counted.values())
        assert spearman(one, other, counts) == pytest.approx(stats.spearmanr(first, second).statistic)
        assert cohen_kappa(one, other, "quadratic", counts=counts) == pytest.approx(
            cohen_kappa(first, second, "quadratic")
        )
    whole = [item for item in answers.elements() if None not in item]
    found = agreement("safety", ["a", "b", "c"], answers)
    assert (found.items, found.kappa) == (9, pytest.approx(fleiss_kappa(whole), abs=1e-4))
    many = agreement("safety", ["a", "b", "c"], {item: 10**9 * n for item, n in answers.items()})
    assert (many.items, many.kappa) == (9 * 10**9, found.kappa)
