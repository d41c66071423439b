"""The experiment's arithmetic on made-up results, its settings, and that an existing result is neither run
again nor overwritten."""

from __future__ import annotations

import json
import math
from pathlib import Path

import experiment
import experiment_cell
import experiment_report
import pytest
import yaml
from backbones.tiny_backbones import tiny_emu3
from PIL import Image

from leafinstruct.evaluate.sketchbook.intervals import interval, paired
from leafinstruct.evaluate.sketchbook.losses import losses
from leafinstruct.train.data.encode import in_template

RECIPE = Path(__file__).parents[2] / "experiments" / "moss.yaml"


def result(arm: str, method: str | None, seed: int, text: float, image: float, rate: float = 0.01) -> dict:
    """A result in which every share is made from the two losses."""
    shares = dict.fromkeys(("text_right", "exact", "kept", "image_1", "image_2", "image_3"), text)
    figures = {
        "loss": {"text": text, "image": image},
        "free": shares,
        "forced": {**shares, "image_3": None},
        "memory": {"drawn": image, "named": text},
        "recognizer": {"lessons": {"refused": 0.0, "accepted": {"color": 0.024}}},
    }
    return {
        "run": {"arm": arm, "method": method, "seed": seed, "rate": rate, "steps": 9},
        "settings": {"run": {"train": {"adapter": {"r_text": 13, "r_image": 4}}}},
        "figures": figures,
        "trained": {
            "rows": len(arm),
            "tokens": 1000,
            "seen": 900 + 10 * seed,
            "seen_targets": 800,
            "parameters": 166_912,
        },
    }


def test_the_interval_is_students_by_hand():
    # mean 7/3; s^2 = (16/9 + 1/9 + 25/9) / 2 = 7/3; half = 4.303 * sqrt(7/3) / sqrt(3)
    found = interval([1.0, 2.0, 4.0])
    assert found.mean == pytest.approx(7 / 3)
    assert found.half == pytest.approx(4.303 * math.sqrt(7 / 9))
    assert found.text(100.0) == "233.3 ± 379.5"
    assert interval([0.5]).half is None
    with pytest.raises(ValueError, match="0 numbers"):
        interval([])


def test_differences_are_taken_seed_by_seed():
    found = paired({1: 5.0, 2: 7.0, 3: 9.0, 4: 100.0}, {3: 8.0, 2: 6.0, 1: 4.0})
    assert found is not None
    assert (found.mean, found.half, found.n) == (1.0, 0.0, 3)
    assert found.excludes_zero
    assert paired({1: 1.0}, {2: 1.0}) is None


def test_the_report_holds_means_differences_and_what_the_filter_pays(tmp_path):
    rows = [result("", None, 0, 0.9, 0.9)]
    for seed, noise in ((1, 0.0), (2, 0.1), (3, 0.2)):
        rows += [
            result("unfiltered", "lora", seed, 0.2 + noise, 0.4),
            result("unfiltered", "full_space", seed, 0.3 + noise, 0.4),
        ]
        rows += [
            result("filtered", "lora", seed, 0.6 + noise, 0.4),
            result("filtered", "full_space", seed, 0.6, 0.4),
        ]
    plan = experiment.read(RECIPE)
    tried = [result("filtered", "lora", 900, 55.0, loss, rate) for loss, rate in ((4.0, 0.01), (3.0, 0.1))]
    experiment_report.write(
        [*rows, *tried, result("filtered", "full_space", 900, 55.0, 2.5, 0.01)], plan, tmp_path
    )
    page = (tmp_path / "experiment.md").read_text()
    lines = page.splitlines()
    assert "n = 3 seeds" in page
    assert "55" not in page[page.index("## How to read") :]
    assert "| adapter | 0.01 | 0.1 |" in page
    assert "| lora | 59.000 | **58.000** |\n| full_space | **57.500** | - |" in page
    assert "| filtered | 8 | 1,000 | 920 | 800 |\n| unfiltered | 10 | 1,000 | 920 | 800 |" in page
    assert "| lora | 13, 4 | 166,912 |" in page
    assert "500 pages, 46% of them with a planted defect" in page
    assert "refuses 0.0% of true scenes; of changed scenes it accepts as exact: color 2.4%" in page
    assert any(line.startswith("| none (the base) | 0.900 |") for line in lines)
    # 4.303 * 0.1 / sqrt(3)
    assert any(line.startswith("| lora | 0.300 ± 0.248 | 0.400 ± 0.000 | 30.0 ± 24.8 |") for line in lines)
    unfiltered = page[page.index("## unfiltered") :]
    assert "| full_space | **0.100 ± 0.000** | 0.000 ± 0.000 | **10.0 ± 0.0** |" in unfiltered
    pays = page[page.index("## Does the filter pay?") :]
    assert "| lora | **0.400 ± 0.000** |" in pays
    assert "(7 adapters, 3 arms, 5 seeds: 105 runs) 12 were run" in page
    assert "| captions | unfiltered | filtered |" in page
    assert "| lora | 0 | 3 | 3 |" in page
    assert "what captions do not?" not in page
    assert "Does the convolution matter?" not in page
    assert "| - |" in page  # no lesson had a third image
    assert (tmp_path / "experiment.svg").read_text().count("<circle") == 2 * 4 * 3
    with Image.open(tmp_path / "experiment.png") as sheet:
        assert (
            sheet.crop((0, 0, sheet.width, 128)).tobytes() != sheet.crop((0, 136, sheet.width, 264)).tobytes()
        )
    whole = [json.loads(line) for line in (tmp_path / "experiment.jsonl").read_text().splitlines()]
    assert [one["run"]["seed"] for one in whole] == [
        0,
        *[seed for seed in (1, 2, 3) for _ in range(4)],
        900,
        900,
        900,
    ]


