"""The recipe as a dataset publishes it: all defaults filled in, without settings that change no output.

Left out: paths (sources are identified by name and the sha256 of their files, models by the last component of
their path), the server of the language model, the contact sent to hosts, hosts in a private network, rates,
prices and budgets, the name of the key's variable, headers, and what `extra_body` reads from the environment.
The result is the same on every machine that builds the same dataset, and may be published. With paths,
server, contact and hosts filled in it is a recipe again.
"""

from __future__ import annotations

from collections.abc import Mapping

from leafinstruct.ingest.config import Source
from leafinstruct.llm.config import LlmConfig, basename
from leafinstruct.recipe.schema import Recipe

_LLM = ("provider", "model", "revision", "temperature", "max_tokens")
"""Fields of `llm` that determine an answer."""


def resolved(recipe: Recipe) -> dict[str, object]:
    """The published recipe as plain values, in the order of its keys."""
    whole = recipe.model_dump(mode="json", by_alias=True, include=_SECTIONS)
    for section, key, sources in (
        ("ingest", "sources", recipe.ingest.sources),
        ("filter", "reference", recipe.filter.reference),
    ):
        dumped = zip(whole[section][key], sources, strict=True)
        whole[section][key] = [_without_paths(found, source) for found, source in dumped]
    if not recipe.references:
        del whole["filter"]["reference"]
    fetch = recipe.filter.images.fetch
    if fetch is not None:
        whole["filter"]["images"]["fetch"] = {
            key: value for key, value in fetch.shaping.items() if key != "allow_hosts"
        }
    whole["llm"] = _public(recipe.llm)
    judges = recipe.filter.judge.panel(recipe.llm) if recipe.filter.judge.judges else ()
    whole["filter"]["judge"]["judges"] = [{"name": judge.name} | _public(judge.llm) for judge in judges]
    refine = recipe.rewrite.refine
    if recipe.llm.provider == "offline":
        del whole["rewrite"]["refine"]  # off, and a recipe that sets it is refused
    elif refine is not None:
        del whole["rewrite"]["refine"]["llm"]
        own = {} if refine.llm is None else {"llm": _public(refine.model(recipe.llm))}
        whole["rewrite"]["refine"] = own | whole["rewrite"]["refine"]
    clip = whole["filter"]["alignment"]
    clip["model"] = clip["model"] and basename(clip["model"])
    clip["device"] = clip["device"].partition(":")[0]  # the index changes no byte
    for own in filter(None, [*whole["filter"]["classifiers"], whole["filter"]["perplexity"]]):
        own["model"] = basename(own["model"])
        own["device"] = own["device"].partition(":")[0]
    whole["filter"]["rules"] = [
        {
            key: basename(value) if key == "model" else value
            for key, value in rule.items()
            if value is not None and value is not False
        }
        for rule in whole["filter"]["rules"]
    ]
    return whole


def _public(llm: LlmConfig) -> dict[str, object]:
    """What determines the answers of a model, without its server and keys."""
    if llm.provider == "offline":
        return {"provider": "offline"}
    whole = llm.model_dump(mode="json")
    named = {name: whole[name] for name in _LLM} | {"model": llm.model and basename(llm.model)}
    return named | ({"extra_body": llm.public_extra_body} if llm.public_extra_body else {})


def _without_paths(dumped: Mapping[str, object], source: Source) -> dict[str, object]:
    return {key: value for key, value in dumped.items() if key not in source.PATH_KEYS and value is not None}


_SECTIONS = {"name", "version", "seed", "part_size", "ingest", "filter", "llm", "rewrite", "shard"}
"""Sections that determine the dataset; training and publishing do not."""
