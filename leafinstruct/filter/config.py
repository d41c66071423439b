"""The `filter:` section of a recipe. Imports no library but pydantic."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from leafinstruct.errors import suggestion
from leafinstruct.filter.catalog import (
    CLASSIFIERS,
    CLIP_FAMILIES,
    MODEL_FAMILIES,
    OF_EXAMPLES,
    PERPLEXITY,
    SCORES,
    declared,
    of_packages,
)
from leafinstruct.filter.judging.panel import Judge, JudgeModel, panel
from leafinstruct.filter.score import PASSES, Score
from leafinstruct.images.config import FetchConfig
from leafinstruct.llm.config import LlmConfig, basename
from leafinstruct.records import license
from leafinstruct.records.text.language_names import NAMES, hint

TOY_MODEL = "leaf:tiny-clip-1"
"""The packaged CLIP, which was trained only on Sketchbook."""


def _codes(written: object) -> object:
    """Sort codes of languages and remove repeated ones, since their order has no effect. A single word is one
    code; an unquoted `no` is false in YAML."""
    codes = [written] if isinstance(written, (str, bool)) else written
    if not isinstance(codes, (list, tuple)):
        return written
    for code in codes:
        if code is False:
            raise ValueError("a bare no is false in YAML; write 'no' in quotes for Norwegian")
        if not isinstance(code, str) or code not in NAMES:
            raise ValueError(f"unknown language {code!r}; {hint(str(code))}")
    return tuple(sorted(set(codes)))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def named(section: dict[str, Any]) -> dict[str, Any]:
    """A dumped section or rule whose `model`, if it is a path, is its last component, for keys and
    fingerprints: the weights are in them by their sha256, and a project may be moved."""
    model = section.get("model")
    return {**section, "model": basename(model)} if isinstance(model, str) else section


class Rule(_Section):
    """A rule on one score: `{score: alignment.mean, min: 0.22, model: ViT-B/32}`. Bounds are inclusive; null
    and NaN fail."""

    score: str
    """`<family>.<name>` of a declared score, of leafinstruct or of an installed package."""
    min: float | None = Field(default=None, allow_inf_nan=False)
    """Smallest value that passes."""
    max: float | None = Field(default=None, allow_inf_nan=False)
    """Largest value that passes."""
    model: str | None = None
    """Model that the bound was set for. Required for alignment, coherence, perplexity, judge and rules, whose
    scales differ between models."""
    drop: Literal["image", "step", "document"] | None = None
    """What is dropped when an image fails: `image` (default), the image and its captions; `step`, also the
    text that owns it; `document`, the whole document. Only for scores of images.

    `step` keeps the owner if another kept image has the same owner. In a list of several items, only the item
    next to the image is dropped. A heading is dropped if nothing is left under it. If the owner of an image
    is unknown, `step` drops the same as `image`, and the drop's detail reports it; `reference.dangling`
    counts a text that still refers to the dropped image.
    """
    uncalibrated: bool = False
    """Accept a model that the bound was not set for. The card reports it."""

    @field_validator("score")
    @classmethod
    def _declared(cls, name: str) -> str:
        if name.partition(".")[0] in CLASSIFIERS.values():
            return name  # FilterConfig compares it with `classifiers`
        if name in OF_EXAMPLES:
            raise ValueError(
                f"{name} is a score of finished examples, and rules decide before those are written; "
                "remove the rule"
            )
        if name not in SCORES and name not in (others := of_packages()):
            raise ValueError(f"unknown score {name!r}; {suggestion(name, [*SCORES, *others])}")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.min is None and self.max is None:
            raise ValueError(f"a rule on {self.score} needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: nothing could pass")
        if self.drop is not None and self.declared.level == "document":
            raise ValueError(f"drop is only for scores of images; {self.score} is a score of the document")
        if self.declared.family in MODEL_FAMILIES and self.model is None and not self.uncalibrated:
            raise ValueError(
                f"a rule on {self.score} must name the model its bound was set for (model: ...), or "
                "set uncalibrated: true"
            )
        return self

    @property
    def declared(self) -> Score:
        return declared(self.score)

    @property
    def identity(self) -> list[Any]:
        """What a decision by this rule depends on: its fields, and version and package of its score. A model
        is named as its scores are, without its folder."""
        return [named(self.model_dump()), self.declared.version, *filter(None, [self.declared.package])]


class ImageConfig(_Section):
    """How images are read."""

    max_pixels: int = Field(default=64_000_000, gt=0)
    """Images with more pixels are refused before decoding. 64 million pixels are 192 MB decoded, more than
    images on the web have."""
    tolerate_failures: float = Field(default=0.02, ge=0, le=1)
    """Share of images that may fail for a temporary reason (an unreadable disk, a server that does not
    answer) before the run stops."""
    fetch: FetchConfig | None = None
    """Fetch images that are on the web. Without this section they are dropped for the reason url_not_fetched.
    """


Backend = Literal["clip", "open_clip", "transformers"]
Dtype = Literal["float32", "bfloat16"]


class ReassignConfig(_Section):
    """Assign images to texts again by the alignment matrix of the document: each image to at most one text
    and each text to at most one image, with the largest sum of cosines. For sources that lost the order of
    their images. Only owners change: segments keep their order and positions."""

    sources: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the sources whose images are assigned; null: of all."""
    stated: bool = False
    """Also replace owners that the source states, such as MMC4's matched sentences. Without it their texts
    are not given to other images."""


