"""Load a recipe: YAML and --set -> checked settings (schema.py).

A recipe is checked completely before anything runs, in about 0.1 s and without heavy imports, so a typo does
not cost a night. Errors about unknown keys name the nearest known key. Relative paths are relative to the
recipe's file, so a recipe works from any folder. A loaded recipe has absolute paths only, also the default
folder of runs, so that a task computes the same wherever a worker runs. Prompts, cards and questions are
searched beside the recipe, one folder up, then in the package (templates.py); their text is part of the
fingerprint.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from leafinstruct.errors import RecipeError, shortened, suggestion
from leafinstruct.filter.catalog import CLIP_FAMILIES, OFFLINE_JUDGE, PERPLEXITY
from leafinstruct.filter.config import TOY_MODEL, Rule
from leafinstruct.ingest.config import Source, source_class
from leafinstruct.llm.limits.division import Division
from leafinstruct.llm.prompt import Prompt
from leafinstruct.recipe.faults import booleans_as_numbers, faults_of
from leafinstruct.recipe.resolved import resolved
from leafinstruct.recipe.schema import Recipe, Training
from leafinstruct.recipe.templates import packaged, questions_for, template
from leafinstruct.records import removals
from leafinstruct.records.removals import Suppressed
from leafinstruct.rewrite.wording import QuestionFile
from leafinstruct.runtime.engine.share import FOLDER, Share
from leafinstruct.runtime.settings_text import MAX_DEPTH, text_in, yaml_in
from leafinstruct.runtime.store.opened import is_url

DEFAULT_PLACES = ("recipe.yaml", "pipelines/demo.yaml")
_PATH, _NAME = 4000, 255
"""Maximum bytes of a path, and of one name in it."""
_SHOWN = 100
"""Maximum characters of a key of --set; the longest key of a recipe has 20."""


_R = TypeVar("_R", Recipe, Training)


class Loaded(BaseModel):
    """A loaded recipe with its path: the input of the pipeline."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    path: Path
    recipe: Recipe
    limit: int | None = None
    questions: Mapping[str, QuestionFile]
    """Question files by language."""
    share: Share | None = None
    """The share of a divided build that this process makes; None for an undivided build."""

    @property
    def directory(self) -> Path:
        """`runs/<name>[@version][-limit<N>]` of the working directory."""
        whole = self.recipe.directory
        return whole if self.limit is None else whole.with_name(f"{whole.name}-limit{self.limit}")

    @property
    def answers(self) -> Path:
        """Folder of the language model's answers and the journal of its exchanges. All runs and versions
        share it, because answers cost money."""
        return self.directory.parent / ".answers"

    @property
    def fetched(self) -> Path:
        """Folder of images fetched from the web, which all runs share."""
        return self.directory.parent / ".fetched"

    def division(self, stage: str) -> Division | None:
        """How the limits of the language model are divided among shares; None for an undivided build."""
        if self.share is None:
            return None
        spent = self.directory / FOLDER / f"{stage}-spent-{self.share.number}.jsonl"
        return Division(self.share.of, spent)

    @property
    def removed(self) -> Suppressed:
        """The list of removals beside the recipe, as it is now. Raises RecipeError for an invalid line."""
        return removals.load(removals.beside(self.path))

    @property
    def active_rules(self) -> tuple[Rule, ...]:
        """The rules that apply, in their order."""
        return tuple(rule for rule in self.recipe.filter.rules if is_active(self.recipe, rule))

    @property
    def resolved(self) -> dict[str, object]:
        """The recipe as a dataset publishes it."""
        return resolved(self.recipe)

    def template(self, folder: str, name: str) -> Prompt:
        """The text of prompts/<name>.md or data_cards/<name>.md. Raises RecipeError when there is none."""
        return template(self.path, folder, name)