def test_parts_of_the_full_setting_answer_their_questions_and_two_seeds_none(tmp_path):
    rows = []
    for seed in (1, 2, 3):
        rows += [
            result("filtered", "full_space", seed, 0.5, 0.4),
            result("filtered", "shuffled", seed, 0.5, 0.7),
        ]
        rows += [result("captions", "full_space", seed, 0.1, 0.9)] * (seed < 3)
    experiment_report.write(rows, experiment.read(RECIPE), tmp_path)
    page = (tmp_path / "experiment.md").read_text()
    assert "n = 2 to 3 seeds" in page
    assert "| full_space | 2 | 0 | 3 |" in page
    matters = page[page.index("## Does the convolution matter? (filtered)") :]
    assert "| shuffled | 0.000 ± 0.000 | **0.300 ± 0.000** |" in matters
    beyond = page[
        page.index("## Do lessons teach what captions do not?") : page.index(
            "## Does the convolution matter?"
        )
    ]
    assert (
        "Filtered minus captions at equal steps, seed by seed. The only targets of the captions are images"
    ) in beyond
    assert "| full_space | 0.400 ± 0.000 | -0.500 ± 0.000 |" in beyond
    assert "| shuffled |" not in beyond
    assert (tmp_path / "experiment.svg").read_text().count(">captions<") == 2


def test_only_runs_that_chose_rates_are_no_report(tmp_path):
    with pytest.raises(SystemExit, match="there are no results"):
        experiment_report.write(
            [result("filtered", "lora", 900, 1.0, 1.0)], experiment.read(RECIPE), tmp_path
        )


def test_a_rate_is_chosen_by_held_out_loss_for_each_method_alone():
    rows = [
        result("filtered", "lora", 900, 0.2, loss, rate)
        for rate, loss in ((0.1, 0.5), (0.2, 0.3), (0.3, 0.4))
    ]
    rows += [result("filtered", "rank", 900, 0.2, loss, rate) for rate, loss in ((0.1, 0.1), (0.2, 0.3))]
    assert experiment.chosen(rows) == {"lora": 0.2, "rank": 0.1}


