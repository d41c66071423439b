"""A section that overrides `llm`: another model for one task, such as a judge or the examiner.

It holds the keys of `llm` in which the model differs. What belongs to a server or to a model is never
inherited by another one: a model on another server gets neither the key, the headers nor the Batch API of
`llm`, and another model neither its price nor its revision.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import ValidationError, model_validator

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


class OtherModel(LlmConfig):
    """The keys of `llm` in which another model differs. With another `provider` or `base_url` it does not
    inherit `key_env`, `headers`, `extra_body`, `batch` and the limits of requests; with another `model` it
    does not inherit `revision`, `price` and `extra_body`. `budget` and `tolerate_failures` belong to the run
    and are set in `llm`."""

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
                raise ValueError(f"{name} counts for all models together: set llm.{name}")
        return self

    def complete(self, llm: LlmConfig, place: str) -> LlmConfig:
        """The whole section of this model. place: of this section, for the error. Raises RecipeError if
        something is missing, or no language model is left."""
        own = {key: getattr(self, key) for key in self.model_fields_set & LlmConfig.model_fields.keys()}
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
        try:
            whole = LlmConfig.model_validate({k: v for k, v in inherited.items() if k not in foreign} | own)
        except ValidationError as error:
            fault = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise RecipeError(f"{place}: {fault}") from error
        if whole.provider == "offline":
            raise RecipeError(f"{place}: it is offline; set provider, such as openai, and model")
        return whole
