"""Curves against counting by hand, and when a bound is suggested."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.evaluate.calibration.curve import MIN_DROPPED, MIN_KEPT, SIDES, advise, curve

_labeled = st.lists(
    st.tuples(
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4)) | st.integers(0, 5),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@given(_labeled, st.sampled_from(SIDES))
def test_every_bound_counts_what_it_keeps(labeled, side):
    values, verdicts = [value for value, _ in labeled], [keep for _, keep in labeled]
    points = curve(values, verdicts, side)
    assert len(points) == len(set(values)) - 1
    kept_before = len(labeled)
    for point in points:
        passing = [
            keep
            for value, keep in labeled
            if (value >= point.bound if side == "min" else value <= point.bound)
        ]
        dropped = len(labeled) - len(passing)
        assert 0 < len(passing) < kept_before  # each is tighter than the one before it
        kept_before = len(passing)
        assert (point.precision.value, point.precision.n) == (sum(passing) / len(passing), len(passing))
        assert point.kept.value == len(passing) / len(labeled)
        wanted = sum(verdicts)
        assert point.recall.value == (sum(passing) / wanted if wanted else None)
        wrong = wanted - sum(passing)
        assert (point.rightly, point.net, point.right.n) == (dropped - wrong, dropped - 2 * wrong, dropped)
        assert point.caught.n == len(labeled) - wanted


def test_a_curve_of_many_values_has_a_thousand_bounds():
    points = curve(range(3000), [number >= 300 for number in range(3000)], "min")
    assert len(points) == 1000
    assert (points[0].bound, points[0].recall.value, points[-1].bound) == (1, 1, 2999)


@pytest.mark.parametrize(
    ("low", "high", "side", "bound"),
    [
        (15, 72, "min", 40),
        (0.2181, 0.2244, "min", 0.22),
        (0, 1, "min", 1),
        (0, 1, "max", 0),
        (3, 3.0001, "max", 3.00005),
        (0, 15, "max", 10),
    ],
)
def test_a_bound_is_a_short_number_between_its_values(low, high, side, bound):
    (point,) = curve([low, high], [True, False], side)
    assert point.bound == bound


def advised(kept: list[float], dropped: list[float], side: str, max_lost: float = 0.03, tried: int = 1):
    values, verdicts = [*kept, *dropped], [True] * len(kept) + [False] * len(dropped)
    return advise(curve(values, verdicts, side), side, len(kept), len(dropped), max_lost, tried)


def test_the_bound_has_most_right_minus_wrong_drops_within_the_loss():
    kept, dropped = [*range(100, 200)], [*range(50, 90), 101, 102, 103, 104, 150]
    found = advised(kept, dropped, "min").point
    # 4 more are caught above 104.5 for the loss of 5; of equal bounds the loosest
    assert (found.bound, found.recall.value, found.rightly) == (94, 1, 40)
    assert advised(kept, dropped, "max").point is None


def test_a_loss_is_allowed_only_up_to_the_share():
    kept, dropped = [1, 2, 3, *range(100, 197)], [*range(4, 44)]
    assert advised(kept, dropped, "min", max_lost=0.03).point.rightly == 40
    found = advised(kept, dropped, "min", max_lost=0.02)
    assert (found.point, found.reason) == (None, "every bound loses more than 2%, or more than it catches")


def test_few_labels_give_no_bound_but_a_reason():
    kept, dropped = [*range(100, 100 + MIN_KEPT)], [*range(MIN_DROPPED)]
    assert advised(kept, dropped, "min").point is not None
    for fewer in ((kept[1:], dropped), (kept, dropped[1:])):
        found = advised(*fewer, "min")
        assert found.point is None
        assert found.reason == (
            f"{len(fewer[0])} labels keep and {len(fewer[1])} drop; a suggestion needs 20 and 10"
        )


def test_a_bound_that_may_be_chance_is_not_suggested():
    """Three of three dropped rightly, where people drop a third: likely one of 40 times, not at once."""
    kept, dropped = [*range(10, 50)], [1, 2, 3, *range(20, 37)]
    assert advised(kept, dropped, "min", tried=1).point.rightly == 3
    found = advised(kept, dropped, "min", tried=40)
    assert found.point is None
    assert found.reason == (
        "the best drops 3 of 3, 100% (44-100%) rightly, which may be chance after 40 tries"
    )
