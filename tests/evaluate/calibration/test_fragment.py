"""Which suggested bounds become rules, and the rules as a recipe reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import yaml

from leafinstruct.evaluate.calibration.curve import Side, curve
from leafinstruct.evaluate.calibration.fragment import Bound, fragment
from leafinstruct.evaluate.calibration.reading import RunRules, Scores
from leafinstruct.filter.config import TOY_MODEL, Rule
from leafinstruct.recipe import load as recipes
from leafinstruct.records.example import Cell

KEPT = {(f"{number}", None): number < 30 for number in range(50)}
"""30 documents that people keep, then 20 that they drop."""


def scores(**values: Sequence[float | None]) -> Scores:
    """Scores of the documents, by name with `__` for a dot."""
    found = Scores()
    for name, given in values.items():
        score = name.replace("__", ".")
        found.models[score] = "offline-rules@4" if score.startswith("rules") else None
        found.levels[score] = "document"
        for item, value in zip(KEPT, given, strict=True):
            found.cells[score][item] = Cell(score, value, "ok" if value is not None else "not_applicable")
    return found


def made(
    given: Scores,
    rules: Sequence[Mapping[str, object]],
    bounds: Mapping[tuple[str, Side], float],
    inactive: str = "",
):
    every = tuple(map(Rule.model_validate, rules))
    active = tuple(rule for rule in every if rule.score != inactive)
    suggested = []
    for (score, side), value in bounds.items():
        cells = given.cells[score]
        measured = [cell.value if cell.value is not None else value for cell in cells.values()]
        points = curve(measured, [KEPT[item] for item in cells], side)
        point = min(points, key=lambda one: abs(one.bound - value))
        before = next((getattr(rule, side) for rule in every if rule.score == score), None)
        suggested.append(Bound(score, side, point, before))
    found = fragment(
        RunRules(every, active, TOY_MODEL), given, KEPT, suggested, 0.03, {"document": 4, "image": 0}
    )
    return found, yaml.safe_load(found.text)["filter"]["rules"]


SEPARATING = [1.0] * 30 + [9.0] * 20
LINKS = {("text.links", "max"): 5.0}


def test_a_bound_replaces_that_of_the_run_and_others_stay():
    rules = [
        {"score": "text.links", "max": 40, "min": 0},
        {"score": "judge.text_quality", "min": 3, "uncalibrated": True},
        {"score": "text.capitals", "max": 0.6},
    ]
    given = scores(text__links=SEPARATING)
    found, written = made(given, rules, LINKS, inactive="judge.text_quality")
    assert written == [{"score": "text.links", "max": 5, "min": 0}, *rules[1:]]
    assert "max was 40, drops 20 of 20, 100% (84-100%) rightly" in found.text
    assert [bound.left for bound in found.bounds] == [""]
    (together,) = found.together
    assert (together.lost.value, together.caught.value) == (0, 1)


def test_a_new_rule_names_its_model_and_the_recipe_loads(tmp_path):
    given = scores(rules__text_quality=[4.0] * 30 + [1.0] * 20)
    _, written = made(given, [], {("rules.text_quality", "min"): 2.5})
    assert written == [{"score": "rules.text_quality", "min": 2, "model": "offline-rules@4"}]
    sources = [{"kind": "sketchbook", "seed": 1, "documents": 4}]
    loaded = recipes.load({"name": "t", "ingest": {"sources": sources}, "filter": {"rules": written}})
    assert [rule.min for rule in loaded.active_rules] == [2]


def test_a_bound_that_adds_nothing_is_a_comment():
    given = scores(text__links=SEPARATING, text__capitals=[0.1] * 31 + [0.9] * 19)
    found, written = made(given, [], {("text.capitals", "max"): 0.5, **LINKS})
    assert [rule["score"] for rule in written] == ["text.links"]
    assert "# - {score: text.capitals, max: 0.5}   # adds no more right than wrong drops" in found.text


def test_bounds_do_not_lose_more_together_than_is_allowed():
    """Each loses one of 30, two of them 6.7%; max_lost is 3%, so not even one is taken beside a rule that
    loses one."""
    links = [9.0, *[1.0] * 29, *[9.0] * 10, *[1.0] * 10]
    capitals = [0.1, 0.9, *[0.1] * 28, *[0.1] * 10, *[0.9] * 10]
    given = scores(text__links=links, text__capitals=capitals)
    found, written = made(given, [{"score": "text.links", "max": 5}], {("text.capitals", "max"): 0.5})
    assert written == [{"score": "text.links", "max": 5}]
    assert found.bounds[0].left == "with the other rules it would lose 6.7%"


def test_a_bound_may_loosen_a_rule_that_loses_more():
    """The run's rule drops ten that people keep; the suggested one none of them."""
    links = [1.0] * 20 + [4.0] * 10 + [9.0] * 20
    _, written = made(
        scores(text__links=links), [{"score": "text.links", "max": 2}], {("text.links", "max"): 6}
    )
    assert written == [{"score": "text.links", "max": 6}]


def test_few_more_drops_may_be_chance():
    given = scores(text__links=[1.0] * 32 + [9.0] * 18, text__capitals=[0.1] * 30 + [0.9] * 2 + [0.1] * 18)
    found, written = made(given, [{"score": "text.links", "max": 5}], {("text.capitals", "max"): 0.5})
    assert [rule["score"] for rule in written] == ["text.links"]
    assert found.bounds[0].left == "drops 2 of 2 more rightly, which may be chance"


def test_the_other_side_of_a_rule_goes_if_nothing_could_pass():
    given = scores(text__words=[500.0] * 30 + [5.0] * 20)
    _, written = made(given, [{"score": "text.words", "max": 100}], {("text.words", "min"): 300})
    assert written[0].keys() == {"score", "min"}


@pytest.mark.parametrize("value", [None, 9.0])
def test_a_score_that_is_not_applicable_passes(value):
    given = scores(text__links=[1.0] * 29 + [value] + [9.0] * 20)
    found, _ = made(given, [{"score": "text.links", "max": 5}], {})
    assert found.together[0].lost.value == (0 if value is None else pytest.approx(1 / 30))