def locate(given: Path | None, variable: str | None) -> Path:
    """Find the recipe: the given one, else `variable` (the value of $LEAF_RECIPE), else the first existing of
    DEFAULT_PLACES, else the packaged demo.

    Raises RecipeError if it does not exist.
    """
    chosen = given or (Path(variable) if variable else None)
    if chosen is None:
        chosen = next(
            (Path(place) for place in DEFAULT_PLACES if Path(place).is_file()),
            packaged("pipelines") / "demo.yaml",
        )
    if not os.path.lexists(chosen):
        raise RecipeError(f"{chosen}: no such recipe; `leaf init DIR` writes one to start from")
    return chosen


def load(
    given: str | os.PathLike[str] | Mapping[str, Any], changes: tuple[str, ...] = (), limit: int | None = None
) -> Loaded:
    """Read and check a recipe. given: its path, or its content, as if it were a file `recipe` of the current
    folder. changes: `key.path=value` of --set. Raises RecipeError with one line per fault."""
    path = Path("recipe") if isinstance(given, Mapping) else Path(given)
    recipe = _validated(path, _raw(given if isinstance(given, Mapping) else path, changes), Recipe)
    _check_models(path, recipe)
    refine = recipe.rewrite.refine
    for folder, name in (
        ("prompts", recipe.filter.judge.prompt),
        ("prompts", recipe.rewrite.prompt),
        ("prompts", recipe.rewrite.turns_prompt),
        *([("prompts", refine.prompt)] if refine is not None else []),
        ("data_cards", recipe.shard.card),
    ):
        template(path, folder, name)
    return Loaded(
        path=path.absolute(), recipe=recipe, limit=limit, questions=questions_for(path, recipe.rewrite.tasks)
    )


def load_training(path: Path, changes: tuple[str, ...] = ()) -> Training:
    """Read and check what `leaf train` needs. A recipe that also builds is checked as a whole. Raises
    RecipeError with one line per fault."""
    raw = _raw(path, changes)
    if "train" not in raw:
        raise RecipeError(
            f"{path}, train: missing; `leaf train` needs this section, see pipelines/train-paper.yaml"
        )
    if raw.keys() - Training.model_fields.keys():
        load(path, changes)
    return _validated(
        path, {key: value for key, value in raw.items() if key in Training.model_fields}, Training
    )


def _raw(given: Path | Mapping[str, Any], changes: tuple[str, ...]) -> dict[str, object]:
    raw = deepcopy(dict(given)) if isinstance(given, Mapping) else yaml_in(given, text_in(given))
    if not isinstance(raw, dict):
        raise RecipeError(f"{given}: a recipe is a mapping of {', '.join(Recipe.model_fields)}")
    for change in changes:
        _apply(raw, change)
    return raw


def _validated(path: Path, raw: dict[str, object], model: type[_R]) -> _R:
    try:
        raw = _with_absolute_paths(raw, path.resolve().parent)
        if raw.get("workdir") is None:
            raw["workdir"] = str(Path.cwd())
        found = model.model_validate(raw)
    except RecipeError as error:
        raise RecipeError(f"{path}, {error}") from error
    except ValidationError as error:
        raise RecipeError("\n".join(f"{path}, {line}" for line in faults_of(error, Recipe))) from error
    if misread := booleans_as_numbers(raw, found.model_dump(by_alias=True)):
        raise RecipeError("\n".join(f"{path}, {line}" for line in misread))
    return found


def _apply(raw: dict[str, object], change: str) -> None:
    """Set one value in the raw recipe, e.g. `filter.rules[0].min=0.3`; the value is YAML."""
    key, equals, text = change.partition("=")
    where = f"--set {shortened(key, _SHOWN)}"
    if not equals:
        raise RecipeError(f"{where}: write key=value, for example filter.min_images=2")
    words = [step.strip("[]") for step in re.findall(r"[^.\[\]]+|\[\d+\]", key)]
    if not words:
        raise RecipeError(f"{where}: the key is empty")
    if len(words) > MAX_DEPTH or any(len(word) > _SHOWN for word in words):
        raise RecipeError(f"{where}: there is no such place in the recipe")
    # no key of a recipe is a number
    steps: list[str | int] = [int(word) if word.isdecimal() else word for word in words]
    value = yaml_in(where, text)
    try:
        place: Any = raw
        for step, following in itertools.pairwise(steps):
            if isinstance(place, dict) and isinstance(step, str):
                place = place.setdefault(step, [] if isinstance(following, int) else {})
            else:
                place = place[step]
        if isinstance(place, list) and steps[-1] == len(place):
            place.append(None)  # the index after the last adds an entry
        place[steps[-1]] = value
    except (IndexError, TypeError, KeyError) as error:
        raise RecipeError(f"{where}: there is no such place in the recipe") from error


