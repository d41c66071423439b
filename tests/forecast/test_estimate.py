"""Totals from a sample and from a few answers: how often the interval holds, and when it is not known."""

from __future__ import annotations

import math
import random

import pytest

from leafinstruct.forecast.estimate import Stratum, from_parts, kept, margin, total


def one_source(generator: random.Random, documents: int, asked: int, spread: float) -> tuple[Stratum, float]:
    """A source whose answers cost a constant times what was predicted, within `spread`; and its true total.
    The documents with answers are evenly spaced by size."""
    sizes = [3 + generator.lognormvariate(0, 0.6) for _ in range(documents)]
    ratio = generator.uniform(0.6, 2)
    costs = [ratio * size * max(0.05, generator.gauss(1, spread)) for size in sizes]
    order = sorted(range(documents), key=lambda at: sizes[at])
    chosen = [order[(2 * at + 1) * documents // (2 * asked)] for at in range(asked)]
    return Stratum(documents, sizes, [(sizes[at], costs[at]) for at in chosen]), sum(costs)


@pytest.mark.parametrize("sources", [1, 3])
@pytest.mark.parametrize("asked", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_the_bill_is_in_the_interval_in_95_of_100_cases(sources: int, asked: int, spread: float) -> None:
    generator, inside = random.Random(f"{sources} {asked} {spread}"), 0
    for _ in range(600):
        several = [one_source(generator, 100, asked, spread) for _ in range(sources)]
        found = total([stratum for stratum, _ in several])
        inside += abs(found.value - sum(cost for _, cost in several)) <= margin([found])
    assert 0.92 <= inside / 600 <= 0.98


def test_the_sample_of_documents_has_an_error_of_its_own() -> None:
    generator, inside = random.Random(5), 0
    for _ in range(600):
        sizes = [3 + generator.lognormvariate(0, 0.8) for _ in range(400)]
        sampled = generator.sample(sizes, 50)
        # every answer costs what was predicted
        found = total([Stratum(400, sampled, [(size, 2 * size) for size in sampled[:3]])])
        assert found.answers == pytest.approx(0)
        inside += abs(found.value - 2 * sum(sizes)) <= margin([found])
    assert 0.92 <= inside / 600 <= 0.98


def test_with_one_document_of_each_source_their_ratios_show_the_spread() -> None:
    sizes = [1.0] * 10
    equal = total([Stratum(10, sizes, [(1.0, 2.0)]), Stratum(10, sizes, [(1.0, 2.0)])])
    assert (equal.value, margin([equal])) == (40, 0)
    # ratios 1 and 3: pooled 2, each off by a half of it; one degree of freedom
    unequal = total([Stratum(10, sizes, [(1.0, 1.0)]), Stratum(10, sizes, [(1.0, 3.0)])])
    spread = math.sqrt(0.5**2 + 0.5**2)
    assert (unequal.value, unequal.freedom) == (40, 1)
    assert unequal.answers == pytest.approx(spread * math.sqrt(0.9) * math.hypot(10, 30))
    assert margin([unequal]) == pytest.approx(12.706 * unequal.answers, rel=1e-3)


def test_what_nothing_shows_is_not_known() -> None:
    assert margin([total([Stratum(10, [1.0] * 10, [(1.0, 2.0)])])]) == math.inf
    assert margin([total([Stratum(10, [1.0] * 10, ())])]) == math.inf
    known = [(1.0, 2.0), (1.0, 2.1)]
    assert margin([total([Stratum(10, [1.0] * 10, known), Stratum(10, [1.0] * 10, ())])]) == math.inf
    # nothing is asked about the second source
    assert margin([total([Stratum(10, [1.0] * 10, known), Stratum(10, [0.0] * 10, ())])]) < math.inf


def test_a_source_with_all_answers_is_exact() -> None:
    pairs = [(1.0, 2.0), (2.0, 1.0), (1.0, 7.0)]
    found = total([Stratum(3, [1.0, 2.0, 1.0], pairs)])
    assert found.value == pytest.approx(10)
    assert margin([found]) == 0


def test_errors_of_two_steps_about_the_same_documents_add_up() -> None:
    found = total([Stratum(10, [1.0] * 10, [(1.0, 2.0), (1.0, 2.2)])])
    assert margin([found, found]) == pytest.approx(2 * margin([found]))
    assert margin([found], further=3) == pytest.approx(math.hypot(margin([found]), 1.96 * 3), rel=1e-3)


def test_the_share_that_is_kept_has_an_error_unless_all_are_judged() -> None:
    assert kept(7, 10, 10) == (0.7, 0.0)
    share, deviation = kept(3, 3, 1_000)
    assert share == 1
    assert deviation == pytest.approx(math.sqrt(5 / 7 * 2 / 7 / 7), rel=0.01)
    share, deviation = kept(0, 3, 1_000)
    assert share == pytest.approx(2 / 7)
    assert deviation > 0.1


def test_a_total_from_parts_is_in_its_interval_in_95_of_100_cases() -> None:
    generator, inside = random.Random(9), 0
    for _ in range(600):
        strata, truth = [], 0.0
        for mean in (2.0, 30.0):
            parts = []
            for _ in range(60):
                level = generator.gauss(mean, mean / 5)  # documents of one part resemble each other
                size = generator.randint(30, 50)
                parts.append((float(size), size * level))
            documents = sum(size for size, _ in parts)
            strata.append((documents, generator.sample(parts, 6)))
            truth += sum(amount for _, amount in parts)
        found = from_parts(strata)
        inside += abs(found.value - truth) <= margin([found])
    assert 0.92 <= inside / 600 <= 0.98


def test_a_total_from_parts_knows_what_it_does_not_show() -> None:
    whole = from_parts([(30.0, [(10.0, 5.0), (20.0, 40.0)])])
    assert (whole.value, margin([whole])) == (45.0, 0.0)
    assert from_parts([(300.0, [(10.0, 5.0), (20.0, 40.0)])]).value == pytest.approx(450.0)
    assert from_parts([(300.0, [(10.0, 5.0)])]).answers == math.inf
    assert from_parts([(0.0, [])]).value == 0.0
