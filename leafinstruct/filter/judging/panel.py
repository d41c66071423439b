"""The language models that judge: one, or several with names.

    filter:
      judge:
        judges:
          - {name: qwen, model: "qwen2.5vl:7b"}
          - {name: gpt, base_url: "https://api.openai.com/v1", model: gpt-4o-mini, key_env: OPENAI_API_KEY}
        samples: 3

Each entry is an `llm` section that overrides the recipe's. What belongs to a server or to a model is never
inherited by another one: a judge on another server gets neither the key, the headers nor the Batch API of
`llm`, and another model neither its price nor its revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from leafinstruct.errors import RecipeError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.protocol.providers import without_deployment

_OF_SERVER = (
    "base_url",
    "api_version",
    "key_env",
    "headers",
    "extra_body",
    "batch",
    "max_in_flight",
    "requests_per_minute",
    "tokens_per_minute",
)
_OF_MODEL = ("revision", "price", "extra_body")
_OF_RUN = ("budget", "tolerate_failures")


class JudgeModel(LlmConfig):
    """One of several judges: the keys of `llm` in which it differs, and a name. With another `provider` or
    `base_url` it does not inherit `key_env`, `headers`, `extra_body`, `batch` and the limits of requests;
    with another `model` it does not inherit `revision`, `price` and `extra_body`. `budget` and
    `tolerate_failures` belong to the run and are set in `llm`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    """Name of the judge in reports, such as `qwen`."""

    @model_validator(mode="before")
    @classmethod
    def _of_provider(cls, section: Any) -> Any:
        """In place of the defaults of a provider, which `complete` sets: what is not stated is inherited."""
        return section

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """In place of the check of `llm`, since only the whole section can be complete."""
        for name in _OF_RUN:
            if name in self.model_fields_set:
                raise ValueError(f"{name} counts for all judges together: set llm.{name}")
        return self

    def complete(self, llm: LlmConfig) -> LlmConfig:
        """The whole section of this judge. Raises pydantic's ValidationError if something is missing."""
        own = {key: getattr(self, key) for key in self.model_fields_set - {"name"}}
        inherited = {key: getattr(llm, key) for key in llm.model_fields_set}
        if own.get("base_url", llm.base_url) != llm.base_url and llm.provider != "offline":
            own.setdefault("provider", "openai")  # what is known about the server of `llm` is not known of it
        there = (own.get("provider", llm.provider), own.get("base_url", llm.base_url))
        foreign = (
            *(_OF_SERVER * (there != (llm.provider, llm.base_url))),
            *(_OF_MODEL * (own.get("model", llm.model) != llm.model)),
        )
        if llm.provider == "azure" and llm.base_url is not None:
            inherited["base_url"] = without_deployment(llm.base_url)
        return LlmConfig.model_validate({k: v for k, v in inherited.items() if k not in foreign} | own)


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
        try:
            whole = judge.complete(llm)
        except ValidationError as error:
            fault = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise RecipeError(f"{place}: {fault}") from error
        if whole.provider == "offline":
            raise RecipeError(f"{place}: it is offline; set provider, such as openai, and model")
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
