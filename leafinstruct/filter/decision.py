"""The decision of a recipe's rules over one document, separate from the scores.

A decision takes cells in the order of PASSES, those of images before those of the document, and applies the
rules on them. Every drop is data: which rule, on which image, with which value and threshold. Pure: no I/O
and no model, so moving a threshold only repeats the decisions.

`licenses` is a rule on the licenses of document and images, and `languages` one on the document's language.
They have no bound, and are applied first, in the cheapest pass.

Texts are edited (filter/texts) before any rule is applied, so every score but `personal.*` is that of the
edited text, and `min_words` counts what is left.

An image that fails a rule is dropped together with its captions, since a caption without its image is noise;
`drop: step` also drops the text that owns it (steps.py). Then `min_images` and `min_words` are checked again.
Null and NaN fail every rule: a value that could not be computed is not known to be good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from leafinstruct.filter.catalog import declared
from leafinstruct.filter.config import FilterConfig, LicenseRules, Rule
from leafinstruct.filter.score import Level
from leafinstruct.filter.steps import without_image, without_step
from leafinstruct.filter.texts import personal
from leafinstruct.records import license
from leafinstruct.records.document import UNDECIDED, Document
from leafinstruct.records.edits import Edit
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import Drop
from leafinstruct.records.text import owners
from leafinstruct.records.text.language_names import named
from leafinstruct.records.text.words import count_words

_DECODED = Rule(score="image.decoded", min=1)


def judge(rule: Rule, cell: Cell | None) -> Drop | None:
    """Apply a rule to one cell. Returns None if it passes.

    A missing cell fails as `not_scored`. A score that is not applicable to the document passes every rule.
    """
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
    """The decision over one document, updated by each pass.

    document: with its texts edited, and without the dropped images and their captions; positions are
    unchanged. edits: the changes of its texts. drops: of the whole document, in the order found; the first is
    its reason. image_drops: drops of single images.
    """

    document: Document
    config: FilterConfig
    rules: tuple[Rule, ...]
    cells: list[Cell] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    image_drops: list[Drop] = field(default_factory=list)
    edits: Sequence[Edit] = ()

    def __post_init__(self) -> None:
        self.read = self.document
        """The document with edited texts, before any drop."""

    @cached_property
    def _figures(self) -> dict[int, int]:
        """The steps of captioned figures in the document before any drop. What was dropped since does not
        change its structure."""
        return owners.steps_of_figures(self.read)

    @property
    def kept(self) -> bool:
        """Whether the document is kept so far."""
        return not self.drops

    def apply_licenses(self) -> None:
        """Apply `licenses`, which needs no score, to the document and then to its images. The drops have no
        value; their detail names the license."""
        rules = self.config.licenses
        if rules is None:
            return
        if fault := _license_fault(self.document.license, rules):
            self.drops.append(Drop("license", None, None, "ok", detail=f"the document {fault}"))
            return
        for image in self.document.images:
            if fault := _license_fault(image.license, rules):
                self.document = without_image(self.document, image)
                self.image_drops.append(
                    Drop("license", None, None, "ok", image.position, f"the image {fault}")
                )

    def apply(self, cells: Iterable[Cell]) -> None:
        """Add cells and apply all rules on their families and levels. A dropped document is not judged any
        further."""
        if not self.kept:
            return
        fresh = list(cells)
        self.cells += fresh
        failed = next((cell for cell in fresh if cell.state in UNDECIDED), None)
        if failed is not None:  # the value that the rules would have judged is unknown
            self.drops.append(Drop(failed.name, None, None, failed.state, failed.position, failed.detail))
            return
        kinds = {(score.family, score.level) for score in map(declared, {cell.name for cell in fresh})}
        if ("document", "document") in kinds:
            self._judge_language()
        self._judge_personal_data(fresh)
        for rule in self._rules_over(kinds):
            if rule.declared.level == "document":
                self._judge_document(rule, fresh)
            else:
                self._judge_images(rule, fresh)
        self._judge_minima()

    def _rules_over(self, kinds: set[tuple[str, Level]]) -> list[Rule]:
        """The rules on these (family, level) pairs, `image.decoded` first, since an unreadable image has no
        other score."""
        rules = [rule for rule in self.rules if (rule.declared.family, rule.declared.level) in kinds]
        if ("image", "image") in kinds:
            rules.append(_DECODED)  # always applied, also without a rule in the recipe
        return sorted(rules, key=lambda rule: rule.score != _DECODED.score)

    def _judge_language(self) -> None:
        """Apply `languages`, which has no bound and no value. The drop's detail names the language that was
        found."""
        allowed, found = self.config.languages, self.document.language
        if allowed is not None and found not in allowed:
            detail = (
                f"the document's language is {named(found)}, and the recipe keeps "
                f"{', '.join(map(named, allowed))}"
            )
            self.drops.append(Drop("languages", None, None, "ok", detail=detail))

    def _judge_personal_data(self, cells: list[Cell]) -> None:
        """Apply `personal_data: drop`. The drop's value is the number of findings, and its detail lists
        them."""
        if self.config.personal_data != "drop":
            return
        found = {cell.name: int(cell.value or 0) for cell in cells if cell.name.startswith("personal.")}
        if total := sum(found.values()):
            self.drops.append(
                Drop("personal_data", float(total), 0.0, "ok", detail=personal.counts_of(found))
            )

    def _judge_document(self, rule: Rule, cells: list[Cell]) -> None:
        cell = next((cell for cell in cells if cell.name == rule.score), None)
        drop = judge(rule, cell)
        if drop is not None:
            self.drops.append(drop)

    def _judge_images(self, rule: Rule, cells: list[Cell]) -> None:
        by_position = {cell.position: cell for cell in cells if cell.name == rule.score}
        for image in self.document.images:
            drop = judge(rule, by_position.get(image.position))
            if drop is None:
                continue
            drop = replace(drop, position=image.position)
            if rule.drop == "document":
                self.drops.append(drop)
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
                self.drops.append(Drop(name, float(have), float(need), "ok", detail=self._after()))

    def _after(self) -> str:
        """What was taken from the document before its minima were checked."""
        removed = any(not edit.replacement for edit in self.edits)
        done = [*["texts were removed"] * removed, *["images were dropped"] * bool(self.image_drops)]
        return f"after {' and '.join(done)}" if done else ""


def _license_fault(stated: str | None, rules: LicenseRules) -> str | None:
    """What is wrong with a license by the rules of a recipe, None if nothing is."""
    if not (stated or "").strip():
        return "states no license" if rules.unknown == "drop" else None
    name = license.named(stated) or ""
    shown = license.one_line(name, 60)
    if license.key(name) in license.keys(rules.deny):
        return f"has the license {shown}, which the recipe denies"
    if rules.allow is not None and license.key(name) not in license.keys(rules.allow):
        return f"has the license {shown}, and the recipe allows {', '.join(rules.allow)}"
    return None


def _bound(rule: Rule) -> float | None:
    return rule.max if rule.min is None else rule.min
