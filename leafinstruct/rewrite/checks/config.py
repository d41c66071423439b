"""The `rewrite.checks:` section of a recipe: bounds of the checks of a finished example. `null` switches a
bound off; the score is still computed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from leafinstruct.rewrite.wording import Section

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Checks(Section):
    """Bounds of the checks of a finished example. A language model corrects an answer beyond a bound, and the
    example is dropped if it does not. Examples of the offline templates are only scored."""

    min_spread: Share | None = 0.6
    """Minimum share of the places between and around images that have a text where the document has one."""
    min_kept: Share | None = 0.2
    """Minimum share of the document's words that the example repeats."""
    max_length: float | None = Field(default=1.5, gt=0, allow_inf_nan=False)
    """Maximum words of context and response, as a multiple of the document's words."""
    min_faithful: Share | None = 1.0
    """Minimum share of the example's numbers, names, URLs and e-mail addresses that the document has, too."""
    max_lost: int | None = Field(default=0, ge=0)
    """Maximum references to what the example does not have ("as mentioned above", "click the link")."""
    max_leak: Share | None = 0.5
    """Maximum share of the response's words in runs of words that instruction or context contain, too."""
    min_question: Share | None = 1.0
    """Minimum share of the requirements on the instruction that it meets: it has content, it asks for
    something, it asks for what the task gives."""
    min_language: Share | None = 1.0
    """Minimum of the language check: 0 if instruction, context or response are in another language than the
    document, else 1."""
