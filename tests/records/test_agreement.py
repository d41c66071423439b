"""Figures of agreement against published examples, other implementations and their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leafinstruct.records.agreement.measures import (
    Estimate,
    auc,
    bootstrap,
    cohen_kappa,
    fleiss_kappa,
    kappa_estimate,
    spearman,
    wilson,
)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),  # Newcombe 1998, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(count, n, low, high):
    found = wilson(count, n)
    assert (found.value, found.n) == (count / n, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy_and_mirrored(pair):
    count, n = pair
    found, other = wilson(count, n), wilson(n - count, n)
    known = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == (
        pytest.approx(known.low, abs=1e-9),
        pytest.approx(known.high, abs=1e-9),
    )
    assert (found.low, found.high) == (pytest.approx(1 - other.high), pytest.approx(1 - other.low))
    assert 0 <= found.low <= count / n <= found.high <= 1


def test_nothing_is_known_of_no_items():
    assert (wilson(0, 0).value, wilson(0, 0).low, wilson(0, 0).high) == (None, 0, 1)
    assert wilson(0, 0).text() == "n/a (0.00 to 1.00)"
    with pytest.raises(ValueError, match="3 of 2 is no share"):
        wilson(3, 2)


def pairs(table: dict[tuple[object, object], int]) -> tuple[list[object], list[object]]:
    both = [pair for pair, count in table.items() for _ in range(count)]
    return [one for one, _ in both], [other for _, other in both]


def test_cohen_kappa_by_hand():
    """50 proposals: observed 0.7, expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5."""
    first, second = pairs({("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15})
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert cohen_kappa(["y", "n"], ["n", "y"]) == pytest.approx(-1)


def test_the_interval_of_kappa():
    """Of large samples it is Cohen's: kappa +- 1.96 sqrt(po (1 - po) / n) / (1 - pe)."""
    first, second = pairs({("y", "y"): 2000, ("y", "n"): 500, ("n", "y"): 1000, ("n", "n"): 1500})
    found, half = kappa_estimate(first, second), 1.96 * math.sqrt(0.7 * 0.3 / 5000) / 0.5
    assert (found.value, found.n) == (pytest.approx(0.4), 5000)
    assert (found.low, found.high) == (
        pytest.approx(0.4 - half, abs=1e-3),
        pytest.approx(0.4 + half, abs=1e-3),
    )
    few = kappa_estimate(["y", "n", "y", "n"], ["y", "n", "y", "n"])
    assert (few.value, few.high) == (1, 1)
    assert few.low == pytest.approx((wilson(4, 4).low - 0.5) / 0.5)
    assert kappa_estimate(["y"], ["y"]) == Estimate(None, -1, 1, 1)


def test_weighted_kappa_by_hand():
    """One of four answers differs, by one grade: cost 1/4. By chance, over the 16 pairs of one answer each,
    linear: 1 is off 0, 1, 1, 2 from the others (twice), 2 off 1, 0, 0, 1, 3 off 2, 1, 1, 0; quadratic: 0, 1,
    1, 4 (twice), 1, 0, 0, 1 and 4, 1, 1, 0."""
    first, second = [1, 1, 2, 3], [1, 2, 2, 3]
    expected, squares = (4 + 4 + 2 + 4) / 16, (6 + 6 + 2 + 6) / 16
    assert cohen_kappa(first, second, "linear") == pytest.approx(1 - 0.25 / expected)
    assert cohen_kappa(first, second, "quadratic") == pytest.approx(1 - 0.25 / squares)
    words = [["bad", "fair", "good"][grade - 1] for grade in first]
    others = [["bad", "fair", "good"][grade - 1] for grade in second]
    assert cohen_kappa(words, others, "linear", ["bad", "fair", "good"]) == cohen_kappa(
        first, second, "linear"
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=40))
def test_laws_of_kappa(both):
    first, second = [one for one, _ in both], [other for _, other in both]
    for weights in (None, "linear", "quadratic"):
        found = cohen_kappa(first, second, weights)
        assert found is None or -1 - 1e-9 <= found <= 1
        assert found == pytest.approx(cohen_kappa(second, first, weights))
        assert cohen_kappa(first, first, weights) == (None if len(set(first)) == 1 else pytest.approx(1))
    two = [[one, other] for one, other in both]
    assert (fleiss_kappa(two) is None) == (len({*first, *second}) == 1)


