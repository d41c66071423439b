"""The recipe as a dataset tells of it: all defaults filled in, and nothing that shapes no byte.

Left out: paths (of this machine; sources are known by name and by the sha256 of their files, models by the
last part of theirs), the server of the language model, the address that hosts were given for complaints,
hosts in a private network, pace, prices and budgets, the name of the key's variable, headers, and what
`extra_body` reads from the environment. What is left is the same for every machine that builds the same
dataset, and may be published. It is a recipe again once its sources have their paths, its language model its
server, and fetching its contact and hosts.
"""

from __future__ import annotations

from typing import Any

from leafinstruct.ingest.config import PATH_KEYS
from leafinstruct.llm.config import basename
from leafinstruct.recipe.load import Recipe

_LLM = ("provider", "model", "revision", "temperature", "max_tokens")
"""Fields of `llm` that shape an answer."""


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Plain values, in the order of the recipe's keys."""
    whole = recipe.model_dump(mode="json", by_alias=True, include=_SECTIONS)
    whole["ingest"]["sources"] = [
        {key: value for key, value in source.items() if key not in PATH_KEYS and value is not None}
        for source in whole["ingest"]["sources"]
    ]
    fetch = recipe.filter.images.fetch
    if fetch is not None:
        whole["filter"]["images"]["fetch"] = {
            key: value for key, value in fetch.shaping.items() if key != "allow_hosts"
        }
    extra = {"extra_body": recipe.llm.public_extra_body} if recipe.llm.public_extra_body else {}
    offline = recipe.llm.provider == "offline"
    named = {
        **{name: whole["llm"][name] for name in _LLM},
        "model": recipe.llm.model and basename(recipe.llm.model),
    }
    whole["llm"] = {"provider": "offline"} if offline else named | extra
    clip = whole["filter"]["alignment"]
    clip["model"] = clip["model"] and basename(clip["model"])
    whole["filter"]["rules"] = [
        {
            key: basename(value) if key == "model" else value
            for key, value in rule.items()
            if value is not None and value is not False
        }
        for rule in whole["filter"]["rules"]
    ]
    return whole


_SECTIONS = {"name", "version", "seed", "part_size", "ingest", "filter", "llm", "rewrite", "shard"}
"""Those of a dataset; what is done with it later (training, publishing) is none of its recipe."""