def _with_absolute_paths(raw: dict[str, object], base: Path) -> dict[str, object]:
    """Resolve the paths of sources and checkpoints and the working directory against the recipe's folder."""

    def absolute(section: object, key: str) -> None:
        if (
            isinstance(section, dict)
            and isinstance(section.get(key), str)
            and not section[key].startswith("leaf:")
        ):
            section[key] = os.path.normpath(base / _expanded(key, section[key]))

    if is_url(str(raw.get("workdir", ""))):
        raise RecipeError(
            "workdir: results are on a disk; name a folder there (`leaf push --to` writes buckets)"
        )
    absolute(raw, "workdir")
    for name, entry in (("ingest", "sources"), ("filter", "reference")):
        section = raw.get(name)
        sources = section.get(entry) if isinstance(section, dict) else None
        _sources_absolute(sources if isinstance(sources, list) else [], absolute)
    train = raw.get("train")
    backbone = train.get("backbone") if isinstance(train, dict) else None
    for key in ("weights", "decoder"):
        absolute(backbone, key)
    if isinstance(train, dict) and not str(train.get("data", "")).startswith(("run:", "hub:")):
        absolute(train, "data")
    section = raw.get("filter")
    section = section if isinstance(section, dict) else {}
    classifiers = section.get("classifiers")
    for own in [
        section.get("alignment"),
        *(classifiers if isinstance(classifiers, list) else []),
        section.get("perplexity"),
    ]:
        if isinstance(own, dict) and _is_path(str(own.get("model", "")), base):
            absolute(own, "model")
    return raw


def _is_path(model: str, base: Path) -> bool:
    """Whether the name of a model is a path, and not one of the Hub or of a library."""
    return (
        model.endswith((".pt", ".pth"))
        or model.startswith((".", "/", "~"))
        or (model != "" and os.path.lexists(base / model))
    )


def _sources_absolute(sources: list[object], absolute: Callable[[object, str], None]) -> None:
    for source in sources:
        kind = source.get("kind") if isinstance(source, dict) else None
        own = source if isinstance(source, dict) else {}
        for key in ((source_class(kind) if isinstance(kind, str) else None) or Source).PATH_KEYS:
            if not is_url(str(own.get(key, ""))):
                absolute(source, key)


def _expanded(key: str, path: str) -> str:
    """A path with `~` expanded. Raises RecipeError for an unknown user or a path too long for a file
    system."""
    found = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises, and puts `./` away
    if (
        found.startswith("~")
        or len(os.fsencode(found)) > _PATH
        or any(len(os.fsencode(name)) > _NAME for name in found.split("/"))
    ):
        fault = (
            "there is no such user"
            if found.startswith("~")
            else f"a path has at most {_PATH} bytes, {_NAME} between two slashes"
        )
        raise RecipeError(f"{key}: {shortened(path, _SHOWN)}: {fault}")
    return found


