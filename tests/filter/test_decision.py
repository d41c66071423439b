"""Decisions: bounds, what a failing image costs, what is judged again."""

import pytest
from making import document

from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision, Drop, judge
from leafinstruct.records.example import Cell


def decision(*parts: str, rules: tuple[Rule, ...] = (), **config: int) -> Decision:
    return Decision(document(*parts), FilterConfig(**{"min_images": 1, "min_words": 1, **config}), rules)


@pytest.mark.parametrize(
    ("value", "passes"),
    [(2.0, True), (5.0, True), (1.9999, False), (5.0001, False), (None, False), (float("nan"), False)],
)
def test_bounds_are_inclusive_and_what_is_unknown_fails(value, passes):
    rule = Rule(score="text.links", min=2, max=5)
    assert (judge(rule, Cell("text.links", value)) is None) == passes


def test_a_drop_has_rule_value_and_threshold():
    rule = Rule(score="text.links", min=2, max=5)
    assert judge(rule, Cell("text.links", 7.0)) == Drop("text.links", 7.0, 5.0, "ok")
    assert judge(rule, Cell("text.links", 1.0)) == Drop("text.links", 1.0, 2.0, "ok")
    assert judge(rule, None) == Drop("text.links", None, 2.0, "not_scored")


def test_two_images_have_no_sequence_and_a_reason():
    rule = Rule(score="coherence.sequence", min=0.0, model="m")
    cell = Cell("coherence.sequence", None, "not_scored", detail="not enough images")
    drop = judge(rule, cell)
    assert drop is not None
    assert (drop.value, drop.threshold, drop.state, drop.detail) == (
        None,
        0.0,
        "not_scored",
        "not enough images",
    )


def test_a_dropped_image_takes_its_captions_and_nothing_else_and_positions_stay():
    found = decision(
        "# T",
        "!a",
        "> of a",
        "> more of a",
        "words here",
        "!b",
        "> of b",
        rules=(Rule(score="image.side", min=48),),
    )
    found.apply([Cell("image.decoded", 1.0, position=1), Cell("image.side", 20.0, position=1)])
    # b has no cell: what was not scored is not known to be good
    assert sorted((drop.position, drop.rule) for drop in found.image_drops) == [
        (1, "image.side"),
        (5, "image.decoded"),
    ]
    assert [segment.position for segment in found.document.segments] == [0, 4]
    assert found.drops[0].rule == "min_images"


def test_minima_are_judged_again_after_images_were_dropped():
    rules = (Rule(score="image.side", min=48),)
    sides = [Cell("image.decoded", 1.0, position=position) for position in (1, 3)]
    sides += [Cell("image.side", side, position=position) for position, side in ((1, 20.0), (3, 64.0))]
    two = decision("words", "!a", "words", "!b", rules=rules, min_images=2)
    two.apply(sides)
    assert [(drop.rule, drop.value, drop.threshold) for drop in two.drops] == [("min_images", 1.0, 2.0)]
    one = decision("words", "!a", "words", "!b", rules=rules, min_images=1)
    one.apply(sides)
    assert one.kept
    assert [image.position for image in one.document.images] == [3]


def test_a_caption_that_is_dropped_with_its_image_counts_no_words():
    found = decision(
        "one two", "!a", "> three four five", "!b", rules=(Rule(score="image.side", min=48),), min_words=4
    )
    cells = [Cell("image.decoded", 1.0, position=position) for position in (1, 3)]
    found.apply([*cells, Cell("image.side", 8.0, position=1), Cell("image.side", 64.0, position=3)])
    assert found.drops[0].rule == "min_words"
    assert found.drops[0].value == 2.0


def test_an_image_rule_may_cost_the_document():
    found = decision("words", "!a", "!b", rules=(Rule(score="image.side", min=48, drop="document"),))
    found.apply(
        [Cell("image.decoded", 1.0, position=at) for at in (1, 2)]
        + [Cell("image.side", s, position=at) for at, s in ((1, 64.0), (2, 8.0))]
    )
    assert not found.kept
    assert found.drops[0].position == 2


def test_what_cannot_be_decoded_is_dropped_without_any_rule():
    found = decision("words", "!a", "!b")
    found.apply(
        [
            Cell("image.decoded", 0.0, position=1, detail="truncated: file ends early"),
            Cell("image.decoded", 1.0, position=2),
        ]
    )
    assert found.kept
    assert [(drop.rule, drop.position, drop.detail) for drop in found.image_drops] == [
        ("image.decoded", 1, "truncated: file ends early")
    ]


@pytest.mark.parametrize("rules", [(), (Rule(score="judge.text_quality", min=3, uncalibrated=True),)])
def test_a_failure_drops_with_its_state_whatever_the_rules(rules):
    found = decision("words", "!a", rules=rules)
    found.apply([Cell("judge.text_quality", None, "failed", model="m", detail="connection refused")])
    assert found.drops == [Drop("judge.text_quality", None, None, "failed", None, "connection refused")]


def test_the_dead_are_weighed_no_further():
    found = decision("words", "!a", rules=(Rule(score="text.links", max=0),))
    found.apply([Cell("text.links", 3.0)])
    found.apply([Cell("image.decoded", 1.0, position=1)])
    assert [cell.name for cell in found.cells] == ["text.links"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"rules": [{"score": "alignment.share", "min": 0.5, "model": "m"}]}, "needs alignment.share_above"),
        (
            {"rules": [{"score": "rules.text_quality", "min": 3, "model": "m"}], "judge": {"enabled": False}},
            "judge.enabled is false",
        ),
    ],
)
def test_a_rule_over_a_score_that_is_switched_off_is_refused(section, message):
    with pytest.raises(ValueError, match=message):
        FilterConfig.model_validate(section)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"score": "aligment.mean", "min": 0.2}, "did you mean 'alignment.mean'"),
        ({"score": "text.words"}, "needs min, max or both"),
        ({"score": "text.words", "min": 5, "max": 1}, "nothing could pass"),
        ({"score": "text.words", "min": 5, "drop": "image"}, "score of the document"),
        ({"score": "alignment.own", "min": 0.2}, "must name the model"),
        ({"score": "judge.text_quality", "min": 2}, "must name the model"),
        ({"score": "text.words", "min": float("nan")}, "finite number"),
    ],
)
def test_a_wrong_rule_names_its_hint(rule, message):
    with pytest.raises(ValueError, match=message):
        Rule.model_validate(rule)
