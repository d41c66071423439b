"""What filter needs at run time, built from a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from platformdirs import user_cache_path

from leafinstruct.filter.catalog import (
    CLASSIFIERS,
    CLIP_FAMILIES,
    OFFLINE_JUDGE,
    PERPLEXITY,
    SCORES,
    Versions,
    declared,
    versions,
)
from leafinstruct.filter.config import TOY_MODEL, FilterConfig, ModelConfig, Rule, named
from leafinstruct.filter.embedders.devices import shared_devices
from leafinstruct.filter.embedders.weights import Weights, weights_of
from leafinstruct.filter.judging.panel import Judge
from leafinstruct.filter.predictors.predictor import Predictor, predictors_of
from leafinstruct.filter.score import Score
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.limits.division import Division
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records.removals import Suppressed
from leafinstruct.sketchbook import tiny_clip


class _Recipe(Protocol):
    llm: LlmConfig

    @property
    def filter(self) -> FilterConfig: ...
    @property
    def strangers(self) -> list[str]: ...
    @property
    def references(self) -> tuple[str, ...]: ...


class _Loaded(Protocol):
    """What filter reads of a loaded recipe."""

    @property
    def recipe(self) -> _Recipe: ...
    @property
    def active_rules(self) -> tuple[Rule, ...]: ...
    @property
    def answers(self) -> Path: ...
    @property
    def fetched(self) -> Path: ...
    @property
    def removed(self) -> Suppressed: ...
    def division(self, stage: str) -> Division | None: ...
    def template(self, folder: str, name: str) -> Prompt: ...


@dataclass(frozen=True)
class FilterSettings:
    """What filter needs at run time.

    config: the recipe's section. rules: the active ones. weights: of the model for alignment and coherence,
    None if the recipe needs no score of it. answers: folder of the answer cache. fetched: folder of images
    fetched from the web. removed: sha256 of images that were deleted by request. drawn: whether all sources
    are Sketchbook. references: names of the sources of filter.reference. predictors: the recipe's own models
    that give a score each. division: of a divided build.
    """

    config: FilterConfig
    rules: tuple[Rule, ...]
    llm: LlmConfig
    prompt: Prompt
    weights: Weights | None
    answers: Path
    fetched: Path
    removed: frozenset[str] = frozenset()
    drawn: bool = False
    references: tuple[str, ...] = ()
    predictors: tuple[Predictor, ...] = ()
    division: Division | None = None

    @classmethod
    def of(cls, loaded: _Loaded) -> Self:
        """The settings of a recipe. Raises RecipeError for weights that do not exist."""
        recipe = loaded.recipe
        clip = recipe.filter.clip
        tiny = tiny_clip.unpack(user_cache_path("leafinstruct")) if clip == TOY_MODEL else None
        return cls(
            config=recipe.filter,
            rules=loaded.active_rules,
            llm=recipe.llm,
            prompt=loaded.template("prompts", recipe.filter.judge.prompt),
            weights=None
            if clip is None
            else weights_of(recipe.filter.alignment, clip, tiny, bool(recipe.strangers)),
            answers=loaded.answers,
            fetched=loaded.fetched,
            removed=loaded.removed.purged.images,
            drawn=not recipe.strangers,
            references=recipe.references,
            predictors=predictors_of(recipe.filter),
            division=loaded.division("filter"),
        )

    @property
    def rule_based(self) -> bool:
        """Whether the rule-based judge answers."""
        return self.config.judge.is_offline(self.llm)

    @property
    def judges(self) -> tuple[Judge, ...]:
        """The language models that judge; for the rule-based judge the section that is offline."""
        return self.config.judge.panel(self.llm)

    @property
    def judge_model(self) -> str:
        """Name of the models, or of the written rules, that answer the judge's questions."""
        return OFFLINE_JUDGE if self.rule_based else " + ".join(judge.llm.known_as for judge in self.judges)

    @property
    def judge_identity(self) -> dict[str, Any] | None:
        """What shapes the answers of the judges besides the documents; None if nothing is judged."""
        config = self.config.judge
        if not config.enabled:
            return None
        if config.judges:
            judges = {
                one.name: {"model": one.llm.answerer, **one.llm.sampling_identity} for one in self.judges
            }
            return {"judges": judges, "samples": config.samples, "prompt": self.prompt.sha256}
        several = {"samples": config.samples} if config.samples > 1 else {}
        model = self.judge_model if self.rule_based else self.llm.answerer
        return {"model": model, "prompt": self.prompt.sha256, **self.llm.sampling_identity, **several}

    @property
    def scores(self) -> Versions:
        """The versions of the scores that this recipe computes."""
        family = "rules" if self.rule_based else "judge"
        absent = {"judge", "rules"} - ({family} if self.config.judge.enabled else set())
        absent |= set() if self.references else {"contamination"}
        absent |= set() if self.config.perplexity else {PERPLEXITY}
        return versions(
            lambda score: score.family not in absent | (set() if self.weights else {*CLIP_FAMILIES})
        )

    @property
    def unscreened(self) -> list[str]:
        """What nothing in this run looks for: personal-data, toxicity, nsfw. Sketchbook has none of them.
        Images are screened by any score named `nsfw`, of an installed package too."""
        computed = {f"{family}.{name}" for family, names in self.scores.items() for name in names}
        computed |= {score.name for score in self.extensions}
        computed |= {predictor.name for predictor in self.predictors}
        screens = {
            "personal-data": self.config.personal_data != "keep",
            "toxicity": any(name.startswith("toxicity.") for name in computed),
            "nsfw": any(name.endswith(".nsfw") for name in computed),
        }
        return [] if self.drawn else [name for name, done in screens.items() if not done]

    @property
    def extensions(self) -> tuple[Score, ...]:
        """Scores of installed packages that a rule names."""
        named = sorted({rule.score for rule in self.rules} - SCORES.keys())
        return tuple(declared(name) for name in named if declared(name).family not in CLASSIFIERS.values())

    @property
    def models(self) -> list[Weights]:
        """All models that embed or score images and texts here."""
        own = [predictor.weights for predictor in self.predictors]
        return own if self.weights is None else [self.weights, *own]

    def devices(self, remote: bool) -> tuple[str, ...]:
        """Devices of the processes that run the models, () if these run on the CPU; only their kind if the
        processes run on other machines. Raises RecipeError for one that this machine does not have."""
        stated: list[tuple[str, ModelConfig]] = [
            *([("filter.alignment", self.config.alignment)] if self.weights else []),
            *((f"filter.classifiers.{one.name}", one) for one in self.config.classifiers),
            *([("filter.perplexity", self.config.perplexity)] if self.config.perplexity else []),
        ]
        return shared_devices([(option, one.device, one.dtype) for option, one in stated], remote)

    @property
    def shaping(self) -> dict[str, Any]:
        """The section without the folders of models, without the settings of how fast and politely images are
        fetched, which change no result, without the device, whose kind is in the identity of the weights,
        without the reference, whose content counts (referring.identity), and without the judges and the
        predictors, whose identities are beside it."""
        whole = dict.fromkeys(("reference", "classifiers", "perplexity"), True)
        section = self.config.model_dump(mode="json", exclude={**whole, "judge": {"judges"}})
        del section["alignment"]["device"]
        section["alignment"] = named(section["alignment"])
        section["rules"] = [named(rule) for rule in section["rules"]]
        if self.config.images.fetch is not None:
            section["images"]["fetch"] = self.config.images.fetch.shaping
        return section
