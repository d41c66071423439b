"""What filter needs at run time, built from a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from platformdirs import user_cache_path

from leafinstruct.filter.catalog import (
    CLASSIFIER,
    CLIP_FAMILIES,
    OFFLINE_JUDGE,
    SCORES,
    Score,
    Versions,
    declared,
    versions,
)
from leafinstruct.filter.config import TOY_MODEL, FilterConfig, Rule
from leafinstruct.filter.scores import classifier
from leafinstruct.filter.scores import clip as clips
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.prompt import Prompt
from leafinstruct.records.removals import Suppressed
from leafinstruct.sketchbook import tiny_clip


class _Recipe(Protocol):
    filter: FilterConfig
    llm: LlmConfig

    @property
    def strangers(self) -> list[str]: ...


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
    def template(self, folder: str, name: str) -> Prompt: ...


@dataclass(frozen=True)
class FilterSettings:
    """What filter needs at run time.

    config: the recipe's section. rules: the active ones. weights: of the CLIP, None if the recipe needs no
    score of it. answers: folder of the answer cache. fetched: folder of images fetched from the web. removed:
    sha256 of images that were deleted by request. classifiers: their scores, whose package is model and hash.
    """

    config: FilterConfig
    rules: tuple[Rule, ...]
    llm: LlmConfig
    prompt: Prompt
    weights: clips.Weights | None
    answers: Path
    fetched: Path
    removed: frozenset[str] = frozenset()
    classifiers: tuple[Score, ...] = ()

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
            weights=None if clip is None else clips.weights_of(clip, tiny, bool(recipe.strangers)),
            answers=loaded.answers,
            fetched=loaded.fetched,
            removed=loaded.removed.purged.images,
            classifiers=tuple(
                classifier.score_of(one.name, one.model, one.label) for one in recipe.filter.classifiers
            ),
        )

    @property
    def judge_model(self) -> str:
        """Name of the model, or of the written rules, that answers the judge's questions."""
        return OFFLINE_JUDGE if self.llm.provider == "offline" else self.llm.known_as

    @property
    def scores(self) -> Versions:
        """The versions of the scores that this recipe computes."""
        family = "rules" if self.llm.provider == "offline" else "judge"
        absent = {"judge", "rules"} - ({family} if self.config.judge.enabled else set())
        return versions(
            lambda score: score.family not in absent | (set() if self.weights else {*CLIP_FAMILIES})
        )

    @property
    def extensions(self) -> tuple[Score, ...]:
        """Scores of installed packages that a rule names, and of all classifiers."""
        named = sorted({rule.score for rule in self.rules} - SCORES.keys())
        packages = [name for name in named if not name.startswith(f"{CLASSIFIER}.")]
        return (*map(declared, packages), *self.classifiers)

    @property
    def shaping(self) -> dict[str, Any]:
        """The section without the settings of how fast and politely images are fetched, which change no
        result."""
        section = self.config.model_dump(mode="json")
        if self.config.images.fetch is not None:
            section["images"]["fetch"] = self.config.images.fetch.shaping
        return section
