"""The language models that judge: one, or several with names.

    filter:
      judge:
        judges:
          - {name: qwen, model: "qwen2.5vl:7b"}
          - {name: gpt, base_url: "https://api.openai.com/v1", model: gpt-4o-mini, key_env: OPENAI_API_KEY}
        samples: 3

Each entry is an `llm` section that overrides the recipe's (llm/other_model.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from leafinstruct.errors import RecipeError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.other_model import OtherModel


class JudgeModel(OtherModel):
    """One of several judges: the keys of `llm` in which it differs, and a name. With another `provider` or
    `base_url` it does not inherit `key_env`, `headers`, `extra_body`, `batch` and the limits of requests;
    with another `model` it does not inherit `revision`, `price` and `extra_body`. `budget` and
    `tolerate_failures` belong to the run and are set in `llm`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    """Name of the judge in reports, such as `qwen`."""


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge with its complete section."""

    name: str
    llm: LlmConfig


def panel(judges: Sequence[JudgeModel], llm: LlmConfig, samples: int = 1) -> tuple[Judge, ...]:
    """The judges of a recipe: those listed, else the model of `llm`, offline or not.

    Raises RecipeError for a judge without a model or a server, for two that would give the same answers, and
    for several samples of a judge that always answers the same."""
    found: list[Judge] = []
    for index, judge in enumerate(judges):
        place = f"filter.judge.judges[{index}] ({judge.name})"
        whole = judge.complete(llm, place)
        for other in found:
            if other.name == judge.name:
                raise RecipeError(f"{place}: two judges have this name")
            if (other.llm.answerer, other.llm.sampling) == (whole.answerer, whole.sampling):
                raise RecipeError(
                    f"{place}: it is the same model as {other.name} with the same settings; set "
                    "filter.judge.samples for several answers of one model"
                )
        found.append(Judge(judge.name, whole))
    found = found or [Judge(llm.known_as or llm.provider, llm)]
    if samples > 1:
        for one in found:
            if one.llm.provider != "offline" and one.llm.temperature == 0:
                raise RecipeError(
                    f"filter.judge.samples: at temperature 0 {one.name} gives the same answer "
                    f"{samples} times; set temperature above 0, such as 0.7"
                )
    return tuple(found)
