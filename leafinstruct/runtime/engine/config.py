"""The `engine:` section of a recipe, and the one place that opens an engine for a recipe. Where a build runs
changes no byte, so the section is in no key, no record and no published recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

if TYPE_CHECKING:
    from leafinstruct.runtime.engine.base import Engine


class EngineConfig(BaseModel):
    """Where the parts of a build run. It changes no result."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["local", "ray"] = "local"
    """`local`: processes of this machine, and the keys below are not used. `ray`: nodes of a Ray cluster
    (`pip install 'leafinstruct[ray]'`)."""
    address: str | None = Field(default=None, pattern=r"^(auto|[^/\s]+:\d+)$")
    """Ray cluster to connect to: `HOST:PORT` of its head node, or `auto`, the cluster that runs on this
    machine. Default: a Ray of this machine only, which is started for the build and ended with it."""
    cpus: int = Field(default=1, gt=0)
    """CPUs of a part on Ray, and threads of its numerical libraries."""
    gpus: float = Field(default=1.0, gt=0)
    """GPUs of a process that runs the models on Ray. 0.25: four such processes share a GPU, each with its own
    copy of the models."""
    memory: int | None = Field(default=None, gt=0)
    """Bytes of memory of a part on Ray, by which Ray decides how many parts a node runs. Default: only CPUs
    count."""

    @field_validator("gpus")
    @classmethod
    def _shares_or_whole(cls, gpus: float) -> float:
        if gpus > 1 and not gpus.is_integer():
            raise ValueError("above 1 it is a whole number, because Ray divides no process among GPUs")
        return gpus


@contextmanager
def opened(config: EngineConfig, workers: int | None, directory: Path) -> Iterator[Engine]:
    """Yield the engine of a recipe, and end what it started. workers: maximum number of cpu parts at a time,
    None for what the machine or the cluster allows. directory: of the run.

    Raises RecipeError if Ray is not installed.
    """
    if config.kind == "ray":
        from leafinstruct.runtime.engine.ray import RayEngine

        with RayEngine(config, workers, directory) as engine:
            yield engine
    else:
        from leafinstruct.runtime.engine.local import LocalEngine

        with LocalEngine(workers) as local:
            yield local