class ModelConfig(_Section):
    """Where and how a model runs."""

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")
    """Where the model runs: `auto` (a CUDA GPU if there is one, else the CPU), `cpu`, `cuda` (all GPUs, one
    process each), `cuda:1` (one of them), or `mps` (untested). The kind of device is part of the fingerprint,
    the index is not."""
    dtype: Dtype = "float32"
    """Number format of the model. `bfloat16` is faster on GPUs and on CPUs with AMX or AVX512-BF16, and
    changes the second or third decimal of a score, so it is named in the model's label."""
    batch_size: int = Field(default=32, gt=0)
    """Images or texts in one forward pass. Part of the fingerprint, since it can change the last digit."""


class AlignmentConfig(ModelConfig):
    """CLIP text-image alignment. Computed only if there is a rule on alignment.* or coherence.*, or `model`
    or `share_above` is set."""

    backend: Backend = "clip"
    """The library that opens the model: `clip` (OpenAI's models), `open_clip` (an extra: SigLIP 2, DFN, EVA),
    or `transformers` (any dual encoder)."""
    model: str | None = None
    """A name from clip.available_models(), the path of a checkpoint, or the packaged `leaf:tiny-clip-1`,
    which was trained only on Sketchbook and is the default of rules without a model. For open_clip:
    ARCHITECTURE/TAG, ./FOLDER or ORG/NAME@COMMIT of the Hub; for transformers ./FOLDER or ORG/NAME@COMMIT.
    The scores of a model named here are computed even if no rule needs them."""
    languages: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Languages that the model knows, as ISO 639 codes; null: those of a table of published models, all for
    own ones. Alignment of documents in others is `not_scored`, and rules on it are ignored for them."""
    share_above: float | None = None
    """Cosine from which an image counts for alignment.share. No default, because scales differ between
    models."""
    reassign: ReassignConfig | None = None
    """Assign images to texts again by the alignment matrix; needs `model`. Null: owners change only where the
    matrix shows on which side of its images a page has their texts."""
    allow_toy: bool = False
    """Allow the tiny model on sources other than Sketchbook. Its scores mean nothing there; every row and the
    card report it."""

    @field_validator("languages", mode="before")
    @classmethod
    def _listed(cls, written: object) -> object:
        return _codes(written)

    @model_validator(mode="after")
    def _named(self) -> AlignmentConfig:
        if self.backend != "clip" and (self.model is None or self.model == TOY_MODEL):
            raise ValueError(f"backend {self.backend} needs a model; {TOY_MODEL} is of the backend clip")
        if self.reassign is not None and self.model is None:
            raise ValueError("reassign compares images with texts; set alignment.model, such as ViT-B/32")
        return self


class ClassifierConfig(ModelConfig):
    """A classifier of images or of texts in the format of transformers. Its score, `classifier.<name>` of an
    image or `text_classifier.<name>` of a document, is the probability of a label."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    """Name of the score after the dot."""
    of: Literal["images", "texts"] = "images"
    """What it classifies: each image; or each text, of which the largest value is the document's."""
    model: str
    """A folder (`./FOLDER`), or a repository of the Hub at a commit (`ORG/NAME@COMMIT`)."""
    label: str
    """Label of the model whose probability is the score."""
    languages: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Languages that a classifier of texts knows, as ISO 639 codes; null: all. Documents in others are
    `not_scored`, and rules on the score are ignored for them."""

    @field_validator("languages", mode="before")
    @classmethod
    def _listed(cls, written: object) -> object:
        return _codes(written)

    @property
    def score(self) -> str:
        """Name of its score."""
        return f"{CLASSIFIERS[self.of]}.{self.name}"


class PerplexityConfig(ModelConfig):
    """Perplexity of a document's texts by a causal language model in the format of transformers: the score
    `perplexity.texts`. Without this section it is not computed."""

    model: str
    """A folder (`./FOLDER`), or a repository of the Hub at a commit (`ORG/NAME@COMMIT`)."""
    languages: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Languages that the model knows, as ISO 639 codes; null: those of a table of published models, all for
    own ones. Documents in others are `not_scored`, and rules on the score are ignored for them."""
    batch_size: int = Field(default=8, gt=0)
    """Windows of 512 tokens in one forward pass, whose memory is 2 kB for each of them and each token of the
    model's vocabulary. Part of the fingerprint, since it can change the last digit."""

    @field_validator("languages", mode="before")
    @classmethod
    def _listed(cls, written: object) -> object:
        return _codes(written)


