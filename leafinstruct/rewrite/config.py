"""The `rewrite:` section of a recipe: modes, bounds, and task families as data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from leafinstruct.errors import suggestion
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.other_model import OtherModel
from leafinstruct.records.text.genre import Genre
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.wording import (
    Asks,
    FamilyName,
    Section,
    check_changes,
    check_untitled,
    is_wordless,
    known,
)

Given = Literal["nothing", "first", "half", "all_but_last"]
Asked = Literal["rest", "change", "steps", "sequence"]

ENGLISH, ANY = "en", "any"
"""Default language of a recipe's own questions, and the value for questions that fit every language."""


class Needs(Section):
    """Requirements of a task on a document."""

    genres: tuple[Genre, ...] = Field(default=("how_to", "story", "report"), min_length=1)
    """Accepted kinds of text: instructions in steps, a story, or anything else (`report`)."""
    min_steps: int = Field(default=1, ge=1)
    """Minimum number of steps. A step is one or more images with the texts that belong to them."""
    min_images: int = Field(default=1, ge=1)
    """Minimum number of images."""
    max_asked_words: int | None = Field(default=None, ge=1)
    """Maximum number of words of the answer. None: no limit."""
    whole: bool = False
    """Whether no image of the document may have been dropped."""
    resemblance: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    """Minimum structural similarity of each image with the one before it; 1 for the same image. None: no
    minimum."""


class TaskFamily(Section):
    """One family of tasks: which steps are given, which are asked, which documents fit, how the question is
    worded."""

    name: FamilyName
    """Name, also of its shards and of the dataset's configuration on the Hub."""
    given: Given = "nothing"
    """Which steps the question shows: none, the first, the first half, or all but the last."""
    asked: Asked = "rest"
    """What the answer shows: all other steps; `change`, the second of two images, where the text between them
    asks for a change; `steps`, all steps, one a turn; `sequence`, the text between two images."""
    needs: Needs = Needs()
    """Requirements on the document."""
    ask: Asks | None = None
    """Questions for documents with a title; `{title}`, `{opening}` (first sentence) and `{change}` are filled
    in. None: the questions of questions/<language>.yaml."""
    ask_untitled: Annotated[Asks, AfterValidator(check_untitled)] | None = None
    """Questions for documents without a title; if empty, the family needs a title. None: as `ask`."""
    language: str | None = None
    """Language of `ask` and `ask_untitled`, an ISO 639 code; they are used only for documents in it. None:
    English. `any`: for all documents, because the questions have no words of their own ("{title}")."""

    @property
    def several_turns(self) -> bool:
        """Whether its examples have several turns."""
        return self.asked in ("steps", "sequence")

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == "conversation":
            raise ValueError(
                "`conversation` is the task of documents that are already conversations; choose another name"
            )
        if name == "preference":
            raise ValueError("`preference` is the configuration of preference rows; choose another name")
        return name

    @field_validator("language")
    @classmethod
    def _known(cls, language: str | None) -> str | None:
        return language if language in (None, ANY) else known(language)

    @model_validator(mode="after")
    def _whole(self) -> TaskFamily:
        if not self.own_questions and (
            self.name not in PACKAGED_NAMES or self.ask == self.ask_untitled == ()
        ):
            raise ValueError(f"the task {self.name} has no question; give ask, ask_untitled or both")
        if self.language is not None and not self.own_questions:
            raise ValueError(
                f"the task {self.name}: language needs ask or ask_untitled; give one of them, or "
                "omit language"
            )
        if self.language == ANY and (worded := [ask for ask in self.own_questions if not is_wordless(ask)]):
            raise ValueError(
                f"the task {self.name}: the question {worded[0]!r} has words, so it fits one language "
                "only; give that language"
            )
        check_changes(self.name, self.own_questions, self.asked == "change")
        if self.several_turns and self.given != "nothing":
            raise ValueError(f"the task {self.name}: asked: {self.asked} needs given: nothing")
        if self.asked == "change" and self.given != "first":
            raise ValueError(f"the task {self.name}: asked: change needs given: first")
        return self

    @property
    def states_questions(self) -> bool:
        """Whether the recipe has `ask` or `ask_untitled`, even if empty (`ask: []`)."""
        return self.ask is not None or self.ask_untitled is not None

    @property
    def own_questions(self) -> tuple[str, ...]:
        """The questions in the recipe."""
        return (*(self.ask or ()), *(self.ask_untitled or ()))


PACKAGED_NAMES = (
    *("guide", "story", "report", "continuation", "next_step", "edit"),
    *("walkthrough", "sequence"),
)
GUIDE = TaskFamily(name="guide", needs=Needs(genres=("how_to",)))
STORY = TaskFamily(name="story", needs=Needs(genres=("story",)))
REPORT = TaskFamily(name="report", needs=Needs(genres=("report",)))
CONTINUATION = TaskFamily(name="continuation", given="half", needs=Needs(min_steps=2))
NEXT_STEP = TaskFamily(
    name="next_step", given="all_but_last", needs=Needs(genres=("how_to",), min_steps=3, max_asked_words=150)
)
EDIT = TaskFamily(
    name="edit", given="first", asked="change", needs=Needs(min_images=2, whole=True, resemblance=0.8)
)

