"""The recipe of one share of a divided build (runtime/engine/share.py), and what a recipe needs for it.

A share asks for `revision` of every model: without it answers are kept by server, and each node has a server
of its own.
"""

from __future__ import annotations

from leafinstruct.errors import RecipeError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.limits.division import COUNTS
from leafinstruct.recipe.load import Loaded
from leafinstruct.runtime.engine.share import Share


def divided(loaded: Loaded, share: Share) -> Loaded:
    """The recipe of one share. Raises RecipeError for a model without `revision`, and for a limit below the
    number of shares."""
    for place, llm in _asked(loaded).items():
        _check(f"{loaded.path}, {place}", llm, share.of)
    return loaded.model_copy(update={"share": share})


def _asked(loaded: Loaded) -> dict[str, LlmConfig]:
    """Place in the recipe -> complete section of each model that the build asks."""
    recipe, found = loaded.recipe, {}
    judge, refine = recipe.filter.judge, recipe.rewrite.refine
    if judge.enabled:
        names = [f"filter.judge.judges[{index}]" for index in range(len(judge.judges))] or ["llm"]
        found = dict(zip(names, (one.llm for one in judge.panel(recipe.llm)), strict=True))
    if recipe.rewrite.mode == "rewrite":
        found["llm"] = recipe.llm
        if refine is not None and refine.llm is not None:
            found["rewrite.refine.llm"] = refine.model(recipe.llm)
    return {place: llm for place, llm in found.items() if llm.provider != "offline"}


def _check(place: str, llm: LlmConfig, shares: int) -> None:
    if llm.revision is None:
        raise RecipeError(
            f"{place}.revision: missing; shares need it, because answers are kept by server without it; set "
            f"the identity of model and weights, such as {llm.model}@COMMIT"
        )
    for name in COUNTS:
        value = getattr(llm, name)
        if value is not None and value < shares:
            raise RecipeError(
                f"{place}.{name}: {value} cannot be divided among {shares} shares; raise it, or use at most "
                f"{value} shares"
            )
