"""One model of a recipe and the score that it gives: found, named and checked before anything is loaded.

leafinstruct brings no such model, since what it was trained on decides what its score means. Imports no heavy
library: every verb finds the predictors of a recipe, few use them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leafinstruct.errors import RecipeError, suggestion
from leafinstruct.filter.catalog import CLASSIFIERS, PERPLEXITY, SCORES, declared
from leafinstruct.filter.config import ClassifierConfig, FilterConfig, PerplexityConfig
from leafinstruct.filter.embedders.weights import Weights, checkpoint_of, known_languages
from leafinstruct.filter.score import Level

CODE = 1
"""Increased when the same checkpoint gives another value for the same image or text than before."""


@dataclass(frozen=True)
class Checkpoint:
    """A model as one process loads it. Scores of several labels share it.

    family: of its scores. option: the key of the recipe that names it, for errors; two that differ in nothing
    else are one checkpoint.
    """

    family: str
    weights: Weights
    batch_size: int
    option: str = field(compare=False)

    @property
    def level(self) -> Level:
        """What it scores."""
        return "image" if self.family == CLASSIFIERS["images"] else "document"


@dataclass(frozen=True)
class Predictor:
    """A score of a recipe's own model. label: of a classifier, None for a perplexity. meaning: ends with the
    range."""

    name: str
    meaning: str
    checkpoint: Checkpoint
    label: str | None = None

    @property
    def weights(self) -> Weights:
        return self.checkpoint.weights

    @property
    def identity(self) -> dict[str, Any]:
        """What keys and fingerprints contain. The index of the device is not in it, nor where the checkpoint
        lies."""
        return {
            "code": CODE,
            "version": declared(self.name).version,
            "model": self.weights.identity,
            "batch_size": self.checkpoint.batch_size,
            "languages": self.weights.languages,
            "label": self.label,
            "level": self.checkpoint.level,
            "meaning": self.meaning,
        }


def predictors_of(section: FilterConfig) -> tuple[Predictor, ...]:
    """The predictors of `filter:`, those of images first. Raises RecipeError if a checkpoint is missing, is
    of another kind, or has no such label."""
    classifiers = [_classifier(one) for one in section.classifiers]
    classifiers.sort(key=lambda one: one.checkpoint.level != "image")
    return (*classifiers, *([] if section.perplexity is None else [_perplexity(section.perplexity)]))


def check_label(checkpoint: Checkpoint, label: str, config: dict[str, Any]) -> None:
    """Raise RecipeError for a label that a checkpoint does not have. config: of the checkpoint, as
    config.json."""
    # transformers writes no names for LABEL_0 and LABEL_1
    labels = sorted(config.get("label2id") or {"LABEL_0": 0, "LABEL_1": 1})
    if label not in labels:
        raise RecipeError(
            f"{checkpoint.option}: {checkpoint.weights.name} has no label {label!r}; it has "
            f"{', '.join(labels[:20])}; {suggestion(label, labels)}"
        )


def _classifier(section: ClassifierConfig) -> Predictor:
    option = f"filter.classifiers.{section.name}"
    if section.of == "images" and section.languages:
        raise RecipeError(f"{option}.languages: images have no language; remove it, or set of: texts")
    # what a classifier knows is in no table
    weights = checkpoint_of(section.model, section, section.languages, f"{option}.model")
    checkpoint = Checkpoint(CLASSIFIERS[section.of], weights, section.batch_size, option)
    kind = "ForImageClassification" if section.of == "images" else "ForSequenceClassification"
    config = _config(checkpoint, kind)
    if config is not None:
        check_label(checkpoint, section.label, config)
    most = "" if section.of == "images" else "largest over its texts: "
    # the kind of its output is known where its files are
    is_probability = config is not None and not is_regression(config)
    value = "probability of" if is_probability else "output for"
    bounds = ", [0, 1]" if is_probability else ""
    meaning = f"{most}{value} the label {section.label}{bounds}"
    return Predictor(section.score, meaning, checkpoint, section.label)


def _perplexity(section: PerplexityConfig) -> Predictor:
    option = "filter.perplexity"
    weights = checkpoint_of(section.model, section, section.languages, f"{option}.model")
    if weights.languages is None:
        languages = known_languages("transformers", weights.name, weights.file is None)
        weights = replace(weights, languages=languages)
    checkpoint = Checkpoint(PERPLEXITY, weights, section.batch_size, option)
    _config(checkpoint, "ForCausalLM", "LMHeadModel")
    (name,) = (name for name in SCORES if declared(name).family == PERPLEXITY)
    return Predictor(name, SCORES[name].meaning, checkpoint)


def is_regression(config: dict[str, Any]) -> bool:
    """Whether a classifier gives a number of its own scale, as some models of aesthetics do, and no
    probability."""
    return config.get("problem_type") == "regression"


def _config(checkpoint: Checkpoint, *kinds: str) -> dict[str, Any] | None:
    """config.json of a checkpoint, None of one that is not downloaded yet. kinds: ends of the names of model
    classes that fit."""
    file, option, name = checkpoint.weights.file, checkpoint.option, checkpoint.weights.name
    if file is None:
        return None
    try:
        config = json.loads((Path(file) / "config.json").read_text(encoding="utf-8"))
        classes = [str(found) for found in config.get("architectures") or ()]
    except (ValueError, AttributeError, TypeError) as error:
        raise RecipeError(f"{option}.model: {name}: its config.json is damaged; download it again") from error
    if classes and not any(found.endswith(kinds) for found in classes):
        raise RecipeError(
            f"{option}.model: {name} is a {classes[0]}; choose a model whose class ends with {kinds[0]}"
        )
    return dict(config)
