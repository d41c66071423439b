"""The description of a dataset from counts alone: costs, task categories, limits, and the recipe without
private values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from making import recipe

from leafinstruct.card.build_json import costs
from leafinstruct.card.front import categories, order, size_category
from leafinstruct.card.limits import limits
from leafinstruct.recipe import load as recipes
from leafinstruct.recipe.resolved import resolved
from leafinstruct.runtime.stage_report import Cost, StageReport

COST: Cost = {
    "questions": 2,
    "requests": 3,
    "input_tokens": 1000,
    "output_tokens": 50,
    "estimated": False,
    "dollars": 0.1,
}


def test_costs_are_summed_and_a_figure_unknown_for_one_part_is_unknown():
    dearer: Cost = {**COST, "dollars": 0.2, "estimated": True}
    assert costs([StageReport(cost=COST), StageReport(cost=dearer)]) == {
        "questions": 4,
        "requests": 6,
        "input_tokens": 2000,
        "output_tokens": 100,
        "estimated": True,
        "dollars": 0.3,
    }
    assert costs([StageReport(cost=cost) for cost in (COST, {**COST, "dollars": None}, COST)]) == {
        **{name: 3 * COST[name] for name in ("questions", "requests", "input_tokens", "output_tokens")},
        "estimated": False,
        "dollars": None,
    }


@pytest.mark.parametrize("found", [[], [None], [COST, None]])
def test_costs_that_were_not_recorded_are_not_zero(found):
    assert costs([StageReport(cost=cost) for cost in found]) is None


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ({("guide", "assistant"): 3}, ["text-to-image"]),
        ({("conversation", "user"): 3}, ["image-text-to-text"]),
        (
            {("edit", "user"): 3, ("edit", "assistant"): 1},
            ["image-text-to-text", "text-to-image", "image-to-image"],
        ),
        ({("guide", "assistant"): 3, ("conversation", "user"): 3}, ["image-text-to-text", "text-to-image"]),
        ({("edit", "user"): 0}, ["text-generation"]),
    ],
)
def test_task_categories_follow_from_the_roles_of_images(images, expected):
    sides = {(task, role, "image"): count for (task, role), count in images.items()}
    assert categories({**sides, ("guide", "user", "text"): 9}) == expected


def test_sizes_and_order():
    assert [
        size_category(rows) for rows in (1, 999, 1000, 184_982, 9_999_999, 10_000_000, 10**12 - 1, 10**12)
    ] == [*("n<1K", "n<1K", "1K<n<10K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100B<n<1T", "n>1T")]
    assert order({"test": 1, "validation": 1, "train": 1, "a": 1}) == ["train", "a", "test", "validation"]


def history(**changes: Any) -> dict[str, Any]:
    plain = {
        "toy": False,
        "unaligned": {},
        "unpredicted": {},
        "models": {"alignment": "ViT-B/32"},
        "rules": [],
        "unreadable": [],
        "unfetched": 0,
        "unscreened": [],
        "personal_data": "mask",
        "edits": {"personal.emails": 1_200, "personal.ips": 4, "plea": 9},
        "filter": {},
        "rewrite": {},
        "rewrite_model": "m",
        "offline_rewrite": False,
    }
    return {**plain, **changes}


@pytest.mark.parametrize(
    ("changes", "facts", "states", "begins"),
    [
        ({"toy": True}, {}, {}, "Toy scores: "),
        (
            {"unaligned": {"de": 1200, "th": 1}},
            *({}, {}),
            "Alignment was not scored for 1,201 documents whose language the model does not know "
            "(German (de) 1,200 and Thai (th) 1); rules on it were ignored for them.",
        ),
        (
            {"unpredicted": {"de": 3}},
            *({}, {}),
            "The texts of 3 documents were not scored by a classifier or a language model that does not know "
            "their language (German (de) 3); rules on these scores were ignored for them.",
        ),
        ({"models": {"alignment": None}}, {}, {}, "Alignment and coherence were not scored: "),
        (
            {"rules": [{"score": "alignment.mean", "uncalibrated": True}]},
            {},
            {},
            "Uncalibrated bounds: those of `alignment.mean` ",
        ),
        ({"rules": [{"score": "rules.text_quality"}]}, {}, {}, "`rules.*` scores are text statistics"),
        ({"unreadable": [("truncated", 2), ("broken_json", 9)]}, {}, {}, "2 source files end early"),
        ({"unreadable": [("damaged_record", 1_200)]}, {}, {}, "1,200 archive records are damaged"),
        ({"unreadable": [("too_damaged", 1)]}, {}, {}, "1 archives are so damaged that reading stopped"),
        (
            {"unreadable": [("too_large", 3)]},
            {},
            {},
            "3 files, parts of files, records or images exceed the size limit",
        ),
        ({"unscreened": ["nsfw"]}, {}, {}, "Images were not searched for faces, nudity or violence."),
        ({"unfetched": 1204}, {}, {}, "1,204 images are on the web and were not fetched"),
        ({"rewrite": {"failed": 3}}, {}, {}, "3 documents were dropped in rewrite because of a failure"),
        ({}, {"warnings": ["split `test` has no rows"]}, {}, "Split `test` has no rows."),
        ({}, {"suppressed": 4}, {}, "4 examples were removed on request"),
        (
            {},
            {},
            {"ok": 9, "failed": 2, "not_scored": 1},
            "Some scores of published rows have no value: 2 failed and 1 not scored.",
        ),
    ],
)
def test_a_limit_is_stated_only_where_it_applies(changes, facts, states, begins):
    usual = limits(history(), {"warnings": []}, {"MIT": (1, 1)}, {"ok": 1})
    found = limits(history(**changes), {"warnings": [], **facts}, {"MIT": (1, 1)}, {"ok": 1, **states})
    assert next(sentence for sentence in found if sentence not in usual).startswith(begins)
    assert len(found) == len(usual) + 1


@pytest.mark.parametrize(
    ("setting", "begins"),
    [
        ("mask", "1,204 e-mail addresses, phone numbers, "),
        ("drop", "Documents with e-mail addresses, phone numbers, "),
        (
            "keep",
            "E-mail addresses, phone numbers, payment cards, IBANs, IP addresses and keys in texts were ",
        ),
    ],
)
def test_what_was_done_about_personal_data_is_stated(setting, begins):
    found = limits(history(personal_data=setting), {"warnings": []}, {"MIT": (1, 1)}, {})
    (sentence,) = [line for line in found if "Names of people" in line]
    assert sentence.startswith(begins)


def test_an_image_without_a_license_is_a_limit_too():
    (sentence,) = [
        line
        for line in limits(history(), {"warnings": []}, {"MIT": (9, 8), None: (0, 1)}, {})
        if "license" in line
    ]
    assert sentence.startswith("0 records and 1 images state no license")


def test_the_published_recipe_holds_no_secret_and_loads_as_a_recipe(tmp_path):
    path = recipe(
        tmp_path,
        ingest={
            "sources": [{"kind": "html", "name": "own", "path": "/home/someone/pages", "license": "MIT"}]
        },
        filter={
            "alignment": {"allow_toy": True},
            "images": {"fetch": {"contact": "someone@example.org", "in_flight": 7}},
            "rules": [{"score": "duplicate.text", "max": 0}, {"score": "text.words", "min": 0, "max": 9}],
        },
        llm={
            **{
                "provider": "openai",
                "base_url": "http://127.0.0.1:1/v1",
                "model": "m",
                "key_env": "MY_SECRET_NAME",
                "budget": 3,
            },
            "price": {"input_per_million": 1, "output_per_million": 2},
        },
        train={"backbone": {"name": "chameleon", "weights": "/home/someone/weights"}, "data": "run:t"},
    )
    shared = resolved(recipes.load(path).recipe)
    text = json.dumps(shared)
    for private in (
        "someone",
        "MY_SECRET",
        "price",
        "budget",
        "in_flight",
        "workdir",
        "backbone",
        str(tmp_path),
    ):
        assert private not in text, private
    assert shared["filter"]["rules"] == [
        {"score": "duplicate.text", "max": 0.0},
        {"score": "text.words", "min": 0.0, "max": 9.0},
    ]
    assert shared["llm"]["model"] == "m"
    assert "base_url" not in shared["llm"]
    shared["llm"]["base_url"] = "http://127.0.0.1:1/v1"
    shared["ingest"]["sources"][0]["path"] = "/home/someone/pages"
    shared["filter"]["images"]["fetch"]["contact"] = "someone@example.org"
    assert resolved(recipes.Recipe.model_validate(shared)) == resolved(recipes.load(path).recipe)
