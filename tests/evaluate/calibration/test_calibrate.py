"""`leaf calibrate` on a run whose pages, drops and labels are known one by one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from command import leaf
from making import build, png, unjudged
from PIL import Image

import leafinstruct
from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.evaluate import labels
from leafinstruct.evaluate.calibration.run import Calibration, calibrate
from leafinstruct.evaluate.labels import Label
from leafinstruct.records import table
from leafinstruct.report.run import Run

SENTENCE = "Draw a red wall on the green grass of the {} meadow."
RULES = [
    {"score": "text.links", "max": 90},
    {"score": "image.side", "min": 10},
    {"score": "image.aspect", "max": 3},
]


def pages() -> dict[str, list[tuple[str, bytes | None]]]:
    """24 good pages, of which 12 have an icon and the first one a wide image; 12 full of links; a short
    one."""
    found: dict[str, list[tuple[str, bytes | None]]] = {}
    for number in range(24):
        images = [png((200, 30, number), dot=number), png((9, number, 90), dot=number)]
        images += [png(size=(20, 20), color=(number, 9, 9))] if number < 12 else []
        images += [png(size=(400, 60))] if number == 0 else []
        found[f"good-{number}"] = [
            (SENTENCE.format(f"{number}th {at}"), image) for at, image in enumerate(images)
        ]
    for number in range(12):
        link = f" http://a.example/{number}" * 2
        images = [png((number, 90, 90), dot=number), png((90, number, 9), dot=number)]
        found[f"bad-{number}"] = [
            (SENTENCE.format(f"{number}th {at}") + link, image) for at, image in enumerate(images)
        ]
    found["short"] = [("A wall.", png((7, 7, 7))), ("A roof.", png((8, 8, 8)))]
    return found


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = unjudged(
        tmp_path_factory.mktemp("calibrate"),
        {f"https://h.example/{name}": page for name, page in pages().items()},
    )
    path.write_text(path.read_text().replace("rules: []", f"rules: {json.dumps(RULES)}"))
    build(path, until="filter")
    return path


@pytest.fixture(scope="module")
def run(recipe: Path) -> Run:
    return leafinstruct.open(recipe.parent / "runs/t")


@pytest.fixture(scope="module")
def given(run: Run) -> list[Label]:
    """Every page and image, as a person may label them: the wide image and the short page are good."""
    found = []
    for part in run.stages["ingest"].parts():
        for document in table.documents(run.stages["ingest"].file("documents", part)):
            name = (document.url or "").rpartition("/")[2]
            value = "drop" if name.startswith("bad") else "keep"
            found.append(Label(document.id, "document", "keep", value, "ann"))
            for at, image in enumerate(document.images):
                icon = name.startswith("good") and int(name[5:]) < 12 and at == 2
                found.append(
                    Label(document.id, f"image:{image.position}", "keep", "drop" if icon else "keep", "ann")
                )
    return found


def calibrated(run: Run, given: list[Label], max_lost: float = 0.03) -> Calibration:
    labels.write(Path("labels.jsonl"), given)
    return calibrate(run, [Path("labels.jsonl")], max_lost)


def test_the_rules_of_the_run_are_counted(run, given):
    found = calibrated(run, given)
    together = {one.level: (one.lost.percent(), one.caught.percent()) for one in found.together}
    assert together == {
        "document": ("1 of 25, 4% (1-20%)", "0 of 12, 0% (0-24%)"),
        "image": ("1 of 75, 1% (0-7%)", "0 of 12, 0% (0-24%)"),
    }
    figures = {
        one.rule: (one.level, one.drops, one.alone, one.right.value, one.right.n) for one in found.rules
    }
    assert figures == {
        "min_words": ("document", 1, 1, 0, 1),
        "text.links": ("document", 0, 0, None, 0),
        "image.aspect": ("image", 1, 1, 0, 1),
        "image.side": ("image", 0, 0, None, 0),
    }


def test_scores_count_what_was_scored_and_what_was_not(run, given):
    found = {one.score: one for one in calibrated(run, given).scores}
    links, side = found["text.links"], found["image.side"]
    assert (links.keep, links.drop, links.auc.value, links.others) == (25, 12, 0, {})
    assert (side.keep, side.drop, side.auc.value) == (73, 12, 1)
    assert side.others == {"not_scored": 2}  # images of the short page, which was dropped before
    assert found["duplicate.text"].others == {"not_scored": 1}


def test_shares_of_the_run_are_those_of_its_table(run, given):
    every = run.scores()
    for one in calibrated(run, given[:40]).scores:
        values = every[(every.name == one.score) & every.value.notna()].value
        for side, points in one.curves.items():
            for point in points:
                kept = values >= point.bound if side == "min" else values <= point.bound
                assert point.of_run == pytest.approx(kept.mean())


@pytest.mark.e2e
def test_the_suggested_rules_do_in_a_build_what_they_promise(recipe, run, given):
    labels.write(Path("labels.jsonl"), given)
    done = leaf("calibrate", run.directory, "--labels", "labels.jsonl", "--out", "here", "--without-plots")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "here"
    written = yaml.safe_load(Path("here/rules.yaml").read_text())["filter"]["rules"]
    assert [(rule["score"], rule.get("min"), rule.get("max")) for rule in written] == [
        ("text.links", None, 5),
        ("image.side", 40, None),
        ("image.aspect", None, 3),
    ]
    again = recipe.with_name("again.yaml")
    again.write_text(recipe.read_text().replace("name: t\n", "name: again\n"))
    build(again, f"filter.rules={json.dumps(written)}", until="filter")
    drops = leafinstruct.open(recipe.parent / "runs/again").drops()
    found = {
        (row.document_id, f"image:{row.position}" if row.scope == "image" else "document")
        for row in drops.itertuples()
        if row.rule in ("text.links", "image.side")
    }
    assert found == {(label.id, label.subject) for label in given if label.value == "drop"}


@pytest.mark.e2e
def test_the_files_and_the_tables(recipe, given):
    labels.write(Path("labels.jsonl"), [*given, Label(given[0].id, "document", "keep", "drop", "ben")])
    done = leaf("calibrate", recipe, "--labels", "labels.jsonl", "--out", "here")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "1 item with different answers: the majority counts, 1 tie left out" in lines
    assert "ann and ben: equal 0 of 1, 0% (0-79%), Cohen's kappa 0.00 (0.00 to 0.79)" in lines
    assert "image.aspect (images) 1 0 of 1, 0% (0-79%) 1 0 of 1, 0% (0-79%)" in lines
    (side,) = (line for line in lines if line.startswith("image.side 73"))
    assert side.startswith("image.side 73 12 2 1.00 (")
    assert "min 40 0 of 73, 0% (0-5%) 12 of 12, 100% (76-100%)" in side
    found = json.loads(Path("here/calibration.json").read_text())
    assert found["ties"] == [given[0].id]
    assert {one["score"] for one in found["scores"]} == {path.stem for path in Path("here").glob("*.png")} | {
        one["score"] for one in found["scores"] if len(one["curves"]["min"]) == 0 or not one["drop"]
    }
    with Image.open("here/image.side.png") as plot:
        assert plot.size == (1200, 450)
        assert len(plot.convert("RGB").getcolors(1 << 20)) > 20


def test_one_score_bound_by_bound(run, given):
    labels.write(Path("labels.jsonl"), given)
    options = ("--labels", "labels.jsonl", "--without-plots", "--out", "here", "--score")
    lines = [
        " ".join(line.split())
        for line in leaf("calibrate", run.directory, *options, "image.side").stdout.splitlines()
    ]
    assert lines[0].startswith("image.side: 73 labels keep, 12 drop, AUC 1.00 (")
    assert lines[1:4] == [
        "",
        "min precision recall caught kept of labeled kept of run",
        "40 (suggested) 73 of 73, 100% (95-100%) 73 of 73, 100% (95-100%) 12 of 12, 100% (76-100%) "
        "73 of 85, 86% (77-92%) 85.9%",
    ]
    assert " no bound: every bound loses more than 3%, or more than it catches".strip() in lines
    wrong = leaf("calibrate", run.directory, *options[:-1], "--score", "image.sid", "--out", "other")
    assert (wrong.returncode, Path("other").exists()) == (2, False)
    assert "did you mean 'image.side'?" in wrong.stderr


def test_plots_of_earlier_labels_go_and_other_files_stay(run, given):
    Path("here").mkdir()
    for name in ("judge.text_quality.png", "mine.png"):
        Path("here", name).write_bytes(b"")
    labels.write(Path("labels.jsonl"), given)
    assert (
        leaf(
            "calibrate", run.directory, "--labels", "labels.jsonl", "--out", "here", "--without-plots"
        ).returncode
        == 0
    )
    assert {path.name for path in Path("here").iterdir()} == {"calibration.json", "rules.yaml", "mine.png"}


def test_without_matplotlib_the_extra_is_named_and_nothing_is_written(run, given, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    labels.write(Path("labels.jsonl"), given)
    done = leaf("calibrate", run.directory, "--labels", "labels.jsonl", "--out", "here")
    assert done.returncode == 1
    assert "pip install 'leafinstruct[plots]', or give --without-plots" in done.stderr
    assert not Path("here").exists()
    assert (
        leaf(
            "calibrate", run.directory, "--labels", "labels.jsonl", "--out", "here", "--without-plots"
        ).returncode
        == 0
    )


def test_items_that_the_run_does_not_have_are_named(run, given):
    strangers = [
        Label("0" * 16, "document", "keep", "keep", "ann"),
        Label(given[0].id, "image:77", "keep", "keep", "ann"),
    ]
    found = calibrated(run, [*given, *strangers])
    assert list(found.unknown) == ["0" * 16, f"{given[0].id} image:77"]
    assert len(found.kept) == len(given)
    labels.write(Path("labels.jsonl"), [*given, *strangers])
    done = leaf("calibrate", run.directory, "--labels", "labels.jsonl", "--without-plots")
    assert f"2 labeled items not in this run: {'0' * 16}, {given[0].id} image:77" in done.stdout
    with pytest.raises(LeafInstructError, match="none of the 2 labeled items is in"):
        calibrated(run, strangers)


def test_a_rule_whose_package_is_gone_is_an_error(run, given, monkeypatch):
    stage = run.stages["filter"]
    fingerprint = dict(stage.fingerprint)
    fingerprint["filter"] = {**fingerprint["filter"], "rules": [{"score": "toy.warmth", "min": 1}]}
    monkeypatch.setattr(type(stage), "fingerprint", fingerprint)
    with pytest.raises(LeafInstructError, match=r"unknown score 'toy\.warmth'.*install the package"):
        calibrated(run, given)


def test_few_labels_suggest_nothing_and_say_so(run, given):
    few = [label for label in given if label.kind == "document"][:15]
    labels.write(Path("labels.jsonl"), few)
    done = leaf("calibrate", run.directory, "--labels", "labels.jsonl", "--without-plots", "--out", "here")
    assert "a suggestion needs 20 and 10" in done.stdout
    assert yaml.safe_load(Path("here/rules.yaml").read_text())["filter"]["rules"] == RULES


def test_labels_of_other_aspects_alone_are_an_error(run, given):
    other = [Label(given[0].id, "document", "text_quality", 4, "ann")]
    with pytest.raises(
        LeafInstructError, match=r"to keep a document or an image \(1 of the aspect text_quality\)"
    ):
        calibrated(run, other)
    with pytest.raises(SourceError, match="no such file of labels"):
        calibrate(run, [Path("gone.jsonl")], 0.03)


def test_usage(run, given, recipe):
    labels.write(Path("labels.jsonl"), given)
    missing = leaf("calibrate", run.directory)
    assert (missing.returncode, "--labels" in missing.stderr) == (2, True)
    mixed = leaf("calibrate", run.directory, "--labels", "labels.jsonl", "--limit", "3")
    assert (mixed.returncode, "RUN is a folder" in mixed.stderr) == (2, True)
    unbuilt = leaf("calibrate", recipe, "--labels", "labels.jsonl", "--limit", "3")
    assert unbuilt.returncode == 1
    assert "filter is not done, so nothing is scored; run: leaf build" in unbuilt.stderr
