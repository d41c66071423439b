"""The recipe as typed, frozen settings: pydantic models of the sections and of the whole.

Chosen: pydantic, whose errors carry the path of the key.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from leafinstruct.filter.config import FilterConfig
from leafinstruct.ingest.config import IngestConfig
from leafinstruct.llm.config import LlmConfig
from leafinstruct.publish.config import PushConfig
from leafinstruct.rewrite.config import RewriteConfig
from leafinstruct.shard.config import ShardConfig
from leafinstruct.train.config import TrainConfig


class Run(BaseModel):
    """The keys that name a run."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
    """Name of the run's folder, `runs/<name>/`."""
    version: str = Field(default="dev", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
    """`dev` rebuilds what changed; any other version must not change and is part of the folder's name."""
    seed: int = 0
    """Seed of the splits and of every random choice."""
    workdir: str | None = None
    """Folder of `runs/`. Default: the current folder."""

    @property
    def directory(self) -> Path:
        """`runs/<name>[@version]` of the working directory."""
        return (
            Path(self.workdir or ".")
            / "runs"
            / (self.name if self.version == "dev" else f"{self.name}@{self.version}")
        )

    @property
    def full_name(self) -> str:
        """`name@version`, as rows, the card and commits name the dataset."""
        return f"{self.name}@{self.version}"


class Recipe(Run):
    """A whole recipe: sources, filter, rewriting, shards, publication."""

    part_size: int = Field(default=500, gt=0)
    """Documents per part: the unit of work, of resuming and of memory."""
    ingest: IngestConfig
    filter: FilterConfig = FilterConfig()
    llm: LlmConfig = LlmConfig()
    rewrite: RewriteConfig = RewriteConfig()
    shard: ShardConfig = ShardConfig()
    push: PushConfig = PushConfig()
    train: TrainConfig | None = None
    """Settings of `leaf train`, which needs only this section and the keys above `ingest`."""

    @property
    def ignores_web_opt_out(self) -> bool:
        """Whether images are fetched from hosts that opt out."""
        return self.filter.images.fetch is not None and not self.filter.images.fetch.opt_out

    @property
    def strangers(self) -> list[str]:
        """Names of the sources other than Sketchbook."""
        return [source.name for source in self.ingest.sources if source.kind != "sketchbook"]


class Training(Run):
    """The part of a recipe that `leaf train` reads."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the adapter's initialization, the order of rows and dropout, in the range of NumPy's
    generators."""
    train: TrainConfig
