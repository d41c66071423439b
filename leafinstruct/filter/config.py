"""The `filter:` section of a recipe. Loads pydantic and nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from leafinstruct.errors import suggestion
from leafinstruct.filter.catalog import CLIP_FAMILIES, MODEL_FAMILIES, PASSES, SCORES, Score
from leafinstruct.images.config import FetchConfig
from leafinstruct.records.text.language_names import NAMES, hint

TOY_MODEL = "leaf:tiny-clip-1"
"""The packaged CLIP, which knows only Sketchbook."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Rule(_Section):
    """A decision on one score: `{score: alignment.mean, min: 0.22, model: ViT-B/32}`. Bounds are inclusive;
    null and NaN fail."""

    score: str
    """`<family>.<name>` of a declared score."""
    min: float | None = Field(default=None, allow_inf_nan=False)
    """Smallest value that passes."""
    max: float | None = Field(default=None, allow_inf_nan=False)
    """Largest value that passes."""
    model: str | None = None
    """The model that the bound was set for; required for alignment, coherence, judge and rules, whose scales
    differ by model."""
    drop: Literal["image", "step", "document"] | None = None
    """What is dropped when an image fails: `image` (default), the image and its captions; `step`, also the
    text that owns it; `document`, the whole document. For scores of images only.

    Under `step` the owner stays where another kept image has the same owner. Of a list of several items only
    the item next to the image goes. A heading goes when it then heads nothing. Where the owner of an image is
    unknown, `step` drops what `image` drops, and the drop's detail says so; a text that still refers to the
    lost image is then counted by `reference.dangling`."""
    uncalibrated: bool = False
    """Accept a model that the bound was not set for; the card then says so."""

    @field_validator("score")
    @classmethod
    def _declared(cls, name: str) -> str:
        if name not in SCORES:
            raise ValueError(f"unknown score {name!r}; {suggestion(name, SCORES)}")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.min is None and self.max is None:
            raise ValueError(f"a rule over {self.score} needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: nothing could pass")
        if self.drop is not None and self.declared.level == "document":
            raise ValueError(f"drop: is for scores of images; {self.score} is a score of the document")
        if self.declared.family in MODEL_FAMILIES and self.model is None and not self.uncalibrated:
            raise ValueError(
                f"a rule over {self.score} must name the model its bound was set for (model: ...), or "
                "say uncalibrated: true"
            )
        return self

    @property
    def declared(self) -> Score:
        return SCORES[self.score]


class ImageConfig(_Section):
    """How images are materialized."""

    max_pixels: int = Field(default=64_000_000, gt=0)
    """Refused before decoding above this many pixels: 64 million is 192 MB decoded, and more than any camera
    of the open web gives."""
    tolerate_failures: float = Field(default=0.02, ge=0, le=1)
    """Share of images that may fail for a reason that could pass (an unreadable disk, a server that does not
    answer) before the run stops."""
    fetch: FetchConfig | None = None
    """Fetch images that are on the web. Without this section they are lost for the reason url_not_fetched."""


class AlignmentConfig(_Section):
    """CLIP text-image alignment. Scored only if a rule over alignment.* or coherence.* is there, or `model`
    or `share_above` is set."""

    model: str | None = None
    """Any name that clip.available_models() lists, a checkpoint's path, or the packaged `leaf:tiny-clip-1`,
    which knows only Sketchbook and is what rules without a model use. A model that is named here is run and
    its scores are kept, also without a rule."""
    batch_size: int = Field(default=32, gt=0)
    """Images or texts in one forward pass; part of the fingerprint, since it can move the last digit."""
    share_above: float | None = None
    """Cosine from which an image counts for alignment.share; no default, because scales differ by model."""
    allow_toy: bool = False
    """Let the tiny model judge other sources than Sketchbook. Its scores mean nothing there; every row and
    the card then say so."""


class JudgeConfig(_Section):
    """The judge: the language model of `llm:`, or written rules where that is offline."""

    enabled: bool = True
    """Without it there are no judge.* and rules.* scores."""
    prompt: str = "judge"
    """Name of a template: prompts/<name>.md beside the recipe, one folder up, or in the package."""
    max_words: int = Field(default=2000, gt=0)
    """Words of a document shown to the judge; what is cut is marked as cut."""
    max_images: int = Field(default=16, ge=0)
    """Images shown to the judge, from the first; later ones are named but not shown."""
    image_px: int = Field(default=512, gt=0)
    """Longer side of the images as sent, pixels."""


class FilterConfig(_Section):
    """Scores, and the rules that decide on them."""

    min_images: int = Field(default=1, ge=0)
    """Images that a document must have; judged again after images were dropped."""
    min_words: int = Field(default=20, ge=0)
    """Words that a document must have; judged again after an image and its captions were dropped."""
    languages: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Languages that a document may have, as codes of ISO 639 (`[en, de]`); null for all. A document of
    another or of an undetermined language is dropped before any image is read."""
    rules: tuple[Rule, ...] = ()
    """All must pass; each is judged in the pass of its score, cheapest first."""
    images: ImageConfig = ImageConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    judge: JudgeConfig = JudgeConfig()

    @field_validator("languages", mode="before")
    @classmethod
    def _listed(cls, written: object) -> object:
        """The codes in one order, each once: their order has no effect. A word alone is one code; what YAML
        read as false was `no`."""
        codes = [written] if isinstance(written, (str, bool)) else written
        if not isinstance(codes, (list, tuple)):
            return written
        for code in codes:
            if code is False:
                raise ValueError("a bare no is false in YAML; write 'no' in quotes for Norwegian")
            if not isinstance(code, str) or code not in NAMES:
                raise ValueError(f"unknown language {code!r}; {hint(str(code))}")
        return tuple(sorted(set(codes)))

    @property
    def clip(self) -> str | None:
        """The CLIP whose scores are computed; None where neither a rule nor `alignment` asks for one, so that
        none is loaded."""
        wanted = self.alignment.share_above is not None or any(
            rule.declared.family in CLIP_FAMILIES for rule in self.rules
        )
        return self.alignment.model or (TOY_MODEL if wanted else None)

    @model_validator(mode="after")
    def _scored(self) -> FilterConfig:
        """No rule over a score that this section switches off."""
        for index, rule in enumerate(self.rules):
            if rule.score == "alignment.share" and self.alignment.share_above is None:
                raise ValueError(f"rules[{index}] is over alignment.share, which needs alignment.share_above")
            if rule.declared.turn == PASSES.index("judge") and not self.judge.enabled:
                raise ValueError(f"rules[{index}] is over {rule.score}, but judge.enabled is false")
        return self