def test_the_committed_settings_are_whole_and_their_runs_distinct():
    plan = experiment.read(RECIPE)
    for size in plan.sizes.values():
        rates = dict.fromkeys(size.methods, 0.01)
        runs = [*experiment.tuning(plan, size), *experiment.cells(plan, size, rates)]
        assert len({run.name for run in runs}) == len(runs)
        assert len(runs) == len(size.methods) * (len(plan.rates.grid) + len(size.arms) * len(size.seeds))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ["lora", "nonsense"]}, "nonsense"),
        ({"seeds": [900]}, "cannot be reported"),
        ({"seed": 1}, "unknown key; did you mean 'seeds'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path, change, message):
    plan = yaml.safe_load(RECIPE.read_text())
    plan["sizes"]["small"] |= change
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(SystemExit, match=message):
        experiment.read(tmp_path / "plan.yaml")


def test_a_method_with_an_unknown_setting_is_refused_before_anything_runs(tmp_path):
    plan = yaml.safe_load(RECIPE.read_text())
    plan["methods"]["lora"] = {"method": "lora", "rank": 4}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(SystemExit, match=r"methods\.lora\.rank: unknown key"):
        experiment.read(tmp_path / "plan.yaml")


def test_losses_are_those_of_any_backbone_but_an_experiment_needs_images_of_one_shape(monkeypatch):
    found = losses(tiny_emu3(), experiment_cell.asked(2, 1, 3), in_template, "pencil")
    assert sorted(found) == ["image", "image_1", "image_2", "image_3", "text"]
    monkeypatch.setattr(experiment_cell, "adapted", lambda *_: tiny_emu3())
    with pytest.raises(SystemExit, match="lessons need a chameleon backbone"):
        experiment_cell.loaded(None, {"name": "emu3", "weights": "leaf:tiny-1"}, 1)


def test_an_existing_result_is_not_run_again_and_other_settings_are_refused(tmp_path, monkeypatch):
    plan = experiment.read(RECIPE)
    run = experiment.Run(arm="filtered", method="lora", seed=1, rate=0.01, steps=9)
    monkeypatch.setattr(experiment, "_base", lambda _: "weights")
    adapter = {"method": "lora", "r_text": 4}
    values = experiment.recipe(plan, run, adapter, tmp_path)
    settings = experiment.settings_of(plan, run, values, tmp_path)
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / f"{run.name}.json"
    path.write_text(json.dumps({"run": run.model_dump(), "settings": settings, "figures": {"made": "up"}}))
    assert experiment.existing(tmp_path, run.name, settings)["figures"] == {"made": "up"}
    before = path.read_bytes()
    with pytest.raises(experiment.Refused, match=r"adapter\.r_text 4 -> 5"):
        experiment.existing(
            tmp_path,
            run.name,
            experiment.settings_of(
                plan, run, experiment.recipe(plan, run, {**adapter, "r_text": 5}, tmp_path), tmp_path
            ),
        )
    assert path.read_bytes() == before
    assert experiment.existing(tmp_path, "another", settings) is None


def test_the_filtered_arm_alone_has_rules_and_alignment_is_bound_as_in_the_demo(tmp_path):
    plan = experiment.read(RECIPE)
    rules = experiment.corpus(plan, "filtered", tmp_path)["filter"]["rules"]
    demo = yaml.safe_load((RECIPE.parents[1] / "pipelines/demo.yaml").read_text())["filter"]["rules"]
    assert [rule for rule in rules if rule["score"] == "alignment.own"] == [
        rule for rule in demo if rule["score"] == "alignment.own"
    ]
    assert "rules" not in experiment.corpus(plan, "unfiltered", tmp_path)["filter"]


@pytest.mark.slow
def test_a_small_experiment_from_its_data_to_its_report(tmp_path, capfd):
    plan = yaml.safe_load(RECIPE.read_text())
    plan["data"] |= {"lessons": 40, "captions": 20}
    plan["train"] |= {"steps": 2, "batch": 2, "save_every": 1}
    plan["rates"] |= {"grid": [0.001, 0.01], "steps": 1}
    plan["evaluation"] |= {"lessons": 2, "loss_lessons": 4, "captions": 2, "recognizer_scenes": 5}
    plan["sizes"]["small"] = {
        "methods": ["lora", "full_space"],
        "arms": ["captions", "unfiltered", "filtered"],
        "seeds": [1, 2],
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    settings, work = experiment.read(tmp_path / "plan.yaml"), tmp_path / "work"
    experiment.run_all(settings, settings.sizes["small"], work, 2, 1)
    before = {path: path.read_bytes() for path in (work / "results").iterdir()}
    assert len(before) == 1 + 2 * 2 + 2 * 3 * 2
    assert capfd.readouterr().err.count("trainable parameters") == 2 * 2 + 2 * 3 * 2
    experiment.run_all(settings, settings.sizes["small"], work, 2, 1)
    assert {path: path.read_bytes() for path in (work / "results").iterdir()} == before
    assert "trainable parameters" not in capfd.readouterr().err
    experiment_report.write(list(experiment.read_all(work)), settings, tmp_path)
    page = (tmp_path / "experiment.md").read_text()
    assert "n = 2 seeds" in page
    assert "| lora | 13, 13 | 161,408 |" in page
    assert "| unfiltered | 40 |" in page
    assert "| captions | 20 |" in page
