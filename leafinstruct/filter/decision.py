"""Decision apart from score: a document's decision under the rules of a recipe.

A decision takes cells in the order of PASSES, those of images before those of the document, and applies the
rules over them. Every verdict is data: which rule, over which image, with which value and threshold. Pure: no
I/O, no model, so that moving a threshold is replaying decisions.

`languages` is a rule over the document's language, which has no order; it is judged first, in the cheapest
pass.

A failing image takes its captions with it, since a caption without its image is noise; under `drop: step` the
text that owns it goes too (steps.py). Then `min_images` and `min_words` are judged again. Null and NaN fail
every rule: what could not be computed is not known to be good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from leafinstruct.filter.catalog import SCORES, Level
from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.steps import without_image, without_step
from leafinstruct.records.document import NO_VERDICT, Document, Image
from leafinstruct.records.example import Cell
from leafinstruct.records.text import owners
from leafinstruct.records.text.language_names import named
from leafinstruct.records.text.words import count_words

_UNANSWERED = ("refused", "unparsed", "too_large")
_DECODED = Rule(score="image.decoded", min=1)


@dataclass(frozen=True, slots=True)
class Drop:
    """Why something was dropped.

    position: of the image, None when it is the document; threshold: the bound that it failed; detail: about
    the score, and under `drop: step` which text was dropped with the image.
    """

    rule: str
    value: float | None
    threshold: float | None
    state: str
    position: int | None = None
    detail: str = ""

    @property
    def reason(self) -> str:
        """The rule as counts name it, with the state where a model gave no value: that says nothing about how
        good the document is."""
        return f"{self.rule} ({self.state})" if self.state in _UNANSWERED else self.rule


def judge(rule: Rule, cell: Cell | None) -> Drop | None:
    """A rule over one cell: None when it passes. A missing cell fails as `not_scored`; a score that has no
    meaning for the document has no rules."""
    if cell is None:
        return Drop(rule.score, None, _bound(rule), "not_scored")
    if cell.state == "not_applicable":
        return None
    if cell.value is None or math.isnan(cell.value):
        return Drop(rule.score, None, _bound(rule), cell.state, cell.position, cell.detail)
    if rule.min is not None and cell.value < rule.min:
        return Drop(rule.score, cell.value, rule.min, cell.state, cell.position, cell.detail)
    if rule.max is not None and cell.value > rule.max:
        return Drop(rule.score, cell.value, rule.max, cell.state, cell.position, cell.detail)
    return None


@dataclass
class Decision:
    """A document on its way through the passes.

    document: as it stands now, dropped images and their captions taken out, positions unchanged.
    verdicts: drops of the whole document, in the order found; the first is its reason. image_drops: drops of
    images.
    """

    document: Document
    config: FilterConfig
    rules: tuple[Rule, ...]
    cells: list[Cell] = field(default_factory=list)
    verdicts: list[Drop] = field(default_factory=list)
    image_drops: list[Drop] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._read = self.document

    @cached_property
    def _figures(self) -> dict[int, int]:
        """The steps of captioned figures, as the reader found the document: what was dropped since says
        nothing about its structure."""
        return owners.steps_of_figures(self._read)

    @property
    def kept(self) -> bool:
        return not self.verdicts

    def weigh(self, cells: Iterable[Cell]) -> None:
        """Take cells and judge every rule over their families and levels; a dead document is weighed no
        further."""
        if not self.kept:
            return
        fresh = list(cells)
        self.cells += fresh
        failed = next((cell for cell in fresh if cell.state in NO_VERDICT), None)
        if failed is not None:  # no verdict, whatever the rules: nobody knows what it would have been
            self.verdicts.append(Drop(failed.name, None, None, failed.state, failed.position, failed.detail))
            return
        kinds = {(SCORES[cell.name].family, SCORES[cell.name].level) for cell in fresh}
        if ("document", "document") in kinds:
            self._judge_language()
        for rule in self._rules_over(kinds):
            if rule.declared.level == "document":
                self._judge_document(rule, fresh)
            else:
                self._judge_images(rule, fresh)
        self._judge_minima()

    def drop_rows(self) -> list[dict[str, Any]]:
        """All drops as rows, the document's own first."""
        return [asdict(drop) for drop in (*self.verdicts, *self.image_drops)]

    def with_images(self, facts: Mapping[int, Mapping[str, Any]]) -> None:
        """Set sha256, size and format of materialized images: position -> fields of Image."""
        self.document = replace(
            self.document,
            segments=tuple(
                replace(segment, **facts[segment.position])
                if isinstance(segment, Image) and segment.position in facts
                else segment
                for segment in self.document.segments
            ),
        )

    def _rules_over(self, kinds: set[tuple[str, Level]]) -> list[Rule]:
        """The rules over these (family, level) pairs; readable first, since an image that cannot be read has
        no other score."""
        rules = [rule for rule in self.rules if (rule.declared.family, rule.declared.level) in kinds]
        if ("image", "image") in kinds:
            rules.append(_DECODED)  # no image at all, with or without a rule
        return sorted(rules, key=lambda rule: rule.score != _DECODED.score)

    def _judge_language(self) -> None:
        """`languages`: it has no bound and no value; its detail names the language that was found."""
        allowed, found = self.config.languages, self.document.language
        if allowed is not None and found not in allowed:
            detail = (
                f"the document's language is {named(found)}, and the recipe keeps "
                f"{', '.join(map(named, allowed))}"
            )
            self.verdicts.append(Drop("languages", None, None, "ok", detail=detail))

    def _judge_document(self, rule: Rule, cells: list[Cell]) -> None:
        cell = next((cell for cell in cells if cell.name == rule.score), None)
        drop = judge(rule, cell)
        if drop is not None:
            self.verdicts.append(drop)

    def _judge_images(self, rule: Rule, cells: list[Cell]) -> None:
        by_position = {cell.position: cell for cell in cells if cell.name == rule.score}
        for image in self.document.images:
            drop = judge(rule, by_position.get(image.position))
            if drop is None:
                continue
            drop = replace(drop, position=image.position)
            if rule.drop == "document":
                self.verdicts.append(drop)
            elif rule.drop == "step":
                self.document, about_text = without_step(self.document, image, self._figures)
                drop = replace(drop, detail="; ".join(filter(None, (drop.detail, about_text))))
            else:
                self.document = without_image(self.document, image)
            self.image_drops.append(drop)

    def _judge_minima(self) -> None:
        images, words = len(self.document.images), count_words([text.text for text in self.document.texts])
        for name, have, need in (
            ("min_images", images, self.config.min_images),
            ("min_words", words, self.config.min_words),
        ):
            if have < need and self.kept:
                self.verdicts.append(
                    Drop(
                        name,
                        float(have),
                        float(need),
                        "ok",
                        detail="after images were dropped" if self.image_drops else "",
                    )
                )


def _bound(rule: Rule) -> float | None:
    return rule.max if rule.min is None else rule.min
