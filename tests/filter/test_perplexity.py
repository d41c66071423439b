"""Perplexity by a causal language model of random weights, against torch's cross-entropy over one window at a
time; and classifiers of texts, which read documents in the same way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import build, mmc4, recipe
from torch.nn import functional

from leafinstruct import _torchvision
from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import ClassifierConfig, FilterConfig, PerplexityConfig
from leafinstruct.filter.embedders.batches import NOT_FINITE
from leafinstruct.filter.predictors.classifier import TextClassifier
from leafinstruct.filter.predictors.perplexity import Perplexity
from leafinstruct.filter.predictors.predictor import Predictor, predictors_of
from leafinstruct.filter.scores.cell import cell as cell_of
from leafinstruct.recipe.load import load
from leafinstruct.records import table
from leafinstruct.report.inspect.gather import scores_of
from leafinstruct.runtime.artifact import chain

pytestmark = pytest.mark.e2e  # imports torch and transformers

TEXTS = [
    ["Sand the edge.", "Paint it red and let it dry."],
    ["bake " * 70],  # longer than the context
    ["Stir </s> it <s> well"],  # control tokens as letters
    ["it"],
    [],
    ["Die Farbe trocknet zwei Stunden, dann wird poliert."],
]
CONTEXT = 24


def saved(folder: Path, model: Any) -> Path:
    """The folder of a model with a tokenizer of letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<s>", "</s>", "<unk>", *map(chr, range(32, 127))]
    made = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(folder)
    return folder


def language_model(folder: Path, seed: int = 0) -> Path:
    """A Llama of one layer, of random weights."""
    _torchvision.mend()
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    places = {"vocab_size": 99, "max_position_embeddings": CONTEXT, "initializer_range": 0.5}
    return saved(folder, LlamaForCausalLM(LlamaConfig(**sizes, **places, bos_token_id=1, eos_token_id=2)))


def toxicity_model(folder: Path, seed: int = 0) -> Path:
    """A BERT of one layer, of random weights, with two labels."""
    _torchvision.mend()
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    places = {"vocab_size": 99, "max_position_embeddings": CONTEXT, "initializer_range": 0.5}
    labels = {"id2label": {0: "fine", 1: "toxic"}, "label2id": {"fine": 0, "toxic": 1}}
    return saved(folder, BertForSequenceClassification(BertConfig(**sizes, **places, **labels)))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return language_model(tmp_path / "tiny-llama")


def of(folder: Path, **settings: Any) -> Predictor:
    section = PerplexityConfig(model=str(folder), **{"device": "cpu", **settings})
    (found,) = predictors_of(FilterConfig(perplexity=section))
    return found


def values(folder: Path, texts: list[list[str]], **settings: Any) -> list[float]:
    return [float(row[0]) for row in Perplexity(of(folder, **settings).checkpoint).documents(texts)]


