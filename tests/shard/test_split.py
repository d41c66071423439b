"""Splits and shards are hashes: stable under growth, shares respected."""

from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.shard.split import shard_count, split_of, unit

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@given(st.text(), st.integers(0, 9))
def test_a_group_has_one_split_for_ever(group, seed):
    assert split_of(seed, group, SHARES) == split_of(seed, group, SHARES)
    assert split_of(seed, group, SHARES) in SHARES


def test_shares_are_met():
    drawn = [split_of(3, str(number), SHARES) for number in range(5000)]
    assert abs(drawn.count("train") / 5000 - 0.8) < 0.02
    assert abs(drawn.count("test") / 5000 - 0.1) < 0.02
    assert {split_of(1, str(number), {"train": 1.0, "test": 0.0}) for number in range(500)} == {"train"}


@given(st.text(), st.integers(0, 5))
def test_points_lie_in_the_unit_interval(text, seed):
    assert 0 <= unit(seed, text) < 1


def test_shards_double():
    assert [shard_count(size, 100) for size in (0, 100, 101, 200, 201, 900)] == [1, 1, 2, 2, 4, 16]