def test_quadratic_kappa_of_equal_margins_is_the_correlation():
    first = [1, 2, 3, 4, 5, 5]
    second = [2, 1, 3, 5, 4, 5]
    assert cohen_kappa(first, second, "quadratic") == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_undefined_and_wrong_kappas():
    assert cohen_kappa(["keep"] * 3, ["keep"] * 3) is None
    with pytest.raises(ValueError, match="2 and 1 answers"):
        cohen_kappa([1, 2], [1])
    with pytest.raises(ValueError, match="needs their order"):
        cohen_kappa(["a", "b"], ["a", "a"], "linear")
    with pytest.raises(ValueError, match="'c' is not in the order"):
        cohen_kappa(["a", "c"], ["a", "a"], "linear", ["a", "b"])
    with pytest.raises(ValueError, match="same number of answers"):
        fleiss_kappa([["a", "b"], ["a"]])


def test_fleiss_kappa_as_published():
    """The example of 14 annotators, ten subjects and five categories that Fleiss' kappa is explained with:
    0.210."""
    counts = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    answers = [[value for value, count in enumerate(row) for _ in range(count)] for row in counts]
    assert fleiss_kappa(answers) == pytest.approx(0.20993, abs=5e-6)


def test_spearman():
    assert spearman([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(0.8)
    assert spearman([1, 1, 1], [1, 2, 3]) is None


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=20), st.lists(st.integers(0, 9), min_size=1, max_size=20)
)
def test_auc_counts_pairs_and_its_interval_is_mirrored(high, low):
    found, other = auc(high, low), auc(low, high)
    area = sum((one > two) + (one == two) / 2 for one in high for two in low) / (len(high) * len(low))
    assert found.value == pytest.approx(area)
    assert (found.low, found.high) == (pytest.approx(1 - other.high), pytest.approx(1 - other.low))
    assert 0 <= found.low <= area + 1e-9
    assert area - 1e-9 <= found.high <= 1


def test_few_items_that_agree_have_wide_intervals():
    assert auc([2, 3], [0, 1]).low < 0.5 < auc([2, 3], [0, 1]).value == 1
    assert auc(range(500, 1000), range(500)).low > 0.98
    assert auc([], [1]).value is None


def test_the_interval_of_auc_holds_what_it_promises():
    """Of 400 samples of two normal distributions with a known AUC, about 95% of intervals contain it."""
    random, shift = np.random.default_rng(7), 1.0
    truth = stats.norm.cdf(shift / math.sqrt(2))
    found = [auc(random.normal(shift, 1, 15).tolist(), random.normal(0, 1, 25).tolist()) for _ in range(400)]
    assert 0.92 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.99


def test_bootstrap_of_a_mean_is_its_interval_and_repeatable():
    values = np.random.default_rng(3).normal(5, 2, 100)
    found = bootstrap(lambda chosen: float(values[chosen].mean()), 100)
    half = 1.96 * values.std() / 10
    assert found.value == values.mean()
    assert (found.low, found.high) == (
        pytest.approx(values.mean() - half, abs=0.1),
        pytest.approx(values.mean() + half, abs=0.1),
    )
    assert found == bootstrap(lambda chosen: float(values[chosen].mean()), 100)
    constant = bootstrap(lambda _: 1.0, 4)
    assert (constant.value, constant.low, constant.high) == (1, -1, 1)
    nothing = bootstrap(lambda _: None, 4)
    assert (nothing.value, nothing.low, nothing.high) == (None, -1, 1)