def _check_models(path: Path, recipe: Recipe) -> None:
    """Check that rules on a model's score name the model in use, and that the tiny CLIP, unless allowed, only
    scores Sketchbook."""
    try:
        recipe.filter.judge.panel(recipe.llm)
    except RecipeError as error:
        raise RecipeError(f"{path}, {error}") from error
    strangers = recipe.strangers
    if recipe.filter.clip == TOY_MODEL and strangers and not recipe.filter.alignment.allow_toy:
        raise RecipeError(
            f"{path}, filter.alignment.model: {TOY_MODEL} knows only Sketchbook, not {', '.join(strangers)}; "
            "set alignment.model: ViT-B/32 or a checkpoint's path, or allow_toy: true for a test "
            "run whose scores mean nothing"
        )
    _check_reassign(path, recipe)
    rewrite = recipe.rewrite
    if recipe.llm.provider == "offline" and "refine" in rewrite.model_fields_set and rewrite.refine:
        raise RecipeError(
            f"{path}, rewrite.refine: only a language model examines examples, and llm.provider is offline; "
            "configure llm, or remove rewrite.refine"
        )
    _check_rounds(path, recipe)
    if rewrite.refine is not None:
        try:
            rewrite.refine.model(recipe.llm)
        except RecipeError as error:
            raise RecipeError(f"{path}, {error}") from error
    for index, rule in enumerate(recipe.filter.rules):
        used = model_of(recipe, rule)
        # a path in the recipe is relative to its folder, and `used` is absolute
        stated = rule.model and os.path.normpath(path.resolve().parent / rule.model)
        if used not in (None, rule.model, stated) and not rule.uncalibrated:
            raise RecipeError(
                f"{path}, filter.rules[{index}]: the bound of {rule.score} was set for {rule.model}, "
                f"but {used} is used; "
                "set a bound for that model, or add uncalibrated: true to the rule"
            )


def _check_rounds(path: Path, recipe: Recipe) -> None:
    """Check that preference rows of kind `round` have rounds to come from."""
    rewrite = recipe.rewrite
    if "round" not in recipe.shard.preference:
        return
    if recipe.llm.provider == "offline" or rewrite.mode == "keep":
        why = "no language model writes examples"
    elif rewrite.refine is None or not rewrite.refine.rounds:
        why = "no example is written again"
    else:
        return
    raise RecipeError(
        f"{path}, shard.preference: `round` needs examples of several rounds, and {why}; configure llm and "
        "rewrite.refine.rounds, or remove `round`"
    )


def _check_reassign(path: Path, recipe: Recipe) -> None:
    """Check that images are assigned again in sources that exist, and not by a model that was trained on
    others."""
    section = recipe.filter.alignment.reassign
    if section is None:
        return
    names = [source.name for source in recipe.ingest.sources]
    for name in section.sources or ():
        if name not in names:
            raise RecipeError(
                f"{path}, filter.alignment.reassign.sources: there is no source {name!r}; "
                f"{suggestion(name, names)}"
            )
    strangers = [name for name in recipe.strangers if name in (section.sources or names)]
    if recipe.filter.clip == TOY_MODEL and strangers:
        raise RecipeError(
            f"{path}, filter.alignment.reassign: {TOY_MODEL} knows only Sketchbook and would assign the "
            f"images of {', '.join(strangers)} at random; set another alignment.model"
        )


def inactive_rules(recipe: Recipe) -> list[str]:
    """Scores of the rules that this recipe's judge does not compute."""
    return [rule.score for rule in recipe.filter.rules if not is_active(recipe, rule)]


def model_of(recipe: Recipe, rule: Rule) -> str | None:
    """The model that computes a rule's score; None for scores without a model and for inactive rules."""
    family = rule.declared.family
    if family in CLIP_FAMILIES:
        return recipe.filter.clip
    if family == PERPLEXITY and recipe.filter.perplexity is not None:
        return recipe.filter.perplexity.model
    if family in ("judge", "rules") and is_active(recipe, rule):
        if family == "rules":
            return OFFLINE_JUDGE
        return " + ".join(judge.llm.model or "" for judge in recipe.filter.judge.panel(recipe.llm))
    return None


def is_active(recipe: Recipe, rule: Rule) -> bool:
    """Whether a rule applies. Rules on `judge.*` are ignored when no language model is configured; rules on
    `rules.*` are ignored when one is. So one recipe works with and without a model; the card lists which
    rules applied."""
    family = rule.declared.family
    if family not in ("judge", "rules"):
        return True
    judge = recipe.filter.judge
    return judge.enabled and (family == "rules") == judge.is_offline(recipe.llm)
