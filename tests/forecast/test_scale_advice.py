"""What a plan advises: each bound is answered with what divides its steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from leafinstruct.forecast.scale.plan import StepPlan, in_loop
from leafinstruct.forecast.scale.run import Bound, advice

NO_MODELS = cast("Any", SimpleNamespace(models=()))


def step(name: str, where: str, hours: float) -> StepPlan:
    return StepPlan("rewrite", name, where, hours, None, None, None, law=False)


@pytest.mark.parametrize(
    ("bound", "steps", "words"),
    [
        ("CPU", [], "more machines with --share K/N (docs/cluster.md) or --engine ray (docs/ray.md)"),
        ("one process", [in_loop("rewrite", "asking models", 9)], "asking models runs in one process"),
        ("one process", [in_loop("rewrite", "asking models", 9)], "divide the build with --share K/N"),
        ("one process", [step("planning", "one process", 9)], "divide the sources among several recipes"),
        ("network", [], "start the fetch early"),
        ("model", [], "higher limits"),
    ],
)
def test_the_longest_step_of_one_process_decides(bound: str, steps: list[StepPlan], words: str) -> None:
    others = [step("looking", "workers", 99), step("reports of parts", "one process", 1)]
    (found,) = advice(Bound(bound, 100, ""), [*others, *steps], NO_MODELS)
    assert words in found
