"""Quantiles without keeping the values: near the exact ones, the same in any order and for any cut into
parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.card.distribution import QUANTILES, Distribution, merged, rounded

VALUES = st.lists(
    st.floats(-1e9, 1e9, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-6),
    min_size=1,
)


def of(values: list[float], *bounds: tuple[float | None, float | None]) -> Distribution:
    found = Distribution()
    found.add(np.array(values, np.float64), bounds)
    return found


@given(VALUES)
def test_a_quantile_is_the_exact_one_to_three_digits(values):
    exact = np.quantile(values, QUANTILES, method="inverted_cdf")
    found = list(of(values).quantiles().values())
    np.testing.assert_allclose(found, exact, rtol=0.0051)


@given(VALUES, VALUES, st.floats(-10, 10))
def test_parts_sum_up_in_any_order(one, other, bound):
    whole = of(one + other, (bound, None))
    for parts in ([one, other], [other, one]):
        found = merged([{"score": of(part, (bound, None))} for part in parts])["score"]
        assert (found.values, found.passed, found.least, found.most) == (
            whole.values,
            whole.passed,
            whole.least,
            whole.most,
        )


def test_bounds_are_inclusive_and_exact_where_rounding_would_move_a_value():
    found = of([0.2199999, 0.22, 0.2200001, 5.0, np.nan], (0.22, None), (None, 0.22), (0.22, 0.22), (6, None))
    assert dict(found.passed) == {(0.22, None): 3, (None, 0.22): 2, (0.22, 0.22): 1, (6, None): 0}
    assert found.quantiles()["50%"] == 0.22


def test_no_value_has_no_quantile_and_no_number_is_made_up():
    found = of([np.nan])
    assert (found.quantiles(), found.least, found.most) == ({}, None, None)


def test_a_million_values_are_a_few_thousand_counts():
    values = np.random.default_rng(3).lognormal(3, 2, 1_000_000)
    found = Distribution()
    for part in np.array_split(values, 10):
        found.add(part)
    assert len(found.values) < 9_000
    np.testing.assert_allclose(list(found.quantiles().values()), np.quantile(values, QUANTILES), rtol=0.006)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1234, 1230), (-0.012345, -0.0123), (0.0, 0.0), (-0.0, 0.0), (99.96, 100), (1e-300, 1e-300)],
)
def test_three_digits(value, expected):
    (found,) = rounded(np.array([value])).tolist()
    assert found == pytest.approx(expected)
    assert str(found)[0] != "-" or expected < 0
