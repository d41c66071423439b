"""The `rewrite:` section of a recipe: modes, bounds, and task families as data."""

from __future__ import annotations

import string
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Given = Literal["nothing", "first", "half", "all_but_last"]
Asked = Literal["rest", "change"]
Genre = Literal["how_to", "story", "report"]

PLACES = frozenset({"title", "opening", "change"})
"""What a question template may name: the title, the first sentence, the request for a change."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Needs(_Section):
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
    """Structural similarity that each image has at least with the one before it: 1 for the same image. None asks for none."""


class TaskFamily(_Section):
    """One family of tasks: which steps are given, which are asked, what the document must have, how the question is worded."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """Names the shards of its rows, and the dataset's configuration on the Hub."""
    given: Given = "nothing"
    """Which steps the question shows: none, the first, the first half, or all but the last."""
    asked: Asked = "rest"
    """What the answer shows: all other steps; or `change`, the second of two images, where the text between them asks for a change."""
    needs: Needs = Needs()
    """What the document must have."""
    ask: tuple[str, ...] = ()
    """Questions for documents with a title; `{title}`, `{opening}` (first sentence) and `{change}` are filled in."""
    ask_untitled: tuple[str, ...] = ()
    """Questions for documents without a title; without any, the family is for documents with one."""

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == "conversation":
            raise ValueError("`conversation` is the task of documents that are conversations already; choose another name")
        return name

    @field_validator("ask", "ask_untitled", mode="before")
    @classmethod
    def _listed(cls, asks: Any) -> Any:
        if isinstance(asks, str):
            raise ValueError(f"questions are a list: write [{asks!r}]")
        return asks

    @field_validator("ask", "ask_untitled")
    @classmethod
    def _templates(cls, asks: tuple[str, ...]) -> tuple[str, ...]:
        for ask in asks:
            if not ask.strip():
                raise ValueError("a question is empty; write what is asked, or leave it out")
            try:
                fields = [field[1:] for field in string.Formatter().parse(ask) if field[1] is not None]
            except ValueError as error:
                raise ValueError(f"the question {ask!r} is no template: {error}; write {{{{ for a brace") from error
            if any(spec or conversion for _, spec, conversion in fields):
                raise ValueError(f"the question {ask!r} formats what it names; write the name alone, as {{title}}")
            if unknown := sorted({name or "" for name, _, _ in fields} - PLACES):
                near = get_close_matches(unknown[0], PLACES, n=1)
                hint = f"did you mean {{{near[0]}}}?" if near else f"known are {', '.join(f'{{{name}}}' for name in sorted(PLACES))}"
                raise ValueError(f"the question {ask!r} names {{{unknown[0]}}}; {hint}")
        return asks

    @model_validator(mode="after")
    def _whole(self) -> TaskFamily:
        if not self.ask and not self.ask_untitled:
            raise ValueError(f"the task {self.name} has no question: give ask, ask_untitled or both")
        if any("{title}" in ask for ask in self.ask_untitled):
            raise ValueError(f"the task {self.name}: a question in ask_untitled names {{title}}, which such a document lacks")
        changing = self.asked == "change"
        if changing != all("{change}" in ask for ask in (*self.ask, *self.ask_untitled)) or (
            not changing and any("{change}" in ask for ask in (*self.ask, *self.ask_untitled))
        ):
            raise ValueError(f"the task {self.name}: {{change}} stands in every question if asked is `change`, and in none otherwise")
        if changing and self.given != "first":
            raise ValueError(f"the task {self.name}: asked: change needs given: first")
        return self