WALKTHROUGH = TaskFamily(
    name="walkthrough", asked="steps", needs=Needs(genres=("how_to", "story"), min_steps=3)
)
SEQUENCE = TaskFamily(name="sequence", asked="sequence", needs=Needs(min_images=3))

PACKAGED: dict[str, TaskFamily] = {
    family.name: family for family in (GUIDE, STORY, REPORT, CONTINUATION, NEXT_STEP, EDIT)
}
"""The default families, with one question and one answer. Their questions are in questions/, one file per
language."""
BY_NAME = PACKAGED | {family.name: family for family in (WALKTHROUGH, SEQUENCE)}
"""Families that a recipe can use by name: the default ones, and those of several turns."""


class RefineConfig(Section):
    """How a language model examines finished examples, and how often one goes back to the rewriter."""

    llm: OtherModel | None = None
    """The language model that examines: the keys of `llm` in which it differs, as in `filter.judge.judges`.
    null: the model of `llm`, which then examines its own examples."""
    rounds: int = Field(default=1, ge=0, le=5)
    """Maximum number of times that an example below the bound, or an answer that fails a check after all
    corrections, is written again. 0: examples are only scored."""
    min: float = Field(default=4.0, ge=1, le=5, allow_inf_nan=False)
    """Minimum of the lowest of the examiner's scores, 1 to 5. An example below it goes back to the rewriter
    with the critique; the best round is kept."""
    prompt: str = "examine"
    """Name of the examiner's prompt, see rewrite.prompt."""

    def model(self, llm: LlmConfig) -> LlmConfig:
        """The section of the model that examines. Raises RecipeError if something is missing in it."""
        return llm if self.llm is None else self.llm.complete(llm, "rewrite.refine.llm")


class RewriteConfig(Section):
    """Settings of the rewrite stage."""

    mode: Literal["rewrite", "keep"] = "rewrite"
    """Conversations (segments with a role) are kept unchanged in both modes; `keep` drops all other
    documents."""
    tasks: tuple[TaskFamily, ...] = tuple(PACKAGED.values())
    """Task families: names of packaged ones (guide, story, report, continuation, next_step, edit; of several
    turns: walkthrough, sequence), or your own with name, given, asked, needs and ask. Each example gets one
    of those that fit its document, chosen by its id."""
    max_words: int | None = Field(default=None, gt=0)
    """Maximum words of an example. A longer document is cut at its headings, else between steps. None: no
    limit."""
    max_images: int | None = Field(default=None, gt=0)
    """Maximum images of an example; a longer document is cut as for max_words."""
    max_dangling: int | None = Field(default=0, ge=0)
    """Maximum references to images that an example does not show ("as shown below" without an image after
    it).
    None: no limit."""
    checks: Checks = Checks()
    """Bounds of the checks of a finished example."""
    prompt: str = "rewrite"
    """Name of the prompt: prompts/<name>.md beside the recipe, one folder up, or in the package."""
    turns_prompt: str = "turns"
    """Name of the prompt of families with several turns."""
    image_px: int = Field(default=512, gt=0)
    """Longer side of the images as sent to a language model, in pixels."""
    refine: RefineConfig | None = RefineConfig()
    """Whether the language model examines each example and writes those below a bound again. null: no.
    Without a language model (`llm.provider: offline`) it is off, and a recipe that sets it is refused."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _named(cls, tasks: Any) -> Any:
        """Replace names by packaged families. A family with such a name only overrides the keys it states."""
        if not isinstance(tasks, (list, tuple)) or not tasks:
            raise ValueError(f"tasks is a list of at least one task family, such as [{', '.join(BY_NAME)}]")
        found: list[Any] = []
        for task in tasks:
            if isinstance(task, str):
                if task not in BY_NAME:
                    hint = suggestion(task, BY_NAME, "packaged are")
                    raise ValueError(
                        f"unknown task {task!r}; {hint} (a family of your own is a mapping with name, "
                        "given and ask)"
                    )
                found.append(BY_NAME[task])
            elif isinstance(task, dict) and task.get("name") in BY_NAME:
                found.append({**BY_NAME[task["name"]].model_dump(), **task})
            else:
                found.append(task)
        return found

    @field_validator("tasks")
    @classmethod
    def _unique(cls, tasks: tuple[TaskFamily, ...]) -> tuple[TaskFamily, ...]:
        names = [task.name for task in tasks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the task {twice[0]!r} is listed twice; give each family its own name")
        return tasks