class JudgeConfig(_Section):
    """The judge: the language model of `llm:`, several models, or written rules if there is none."""

    enabled: bool = True
    """Compute the judge.* or rules.* scores."""
    prompt: str = "judge"
    """Name of a template: prompts/<name>.md beside the recipe, one folder up, or in the package."""
    max_words: int = Field(default=2000, gt=0)
    """Maximum words of a document that are shown to the judge. A cut is marked."""
    max_images: int = Field(default=16, ge=0)
    """Maximum images that are shown to the judge, from the first. Later ones are named but not shown."""
    image_px: int = Field(default=512, gt=0)
    """Maximum longer side of the images sent to the judge, in pixels."""
    judges: tuple[JudgeModel, ...] = ()
    """Several language models that judge every document, each with a name and the keys of `llm` in which it
    differs. A score is the median of the judges that answered, if these are more than half. Empty: the model
    of `llm` alone."""
    samples: int = Field(default=1, ge=1, le=16)
    """Answers of each judge to the same question; a judge's score is their median. More than one needs a
    temperature above 0."""

    def panel(self, llm: LlmConfig) -> tuple[Judge, ...]:
        """The judges in their order; the model of `llm` if none is listed. Raises RecipeError
        (judging/panel)."""
        return panel(self.judges, llm, self.samples)

    def is_offline(self, llm: LlmConfig) -> bool:
        """Whether the rule-based judge answers, since no language model is configured."""
        return llm.provider == "offline" and not self.judges


class HostParagraphs(_Section):
    """Which paragraphs are removed because many pages of one host have them: navigation, cookie notices,
    disclaimers. A host with fewer pages than `pages` never loses anything."""

    pages: int = Field(default=10, ge=2)
    """Minimum pages of the host with this paragraph. Pages with the same text count once."""
    share: float = Field(default=0.3, gt=0, le=1)
    """Minimum share of the pages of the host."""


