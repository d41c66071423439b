"""The `rewrite:` section of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal["guide", "continuation", "edit"]


class RewriteConfig(BaseModel):
    """How documents become examples."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    mode: Literal["rewrite", "keep"] = "rewrite"
    """Conversations (segments with a role) pass unchanged in either mode; `keep` refuses everything else."""
    tasks: tuple[Task, ...] = Field(default=("guide", "continuation", "edit"), min_length=1)
    """Families to write: `guide` (question -> whole document), `continuation` (its beginning -> the rest), `edit` (first picture and the
    change -> what follows). Each document gets one, drawn by its id among those that it fits."""
    prompt: str = "rewrite"
    """Name of a template: prompts/<name>.md beside the recipe, one folder up, or in the package."""
    picture_px: int = Field(default=512, gt=0)
    """Longer side of the pictures as sent to a language model, pixels."""
