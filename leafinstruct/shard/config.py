"""The `shard:` section of a recipe."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from leafinstruct.records.example import PreferenceKind

GroupKey = Literal["domain", "text", "near_text", "images"]


class ShardConfig(BaseModel):
    """Settings of the shard stage: splits, sizes and the card."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    splits: dict[str, float] = {"train": 0.9, "validation": 0.05, "test": 0.05}
    """Share of groups for each split. Rows with an equal value of a `group_by` key are never in two
    splits."""
    group_by: tuple[GroupKey, ...] = ("domain", "images", "near_text", "text")
    """Keys that group documents into one split: the registered web domain (ignored, with a warning in the
    card, in a corpus of fewer than 10 domains), the same text, nearly the same text (MinHash, Jaccard
    similarity of about 0.75 or more), a shared image. Use fewer keys if all documents of a corpus share
    images. With none, each document is a group."""
    max_bytes: int = Field(default=500_000_000, gt=0)
    """Target size of a shard, in bytes of images and texts. The Hub streams the default well."""
    row_group_bytes: int = Field(default=100_000_000, gt=0)
    """Target size of a row group before compression, in bytes."""
    preference: tuple[PreferenceKind, ...] = ()
    """Kinds of preference rows to write: a chosen and a rejected answer to one question, published as the
    configuration `preference`. `round`: rejected is a round of rewrite.refine with lower scores (needs a
    language model); `shuffled_steps`: the answer with its steps in another order; `swapped_image`: with an
    image of another document; `other_text`: with the texts of another document. An example gets at most one
    of the last three, chosen by its id from those that fit it. Empty: none."""
    card: str = "default"
    """Name of the card template: data_cards/<name>.md beside the recipe, one folder up, or in the package."""

    @field_validator("group_by")
    @classmethod
    def _is_a_set(cls, group_by: tuple[GroupKey, ...]) -> tuple[GroupKey, ...]:
        return tuple(sorted(set(group_by)))

    @field_validator("preference")
    @classmethod
    def _are_a_set(cls, preference: tuple[PreferenceKind, ...]) -> tuple[PreferenceKind, ...]:
        return tuple(sorted(set(preference)))

    @field_validator("splits")
    @classmethod
    def _sums_to_one(cls, splits: dict[str, float]) -> dict[str, float]:
        if (
            not splits
            or any(share < 0 for share in splits.values())
            or not math.isclose(sum(splits.values()), 1)
        ):
            raise ValueError(f"shares must be 0 or more and sum to 1, not {sum(splits.values()):g}")
        for name in splits:
            if not name.isidentifier():
                raise ValueError(f"split {name!r} must be a plain word, because it is part of file names")
        return splits