class LicenseRules(_Section):
    """A rule on the licenses that documents and images state, as SPDX names (`CC-BY-4.0`); URLs of Creative
    Commons are read as such. A document that fails is dropped. An image that fails is dropped with its
    captions; it has its own license, never that of its document."""

    allow: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Only these licenses; null allows all that are not in `deny`."""
    deny: tuple[str, ...] = ()
    """Never these."""
    unknown: Literal["keep", "drop"] = "keep"
    """What happens to documents and images that state no license."""

    @field_validator("allow", "deny")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if not license.is_known(name):
                raise ValueError(f"unknown license {name!r}; {suggestion(name, license.KNOWN)}")
        return names

    @model_validator(mode="after")
    def _disjoint(self) -> LicenseRules:
        if both := license.keys(self.allow or ()) & license.keys(self.deny):
            raise ValueError(f"{', '.join(sorted(both))} is in allow and in deny")
        return self


class FilterConfig(_Section):
    """Scores, and the rules that decide on them."""

    min_images: int = Field(default=1, ge=0)
    """Minimum images of a document, checked again after images are dropped."""
    min_words: int = Field(default=20, ge=0)
    """Minimum words of a document, checked again after an image and its captions are dropped."""
    languages: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Allowed languages, as ISO 639 codes (`[en, de]`); null allows all. A document in another or an
    undetermined language is dropped before any image is read."""
    personal_data: Literal["mask", "drop", "keep"] = "mask"
    """What happens to e-mail addresses, phone numbers, payment cards, IBANs, IP addresses and keys in texts.
    `mask`: each is replaced by a word such as `[email]`, before any text is scored or sent. `drop`: a
    document with any of them is dropped. `keep`: nothing. The scores `personal.*` count them in each case.
    Names of people are not searched."""
    licenses: LicenseRules | None = None
    """Drop documents and images by their license, before anything else. Null keeps all."""
    host_paragraphs: HostParagraphs | None = HostParagraphs()
    """Remove paragraphs that many pages of one host have; null keeps them."""
    rules: tuple[Rule, ...] = ()
    """All rules must pass. Each is applied in the pass of its score, the cheapest first."""
    images: ImageConfig = ImageConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    classifiers: tuple[ClassifierConfig, ...] = ()
    """Classifiers of images (NSFW, watermarks, aesthetics) or of texts (toxicity). They are computed for all
    images and documents that remain."""
    perplexity: PerplexityConfig | None = None
    """Perplexity of the texts by a language model; null computes none."""
    judge: JudgeConfig = JudgeConfig()

    @field_validator("languages", mode="before")
    @classmethod
    def _listed(cls, written: object) -> object:
        return _codes(written)

    @property
    def clip(self) -> str | None:
        """The CLIP whose scores are computed; None if neither a rule nor `alignment` needs one, so that none
        is loaded."""
        wanted = self.alignment.share_above is not None or any(
            rule.declared.family in CLIP_FAMILIES for rule in self.rules
        )
        return self.alignment.model or (TOY_MODEL if wanted else None)

    @model_validator(mode="after")
    def _scored(self) -> FilterConfig:
        """Refuse rules on scores that this section disables."""
        names = [classifier.score for classifier in self.classifiers]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two classifiers have the score {twice}")
        for index, rule in enumerate(self.rules):
            if rule.declared.family in CLASSIFIERS.values() and rule.score not in names:
                have = ", ".join(names) or "none"
                raise ValueError(f"rules[{index}] is on {rule.score}; `classifiers` declares {have}")
            if rule.declared.family == PERPLEXITY and self.perplexity is None:
                raise ValueError(f"rules[{index}] is on {rule.score}, which needs perplexity.model")
            if rule.score == "alignment.share" and self.alignment.share_above is None:
                raise ValueError(f"rules[{index}] is on alignment.share, which needs alignment.share_above")
            if rule.declared.turn == PASSES.index("judge") and not self.judge.enabled:
                raise ValueError(f"rules[{index}] is on {rule.score}, but judge.enabled is false")
        return self
