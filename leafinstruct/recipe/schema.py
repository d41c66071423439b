"""The recipe as typed, frozen settings: pydantic models of the sections and of the whole.

Chosen: pydantic, whose errors carry the path of the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from leafinstruct.filter.config import FilterConfig
from leafinstruct.ingest.config import IngestConfig, Source, refuse_repeated, source_of
from leafinstruct.llm.config import LlmConfig
from leafinstruct.publish.config import PushConfig
from leafinstruct.rewrite.config import RewriteConfig
from leafinstruct.runtime.engine.config import EngineConfig
from leafinstruct.shard.config import ShardConfig
from leafinstruct.train.config import TrainConfig


class FilterSection(FilterConfig):
    """The section `filter:`: scores, the rules that decide on them, and the reference, which is read like the
    sources of `ingest:`."""

    reference: tuple[SerializeAsAny[Annotated[Source, PlainValidator(source_of)]], ...] = ()
    """Sources that no document may repeat, such as a benchmark. They are read like those of `ingest` and
    compared with every document that the rules before `duplicate.*` keep (scores `contamination.*`). They are
    never published."""

    @field_validator("reference")
    @classmethod
    def _unique(cls, reference: tuple[Source, ...]) -> tuple[Source, ...]:
        refuse_repeated(reference)
        return reference

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for index, rule in enumerate(self.rules):
            if rule.declared.family == "contamination" and not self.reference:
                raise ValueError(f"rules[{index}] is on {rule.score}, which needs filter.reference")
        return self


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
    """A whole recipe: sources, filter, rewriting, shards, publication, and where it is built."""

    part_size: int = Field(default=500, gt=0)
    """Documents per part: the unit of work, of resuming and of memory."""
    ingest: IngestConfig
    filter: FilterSection = FilterSection()
    llm: LlmConfig = LlmConfig()
    rewrite: RewriteConfig = RewriteConfig()
    shard: ShardConfig = ShardConfig()
    push: PushConfig = PushConfig()
    engine: EngineConfig = EngineConfig()
    train: TrainConfig | None = None
    """Settings of `leaf train`, which needs only this section and the keys above `ingest`."""

    @property
    def ignores_web_opt_out(self) -> bool:
        """Whether images are fetched from hosts that opt out."""
        return self.filter.images.fetch is not None and not self.filter.images.fetch.opt_out

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the sources of `filter.reference`."""
        return tuple(source.name for source in self.filter.reference)

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