def by_hand(folder: Path, texts: list[str]) -> float:
    """Perplexity by torch.cross_entropy over single windows without padding."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = [ord(letter) - 32 + 4 if 32 <= ord(letter) < 127 else 3 for letter in "\n\n".join(texts)]
    lost, count = 0.0, 0
    for at in range(0, len(ids), CONTEXT - 1):
        window = torch.tensor([[1, *ids[at : at + CONTEXT - 1]]])
        with torch.inference_mode():
            logits = model(window).logits[0, :-1]
        lost += functional.cross_entropy(logits, window[0, 1:], reduction="sum").item()
        count += window.shape[1] - 1
    return math.exp(lost / count) if count else math.nan


def test_the_value_is_that_of_cross_entropy_by_hand(checkpoint):
    found = values(checkpoint, TEXTS, batch_size=4)
    assert found == pytest.approx([by_hand(checkpoint, texts) for texts in TEXTS], rel=6e-4, nan_ok=True)
    assert len({*found} - {math.nan}) == len(TEXTS)  # nan is never equal
    assert [float(f"{value:.4g}") for value in found[:4]] == found[:4]


def test_a_value_does_not_depend_on_the_batch(checkpoint):
    """The tolerance that perplexity.py states: less than one step of the fourth digit."""
    one, several = (values(checkpoint, TEXTS * 2, batch_size=size) for size in (1, 16))
    for first, second in zip(one, [*several[6:], *several[:6]], strict=True):
        if not math.isnan(first):
            assert abs(first - second) <= 1.001 * 10 ** (math.floor(math.log10(first)) - 3)


def test_a_text_that_fails_leaves_the_rest_of_its_batch(checkpoint):
    model = Perplexity(of(checkpoint).checkpoint)
    forward = model._forward

    def fragile(batch: Any) -> Any:
        if any(len(window) == 3 for window in batch):  # of "it"
            raise MemoryError("no room")
        rows = forward(batch)
        rows[[window[1] == ord("D") - 28 for window in batch]] = math.nan
        return rows

    model._forward = fragile
    found = model.documents(TEXTS)
    assert (found[3], found[5]) == ("MemoryError: no room", NOT_FINITE)
    good = [at for at in range(6) if at not in (3, 5)]
    expected = values(checkpoint, TEXTS)
    assert [float(found[at][0]) for at in good] == pytest.approx(
        [expected[at] for at in good], rel=1e-3, nan_ok=True
    )


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_value_that_is_not_finite_is_not_scored(value):
    found = cell_of("perplexity.texts", value)
    assert (found.state, found.value) == ("not_scored", None)


def test_a_published_language_model_knows_the_languages_of_its_training():
    assert of(Path("openai-community/gpt2@" + "0" * 40)).weights.languages == ("en",)
    assert of(Path("someone/unknown@" + "0" * 40)).weights.languages is None


def test_padding_that_is_not_finite_harms_no_text(checkpoint):
    model = Perplexity(of(checkpoint).checkpoint)
    inner = model._model

    def strange(**inputs: Any) -> Any:
        found = inner(**inputs)
        found.logits[inputs["attention_mask"] == 0] = math.nan
        return found

    model._model = strange
    assert [float(row[0]) for row in model.documents(TEXTS[:4])] == pytest.approx(
        values(checkpoint, TEXTS[:4]), rel=1e-3
    )


def test_faults_of_settings_are_one_line(checkpoint, tmp_path):
    toxic = toxicity_model(tmp_path / "toxic")
    with pytest.raises(RecipeError, match=r"^filter.perplexity.model: .* is a BertForSequenceClassific"):
        of(toxic)
    with pytest.raises(RecipeError, match=r"^filter.perplexity.model: /nowhere: no such folder; trans"):
        of(Path("/nowhere"))
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(RecipeError, match=r"perplexity.model: .* cannot be opened .*safetensors") as caught:
        values(checkpoint, TEXTS)
    assert "\n" not in str(caught.value)
    section = ClassifierConfig(name="toxicity", of="texts", model=str(toxic), label="rude", device="cpu")
    with pytest.raises(RecipeError, match="has no label 'rude'; it has fine, toxic"):
        predictors_of(FilterConfig(classifiers=(section,)))


def test_a_rule_needs_the_model_that_its_bound_was_set_for(tmp_path, checkpoint):
    rule = {"score": "perplexity.texts", "max": 50}
    section: dict[str, Any] = {"rules": [{**rule, "model": "./other"}]}
    with pytest.raises(RecipeError, match=r"perplexity.texts, which needs perplexity.model"):
        load(recipe(tmp_path, filter=section))
    section["perplexity"] = {"model": "./tiny-llama"}
    ingest = {"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]}
    with pytest.raises(RecipeError, match=r"bound of perplexity.texts was set for ./other, but .*tiny-"):
        load(recipe(tmp_path, ingest=ingest, filter=section))
    section["rules"] = [{**rule, "model": "./tiny-llama"}]
    assert load(recipe(tmp_path, ingest=ingest, filter=section)).active_rules[0].model == "./tiny-llama"
    with pytest.raises(RecipeError, match="must name the model its bound was set for"):
        load(recipe(tmp_path, filter={**section, "rules": [rule]}))


def test_the_value_of_a_classifier_of_texts_is_the_largest_of_a_documents_texts(tmp_path):
    from transformers import AutoModelForSequenceClassification

    folder = toxicity_model(tmp_path / "toxic")
    section = ClassifierConfig(name="toxicity", of="texts", model=str(folder), label="toxic", device="cpu")
    (predictor,) = predictors_of(FilterConfig(classifiers=(section,)))
    assert predictor.name == "text_classifier.toxicity"
    assert predictor.meaning.endswith("probability of the label toxic, [0, 1]")
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def alone(text: str) -> float:
        ids = [ord(letter) - 32 + 4 for letter in text]
        with torch.inference_mode():
            windows = [ids[at : at + CONTEXT] for at in range(0, len(ids), CONTEXT)]
            return max(float(model(torch.tensor([one])).logits.softmax(-1)[0, 1]) for one in windows)

    classifier = TextClassifier(predictor.checkpoint)
    texts = [["Sand the edge.", "Paint it red."], ["bake " * 20], ["Stir </s> it."], []]
    found = classifier.documents(texts)
    column = classifier.index("toxic")
    for row, own in zip(found[:3], texts, strict=False):
        assert float(row[column]) == pytest.approx(max(map(alone, own)), abs=1e-5)
    assert np.isnan(found[3][column])


PAGES = {
    "en": ["Sand the edge until it is smooth.", "Then paint it with two coats and let it dry."],
    "de": ["Schleifen Sie die Kante, bis sie glatt ist.", "Streichen Sie sie und lassen Sie sie trocknen."],
}


def test_a_build_scores_only_languages_that_the_model_knows_and_rules_are_ignored_for_others(
    tmp_path, checkpoint
):
    toxicity_model(tmp_path / "toxic")
    mmc4(tmp_path / "data", {name: [(text, None) for text in texts] for name, texts in PAGES.items()})
    classifier = {"name": "toxicity", "of": "texts", "model": "./toxic", "label": "toxic"}
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 5,
            "min_images": 0,
            "perplexity": {"model": "./tiny-llama", "languages": ["en"]},
            "classifiers": [{**classifier, "languages": ["en"]}],
            "rules": [],
            "judge": {"enabled": False},
        },
    )

    def scored() -> dict[str, dict[str, tuple[str, float | None]]]:
        """Language -> score -> state and value."""
        run = tmp_path / "runs/t"
        languages = {
            document.id: document.language or ""
            for file in (run / "ingest").rglob("documents-*.parquet")
            for document in table.documents(file)
        }
        found: dict[str, dict[str, tuple[str, float | None]]] = {}
        for file in (run / "filter").rglob("scores-*.parquet"):
            for document, cell in table.scores(file):
                if cell.name in ("perplexity.texts", "text_classifier.toxicity"):
                    found.setdefault(languages[document], {})[cell.name] = cell.state, cell.value
        return found

    record = build(path, until="filter")[-1].record
    assert record is not None
    assert record["models"]["perplexity.texts"].startswith("transformers:tiny-llama@")
    assert record["counts"]["kept"] == 2
    found = scored()
    assert {state for state, _ in found["de"].values()} == {"not_scored"}
    assert {state for state, _ in found["en"].values()} == {"ok"}
    value = found["en"]["perplexity.texts"][1]
    assert value is not None
    assert value == pytest.approx(by_hand(checkpoint, PAGES["en"]), rel=6e-4)
    artifacts = chain(tmp_path / "runs/t")
    shown = scores_of(artifacts["filter"], artifacts["rewrite"])["document"]
    assert {"perplexity.texts", "text_classifier.toxicity"} < shown.keys()
    strict = f'{{"score": "perplexity.texts", "max": {value / 2}, "uncalibrated": true}}'
    record = build(path, f"filter.rules=[{strict}]", until="filter")[-1].record
    assert record is not None
    assert record["counts"]["kept"] == 1  # the document in German
