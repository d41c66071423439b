"""Image classifiers of a recipe, with a checkpoint of random weights on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.test_build import pages
from making import build, document, mmc4, recipe
from PIL import Image as Pil

from leafinstruct import _torchvision
from leafinstruct.errors import RecipeError
from leafinstruct.filter.scores import classifier
from leafinstruct.recipe.load import load
from leafinstruct.records import table

pytestmark = pytest.mark.e2e  # imports torch and transformers

PAGE = document("Sand the edge.", "!one")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return written(tmp_path / "tiny-nsfw", seed=0)


def written(folder: Path, seed: int) -> Path:
    """A vision transformer of one layer with random weights and two labels."""
    _torchvision.mend()
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    labels = {"id2label": {0: "fine", 1: "nsfw"}, "label2id": {"fine": 0, "nsfw": 1}}
    model = ViTForImageClassification(
        ViTConfig(image_size=32, patch_size=8, initializer_range=0.3, **sizes, **labels)
    )
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_probabilities_of_the_labels_sum_to_one_and_depend_on_the_image(checkpoint):
    fine = classifier.score_of("fine", str(checkpoint), "fine")
    nsfw = classifier.score_of("nsfw", str(checkpoint), "nsfw")
    assert fine.compute is not None
    assert nsfw.compute is not None
    found = set()
    for level in (0, 120, 255):
        image = Pil.new("RGB", (64, 48), (level, 255 - level, 9))
        values = fine.compute(PAGE, image), nsfw.compute(PAGE, image)
        assert sum(values) == pytest.approx(1, abs=1e-5)
        found.add(round(values[0], 4))
    assert len(found) == 3


def test_other_weights_are_another_package_and_moved_ones_the_same(checkpoint, tmp_path):
    here = classifier.score_of("nsfw", str(checkpoint), "nsfw")
    moved = checkpoint.rename(tmp_path / "elsewhere")
    assert classifier.score_of("nsfw", str(moved), "nsfw").package == here.package.replace(
        "tiny-nsfw", "elsewhere"
    )
    other = classifier.score_of("nsfw", str(written(tmp_path / "tiny-nsfw", seed=1)), "nsfw")
    assert other.package != here.package


def test_a_label_or_a_file_that_does_not_exist_is_one_line(checkpoint):
    with pytest.raises(RecipeError, match="has no label 'watermark'; it has fine, nsfw"):
        classifier.score_of("mark", str(checkpoint), "watermark")
    (checkpoint / "preprocessor_config.json").unlink()
    with pytest.raises(RecipeError, match=r"filter.classifiers.mark: .* has no preprocessor_config.json"):
        classifier.score_of("mark", str(checkpoint), "nsfw")


@pytest.mark.parametrize(
    ("classifiers", "score", "message"),
    [
        ([], "classifier.nsfw", "`classifiers` declares none"),
        (["nsfw", "nsfw"], "text.links", "two classifiers have the name nsfw"),
        (["mark"], "classifier.nsfw", "`classifiers` declares classifier.mark"),
    ],
)
def test_a_rule_needs_its_classifier(tmp_path, classifiers, score, message):
    declared = [{"name": name, "model": "./m", "label": "x"} for name in classifiers]
    path = recipe(tmp_path, filter={"classifiers": declared, "rules": [{"score": score, "max": 1}]})
    with pytest.raises(RecipeError, match=message):
        load(path)


def test_a_build_scores_every_image_and_other_weights_score_them_again(tmp_path, checkpoint):
    mmc4(tmp_path / "data", pages(4))
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 5,
            "min_images": 0,
            "classifiers": [{"name": "nsfw", "model": "./tiny-nsfw", "label": "nsfw"}],
            "rules": [],
            "judge": {"enabled": False},
        },
    )

    def values() -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for file in (tmp_path / "runs/t/filter").glob("scores-*.parquet"):
            for _, cell in table.scores(file):
                if cell.name == "classifier.nsfw":
                    found.setdefault(cell.model or "", []).append(cell.value or 0.0)
        return found

    build(path, until="filter")
    ((first, probabilities),) = values().items()
    assert first.startswith("tiny-nsfw ")
    assert len(probabilities) == sum(len(steps) for steps in pages(4).values())
    bound = sorted(probabilities)[len(probabilities) // 2]
    rule = f'filter.rules=[{{"score": "classifier.nsfw", "max": {bound}}}]'
    report = build(path, rule, until="filter")[-1]
    assert report.record is not None
    assert report.record["counts"]["images_dropped"] == sum(value > bound for value in probabilities)
    written(checkpoint, seed=1)
    build(path, until="filter")
    ((second, others),) = values().items()
    assert second != first
    assert sorted(others) != sorted(probabilities)
