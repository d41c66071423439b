"""The catalog of scores: name, level, unit. It holds only data, so a recipe is checked without loading a
model.

A score is named `<family>.<name>` and declared here once. A module in `scores/` computes it, and a rule
decides on it. PASSES is ordered by cost: cheap passes run first, and a dropped document is not scored any
further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["document", "image"]

PASSES = ("text", "image", "alignment", "coherence", "duplicate", "reference", "judge")
"""Families in the order in which they are computed and their rules applied."""

_WITHIN = {"document": "text", "rules": "judge"}
"""Families without a pass of their own -> the pass in which they are computed and their rules applied."""

JUDGE_FIELDS = ("text_quality", "narrative_coherence", "text_image_relevance", "instruction_value")
"""The judge's four questions, each answered with 1 (worst) to 5 (best)."""

CLIP_FAMILIES = ("alignment", "coherence")
"""Families computed from CLIP embeddings."""

MODEL_FAMILIES = (*CLIP_FAMILIES, "judge", "rules")
"""Families whose values depend on a model, which their rules must name."""


@dataclass(frozen=True, slots=True)
class Score:
    """One declared score. `meaning` ends with the unit or range."""

    name: str
    level: Level
    meaning: str

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]

    @property
    def turn(self) -> int:
        """Index of the score's pass in PASSES."""
        return PASSES.index(_WITHIN.get(self.family, self.family))


_DECLARED: tuple[tuple[str, Level, str], ...] = (
    (
        "document.language_confidence",
        "document",
        "share of the text that is in the document's language, [0, 1]",
    ),
    (
        "text.words",
        "document",
        (
            "words by UAX 29; in scripts without spaces, 1.5 ideographs or 3 clusters of Thai, Lao, "
            "Khmer or Burmese count as one"
        ),
    ),
    ("text.images", "document", "image segments that the reader found"),
    (
        "text.mean_word_length",
        "document",
        (
            "characters per word (Gopher keeps 3 to 10); not applicable if most words are in scripts "
            "without spaces"
        ),
    ),
    (
        "text.symbols",
        "document",
        (
            "share of characters that are neither letters, combining marks, digits, white space nor "
            "punctuation of prose, [0, 1]"
        ),
    ),
    ("text.capitals", "document", "share of capitals among letters of all scripts, [0, 1]"),
    ("text.links", "document", "URLs and e-mail addresses per 100 words"),
    (
        "text.repetition",
        "document",
        "share of words inside a run of 5 words that occurs earlier in the document, [0, 1]",
    ),
    ("text.exclamations", "document", "exclamation marks of all scripts per 100 words"),
    ("image.decoded", "image", "1 if the bytes were read and decode as an image, else 0"),
    ("image.side", "image", "shorter side, pixels"),
    ("image.aspect", "image", "longer side over shorter side, at least 1"),
    ("image.entropy", "image", "entropy of the gray histogram, bits, [0, 8]; 0 for one flat color"),
    ("image.sharpness", "image", "standard deviation of the Laplacian at 256 px, gray levels"),
    (
        "alignment.own",
        "image",
        "cosine with the text that owns it; alignment.beside if no owner is known, [-1, 1]",
    ),
    (
        "alignment.beside",
        "image",
        "largest cosine with a text next to it: nearest before, nearest after or caption, [-1, 1]",
    ),
    (
        "alignment.margin",
        "image",
        "alignment.own minus the mean cosine with the document's other texts, [-2, 2]",
    ),
    ("alignment.mean", "document", "mean of alignment.own over kept images, [-1, 1]"),
    ("alignment.min", "document", "smallest alignment.own of the kept images, [-1, 1]"),
    (
        "alignment.share",
        "document",
        "share of kept images with alignment.own at or above filter.alignment.share_above, [0, 1]",
    ),
    ("alignment.unknown_words", "document", "share of tokens that the model never saw in training, [0, 1]"),
    (
        "coherence.sequence",
        "document",
        "mean cosine of adjacent images minus mean cosine of all pairs, [-2, 2]; needs 3 images",
    ),
    ("coherence.adjacent", "document", "mean cosine of adjacent images, [-1, 1]; needs 2 images"),
    ("duplicate.within", "image", "earlier images of the same document with the same bytes"),
    ("duplicate.text", "document", "remaining documents with a smaller id and the same normalized text"),
    (
        "duplicate.images",
        "document",
        "share of its images that a remaining document with a smaller id has too, [0, 1]",
    ),
    (
        "reference.dangling",
        "document",
        ("references to images (a stated number, 'as shown below', 'Figure 3') that match no kept image"),
    ),
    *(
        (f"{family}.{field}", "document", f"{field.replace('_', ' ')}, 1 to 5, by {who}")
        for family, who in (("judge", "the language model"), ("rules", "written rules"))
        for field in JUDGE_FIELDS
    ),
)

SCORES: dict[str, Score] = {name: Score(name, level, meaning) for name, level, meaning in _DECLARED}
