"""The settings of an experiment: the sections of experiments/*.yaml, and one run of its grid. They are read
and checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, ValidationError

from leafinstruct.errors import RecipeError
from leafinstruct.recipe.faults import faults_of
from leafinstruct.runtime.settings_text import text_in, yaml_in
from leafinstruct.train.config import AdapterConfig

if TYPE_CHECKING:
    from leafinstruct.evaluate.sketchbook.figures import Figures


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Part):
    """The corpora. lessons: number of documents of the unfiltered one."""

    lessons: int
    seed: int
    style: Literal["pencil", "chalk", "shadow"]
    lesson_steps: int
    captions: int
    defects: dict[str, float]
    rules: list[dict[str, object]]


class Match(_Part):
    """The reference method with its ranks; all others get as many trainable parameters."""

    to: str
    r_text: int
    r_image: int
    alpha_per_rank: float
    target_modules: str


class Training(_Part):
    """Settings of `leaf train` that all runs share; further ones are allowed."""

    model_config = ConfigDict(frozen=True, extra="allow")

    steps: int
    batch: int
    accumulate: int
    context: int


class Rates(_Part):
    """How the learning rate of a method is chosen."""

    grid: list[float]
    seed: int
    arm: str
    steps: int


class Evaluation(_Part):
    """Sizes and seeds of the evaluation."""

    seed: int
    lessons: int
    loss_lessons: int
    captions: int
    recognizer_scenes: int
    recognizer_seed: int
    batch: int


class Size(_Part):
    """A subset of the grid."""

    methods: list[str]
    arms: list[str]
    seeds: list[int]


class Experiment(_Part):
    """A whole file experiments/*.yaml."""

    name: str
    backbone: dict[str, str]
    data: Data
    arms: list[Literal["captions", "unfiltered", "filtered"]]
    match: Match
    methods: dict[str, AdapterConfig]
    train: Training
    rates: Rates
    evaluation: Evaluation
    sizes: dict[str, Size]

    def model_post_init(self, _: object) -> None:
        """Raise ValueError for an undeclared name, and for a tuning seed that is reported."""
        for name, size in self.sizes.items():
            if unknown := [*(set(size.methods) - set(self.methods)), *(set(size.arms) - set(self.arms))]:
                raise ValueError(f"sizes.{name}: {unknown[0]} is not declared")
            if self.rates.seed in size.seeds:
                raise ValueError(
                    f"sizes.{name}: seed {self.rates.seed} is used to choose rates, so it cannot be reported"
                )


class Run(_Part):
    """One run of the grid. method: None for the base without an adapter."""

    arm: str
    method: str | None
    seed: int
    rate: float = 0.0
    steps: int = 0

    @property
    def name(self) -> str:
        return (
            f"{self.arm}-{self.method}-rate{self.rate:g}-steps{self.steps}-seed{self.seed}"
            if self.method
            else "base"
        )


class Recognized(TypedDict):
    """The recognizer's errors in a style, see evaluate.sketchbook.reading.Errors."""

    refused: float
    accepted: dict[str, float]
    decibels: float


class ResultFigures(TypedDict):
    """What is measured of a run; the loss alone, if it chooses a rate. memory: of forgetting.remembered."""

    loss: dict[str, float]
    free: NotRequired[Figures]
    forced: NotRequired[Figures]
    memory: NotRequired[dict[str, float]]
    recognizer: NotRequired[dict[str, Recognized]]


class _Ranks(TypedDict):
    r_text: int
    r_image: int


class _Train(TypedDict):
    adapter: _Ranks


class _Recipe(TypedDict):
    name: str
    seed: int
    train: _Train


class _Settings(TypedDict):
    run: _Recipe


class _Run(TypedDict):
    arm: str
    method: str | None
    seed: int
    rate: float
    steps: int


class Result(TypedDict):
    """The file of a run, as far as it is read. settings: all that determines the result; seconds: of training
    and evaluation; trained: counts of the rows, parameters, and tokens that were used, when all are read."""

    run: _Run
    settings: _Settings
    figures: ResultFigures
    seconds: dict[str, int]
    trained: NotRequired[dict[str, int]]


def read(path: Path) -> Experiment:
    """Read an experiment. Raises SystemExit with the faults."""
    try:
        return Experiment.model_validate(yaml_in(path, text_in(path)))
    except RecipeError as error:
        raise SystemExit(str(error)) from error
    except ValidationError as error:
        raise SystemExit("\n".join(f"{path}, {line}" for line in faults_of(error, Experiment))) from error
