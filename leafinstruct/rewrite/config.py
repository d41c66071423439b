"""The `rewrite:` section of a recipe: modes, bounds, and task families as data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from leafinstruct.errors import suggestion
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
Asked = Literal["rest", "change"]
Genre = Literal["how_to", "story", "report"]

ENGLISH, ANY = "en", "any"
"""The language of a recipe's own questions unless they state one, and the mark of questions that fit every
language."""


class Needs(Section):
    """What a document must have for a task."""

    genres: tuple[Genre, ...] = Field(default=("how_to", "story", "report"), min_length=1)
    """What kind of text it is: instructions in steps, a story, or anything else (`report`)."""
    min_steps: int = Field(default=1, ge=1)
    """Steps at least. A step is one or more images with the texts that belong to them."""
    min_images: int = Field(default=1, ge=1)
    """Images at least."""
    max_asked_words: int | None = Field(default=None, ge=1)
    """Words of what is asked for, at most. None for any number."""
    whole: bool = False
    """No image of the document was dropped."""
    resemblance: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    """Structural similarity that each image has at least with the one before it: 1 for the same image. None
    asks for none."""


class TaskFamily(Section):
    """One family of tasks: which steps are given, which are asked, what the document must have, how the
    question is worded."""

    name: FamilyName
    """Names the shards of its rows, and the dataset's configuration on the Hub."""
    given: Given = "nothing"
    """Which steps the question shows: none, the first, the first half, or all but the last."""
    asked: Asked = "rest"
    """What the answer shows: all other steps; or `change`, the second of two images, where the text between
    them asks for a change."""
    needs: Needs = Needs()
    """What the document must have."""
    ask: Asks | None = None
    """Questions for documents with a title; `{title}`, `{opening}` (first sentence) and `{change}` are filled
    in. None: those of the files in questions/, one for each language."""
    ask_untitled: Annotated[Asks, AfterValidator(check_untitled)] | None = None
    """Questions for documents without a title; without any, the family is for documents with one. None: as
    `ask`."""
    language: str | None = None
    """Language of `ask` and `ask_untitled`, an ISO 639 code: they are used for documents in this language
    only. None: English. `any`: for all documents, as the questions have no words of their own ("{title}")."""

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == "conversation":
            raise ValueError(
                "`conversation` is the task of documents that are conversations already; choose another name"
            )
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
            raise ValueError(f"the task {self.name} has no question: give ask, ask_untitled or both")
        if self.language is not None and not self.own_questions:
            raise ValueError(
                f"the task {self.name}: language is that of ask and ask_untitled; give one of them, or "
                "leave language out"
            )
        if self.language == ANY and (worded := [ask for ask in self.own_questions if not is_wordless(ask)]):
            raise ValueError(
                f"the task {self.name}: the question {worded[0]!r} has words, so it fits no other "
                "language; name its language"
            )
        check_changes(self.name, self.own_questions, self.asked == "change")
        if self.asked == "change" and self.given != "first":
            raise ValueError(f"the task {self.name}: asked: change needs given: first")
        return self

    @property
    def states_questions(self) -> bool:
        """Whether the recipe states the family's questions, or that it has none for documents with or without
        a title (`ask: []`)."""
        return self.ask is not None or self.ask_untitled is not None

    @property
    def own_questions(self) -> tuple[str, ...]:
        """The questions that the recipe states."""
        return (*(self.ask or ()), *(self.ask_untitled or ()))


PACKAGED_NAMES = ("guide", "story", "report", "continuation", "next_step", "edit")
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

PACKAGED: dict[str, TaskFamily] = {
    family.name: family for family in (GUIDE, STORY, REPORT, CONTINUATION, NEXT_STEP, EDIT)
}
"""The families that a recipe can name without describing them. Their questions are in questions/, a file for
each language."""


class RewriteConfig(Section):
    """How documents become examples."""

    mode: Literal["rewrite", "keep"] = "rewrite"
    """Conversations (segments with a role) pass unchanged in either mode; `keep` refuses everything else."""
    tasks: tuple[TaskFamily, ...] = tuple(PACKAGED.values())
    """Task families: a name of the packaged ones (guide, story, report, continuation, next_step, edit), or a
    family of your own with name, given, asked, needs and ask. Each example gets one, chosen by its id among
    those that fit its document."""
    max_words: int | None = Field(default=None, gt=0)
    """Words of one example. A longer document becomes several, cut at its headings, else between steps. None
    cuts nothing."""
    max_images: int | None = Field(default=None, gt=0)
    """Images of one example; as max_words."""
    max_dangling: int | None = Field(default=0, ge=0)
    """References to images that the finished example may leave unanswered ("as shown below" with no image
    behind it). None accepts any number."""
    prompt: str = "rewrite"
    """Name of a template: prompts/<name>.md beside the recipe, one folder up, or in the package."""
    image_px: int = Field(default=512, gt=0)
    """Longer side of the images as sent to a language model, pixels."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _named(cls, tasks: Any) -> Any:
        """Names of packaged families become those families; a family of your own that bears such a name
        changes only what it says."""
        if not isinstance(tasks, (list, tuple)) or not tasks:
            raise ValueError(f"tasks is a list of one task family or more, such as [{', '.join(PACKAGED)}]")
        found: list[Any] = []
        for task in tasks:
            if isinstance(task, str):
                if task not in PACKAGED:
                    hint = suggestion(task, PACKAGED, "packaged are")
                    raise ValueError(
                        f"unknown task {task!r}; {hint} (a family of your own is a mapping with name, "
                        "given and ask)"
                    )
                found.append(PACKAGED[task])
            elif isinstance(task, dict) and task.get("name") in PACKAGED:
                found.append({**PACKAGED[task["name"]].model_dump(), **task})
            else:
                found.append(task)
        return found

    @field_validator("tasks")
    @classmethod
    def _unique(cls, tasks: tuple[TaskFamily, ...]) -> tuple[TaskFamily, ...]:
        names = [task.name for task in tasks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the task {twice[0]!r} is there twice; a name belongs to one family")
        return tasks
