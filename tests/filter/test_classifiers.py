"""Image classifiers of a recipe, with a checkpoint of random weights on the disk."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from e2e.test_build import pages
from making import build, mmc4, recipe
from PIL import Image as Pil

from leafinstruct import _torchvision
from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import ClassifierConfig, FilterConfig
from leafinstruct.filter.embedders import devices, weights
from leafinstruct.filter.embedders.devices import cpu_flags, shared_devices
from leafinstruct.filter.passes import gather, run_models
from leafinstruct.filter.predictors.classifier import ImageClassifier
from leafinstruct.filter.predictors.predictor import Predictor, predictors_of
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.recipe.load import load
from leafinstruct.records import table
from leafinstruct.records.rows import CellRow
from leafinstruct.runtime.artifact import chain
from leafinstruct.runtime.engine.base import Needs, Part
from leafinstruct.runtime.engine.local import LocalEngine

pytestmark = pytest.mark.e2e  # imports torch and transformers


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


def image(level: int, size: tuple[int, int] = (64, 48)) -> Pil.Image:
    random = np.random.default_rng(level)
    return Pil.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def of(folder: Path, name: str = "nsfw", label: str = "nsfw", **settings: Any) -> Predictor:
    """The predictor of one classifier on the CPU."""
    one = {"name": name, "model": str(folder), "label": label, "device": "cpu", **settings}
    (found,) = predictors_of(FilterConfig(classifiers=(ClassifierConfig(**one),)))
    return found


def loaded(folder: Path, **settings: Any) -> ImageClassifier:
    return ImageClassifier(of(folder, **settings).checkpoint)


def itself(item: Any) -> Any:
    return item


def test_probabilities_are_those_of_the_pipeline_of_the_library(checkpoint):
    from transformers import pipeline

    images = [image(level) for level in range(5)]
    rows = np.stack(loaded(checkpoint, batch_size=2).images(images, itself))
    expected = pipeline("image-classification", model=str(checkpoint), device="cpu")(images)
    model = loaded(checkpoint)
    for row, labels in zip(rows, expected, strict=True):
        for entry in labels:
            assert row[model.index(entry["label"])] == pytest.approx(entry["score"], abs=1e-5)
    assert len({round(float(row[1]), 3) for row in rows}) == 5


def test_a_value_does_not_depend_on_the_batch(checkpoint):
    """The tolerance that classifier.py states."""
    images = [image(level, size) for level, size in enumerate([(64, 48), (33, 97), (20, 20), (300, 40)] * 4)]
    rows = {size: np.stack(loaded(checkpoint, batch_size=size).images(images, itself)) for size in (1, 5, 16)}
    for size in (5, 16):
        assert np.abs(rows[size] - rows[1]).max() < 1e-5
        assert np.abs(np.round(rows[size], 4) - np.round(rows[1], 4)).max() < 1.01e-4
    backwards = loaded(checkpoint, batch_size=5).images(images[::-1], itself)
    assert np.abs(np.stack(backwards)[::-1] - rows[5]).max() < 1e-5


@pytest.mark.skipif(not cpu_flags() & {"amx_bf16", "avx512_bf16", "bf16"}, reason="the CPU has no bfloat16")
def test_bfloat16_changes_the_second_decimal_at_most(checkpoint):
    images = [image(level) for level in range(16)]
    exact = np.stack(loaded(checkpoint).images(images, itself))
    lower = np.stack(loaded(checkpoint, dtype="bfloat16").images(images, itself))
    assert 0 < np.abs(exact - lower).max() < 0.02
    assert of(checkpoint, dtype="bfloat16").weights.label.endswith(" (bfloat16)")


def test_an_image_that_fails_leaves_the_rest_of_its_batch(checkpoint):
    model = loaded(checkpoint, batch_size=4)
    forward = model._forward

    def fragile(batch: Any) -> Any:
        if any(float(one["pixel_values"].max()) > 0.99 for one in batch):
            raise MemoryError("no room")
        return forward(batch)

    model._forward = fragile

    def opened(item: Any) -> Pil.Image:
        if item is None:
            raise ValueError("a strange image")
        return item

    white = Pil.new("RGB", (64, 48), (255, 255, 255))
    gray = [Pil.new("RGB", (64, 48), (level,) * 3) for level in (10, 80, 120)]
    found = model.images([gray[0], white, None, gray[1], gray[2]], opened)
    assert found[1:3] == ["MemoryError: no room", "ValueError: a strange image"]
    alone = loaded(checkpoint, batch_size=1).images(gray, itself)
    assert np.abs(np.stack([found[0], *found[3:]]) - np.stack(alone)).max() < 1e-5


@pytest.mark.parametrize(
    ("changes", "values"),
    [({"problem_type": "multi_label_classification"}, "sigmoid"), ({"problem_type": "regression"}, "output")],
)
def test_other_kinds_of_checkpoints_are_read_as_they_were_trained(checkpoint, changes, values):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | changes))
    (row,) = loaded(checkpoint).images([image(1)], itself)
    outputs = (
        loaded(checkpoint)
        ._model(**loaded(checkpoint)._processor(images=image(1), return_tensors="pt"))
        .logits[0]
    )
    expected = outputs.sigmoid() if values == "sigmoid" else outputs
    assert row == pytest.approx(expected.detach().numpy(), abs=1e-5)
    assert ("output for the label nsfw" in of(checkpoint).meaning) == (values == "output")


def test_of_a_checkpoint_that_is_not_here_neither_its_output_nor_its_languages_are_known():
    hub = Path("openai/clip-nsfw@" + "0" * 40)
    assert of(hub).meaning == "output for the label nsfw"
    assert of(hub, of="texts").weights.languages is None
    assert of(hub, of="texts", languages=["fr"]).weights.languages == ("fr",)


def test_what_changes_a_value_is_in_the_key_and_the_place_is_not(checkpoint, tmp_path):
    first = of(checkpoint).identity
    for settings in ({"batch_size": 7}, {"dtype": "bfloat16"}, {"label": "fine"}):
        assert of(checkpoint, **settings).identity != first
    moved = checkpoint.rename(tmp_path / "elsewhere")
    assert of(moved).identity == first
    assert of(written(tmp_path / "tiny-nsfw", seed=1)).identity != first


def test_weights_are_hashed_once_for_all_labels_and_again_after_a_change(checkpoint, monkeypatch):
    read: list[str] = []
    hashed = weights.file_sha256
    monkeypatch.setattr(weights, "file_sha256", lambda path: read.append(path.name) or hashed(path))
    first = of(checkpoint)
    assert of(checkpoint, label="fine").weights.sha256 == first.weights.sha256
    assert sorted(read) == ["config.json", "model.safetensors", "preprocessor_config.json"]
    (checkpoint / "preprocessor_config.json").write_text("{}")
    assert of(checkpoint).weights.sha256 != first.weights.sha256
    assert len(read) == 4


def test_a_gpu_is_in_the_key_and_its_index_is_not(checkpoint):
    cuda, second = (of(checkpoint, device=device).identity for device in ("cuda", "cuda:1"))
    assert cuda == second
    assert cuda != of(checkpoint).identity


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_one_line():
    with pytest.raises(RecipeError, match=r"^filter.perplexity.device: cuda: torch finds no cuda .*cpu$"):
        shared_devices([("filter.alignment", "cpu", "float32"), ("filter.perplexity", "cuda", "float32")])


def test_models_on_different_gpus_are_one_line(monkeypatch):
    monkeypatch.setattr(devices, "kind_of", lambda device: device.partition(":")[0])
    monkeypatch.setattr(devices, "_count", lambda: 2)
    one, other = ("filter.alignment", "cuda:0", "float32"), ("filter.perplexity", "cuda:1", "float32")
    with pytest.raises(RecipeError, match=r"perplexity.device: it is cuda:1, but filter.alignment.dev"):
        shared_devices([one, other])
    assert shared_devices([one, ("filter.perplexity", "cpu", "float32")]) == ("cuda:0",)


def test_a_label_or_a_file_that_does_not_exist_is_one_line(checkpoint, tmp_path):
    with pytest.raises(RecipeError, match="has no label 'watermark'; it has fine, nsfw"):
        of(checkpoint, name="mark", label="watermark")
    with pytest.raises(RecipeError, match=r"filter.classifiers.nsfw.model: /nowhere: no such folder; trans"):
        of(Path("/nowhere"))
    with pytest.raises(RecipeError, match=r"nsfw.model: owner/nsfw is neither a folder nor a repo"):
        of(Path("owner/nsfw"))
    (checkpoint / "preprocessor_config.json").unlink()
    with pytest.raises(RecipeError, match=r"filter.classifiers.nsfw.model: .*AutoImageProcessor") as caught:
        loaded(checkpoint)
    assert "\n" not in str(caught.value)
    (checkpoint / "config.json").write_text("[]")
    with pytest.raises(RecipeError, match=r"filter.classifiers.nsfw.model: .* config.json is damaged"):
        of(checkpoint)


def test_weights_that_a_checkpoint_lacks_are_never_random(checkpoint):
    """transformers fills a missing head at random and logs a warning."""
    from safetensors.torch import load_file, save_file

    file = checkpoint / "model.safetensors"
    save_file({name: part for name, part in load_file(file).items() if "classifier" not in name}, file)
    with pytest.raises(RecipeError, match=r"has no weights for classifier.bias and 1 others of"):
        loaded(checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"architectures": ["ViTModel"]}))
    with pytest.raises(RecipeError, match="is a ViTModel; choose a model whose class ends with"):
        of(checkpoint)


def test_a_checkpoint_with_code_of_its_own_is_one_line_and_asks_nothing(checkpoint, monkeypatch):
    config = json.loads((checkpoint / "config.json").read_text())
    own = {"AutoConfig": "own.Config", "AutoModelForImageClassification": "own.Model"}
    (checkpoint / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": own}))
    (checkpoint / "own.py").write_text("raise SystemExit('it ran')")
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question="": asked.append(question) or "n")
    with pytest.raises(RecipeError, match=r"^filter.classifiers.nsfw.model: .* cannot be opened") as caught:
        loaded(checkpoint)
    assert "\n" not in str(caught.value)
    assert asked == []


@pytest.mark.parametrize(
    ("classifiers", "score", "message"),
    [
        ([], "classifier.nsfw", "`classifiers` declares none"),
        (["nsfw", "nsfw"], "text.links", "two classifiers have the score classifier.nsfw"),
        (["mark"], "classifier.nsfw", "`classifiers` declares classifier.mark"),
    ],
)
def test_a_rule_needs_its_classifier(tmp_path, classifiers, score, message):
    declared = [{"name": name, "model": "./m", "label": "x"} for name in classifiers]
    path = recipe(tmp_path, filter={"classifiers": declared, "rules": [{"score": score, "max": 1}]})
    with pytest.raises(RecipeError, match=message):
        load(path)


def in_processes_of_devices(path: Path) -> None:
    """Compute predictions- again in a process per device; the bytes are those of this process."""
    settings, artifacts = FilterSettings.of(load(path)), chain(path.parent / "runs/t")
    ingest, out = artifacts["ingest"], artifacts["filter"]
    files = [out.file(kind, name) for name in out.parts() for kind in ("predictions", "keys")]
    before = [file.read_bytes() for file in files]
    keys = {name: (table.key_of(out.file("keys", name)) or "").partition(" ")[0] for name in out.parts()}
    for file in files:
        file.unlink()
    first, second = (partial(task, settings, ingest, out) for task in (gather, run_models))
    with LocalEngine(workers=1) as engine:
        needs = Needs("gpu", devices=("cpu", "cpu"), before=first)
        done = list(engine.map(second, [Part(name, key) for name, key in keys.items()], needs))
    assert sum(result.counts["predicted"] for result in done) > 0
    assert [file.read_bytes() for file in files] == before


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
        for file in (tmp_path / "runs/t/filter").rglob("scores-*.parquet"):
            for _, cell in table.scores(file):
                if cell.name == "classifier.nsfw":
                    found.setdefault(cell.model or "", []).append(cell.value or 0.0)
        return found

    build(path, until="filter")
    ((first, probabilities),) = values().items()
    assert first.startswith("transformers:tiny-nsfw@")
    assert len(probabilities) == sum(len(steps) for steps in pages(4).values())
    in_processes_of_devices(path)
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


def test_all_labels_of_a_checkpoint_cost_one_forward_pass(tmp_path, checkpoint, monkeypatch):
    written(tmp_path / "other", seed=1)
    mmc4(tmp_path / "data", pages(4))
    declared = [("nsfw", "tiny-nsfw", "nsfw"), ("mark", "other", "nsfw"), ("fine", "tiny-nsfw", "fine")]
    classifiers = [{"name": name, "model": f"./{of}", "label": label} for name, of, label in declared]
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            **{"min_words": 5, "min_images": 0, "rules": [], "judge": {"enabled": False}},
            "classifiers": classifiers,
        },
    )
    forward, computed = ImageClassifier._forward, []

    def counted(model: ImageClassifier, batch: Any) -> Any:
        computed.extend([model.checkpoint.weights.name] * len(batch))
        return forward(model, batch)

    monkeypatch.setattr(ImageClassifier, "_forward", counted)
    build(path, until="filter")
    values: dict[str, list[float]] = {}
    images: set[str] = set()
    for file in (tmp_path / "runs/t/filter").rglob("predictions-*.parquet"):
        for row in table.records(file, CellRow):
            values.setdefault(row.name, []).append(row.value or 0.0)
            images.add(row.seen)
    assert Counter(Path(name).name for name in computed) == {"tiny-nsfw": len(images), "other": len(images)}
    pairs = zip(values["classifier.nsfw"], values["classifier.fine"], strict=True)
    assert [one + other for one, other in pairs] == pytest.approx(
        [1.0] * len(values["classifier.nsfw"]), abs=2e-4
    )