GUIDE = TaskFamily(
    name="guide",
    needs=Needs(genres=("how_to",)),
    ask=(
        "Write an illustrated guide: {title}.",
        "Show me with text and pictures: {title}.",
        "I need pictures as well as words: {title}.",
    ),
    ask_untitled=(
        "Write an illustrated guide that begins like this: “{opening}”",
        "Show me how, with text and pictures. Begin with: “{opening}”",
    ),
)
STORY = TaskFamily(
    name="story",
    needs=Needs(genres=("story",)),
    ask=(
        "Tell me a story with pictures: {title}.",
        "Write and illustrate the story “{title}”.",
        "I would like to read an illustrated story called “{title}”.",
        "Make a picture story of this: {title}.",
    ),
    ask_untitled=(
        "Tell me a story with pictures that begins: “{opening}”",
        "Write and illustrate a story. Its first sentence is: “{opening}”",
    ),
)
REPORT = TaskFamily(
    name="report",
    needs=Needs(genres=("report",)),
    ask=(
        "Explain this with text and images: {title}.",
        "What should I know about “{title}”? Use images where they help.",
        "Write an illustrated article about “{title}”.",
        "Tell me about “{title}”, and show what you describe.",
        "Give me an overview with images: {title}.",
    ),
    ask_untitled=(
        "Write an illustrated article that begins like this: “{opening}”",
        "Explain with text and images. Begin with: “{opening}”",
    ),
)
CONTINUATION = TaskFamily(
    name="continuation",
    given="half",
    needs=Needs(min_steps=2),
    ask=(
        "This is the beginning of an illustrated piece called “{title}”. Go on with text and pictures.",
        "Continue this: {title}. Keep the style of the pictures.",
        "Here is the first part of “{title}”. Write and illustrate the rest.",
        "What comes next in “{title}”? Finish it, with pictures.",
    ),
    ask_untitled=(
        "Continue this with text and pictures.",
        "Here is the beginning. Write and illustrate the rest.",
        "Go on from here, and keep the style of the pictures.",
    ),
)
NEXT_STEP = TaskFamily(
    name="next_step",
    given="all_but_last",
    needs=Needs(genres=("how_to",), min_steps=3, max_asked_words=150),
    ask=(
        "What is the last step of “{title}”? Tell me and show me.",
        "I have come this far with “{title}”. What do I do next? Show it in a picture.",
        "Give me the step that is missing at the end: {title}.",
    ),
    ask_untitled=("What is the next step? Tell me and show me.", "I have come this far. What comes next? Show it in a picture."),
)
EDIT = TaskFamily(
    name="edit",
    given="first",
    asked="change",
    needs=Needs(min_images=2, whole=True, resemblance=0.8),
    ask=("{change}", "{change} Show me the result.", "Please edit this picture. {change}"),
    ask_untitled=("{change}", "{change} Show me the result.", "Please edit this picture. {change}"),
)

PACKAGED: dict[str, TaskFamily] = {family.name: family for family in (GUIDE, STORY, REPORT, CONTINUATION, NEXT_STEP, EDIT)}
"""The families that a recipe can name without describing them."""


class RewriteConfig(_Section):
    """How documents become examples."""

    mode: Literal["rewrite", "keep"] = "rewrite"
    """Conversations (segments with a role) pass unchanged in either mode; `keep` refuses everything else."""
    tasks: tuple[TaskFamily, ...] = tuple(PACKAGED.values())
    """Task families: a name of the packaged ones (guide, story, report, continuation, next_step, edit), or a family of your own with name,
    given, asked, needs and ask. Each example gets one, chosen by its id among those that fit its document."""
    max_words: int | None = Field(default=None, gt=0)
    """Words of one example. A longer document becomes several, cut at its headings, else between steps. None cuts nothing."""
    max_images: int | None = Field(default=None, gt=0)
    """Images of one example; as max_words."""
    max_dangling: int | None = Field(default=0, ge=0)
    """References to images that the finished example may leave unanswered ("as shown below" with no image behind it). None accepts any number."""
    prompt: str = "rewrite"
    """Name of a template: prompts/<name>.md beside the recipe, one folder up, or in the package."""
    picture_px: int = Field(default=512, gt=0)
    """Longer side of the images as sent to a language model, pixels."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _named(cls, tasks: Any) -> Any:
        """Names of packaged families become those families; a family of your own that bears such a name changes only what it says."""
        if not isinstance(tasks, (list, tuple)) or not tasks:
            raise ValueError(f"tasks is a list of one task family or more, such as [{', '.join(PACKAGED)}]")
        found: list[Any] = []
        for task in tasks:
            if isinstance(task, str):
                if task not in PACKAGED:
                    near = get_close_matches(task, PACKAGED, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"packaged are {', '.join(PACKAGED)}"
                    raise ValueError(f"unknown task {task!r}; {hint} A family of your own is a mapping with name, given and ask")
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
